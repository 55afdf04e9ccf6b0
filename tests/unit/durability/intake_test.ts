import assert from "node:assert/strict";
import { Drain, type Piece } from "../../../src/durability/drain.ts";
import { Intake, type PublishStep, voidClaimOf } from "../../../src/durability/intake.ts";
import {
  createIntakeMemory,
  filledAt,
  IntakeHeader,
} from "../../../src/durability/intake_layout.ts";
import { FRAME_HEADER_BYTES } from "../../../src/durability/layout.ts";
import { MARK_FRAME_BYTES } from "../../../src/durability/mark.ts";
import { RecordReader, RecordType, RecordWriter } from "../../../src/durability/record.ts";

const BUFFER_BYTES = 4096;

function intakeOf(threadCount = 1) {
  const memory = createIntakeMemory(threadCount, BUFFER_BYTES);
  const intakes = Array.from({ length: threadCount }, (_, id) => new Intake(memory, id));
  return { memory, intakes, intake: intakes[0]!, drain: new Drain(memory) };
}

/** A frame with one record whose number is `n`. */
function frameOf(n: number, payloadBytes = 8): RecordWriter {
  const records = new RecordWriter(64);
  records.begin(RecordType.STRING, 0, new Uint8Array(3), 0, 3, n);
  records.append(new Uint8Array(payloadBytes).fill(n), 0, payloadBytes).end();
  return records;
}

/** The numbers of the records of a piece. */
function numbersIn({ bytes, view, end }: Piece): number[] {
  const numbers: number[] = [];
  const record = new RecordReader();
  for (let at: number = MARK_FRAME_BYTES; at < end;) {
    const bodyEnd = at + FRAME_HEADER_BYTES + view.getInt32(at, true);
    record.open(bytes, at + FRAME_HEADER_BYTES, bodyEnd);
    while (record.next() === true) {
      const payload = bytes.subarray(record.payloadStart, record.payloadEnd);
      assert.ok(payload.every((byte) => byte === (record.seq & 0xff)), "the payload is whole");
      numbers.push(record.seq);
    }
    at = bodyEnd;
  }
  return numbers;
}

function takeAll(drain: Drain): number[] {
  const piece = drain.take();
  if (piece === undefined) return [];
  const numbers = numbersIn(piece);
  drain.release();
  return numbers;
}

Deno.test("intake: what is published comes out once, in order, short or long", () => {
  const { intake, drain } = intakeOf();
  assert.equal(drain.take(), undefined);
  for (let round = 0; round < 10; round++) {
    for (let n = 0; n < 5; n++) intake.publish(frameOf(round * 10 + n, n * 100));
    assert.deepEqual(takeAll(drain), [0, 1, 2, 3, 4].map((n) => round * 10 + n));
    assert.equal(drain.take(), undefined);
  }
});

Deno.test("intake: frames go on to be published while a piece is being written", () => {
  const { intake, drain } = intakeOf();
  intake.publish(frameOf(1));
  const piece = drain.take()!;
  intake.publish(frameOf(2));
  assert.deepEqual(numbersIn(piece), [1]);
  drain.release();
  assert.deepEqual(takeAll(drain), [2]);
});

Deno.test("intake: a piece is durable when the writer says so, also where numbers go round", () => {
  const { memory, intake, drain } = intakeOf();
  const words = new Int32Array(memory.bytes);
  // The numbers of pieces, just below 2^31 and 2^32; even ones, as at the start.
  for (const first of [2 ** 31 - 2, -2]) {
    words[0] = first;
    words[2] = first - 1;
    for (let n = 0; n < 4; n++) {
      assert.equal(intake.isDurable(intake.lastPiece), true, "nothing waits");
      intake.publish(frameOf(n));
      const piece = intake.lastPiece;
      assert.equal(intake.isDurable(piece), false);
      const taken = drain.take()!;
      assert.equal(taken.number, piece);
      drain.setDurable(taken.number);
      drain.release();
      assert.equal(intake.isDurable(piece), true);
    }
  }
});

Deno.test("intake: who waits for a piece is told when it is durable", async () => {
  const { intake, drain } = intakeOf();
  intake.publish(frameOf(1));
  const piece = intake.lastPiece;
  const told = intake.nextDurable(intake.durablePiece, 60_000);
  drain.setDurable(drain.take()!.number);
  await told;
  assert.equal(intake.isDurable(piece), true);
});

Deno.test("intake: a frame that is too long for what is left goes into the next piece", async () => {
  const { memory, drain } = intakeOf();
  const worker = new Worker(new URL("./intake_worker.ts", import.meta.url), { type: "module" });
  const { promise, resolve } = Promise.withResolvers<number>();
  worker.onmessage = ({ data }) => resolve(data);
  worker.postMessage({ memory, frames: 40, payloadBytes: 1000 });
  const seen: number[] = [];
  const until = performance.now() + 30_000;
  while (seen.length < 40 && performance.now() < until) {
    const calls = drain.calls;
    const numbers = takeAll(drain);
    if (numbers.length === 0) drain.sleep(calls, 20);
    seen.push(...numbers);
  }
  assert.deepEqual(seen, Array.from({ length: 40 }, (_, n) => n));
  assert.ok(await promise > 0, "there was no room at times");
  worker.terminate();
});

const STEPS: [PublishStep, boolean][] = [
  ["announced", false],
  ["claimed", true],
  ["copied", true],
  ["confirmed", false],
];

for (const [step, isLost] of STEPS) {
  Deno.test(`intake: a thread that dies when its frame is ${step} holds nobody up`, () => {
    const { memory, intakes, drain } = intakeOf(2);
    const [dying, living] = intakes as [Intake, Intake];
    const death = new Error("dead");
    living.publish(frameOf(1));
    dying.onStep = (reached) => {
      if (reached === step) throw death;
    };
    assert.throws(() => dying.publish(frameOf(2, 600)), death);
    living.publish(frameOf(3));
    const isAlive = (threadId: number): boolean => threadId === 1;
    assert.equal(voidClaimOf(memory, 0, isAlive), isLost);
    assert.equal(voidClaimOf(memory, 0, isAlive), false, "it is asked about once");
    living.publish(frameOf(4));
    assert.deepEqual(takeAll(drain), step === "confirmed" ? [1, 2, 3, 4] : [1, 3, 4]);
  });
}

Deno.test("intake: of two threads that died, the second one is found while the writer waits for it", async () => {
  const { memory, intakes } = intakeOf(3);
  const [first, second, living] = intakes as [Intake, Intake, Intake];
  const death = new Error("dead");
  first.onStep = second.onStep = (reached) => {
    if (reached === "claimed") throw death;
  };
  living.publish(frameOf(1));
  assert.throws(() => first.publish(frameOf(2, 40)), death);
  living.publish(frameOf(3, 200));
  living.publish(frameOf(4, 200));
  assert.throws(() => second.publish(frameOf(5, 300)), death);
  living.publish(frameOf(6));
  const isAlive = (threadId: number): boolean => threadId === 2;
  assert.ok(voidClaimOf(memory, 0, isAlive));
  const worker = new Worker(new URL("./drain_worker.ts", import.meta.url), { type: "module" });
  const messages: number[][] = [];
  let tell = (): void => {};
  const heard = async (count: number): Promise<void> => {
    while (messages.length < count) await new Promise<void>((resolve) => tell = resolve);
  };
  worker.onmessage = ({ data }) => {
    messages.push(data);
    tell();
  };
  worker.postMessage(memory);
  await heard(1);
  // It has passed the first gap when it has waited for the second one for so long.
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.ok(voidClaimOf(memory, 1, isAlive), "what the second one has claimed is found");
  await heard(2);
  assert.deepEqual(messages[1], [1, 3, 4, 6]);
  worker.terminate();
});

Deno.test("intake: a dead thread that was overtaken loses nothing of who overtook it", () => {
  const { memory, intakes, drain } = intakeOf(2);
  const [dying, living] = intakes as [Intake, Intake];
  // It wanted the place that another thread gets, whose frame has a zero where its own would begin.
  living.publish(frameOf(1, 500));
  const death = new Error("dead");
  dying.onStep = (reached) => {
    if (reached !== "announced") return;
    living.publish(frameOf(2, 500));
    throw death;
  };
  assert.throws(() => dying.publish(frameOf(9)), death);
  drain.take();
  drain.release();
  drain.setDurable(0);
  // Two pieces later the same buffer has other frames, across the place it wanted.
  living.publish(frameOf(3));
  drain.take();
  drain.release();
  living.publish(frameOf(0, 1500));
  assert.equal(voidClaimOf(memory, 0, () => true), false);
  assert.deepEqual(takeAll(drain), [0]);
});

Deno.test("intake: a place that a dead thread wanted is left alone once its buffer was written", () => {
  const { memory, intakes, drain } = intakeOf(2);
  const [dying, living] = intakes as [Intake, Intake];
  const death = new Error("dead");
  dying.onStep = () => {
    living.publish(frameOf(1, 40));
    throw death;
  };
  assert.throws(() => dying.publish(frameOf(9, 600)), death);
  assert.deepEqual(takeAll(drain), [1]);
  assert.equal(voidClaimOf(memory, 0, (threadId) => threadId === 1), false);
  for (let n = 2; n < 6; n++) {
    living.publish(frameOf(n, 40));
    assert.deepEqual(takeAll(drain), [n]);
  }
});

Deno.test("intake: a buffer is open only when its piece is the last one, or the one before", () => {
  const { memory, intake, drain } = intakeOf();
  const words = new Int32Array(memory.bytes);
  const { store } = Atomics;
  let looks = 0;
  const look = (): void => {
    looks++;
    const piece = words[IntakeHeader.PIECE]!;
    // Who claims there with an old reading of PIECE is behind what was put in, not in front of it.
    if (words[filledAt(piece + 1)]! >= 0) {
      assert.notEqual(words[filledAt(piece + 1)], MARK_FRAME_BYTES, "nobody is in front of others");
    }
  };
  Atomics.store = ((target: Int32Array, index: number, value: number) => {
    store(target, index, value);
    if (target.buffer === memory.bytes) look();
    return value;
  }) as typeof Atomics.store;
  try {
    for (let n = 0; n < 4; n++) {
      intake.publish(frameOf(n));
      takeAll(drain);
    }
  } finally {
    Atomics.store = store;
  }
  assert.ok(looks > 8);
});
