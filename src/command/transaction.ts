/**
 * What a client has queued since `MULTI`, and the keys that it watches.
 *
 * ```text
 * a queued command:  | number of arguments | length of each … | their bytes, the name first |
 * a watched key:     | database | seq lo, hi | exists | creations | turnover | key bytes | the key |
 * ```
 *
 * @module
 */

import type { ClientMemory } from "../base/client_memory.ts";
import {
  TRANSACTION_ARGUMENTS_MAX,
  TRANSACTION_BYTES_MAX,
  TRANSACTION_COMMANDS_MAX,
  WATCHED_KEYS_MAX,
} from "../base/limits.ts";
import type { Key } from "../store/key.ts";
import type { KeyVersion } from "../store/store.ts";
import { CommandArguments } from "./arguments.ts";
import { KeptRecords } from "./kept_records.ts";
import type { CommandRow } from "./row.ts";

/** A command whose work its arguments do not bound counts as so many. */
const COSTLY_WEIGHT = 64;

/** A command that was queued for `EXEC`, or why it was not. */
export const QueueResult = { QUEUED: 0, TOO_LONG: 1, NO_MEMORY: 2 } as const;
/** One of {@link QueueResult}. */
export type QueueResult = typeof QueueResult[keyof typeof QueueResult];

/**
 * The commands between `MULTI` and `EXEC`, copied out of the read buffer.
 *
 * Thread: one I/O thread; belongs to one client.
 */
export class Transaction {
  /** A command was refused when it should have been queued: `EXEC` will refuse all. */
  isSpoiled = false;
  /** Bytes of all arguments. */
  byteCount = 0;

  readonly #records: KeptRecords;
  #argumentCount = 0;
  #weight = 0;

  /** Starts empty. */
  constructor(memory: ClientMemory | undefined) {
    this.#records = new KeptRecords(memory);
  }

  /** Commands in the queue. */
  get count(): number {
    return this.#records.count;
  }

  /** What the queue takes of client memory. Unit: bytes. */
  get heldBytes(): number {
    return this.#records.heldBytes;
  }

  /** Makes `EXEC` refuse everything, and lets go of what was queued: it is of no use any more. */
  spoil(): void {
    this.isSpoiled = true;
    this.#records.clear();
  }

  /** Queues a command whose arity is right. */
  tryQueue(row: CommandRow, args: CommandArguments): QueueResult {
    if (this.isSpoiled) return QueueResult.QUEUED;
    let byteCount = 0;
    for (let i = 0; i < args.count; i++) byteCount += args.length(i);
    const weight = this.#weight + (isCostly(row) ? COSTLY_WEIGHT : 1);
    if (
      weight > TRANSACTION_COMMANDS_MAX ||
      this.#argumentCount + args.count > TRANSACTION_ARGUMENTS_MAX ||
      this.byteCount + byteCount > TRANSACTION_BYTES_MAX
    ) return QueueResult.TOO_LONG;
    const recordBytes = 4 + 4 * args.count + byteCount;
    const isKept = this.#records.tryAdd(recordBytes, (words, at, bytes) => {
      words[at] = args.count;
      let target = (at + 1 + args.count) * 4;
      for (let i = 0; i < args.count; i++) {
        const length = words[at + 1 + i] = args.length(i);
        bytes.set(args.bytes.subarray(args.starts[i]!, args.ends[i]!), target);
        target += length;
      }
    });
    if (!isKept) return QueueResult.NO_MEMORY;
    this.#weight = weight;
    this.#argumentCount += args.count;
    this.byteCount += byteCount;
    return QueueResult.QUEUED;
  }

  /** Shows each command's arguments, in order, in an object that is used again for the next. */
  forEach(visit: (args: CommandArguments) => void): void {
    const args = new CommandArguments();
    this.#records.forEach((words, at, bytes) => {
      args.reset(bytes);
      const count = words[at]!;
      let start = (at + 1 + count) * 4;
      for (let i = 0; i < count; i++) {
        const end = start + words[at + 1 + i]!;
        args.push(start, end);
        start = end;
      }
      visit(args);
      return true;
    });
  }

  /** Gives the memory back. */
  clear(): void {
    this.#records.clear();
  }
}

/** Words of a watched key's record in front of the key. */
const WATCH_WORDS = 7;

/**
 * The keys that a client watches, as they were when it began to.
 *
 * A key that is watched twice is kept twice: the older version is the one that counts, and it is
 * still there.
 *
 * Thread: one I/O thread; belongs to one client.
 */
export class WatchedKeys {
  readonly #records: KeptRecords;

  /** Starts empty. */
  constructor(memory: ClientMemory | undefined) {
    this.#records = new KeptRecords(memory);
  }

  /** What the keys take of client memory. Unit: bytes. */
  get heldBytes(): number {
    return this.#records.heldBytes;
  }

  /** Whether so many more keys may be watched. */
  hasRoomFor(keyCount: number): boolean {
    return this.#records.count + keyCount <= WATCHED_KEYS_MAX;
  }

  /**
   * Watches a key.
   *
   * @returns false when there is no memory for it
   */
  tryAdd(database: number, key: Key, version: KeyVersion): boolean {
    const keyBytes = key.end - key.start;
    return this.#records.tryAdd(WATCH_WORDS * 4 + keyBytes, (words, at, bytes) => {
      words[at] = database;
      words[at + 1] = version.seq >>> 0;
      words[at + 2] = Math.floor(version.seq / 2 ** 32);
      words[at + 3] = version.exists ? 1 : 0;
      words[at + 4] = version.creations;
      words[at + 5] = version.turnover;
      words[at + 6] = keyBytes;
      bytes.set(key.bytes.subarray(key.start, key.end), (at + WATCH_WORDS) * 4);
    });
  }

  /**
   * Shows each key, which is not located, and its version, in objects that are used again, until
   * `visit` returns false.
   *
   * @returns whether all were visited
   */
  forEach(
    key: Key,
    visit: (database: number, version: KeyVersion) => boolean,
  ): boolean {
    const version: KeyVersion = { seq: 0, exists: false, creations: 0, turnover: 0 };
    return this.#records.forEach((words, at, bytes) => {
      version.seq = words[at + 2]! * 2 ** 32 + (words[at + 1]! >>> 0);
      version.exists = words[at + 3] === 1;
      version.creations = words[at + 4]!;
      version.turnover = words[at + 5]!;
      const start = (at + WATCH_WORDS) * 4;
      key.set(bytes, start, start + words[at + 6]!);
      return visit(words[at]!, version);
    });
  }

  /** Watches nothing any more, and gives the memory back. */
  clear(): void {
    this.#records.clear();
  }
}

/** Whether a command's work grows with the data and not with its arguments. */
function isCostly({ cost }: CommandRow): boolean {
  return cost !== "constant" && cost !== "per-key" && cost !== "per-argument";
}
