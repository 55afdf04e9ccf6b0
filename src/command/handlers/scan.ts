/**
 * `SCAN`: all keys, a few at a time.
 *
 * @module
 */

import { ByteWriter } from "../../base/bytes.ts";
import { Int64 } from "../../base/int64.ts";
import type { Store } from "../../store/store.ts";
import type { CommandCall } from "../call.ts";
import { matchesGlobBytes } from "../../base/glob.ts";
import { ReplyCode } from "../reply_code.ts";
import type { ReplySink } from "../reply_sink.ts";
import { CommandRow, HandlerStatus } from "../row.ts";
import { readScanOptions, type ScanOptions } from "./scan_options.ts";
import { typeNamed } from "./type_names.ts";

/** Keys that a call returns at least, if there are that many, unless its time is up. */
const DEFAULT_COUNT = 10;

/**
 * A call ends after this long, however few keys it has found.
 *
 * Unit: ms. Reason: others wait meanwhile (C14), and the client goes on with the cursor.
 */
export const SCAN_SLICE_MS = 1;

/**
 * So many buckets are looked at, unless there are keys enough, whatever the time: a small database is
 * done in one call, however busy the machine is.
 */
const LEAST_BUCKETS = 256;

/** Longest key there is, see the store. Unit: bytes. */
export const KEY_ROOM_BYTES = 4096;

/** A cursor is shard * 2^32 + position in the shard, so it only grows; 0 is start and end. */
const POSITIONS = 2 ** 32;

/** What the arguments ask for. */
interface ScanWishes extends ScanOptions {
  cursor: number;
  /** Only entries of this type; undefined = all. */
  type: number | undefined;
}

/**
 * Runs `SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]`.
 *
 * Takes one shard's lock at a time, for one bucket of keys; none is held while they are compared
 * with the pattern.
 *
 * Thread: the connection's I/O thread.
 */
function handleScan(call: CommandCall): HandlerStatus {
  const wishes = readWishes(call);
  if (wishes === undefined) return HandlerStatus.DONE;
  const scan = new Scan(call, wishes);
  const busyShard = scan.advance();
  if (busyShard < 0) {
    scan.reply(call.sink);
    return HandlerStatus.DONE;
  }
  call.later = replyLater(scan, busyShard, call.sink);
  return HandlerStatus.LATER;
}

async function replyLater(
  scan: Scan,
  busyShard: number,
  sink: ReplySink,
): Promise<HandlerStatus> {
  await scan.advanceLater(busyShard);
  scan.reply(sink);
  return HandlerStatus.DONE;
}

/** One call's way through the store. Uses nothing of the call it was made from. */
class Scan {
  readonly #store: Store;
  readonly #database: number;
  readonly #operation: number;
  readonly #wishes: ScanWishes;
  readonly #keys = new ByteWriter(256);
  /** Behind each key in `#keys`. */
  readonly #ends: number[] = [];
  readonly #visit = (entry: number): void => this.#copyKey(entry);
  #shard: number;
  #position: number;

  constructor(call: CommandCall, wishes: ScanWishes) {
    this.#store = call.store;
    this.#database = call.database;
    this.#operation = call.row.operation;
    this.#wishes = wishes;
    this.#shard = Math.floor(wishes.cursor / POSITIONS);
    this.#position = wishes.cursor % POSITIONS;
  }

  /**
   * Goes on until there are enough keys, the time is up or all shards are done.
   *
   * @returns -1, or the shard whose lock was busy when nothing had been visited yet
   */
  advance(): number {
    const { locks, shardCount } = this.#store;
    const { count } = this.#wishes;
    const startedAtMs = performance.now();
    for (let visited = 0; this.#shard < shardCount; visited++) {
      if (visited > 0) {
        if (this.#ends.length >= count) break;
        if (visited >= LEAST_BUCKETS && performance.now() - startedAtMs >= SCAN_SLICE_MS) break;
      }
      if (!locks.tryLock(this.#shard, false)) return visited > 0 ? -1 : this.#shard;
      this.#visitLocked();
    }
    return -1;
  }

  /** The same, waiting for `busyShard` first. */
  async advanceLater(busyShard: number): Promise<void> {
    await this.#store.locks.lockAsync(busyShard, false);
    this.#visitLocked();
    if (this.#ends.length < this.#wishes.count) this.advance();
  }

  reply(sink: ReplySink): void {
    const isDone = this.#shard >= this.#store.shardCount;
    const { bytes } = this.#keys;
    sink.arrayStart(2);
    sink.bulkText(String(isDone ? 0 : this.#shard * POSITIONS + this.#position));
    sink.arrayStart(this.#ends.length);
    let start = 0;
    for (const end of this.#ends) {
      sink.bulk(bytes, start, end);
      start = end;
    }
  }

  /** Takes the keys of one bucket and gives the lock back. */
  #visitLocked(): void {
    const store = this.#store;
    const shard = this.#shard;
    const before = this.#ends.length;
    let next: number;
    try {
      next = store.scanShard(this.#database, shard, this.#position, this.#visit);
    } catch (error) {
      store.locks.poison(shard, this.#operation);
      throw error;
    }
    store.locks.unlock(shard, false);
    this.#position = next;
    if (next === 0) this.#shard++;
    if (this.#wishes.pattern !== undefined) this.#dropMismatches(before, this.#wishes.pattern);
  }

  #copyKey(entry: number): void {
    const store = this.#store;
    const { type } = this.#wishes;
    if (type !== undefined && store.entryType(entry) !== type) return;
    const expireAtMs = store.expireAtMs(entry);
    if (expireAtMs !== 0 && expireAtMs <= store.nowMs) return;
    const at = this.#keys.reserve(KEY_ROOM_BYTES);
    this.#keys.length += store.copyKey(entry, this.#keys.bytes, at);
    this.#ends.push(this.#keys.length);
  }

  #dropMismatches(firstIndex: number, pattern: Uint8Array): void {
    const { bytes } = this.#keys;
    const ends = this.#ends;
    let kept = firstIndex;
    let start = firstIndex === 0 ? 0 : ends[firstIndex - 1]!;
    let length = start;
    for (let i = firstIndex; i < ends.length; i++) {
      const end = ends[i]!;
      if (matchesGlobBytes(pattern, bytes, start, end)) {
        bytes.copyWithin(length, start, end);
        length += end - start;
        ends[kept++] = length;
      }
      start = end;
    }
    ends.length = kept;
    this.#keys.length = length;
  }
}

/** Reads the arguments; undefined when an error was replied. */
function readWishes(call: CommandCall): ScanWishes | undefined {
  const { args, sink } = call;
  const number = new Int64();
  // As in Redis, no digits at all are a 0.
  if (args.length(1) > 0 && !args.int64(1, number)) {
    sink.error(ReplyCode.BAD_ARGUMENT, "invalid cursor");
    return undefined;
  }
  const wishes: ScanWishes = {
    // A negative one is a very large one, as in Redis, and so behind the end.
    cursor: number.hi < 0 ? Number.MAX_SAFE_INTEGER : number.toNumber(),
    count: DEFAULT_COUNT,
    pattern: undefined,
    type: undefined,
  };
  const isRead = readScanOptions(call, 2, wishes, (index) => {
    if (!args.is(index, "TYPE")) return false;
    // A type that nothing has matches nothing.
    wishes.type = typeNamed(args, index + 1);
    return true;
  });
  return isRead ? wishes : undefined;
}

/** The row of SCAN. Thread: any; a thread makes its own at start. */
export function scanRow(): CommandRow {
  return new CommandRow({
    name: "scan",
    arity: -2,
    syntax: "cursor [MATCH pattern] [COUNT count] [TYPE type]",
    summary: "Returns some of the keys, and a cursor to go on with; 0 starts and ends.",
    group: "generic",
    since: "2.8.0",
    flags: ["readonly"],
    cost: "whole-table",
    complexity: "O(1) for every call, at most 1 ms; O(N) for all N keys",
    reply: "array",
    handler: handleScan,
  });
}
