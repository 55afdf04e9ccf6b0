/**
 * Sends mutated sequences to a server over TCP, and looks at everything that comes back.
 *
 * Case `n` of a seed is the same whatever ran before it, so a find is replayed alone.
 *
 * @module
 */

import { setImmediate } from "node:timers/promises";
import { concatenate, nextSequence } from "./mutate.ts";
import type { FuzzProtocol } from "./protocols.ts";
import { Random } from "./random.ts";

/** A fuzz run. */
export interface FuzzPlan {
  readonly protocol: FuzzProtocol;
  readonly port: number;
  readonly seed: number;
  /** First case. */
  readonly firstCase: number;
  /** Sequences to send at least. */
  readonly sequenceCount: number;
  /** Connections at a time. */
  readonly connectionCount: number;
  /** Longest that a connection may go without a byte before it ends. Unit: ms. */
  readonly patienceMs: number;
  /** Told now and then how many sequences were sent. */
  readonly onProgress?: (sequenceCount: number) => void;
}

/** What a run saw. */
export interface FuzzTally {
  /** Connections. */
  cases: number;
  sequences: number;
  replies: number;
  bytesSent: number;
  bytesReceived: number;
  /** Connections that the server reset. */
  resets: number;
}

/** A sequence that the server did not take as it should. */
export class FuzzFind extends Error {
  /** Says how to see it again. */
  constructor({ protocol, seed }: FuzzPlan, caseIndex: number, sent: Uint8Array, reason: unknown) {
    const text = JSON.stringify(String.fromCharCode(...sent.subarray(0, 4000)));
    super(
      `${protocol.name}, SLUICE_FUZZ_SEED=${seed} SLUICE_FUZZ_FROM=${caseIndex} ` +
        `SLUICE_FUZZ_COUNT=1: ${reason}\nsent ${sent.length} bytes: ${text}`,
    );
  }
}

/** How a connection ends from our side. */
const Ending = { HALF_CLOSE: 0, ABRUPT: 1, WAIT: 2 } as const;

/** What one read may bring. Unit: bytes. */
const ROOM_BYTES = 65_536;

/** How often it is looked whether this process runs. Unit: ms. */
const BEAT_MS = 50;
/** Longer than this without running, and the server may have given up a client. Unit: ms. */
const LATE_MS = 300;

/**
 * Notices that this process did not run for a while, as on a busy machine: a client that does not
 * read for the server's idle timeout is cut off in the middle of a reply, and rightly so.
 */
class Pulse implements Disposable {
  #lastBeatMs = performance.now();
  #lateAtMs = -Infinity;
  readonly #timer = setInterval(() => this.#beat(), BEAT_MS);

  /** Whether it was so at any time since `startedAtMs`. */
  wasLateSince(startedAtMs: number): boolean {
    this.#beat();
    return this.#lateAtMs >= startedAtMs;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #beat(): void {
    const nowMs = performance.now();
    if (nowMs - this.#lastBeatMs > LATE_MS) this.#lateAtMs = nowMs;
    this.#lastBeatMs = nowMs;
  }
}

/** Ends a connection on which nothing comes for too long. */
class Silence implements Disposable {
  /** Whether it was too long. */
  isOver = false;

  readonly #patienceMs: number;
  readonly #onOver: () => void;
  #sinceMs = performance.now();
  #timer: ReturnType<typeof setTimeout>;

  constructor(patienceMs: number, onOver: () => void) {
    this.#patienceMs = patienceMs;
    this.#onOver = onOver;
    this.#timer = setTimeout(() => this.#look(), patienceMs);
  }

  /** Something came. */
  break(): void {
    this.#sinceMs = performance.now();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  #look(): void {
    const restMs = this.#sinceMs + this.#patienceMs - performance.now();
    if (restMs > 0) {
      this.#timer = setTimeout(() => this.#look(), restMs);
      return;
    }
    this.isOver = true;
    this.#onOver();
  }
}

/**
 * Runs until enough sequences were sent.
 *
 * @throws {FuzzFind} at the first malformed reply or connection that does not end
 */
export async function fuzzOverTcp(plan: FuzzPlan): Promise<FuzzTally> {
  const tally = { cases: 0, sequences: 0, replies: 0, bytesSent: 0, bytesReceived: 0, resets: 0 };
  let nextCase = plan.firstCase;
  let nextProgress = 10_000;
  using pulse = new Pulse();
  const work = async (): Promise<void> => {
    const room = new Uint8Array(ROOM_BYTES);
    while (tally.sequences < plan.sequenceCount) {
      await runCase(plan, nextCase++, { tally, pulse, room });
      if (tally.sequences < nextProgress) continue;
      nextProgress += 10_000;
      plan.onProgress?.(tally.sequences);
    }
  };
  await Promise.all(Array.from({ length: plan.connectionCount }, work));
  return tally;
}

/** What one case after the other uses. */
interface Bench {
  readonly tally: FuzzTally;
  readonly pulse: Pulse;
  readonly room: Uint8Array<ArrayBuffer>;
}

async function runCase(plan: FuzzPlan, caseIndex: number, bench: Bench): Promise<void> {
  const { tally, pulse } = bench;
  const { protocol, port, seed, patienceMs } = plan;
  const random = new Random(
    Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) + Math.imul(caseIndex, 0xc2b2ae35),
  );
  const sequences: Uint8Array[] = [];
  do sequences.push(nextSequence(random, protocol)); while (!random.oneIn(2));
  const sent = concatenate(sequences);
  tally.cases++;
  tally.sequences += sequences.length;
  tally.bytesSent += sent.length;
  const ending = random.oneIn(20)
    ? Ending.ABRUPT
    : random.oneIn(100) && protocol.isPatient !== true
    ? Ending.WAIT
    : Ending.HALF_CLOSE;
  const startedAtMs = performance.now();
  const socket = await Deno.connect({ hostname: "127.0.0.1", port });
  // Some sequences have very long replies, for which 64 such clients of a busy machine wait long.
  using silence = new Silence(patienceMs, () => closeQuietly(socket));
  try {
    if (protocol.prefix !== undefined) await writeAll(socket, protocol.prefix);
    const sending = send(socket, sent, random, ending);
    const { bytes, isReset } = await readAll(socket, bench.room, silence);
    await sending;
    if (silence.isOver) {
      throw `not ended, and silent for ${patienceMs} ms, ending ${ending}, ` +
        `got ${bytes.length} bytes`;
    }
    tally.bytesReceived += bytes.length;
    if (isReset) tally.resets++;
    const cutOff = isReset || ending === Ending.ABRUPT || pulse.wasLateSince(startedAtMs);
    tally.replies += protocol.countReplies(bytes, sent, cutOff);
  } catch (error) {
    throw new FuzzFind(plan, caseIndex, sent, error);
  } finally {
    closeQuietly(socket);
  }
}

/** Sends whole, in a few pieces or byte by byte, with and without pauses; then ends. */
async function send(
  socket: Deno.TcpConn,
  bytes: Uint8Array<ArrayBuffer>,
  random: Random,
  ending: number,
): Promise<void> {
  const style = random.below(10);
  const pieceBytes = style < 6 || bytes.length === 0
    ? bytes.length
    : style < 7 && bytes.length < 300
    ? 1
    : 1 + random.below(Math.min(bytes.length, 5000));
  const pauses = random.oneIn(3);
  try {
    for (let at = 0; at < bytes.length;) {
      const piece = bytes.subarray(
        at,
        at + (pieceBytes === 1 ? 1 : 1 + random.below(pieceBytes * 2)),
      );
      await writeAll(socket, piece);
      at += piece.length;
      if (pauses) await setImmediate();
    }
    if (ending === Ending.HALF_CLOSE) await socket.closeWrite();
    if (ending === Ending.ABRUPT) closeQuietly(socket);
  } catch {
    // The server has ended the connection before everything was sent, as it may.
  }
}

async function writeAll(socket: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  let written = 0;
  while (written < bytes.length) written += await socket.write(bytes.subarray(written));
}

/** @param room where the socket is read into; what it is given back is another's */
async function readAll(
  socket: Deno.TcpConn,
  room: Uint8Array<ArrayBuffer>,
  silence: Silence,
): Promise<{ bytes: Uint8Array; isReset: boolean }> {
  const parts: Uint8Array[] = [];
  for (;;) {
    let byteCount: number | null;
    try {
      byteCount = await socket.read(room);
    } catch {
      return { bytes: concatenate(parts), isReset: true };
    }
    if (byteCount === null) return { bytes: concatenate(parts), isReset: false };
    silence.break();
    parts.push(room.slice(0, byteCount));
  }
}

function closeQuietly(socket: Deno.TcpConn): void {
  try {
    socket.close();
  } catch {
    // Closed already.
  }
}
