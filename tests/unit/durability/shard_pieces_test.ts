import assert from "node:assert/strict";
import { Drain } from "../../../src/durability/drain.ts";
import { EffectRecorder } from "../../../src/durability/effect_recorder.ts";
import { createIntakeMemory } from "../../../src/durability/intake_layout.ts";
import { createLogStatus } from "../../../src/durability/log_status.ts";
import { createShardPieces, ShardNoter } from "../../../src/durability/shard_pieces.ts";
import { ThreadLog } from "../../../src/durability/thread_log.ts";
import { newTold } from "../../../src/durability/told.ts";
import { emptyStore } from "../../helpers/store_contents.ts";
import { keyOf, set } from "../store/helpers.ts";

const SHARDS = 8;

/** A thread's log with `always`, and the writer's side of it. */
function makeWorld() {
  const store = emptyStore(SHARDS);
  const intake = createIntakeMemory(1, 2 ** 20);
  const log = new ThreadLog(
    {
      intake,
      status: createLogStatus(),
      confirmsDurable: true,
      shardPieces: createShardPieces(SHARDS),
      firstEventNumber: 1,
    },
    store,
    0,
  );
  const drain = new Drain(intake);
  /** Sets a key; the shard that it is in. */
  const write = (name: string): number => {
    const { shard } = keyOf(store, name);
    set(store, name, "value");
    return shard;
  };
  /** Writes what was put in; whether it is durable then is for the caller. */
  const takePiece = (): number => {
    const { number } = drain.take()!;
    drain.release();
    return number;
  };
  /** Whether a reply that tells of a shard may leave. */
  const mayTell = (shard: number): boolean => {
    const told = newTold();
    log.begin(told);
    log.touch(shard);
    log.end();
    return log.isSafe(told);
  };
  return { drain, log, mayTell, takePiece, write };
}

Deno.test("shard pieces: every effect is noted with its shard", () => {
  const methods = Object.getOwnPropertyNames(EffectRecorder.prototype);
  const noted = Object.getOwnPropertyNames(ShardNoter.prototype);
  assert.ok(methods.length > 5);
  assert.deepEqual(methods.filter((name) => !noted.includes(name)), []);
});

Deno.test("shard pieces: a reply waits for the shards that it tells of, and for no others", () => {
  const { drain, log, mayTell, takePiece, write } = makeWorld();
  const all = Array.from({ length: SHARDS }, (_, shard) => shard);
  assert.ok(all.every(mayTell));
  const shard = write("a");
  assert.deepEqual(all.filter((shard) => !mayTell(shard)), [shard]);
  assert.ok(log.isLost(shard) && log.isAnyLost);
  const first = takePiece();
  assert.ok(!mayTell(shard), "it is written, and not durable");
  const other = write("b");
  drain.setDurable(first);
  assert.equal(mayTell(shard), shard !== other);
  assert.ok(!mayTell(other));
  drain.setDurable(takePiece());
  assert.ok(all.every(mayTell));
  assert.ok(!log.isAnyLost);
});

Deno.test("shard pieces: what nobody in particular has told makes late replies tell of everything", () => {
  const { log, takePiece, drain, write } = makeWorld();
  const late = newTold();
  log.begin(late);
  log.end();
  const shard = write("a");
  log.finish(late);
  assert.ok(log.isSafe(late), "it has told of nothing");
  log.begin(late);
  log.end();
  // What the reply waited for goes on, and looks at a key.
  log.touch(shard);
  log.finish(late);
  assert.ok(!log.isSafe(late));
  drain.setDurable(takePiece());
  assert.ok(log.isSafe(late));
});

Deno.test("shard pieces: what was told late once is told as late by the next one, too", () => {
  const { log, takePiece, drain, write } = makeWorld();
  const shard = write("a");
  const late = [newTold(), newTold(), newTold()];
  for (const [index, told] of late.entries()) {
    log.begin(told);
    log.end();
    // Its command was held back, and is executed when its turn is over.
    if (index < 2) log.touch(shard);
    else log.tellsLater();
    log.finish(told);
    assert.ok(!log.isSafe(told), `connection ${index} tells of what is not on the disk`);
  }
  drain.setDurable(takePiece());
  assert.ok(late.every((told) => log.isSafe(told)));
});
