/**
 * Runs threads that publish into the intake of the log, in Workers, and the writer's side here, and
 * looks at what comes out.
 *
 * The effects are those of a few keys, each with a lock and a counter: under the lock a thread counts
 * up and publishes the count. So the frames of each key must come out with 1, 2, 3 and so on: none
 * lost, none twice, all in the order in which the lock was held.
 *
 * @module
 */

import { Drain, type Piece } from "../../src/durability/drain.ts";
import { createIntakeMemory, type IntakeMemory } from "../../src/durability/intake_layout.ts";
import { FRAME_HEADER_BYTES } from "../../src/durability/layout.ts";
import { MARK_FRAME_BYTES } from "../../src/durability/mark.ts";
import { RecordReader } from "../../src/durability/record.ts";
import { CrewThread } from "../../src/lab/crew/thread.ts";
import { sumOf } from "./crew.ts";
import type { Mutation } from "./twin.ts";

/** The modules whose twins are tested. */
export const INTAKE_URL = new URL("../../src/durability/intake.ts", import.meta.url);
export const DRAIN_URL = new URL("../../src/durability/drain.ts", import.meta.url);

/** Word offsets in the evidence region; from KEYS on, a line per key: its lock, its count. */
export const IntakeEvidence = { START: 0, STOP: 16, INSIDE: 32, KEYS: 48 } as const;

/** What a publisher is told. */
export interface IntakeOrders {
  threadId: number;
  frames: number;
  keyCount: number;
  mostPayloadBytes: number;
  /** So many publications are one turn; 0 = each is on its own. */
  turnLength: number;
  intakeModule: string;
  memory: IntakeMemory;
  evidence: SharedArrayBuffer;
}

/** What it reports. */
export interface IntakeReport {
  /** Publications that began while another thread was inside one. */
  overlaps: number;
  /** How often there was no room. */
  stalls: number;
}

/** What to run. */
export interface IntakeStress {
  threads: number;
  framesEach: number;
  keyCount: number;
  bufferBytes: number;
  mostPayloadBytes: number;
  /** Turns of all threads but the first one, see {@link IntakeOrders}; default: none have any. */
  turnLength?: number;
  /** Modules to take the two sides from; default: the real ones. */
  intakeModule?: string;
  drainModule?: string;
  deadlineMs: number;
}

/** What came out. */
export interface IntakeResult {
  /** Frames that did not come out before the deadline. */
  missing: number;
  /** Frames that were torn, or in the wrong order. */
  wrong: number;
  overlaps: number;
  stalls: number;
  pieces: number;
  /** Pieces that were closed while somebody was inside. */
  unconfirmed: number;
}

/** Whether the intake did what it promises. */
export function isClean({ missing, wrong }: IntakeResult): boolean {
  return missing === 0 && wrong === 0;
}

/** Twins of the publishers' side that look right and are not. */
export const INTAKE_MUTATIONS: readonly Mutation[] = [
  {
    name: "confirms a frame before it is copied",
    find: `    this.#copy(records, from + 4, to, this.#at + 4);
    this.onStep?.("copied");
`,
    replace: `    const { words } = records;
    this.#words[(this.#at >> 2) + 1] = words[(from >> 2) + 1]!;
    Atomics.store(this.#words, this.#at >> 2, words[from >> 2]!);
    this.#copy(records, from + 4, to, this.#at + 4);
`,
  },
  {
    name: "claims without a swap",
    find: "      if (Atomics.compareExchange(words, filled, start, end) !== start) continue;",
    replace: "      Atomics.store(words, filled, end);",
  },
];

/**
 * Twins of the publishers' side that only turns show. That a span is left when the next piece is open
 * takes two instructions of the writer to show; a unit test stops it between them.
 */
export const SPAN_MUTATIONS: readonly Mutation[] = [
  {
    name: "does not look whether others came behind its span",
    find: " &&\n      Atomics.load(words, filledAt(this.#piece)) === this.#end;",
    replace: ";",
  },
  {
    name: "gives back what is behind others",
    find:
      "if (Atomics.compareExchange(words, filled, this.#end, this.#start + byteCount) === this.#end) {",
    replace: "if (Atomics.store(words, filled, this.#start + byteCount) >= 0) {",
  },
  {
    name: "leaves a gap in front of others",
    find: "    words[rest] = VOID;",
    replace: "",
  },
];

/**
 * No defects: publishers that take as long as a preemption would for the few instructions between a look
 * at the open piece and the claim in it, and between a claim and its confirmation.
 */
export const UNHURRIED: readonly Mutation[] = [
  {
    name: "looks and claims late",
    find: `      this.onStep?.("announced");
      if (Atomics.compareExchange`,
    replace: `      for (let turns = 0; turns < 100; turns++) Atomics.pause?.();
      if (Atomics.compareExchange`,
  },
  {
    name: "confirms late",
    find: "  #confirm(first: number): void {",
    replace: `  #confirm(first: number): void {
    for (let turns = 0; turns < 100; turns++) Atomics.pause?.();`,
  },
];

/** A twin of the writer's side. */
export interface DrainMutation extends Mutation {
  /** Shows only where somebody claims in a piece that was taken meanwhile: with {@link UNHURRIED}. */
  readonly wantsTime?: boolean;
}

/** Twins of the writer's side. */
export const DRAIN_MUTATIONS: readonly DrainMutation[] = [
  {
    name: "does not wait until a frame is confirmed",
    find: "|| this.#awaitFirst(index);",
    replace: "|| (words[index + 1] = filled - at, VOID);",
  },
  {
    name: "does not close a piece before it measures it",
    wantsTime: true,
    find: "const filled = Atomics.or(words, filledAt(number), CLOSED);",
    replace: "const filled = Atomics.load(words, filledAt(number));",
  },
  {
    name: "leaves old records behind",
    find: "bytes.fill(0, 0, filled);",
    replace: "bytes.fill(0, 0, filled >> 1);",
  },
];

/** Runs one stress to its end or deadline. */
export async function runIntakeStress(stress: IntakeStress): Promise<IntakeResult> {
  const { threads, framesEach, keyCount, bufferBytes, mostPayloadBytes } = stress;
  const intakeModule = stress.intakeModule ?? INTAKE_URL.href;
  const { Drain: DrainUnderTest } = await import(
    stress.drainModule ?? DRAIN_URL.href
  ) as { Drain: typeof Drain };
  const memory = createIntakeMemory(threads, bufferBytes);
  const evidence = new Int32Array(
    new SharedArrayBuffer((IntakeEvidence.KEYS + keyCount * 16) * 4),
  );
  const url = new URL("./intake_worker.ts", import.meta.url);
  const workers = Array.from({ length: threads }, () => new Worker(url, { type: "module" }));
  const crew = workers.map((worker, threadId) => {
    const orders: IntakeOrders = {
      threadId,
      frames: framesEach,
      keyCount,
      mostPayloadBytes,
      turnLength: threadId === 0 ? 0 : stress.turnLength ?? 0,
      intakeModule,
      memory,
      evidence: evidence.buffer,
    };
    return new CrewThread<IntakeReport>(worker).order(orders);
  });
  await Promise.all(crew.map(({ ready }) => ready));
  Atomics.store(evidence, IntakeEvidence.START, 1);
  Atomics.notify(evidence, IntakeEvidence.START);
  const drain = new DrainUnderTest(memory, 1000);
  const tally = drainAll(drain, threads * framesEach, keyCount, stress.deadlineMs);
  Atomics.store(evidence, IntakeEvidence.STOP, 1);
  // Threads of a broken twin may wait for room or for each other for good.
  if (tally.isBroken) { for (const worker of workers) worker.terminate(); }
  const reports = tally.isBroken ? [] : await Promise.all(crew.map(({ report }) => report));
  return {
    missing: threads * framesEach - tally.arrived,
    wrong: tally.wrong,
    overlaps: sumOf(reports, ({ overlaps }) => overlaps),
    stalls: sumOf(reports, ({ stalls }) => stalls),
    pieces: tally.pieces,
    unconfirmed: drain.unconfirmedCount,
  };
}

function drainAll(drain: Drain, frameCount: number, keyCount: number, deadlineMs: number) {
  const next = new Int32Array(keyCount).fill(1);
  const until = performance.now() + deadlineMs;
  const tally = { arrived: 0, wrong: 0, pieces: 0, isBroken: false };
  try {
    while (tally.arrived < frameCount && tally.wrong === 0 && performance.now() < until) {
      const calls = drain.calls;
      const piece = drain.take();
      if (piece === undefined) {
        drain.sleep(calls, 1);
        continue;
      }
      tally.pieces++;
      check(piece, next, tally);
      drain.setDurable(piece.number);
      drain.release();
    }
  } catch {
    // A broken twin may trip over itself; that counts as caught.
    tally.wrong++;
  }
  tally.isBroken = tally.arrived < frameCount || tally.wrong > 0;
  return tally;
}

function check(
  { bytes, view, end }: Piece,
  next: Int32Array,
  tally: { arrived: number; wrong: number },
): void {
  const record = new RecordReader();
  for (let at: number = MARK_FRAME_BYTES; at < end;) {
    const bodyEnd = at + FRAME_HEADER_BYTES + view.getInt32(at, true);
    record.open(bytes, at + FRAME_HEADER_BYTES, bodyEnd);
    for (let found = record.next(); found !== false; found = record.next()) {
      tally.arrived++;
      if (found !== true || !isNext(record, next)) {
        tally.wrong++;
        return;
      }
    }
    at = bodyEnd;
  }
}

function isNext(record: RecordReader, next: Int32Array): boolean {
  const { bytes, database: key, seq, payloadStart, payloadEnd } = record;
  if (seq !== next[key]) return false;
  next[key]!++;
  for (let i = payloadStart; i < payloadEnd; i++) if (bytes[i] !== (seq & 0xff)) return false;
  return true;
}
