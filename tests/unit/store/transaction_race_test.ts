/** Transactions of several threads over three keys whose sum stays what it is. */

import assert from "node:assert/strict";
import type { LockKind } from "../../../src/store/locks.ts";
import { Store } from "../../../src/store/store.ts";
import { CommitStatus, StoreTransaction } from "../../../src/store/transaction.ts";
import { enlist, runTwin, sumOf } from "../../stress/crew.ts";
import { writeTwinOf } from "../../stress/twin.ts";
import { KEYS, MOVES_KEY, type RaceOrders, type RaceReport } from "./transaction_racer.ts";

const RACER = new URL("./transaction_racer.ts", import.meta.url);
const MODULE = new URL("../../../src/store/transaction.ts", import.meta.url);
const TOTAL = 100_000;

interface Outcome extends RaceReport {
  /** The sum at the end. */
  sum: number;
  /** What the key says of how many moves there were. */
  counted: number;
}

async function race(
  lockKind: LockKind,
  shardCount: number,
  moves: number,
  module: string = MODULE.href,
): Promise<Outcome> {
  const threads = 3;
  const store = Store.create({
    shardCount,
    lockKind,
    maxMemoryBytes: 8 * 2 ** 20,
    maxValueBytes: 2 ** 20,
    threadCount: threads + 1,
  });
  const t = new StoreTransaction(store);
  t.begin();
  t.set(KEYS[0], TOTAL);
  assert.equal(t.commit(), CommitStatus.OK);
  const start = new SharedArrayBuffer(4);
  const crew = Array.from({ length: threads }, (_, i) => {
    const orders: RaceOrders = {
      memory: store.memory,
      threadId: i + 1,
      module,
      moves,
      total: TOTAL,
      start,
    };
    return enlist<RaceReport>(RACER, `racer ${i}`, orders);
  });
  await Promise.all(crew.map(({ ready }) => ready));
  Atomics.store(new Int32Array(start), 0, 1);
  Atomics.notify(new Int32Array(start), 0);
  const reports = await Promise.all(crew.map(({ report }) => report));
  store.assertInvariants();
  t.begin();
  const sum = Number(t.get(KEYS[0]) ?? 0) + Number(t.hget(KEYS[1], "part") ?? 0) +
    (t.zscore(KEYS[2], "part") ?? 0);
  return {
    sum,
    counted: Number(t.get(MOVES_KEY)),
    moves: sumOf(reports, ({ moves }) => moves),
    conflicts: sumOf(reports, ({ conflicts }) => conflicts),
    looks: sumOf(reports, ({ looks }) => looks),
    torn: sumOf(reports, ({ torn }) => torn),
    fault: reports.map(({ fault }) => fault).join(""),
  };
}

function isWrong({ sum, torn, counted, moves, fault }: Outcome): boolean {
  return sum !== TOTAL || torn > 0 || counted !== moves || fault !== "";
}

Deno.test("StoreTransaction: one that does not look whether its reads still hold is caught by the checks below", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const twin = await writeTwinOf(MODULE, [{
      name: "believes its reads",
      find: "      if (this.#reads.haveChanged()) return CommitStatus.CONFLICT;",
      replace: "",
    }], folder);
    const outcome = await runTwin(() => race("rwlock", 16, 10_000, twin), isWrong);
    assert.ok(isWrong(outcome), `inconclusive: ${JSON.stringify(outcome)}`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

for (const lockKind of ["mutex", "rwlock"] as const) {
  for (const shardCount of [1, 64]) {
    Deno.test(`StoreTransaction (${lockKind}, ${shardCount} shards): of threads that move parts of a sum about, none sees or leaves another sum`, async () => {
      const outcome = await race(lockKind, shardCount, 10_000);
      const report = JSON.stringify(outcome);
      assert.ok(!isWrong(outcome), report);
      assert.ok(outcome.looks > 1000 && outcome.moves > 1000, report);
      assert.ok(outcome.conflicts >= 100, `inconclusive: ${report}`);
    });
  }
}
