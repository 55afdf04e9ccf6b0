/**
 * Whether memory that was used can be used again for other sizes: fills a server, deletes everything
 * or every second key, fills it again with elements of other sizes to the same level, and so on.
 *
 * @module
 */

import { BulkLoader } from "../helpers/bulk_loader.ts";
import { ServerProcess } from "../helpers/server_process.ts";
import { VectorConnection } from "../vectors/session.ts";

const MIB = 2 ** 20;
/** Bytes that are written between two looks at the memory. */
const STEP_BYTES = 192 * 1024;
const DELETES_AT_A_TIME = 1000;
/** Longest time until what was deleted is free. Unit: ms. */
const SETTLE_MS = 20_000;
/** Of what was there, so much is left at most after every key, or every second one, was deleted. */
const LEFT_SHARE: Readonly<Record<Emptied, number>> = { all: 0.1, "every second": 0.7 };
/** Bytes of the elements of each round; a round more begins again at the front. */
const ROUND_SIZES = [32, 500, 8, 3000, 100, 20_000, 64, 1000, 200, 7000];
/** A large element is so many times longer than the others of its round. */
const LARGE_FACTOR = 10;

/** What can be filled with; "mixed" is all of the others, key by key. */
export const REFILL_TYPES = ["string", "list", "hash", "set", "zset", "mixed"] as const;
/** One of {@link REFILL_TYPES}. */
export type RefillType = typeof REFILL_TYPES[number];

/** What is deleted between two rounds. */
export type Emptied = "all" | "every second";

/** How to fill. */
export interface RefillOptions {
  /** With what. */
  readonly type: RefillType;
  /** What is deleted in between. */
  readonly emptied: Emptied;
  /** How often it is filled. */
  readonly rounds: number;
  /** Per cent of `--max-memory` that the blocks in use are to take; 100 = until the first `-OOM`. */
  readonly fillPercent: number;
  /** `--max-memory`. */
  readonly maxMemoryMiB: number;
  /** `--shards`. */
  readonly shards: number;
  /** Told of each round when it is over. */
  readonly onRound: (round: RefillRound) => void;
}

/** One round. */
export interface RefillRound {
  readonly type: RefillType;
  readonly emptied: Emptied;
  readonly round: number;
  readonly elementBytes: number;
  /** Keys written in this round. */
  readonly written: number;
  /** Keys that were left of the rounds before. */
  readonly kept: number;
  /** Per cent of `--max-memory` in blocks in use, index included. */
  readonly filledPercent: number;
  /** Per cent of `--max-memory` in pages in use. */
  readonly usedPercent: number;
  /** Pages in use by blocks in use. */
  readonly fragmentation: number;
  /** The first error; "" = none. */
  readonly error: string;
  readonly seconds: number;
}

/** A small seeded source of numbers. */
class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  below(n: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor(this.#state / 2 ** 32 * n);
  }
}

/** Bytes of a collection; a string is one element. */
const COLLECTION_BYTES = [200, 2000, 20_000];
const FILLER = "v".repeat(256 * 1024);

/** A command that makes a key with some elements of about `elementBytes` bytes. */
function commandFor(
  type: Exclude<RefillType, "mixed">,
  key: string,
  elementBytes: number,
  random: Random,
): string[] {
  const length = (): number => {
    const around = elementBytes / 2 + random.below(elementBytes);
    return Math.max(1, Math.floor(random.below(100) === 0 ? around * LARGE_FACTOR : around));
  };
  const element = (i: number): string => `${i}:${FILLER.slice(0, length())}`;
  if (type === "string") return ["SET", key, FILLER.slice(0, length())];
  const wanted = COLLECTION_BYTES[random.below(3)]! / elementBytes;
  const count = Math.max(1, Math.min(500, Math.floor(wanted * (0.5 + random.below(100) / 100))));
  const words: string[] = [{ list: "RPUSH", hash: "HSET", set: "SADD", zset: "ZADD" }[type], key];
  for (let i = 0; i < count; i++) {
    if (type === "hash") words.push(`field ${i}`);
    else if (type === "zset") words.push(String(random.below(1000)));
    words.push(element(i));
  }
  return words;
}

interface Reading {
  readonly usedBytes: number;
  readonly datasetBytes: number;
}

async function read(connection: VectorConnection): Promise<Reading> {
  const text = await connection.ask(["INFO", "memory"]);
  const field = (name: string): number =>
    Number(new RegExp(`^${name}:(\\d+)`, "m").exec(text)?.[1] ?? NaN);
  return { usedBytes: field("used_memory"), datasetBytes: field("used_memory_dataset") };
}

/**
 * Waits until what was deleted is free: large collections are freed in slices, some time after.
 *
 * @param mostBytes what is left at most, roughly; until then there is more to free
 */
async function settle(connection: VectorConnection, mostBytes: number): Promise<Reading> {
  const startedAtMs = performance.now();
  let before = await read(connection);
  for (let same = 0; same < 8 || before.datasetBytes > mostBytes;) {
    await new Promise((resolve) => setTimeout(resolve, 25));
    const now = await read(connection);
    same = now.datasetBytes === before.datasetBytes ? same + 1 : 0;
    before = now;
    if (performance.now() - startedAtMs > SETTLE_MS) {
      throw new Error(`Cannot empty the server: ${now.datasetBytes} bytes are still in use`);
    }
  }
  return before;
}

/** Fills, empties and fills again. */
export async function refill(options: RefillOptions): Promise<RefillRound[]> {
  const { type, emptied, fillPercent, maxMemoryMiB } = options;
  await using server = await ServerProcess.start([
    ...["--max-memory", `${maxMemoryMiB}mb`, "--shards", String(options.shards)],
  ]);
  const port = server.port("resp");
  using loader = await BulkLoader.connect(port);
  using connection = await VectorConnection.open(port, 2);
  const random = new Random(REFILL_TYPES.indexOf(type) + 1);
  const maxBytes = maxMemoryMiB * MIB;
  const targetBytes = fillPercent >= 100 ? Infinity : fillPercent / 100 * maxBytes;
  const rounds: RefillRound[] = [];
  let live: string[] = [];
  let filledBytes = 0;
  for (let round = 1; round <= options.rounds; round++) {
    const elementBytes = ROUND_SIZES[(round - 1) % ROUND_SIZES.length]!;
    const kept = live.length;
    let error = "";
    let written = 0;
    const mostBytes = round === 1 ? Infinity : LEFT_SHARE[emptied] * filledBytes;
    let memory = await settle(connection, mostBytes);
    const startedAtMs = performance.now();
    while (error === "" && memory.datasetBytes < targetBytes) {
      const commands: string[][] = [];
      for (let bytes = 0; bytes < STEP_BYTES;) {
        const key = `r${round}:${written++}`;
        const of = type === "mixed" ? REFILL_TYPES[random.below(5)]! : type;
        const command = commandFor(of as Exclude<RefillType, "mixed">, key, elementBytes, random);
        for (const word of command) bytes += word.length;
        bytes += 50;
        commands.push(command);
        live.push(key);
      }
      error = (await loader.send(commands)).firstError;
      memory = await read(connection);
    }
    const result: RefillRound = {
      type,
      emptied,
      round,
      elementBytes,
      written,
      kept,
      filledPercent: memory.datasetBytes / maxBytes * 100,
      usedPercent: memory.usedBytes / maxBytes * 100,
      fragmentation: memory.usedBytes / memory.datasetBytes,
      error,
      seconds: (performance.now() - startedAtMs) / 1000,
    };
    rounds.push(result);
    filledBytes = memory.datasetBytes;
    options.onRound(result);
    const isGone = (i: number): boolean => emptied === "all" || i % 2 === 0;
    const gone = live.filter((_, i) => isGone(i));
    live = live.filter((_, i) => !isGone(i));
    for (let start = 0; start < gone.length; start += DELETES_AT_A_TIME) {
      await loader.send([["DEL", ...gone.slice(start, start + DELETES_AT_A_TIME)]]);
    }
  }
  return rounds;
}

/**
 * What is wrong with a round, or "". Below 100 per cent there is to be no error. Where each round
 * ends with `-OOM`, none is to come much earlier than the first one did.
 *
 * @param first the first round
 * @param tolerancePercent how much less of `--max-memory` may be filled than in the first round
 */
export function complaint(
  round: RefillRound,
  first: RefillRound,
  fillPercent: number,
  tolerancePercent: number,
): string {
  if (fillPercent < 100) return round.error === "" ? "" : round.error.split(" ")[0]!;
  if (!round.error.startsWith("OOM") && !round.error.startsWith("-OOM")) return round.error;
  const isEarly = round.filledPercent < first.filledPercent - tolerancePercent;
  return isEarly ? `full at ${round.filledPercent.toFixed(1)} %` : "";
}
