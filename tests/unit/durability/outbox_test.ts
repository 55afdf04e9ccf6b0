import assert from "node:assert/strict";
import { Drain } from "../../../src/durability/drain.ts";
import { Intake } from "../../../src/durability/intake.ts";
import {
  createIntakeMemory,
  filledAt,
  IntakeHeader,
  PIECE_HEAD_BYTES,
} from "../../../src/durability/intake_layout.ts";
import { FRAME_HEADER_BYTES } from "../../../src/durability/layout.ts";
import { MARK_FRAME_BYTES } from "../../../src/durability/mark.ts";
import { Outbox } from "../../../src/durability/outbox.ts";
import { RecordReader, RecordType } from "../../../src/durability/record.ts";

/** Two threads, and the writer's side. */
function makeWorld(bufferBytes = 65_536) {
  const memory = createIntakeMemory(2, bufferBytes);
  const claims = [0, 0];
  const threads = claims.map((_, id) => {
    const intake = new Intake(memory, id);
    intake.onStep = (step) => {
      if (step === "claimed") claims[id]!++;
    };
    const outbox = new Outbox(intake);
    /** What a command does, up to where it gives back its lock. */
    const run = (n: number, payloadBytes = 8): void => {
      const payload = new Uint8Array(payloadBytes).fill(n);
      outbox.records.begin(RecordType.STRING, 0, new Uint8Array(3), 0, 3, n);
      outbox.records.append(payload, 0, payloadBytes).end();
      assert.ok(outbox.publish());
    };
    return { intake, outbox, run };
  });
  const drain = new Drain(memory);
  const words = new Int32Array(memory.bytes);
  return { memory, words, claims, first: threads[0]!, second: threads[1]!, drain };
}

/** The numbers of the records of the piece that is open. */
function takeNumbers(drain: Drain): number[] {
  const piece = drain.take();
  if (piece === undefined) return [];
  const numbers: number[] = [];
  const record = new RecordReader();
  const bodyEnd = MARK_FRAME_BYTES + FRAME_HEADER_BYTES +
    piece.view.getInt32(MARK_FRAME_BYTES, true);
  assert.equal(piece.end, bodyEnd, "all of it is one frame");
  record.open(piece.bytes, MARK_FRAME_BYTES + FRAME_HEADER_BYTES, bodyEnd);
  for (let found = record.next(); found !== false; found = record.next()) {
    assert.equal(found, true, "the records are whole");
    const payload = piece.bytes.subarray(record.payloadStart, record.payloadEnd);
    assert.ok(payload.every((byte) => byte === record.seq), "the payload is whole");
    numbers.push(record.seq);
  }
  assert.equal(piece.recordCount, numbers.length);
  drain.release();
  return numbers;
}

Deno.test("outbox: what no turn is about goes into the log at once", () => {
  const { drain, first } = makeWorld();
  first.run(1);
  assert.equal(first.outbox.publish(), false, "it is there already");
  assert.deepEqual(takeNumbers(drain), [1]);
});

Deno.test("outbox: the commands of a turn come out once and in order, and share a place", () => {
  const { claims, drain, first } = makeWorld();
  for (let turn = 0; turn < 3; turn++) {
    first.outbox.beginTurn();
    for (let n = 1; n <= 20; n++) {
      first.run(n, n);
      assert.equal(first.outbox.publish(), false, "a lock that changed nothing adds nothing");
    }
    first.outbox.endTurn();
    assert.deepEqual(takeNumbers(drain), Array.from({ length: 20 }, (_, i) => i + 1));
    assert.equal(drain.take(), undefined);
  }
  assert.deepEqual(claims, [6, 0], "the first command of a turn, and all others");
});

Deno.test("outbox: a turn of one command claims what it needs, and no more", () => {
  const { first, memory, words } = makeWorld();
  first.outbox.beginTurn();
  first.run(1);
  assert.equal(first.intake.hasSpan, false);
  first.outbox.endTurn();
  assert.equal(words[filledAt(0)], PIECE_HEAD_BYTES + 32, `in ${memory.bufferBytes} bytes`);
});

Deno.test("outbox: what a turn did not need is given back", () => {
  const { first, second, words, drain } = makeWorld();
  first.outbox.beginTurn();
  for (const n of [1, 2, 3]) first.run(n);
  assert.ok(words[filledAt(0)]! > PIECE_HEAD_BYTES + 3 * 32, "it has claimed more");
  first.outbox.endTurn();
  assert.equal(words[filledAt(0)], PIECE_HEAD_BYTES + 3 * 32);
  second.run(4);
  assert.deepEqual(takeNumbers(drain), [1, 2, 3, 4]);
});

Deno.test("outbox: what another thread did in between is in between", () => {
  const { first, second, drain } = makeWorld();
  first.outbox.beginTurn();
  second.outbox.beginTurn();
  for (const n of [1, 2, 3]) first.run(n);
  for (const n of [4, 5, 6]) second.run(n);
  for (const n of [7, 8]) first.run(n);
  for (const n of [9]) second.run(n);
  second.outbox.endTurn();
  first.outbox.endTurn();
  assert.deepEqual(takeNumbers(drain), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

Deno.test("outbox: a turn goes on in the next piece as soon as others may be there", () => {
  const { first, second, words, drain } = makeWorld();
  first.outbox.beginTurn();
  for (const n of [1, 2]) first.run(n);
  // The writer stops when it has opened the next piece, before it closes this one.
  words[filledAt(1)] = PIECE_HEAD_BYTES;
  words[IntakeHeader.PIECE] = 1;
  second.run(3);
  first.run(4);
  first.outbox.endTurn();
  assert.deepEqual(takeNumbers(drain), [3, 4], "what came behind the other thread's is behind it");
});

Deno.test("outbox: where two threads are busy, a buffer is not filled with what spans did not need", () => {
  const { claims, first, second, words, drain } = makeWorld();
  const numbers: number[] = [];
  for (let turn = 0; turn < 20; turn++) {
    for (const { outbox } of [first, second]) outbox.beginTurn();
    for (let n = 1; n <= 6; n++) {
      for (const { run } of [first, second]) run(n);
      numbers.push(n, n);
    }
    for (const { outbox } of [first, second]) outbox.endTurn();
  }
  const filledBytes = words[filledAt(0)]!;
  const recordBytes = 20 * 6 * 2 * 32;
  assert.ok(filledBytes < 6 * recordBytes, `${filledBytes} bytes for ${recordBytes}`);
  assert.deepEqual(takeNumbers(drain), numbers);
  // Alone again, it has spans for a turn as before.
  for (let turn = 0; turn < 10; turn++) {
    claims[0] = 0;
    first.outbox.beginTurn();
    for (let n = 1; n <= 100; n++) first.run(n);
    first.outbox.endTurn();
  }
  assert.equal(claims[0], 2);
});

Deno.test("outbox: what is claimed when the buffer has come round is in the piece that is said", () => {
  for (const doesOpen of [false, true]) {
    const { first, second, drain, words } = makeWorld();
    first.intake.onStep = (step) => {
      if (step !== "announced") return;
      first.intake.onStep = undefined;
      // The thread has seen an empty piece, and gets no processor time for two pieces.
      for (const n of [1, 2]) {
        second.run(n);
        assert.deepEqual(takeNumbers(drain), [n]);
        drain.setDurable(n - 1);
      }
      if (!doesOpen) return;
      // The writer stops when it has opened the next piece, before it closes this one.
      words[filledAt(3)] = PIECE_HEAD_BYTES;
      words[IntakeHeader.PIECE] = 3;
    };
    first.run(3);
    // A reply that tells of it waits for that piece.
    assert.equal(first.intake.claimedPiece, 2);
    assert.ok(!first.intake.isDurable(first.intake.claimedPiece));
  }
});

Deno.test("outbox: what is longer than a span has a place of its own", () => {
  const { claims, drain, first } = makeWorld();
  const { mostSpanBytes } = first.intake;
  first.outbox.beginTurn();
  for (const n of [1, 2]) first.run(n);
  first.run(3, mostSpanBytes);
  first.run(4, mostSpanBytes - 200);
  first.run(5, 100);
  first.run(6, 100);
  first.outbox.endTurn();
  assert.deepEqual(takeNumbers(drain), [1, 2, 3, 4, 5, 6]);
  assert.deepEqual(claims, [5, 0], "1 │ 2 │ 3 │ 4, 5 │ 6");
});

Deno.test("outbox: what was recorded and not published is left for the next publication", () => {
  const { drain, first } = makeWorld();
  first.outbox.beginTurn();
  for (const n of [1, 2, 3]) first.run(n);
  first.outbox.records.begin(RecordType.REMOVED, 0, new Uint8Array(3), 0, 3, 9).end();
  first.outbox.endTurn();
  assert.deepEqual(takeNumbers(drain), [1, 2, 3]);
  first.run(4);
  assert.deepEqual(takeNumbers(drain), [9, 4]);
});

Deno.test("outbox: the writer waits until a turn is over, and is woken then", async () => {
  const { first, memory } = makeWorld();
  first.outbox.beginTurn();
  for (const n of [1, 2, 3]) first.run(n);
  const worker = new Worker(new URL("./drain_worker.ts", import.meta.url), { type: "module" });
  const taken = new Promise<unknown>((resolve) => {
    // Its first message says that it is about to take.
    worker.onmessage = ({ data }) => data.length > 0 && resolve(data);
  });
  worker.postMessage(memory);
  const words = new Int32Array(memory.bytes);
  while (Atomics.load(words, IntakeHeader.PIECE) === 0) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  first.run(4);
  first.outbox.endTurn();
  assert.deepEqual(await taken, [1, 2, 3]);
  worker.terminate();
});

Deno.test("outbox: a process that is stopped in the middle of a turn goes on", () => {
  const { first, drain } = makeWorld();
  first.outbox.beginTurn();
  for (const n of [1, 2, 3]) first.run(n);
  const { now } = performance;
  let looks = 0;
  performance.now = () => {
    // The writer waits for the turn; then nobody runs for a minute.
    if (++looks < 3) return now.call(performance);
    if (looks === 3) first.outbox.endTurn();
    return now.call(performance) + 60_000;
  };
  try {
    assert.deepEqual(takeNumbers(drain), [1, 2, 3]);
  } finally {
    performance.now = now;
  }
  assert.equal(looks, 3);
});
