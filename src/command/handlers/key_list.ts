/**
 * `KEYS` and `RANDOMKEY`: commands that look through a database of any size.
 *
 * Neither holds a lock for longer than one bucket of keys takes, nor the thread for longer than a
 * slice, so a database may change while it is looked through. What is there all the time is found, and
 * found once.
 *
 * @module
 */

import { ByteWriter } from "../../base/bytes.ts";
import type { Store } from "../../store/store.ts";
import type { CommandCall } from "../call.ts";
import { isMatchAll, matchesGlobBytes } from "../../base/glob.ts";
import { ReplyCode } from "../reply_code.ts";
import type { ReplySink } from "../reply_sink.ts";
import { type ReplySource, streamReplies } from "../reply_source.ts";
import { CommandRow, HandlerStatus } from "../row.ts";
import { nextTurn, SLICE_MS } from "../turns.ts";
import { KEY_ROOM_BYTES } from "./scan.ts";
import { MAX_PATTERN_BYTES } from "./scan_options.ts";

/**
 * What the replies to `KEYS` that one thread's clients have not read yet may take together.
 *
 * Unit: bytes. Reason: unlike values they are in no arena that bounds them; beyond it there is SCAN.
 */
export const KEYS_REPLY_MAX_BYTES: number = 64 * 2 ** 20;

/** Keys are kept in arrays of about this size, which go one by one as they are sent. Unit: bytes. */
const CHUNK_BYTES = 64 * 1024;

/** What all replies to `KEYS` of one thread hold. Thread: one I/O thread. */
interface Holdings {
  byteCount: number;
  readonly mostBytes: number;
}

/** Keys found and not sent yet: records of a length (2 bytes) and the key's bytes. */
class FoundKeys implements ReplySource {
  /** How many there are. */
  count = 0;
  readonly #holdings: Holdings;
  readonly #chunks: Uint8Array[] = [];
  #last = new ByteWriter(1024);
  #heldBytes = 0;
  #chunkIndex = 0;
  #at = 0;

  constructor(holdings: Holdings) {
    this.#holdings = holdings;
  }

  /** Adds `bytes[start, end)`; false when that would be too much. */
  add(bytes: Uint8Array, start: number, end: number): boolean {
    const holdings = this.#holdings;
    const byteCount = end - start + 2;
    if (holdings.byteCount + byteCount > holdings.mostBytes) return false;
    holdings.byteCount += byteCount;
    this.#heldBytes += byteCount;
    const last = this.#last;
    last.byte((end - start) & 0xff);
    last.byte((end - start) >>> 8);
    last.copy(bytes, start, end);
    this.count++;
    if (last.length >= CHUNK_BYTES) this.#endChunk();
    return true;
  }

  /** See {@link ReplySource}. */
  writeNext(sink: ReplySink, mostBytes: number): boolean {
    if (this.#last.length > 0) this.#endChunk();
    for (let written = 0; this.#chunkIndex < this.#chunks.length;) {
      const chunk = this.#chunks[this.#chunkIndex]!;
      while (this.#at < chunk.length) {
        if (written >= mostBytes) return false;
        const start = this.#at + 2;
        const end = start + (chunk[this.#at]! | (chunk[this.#at + 1]! << 8));
        sink.bulk(chunk, start, end);
        // Length, line ends and some digits come with each.
        written += end - start + 8;
        this.#at = end;
      }
      this.#at = 0;
      this.#chunks[this.#chunkIndex++] = NO_BYTES;
      this.#letGo(chunk.length);
    }
    return true;
  }

  /** See {@link ReplySource}. */
  release(): void {
    this.#chunks.length = 0;
    this.#last.length = 0;
    this.#letGo(this.#heldBytes);
  }

  #endChunk(): void {
    this.#chunks.push(this.#last.bytes.slice(0, this.#last.length));
    this.#last.clear(2 * CHUNK_BYTES);
  }

  #letGo(byteCount: number): void {
    this.#heldBytes -= byteCount;
    this.#holdings.byteCount -= byteCount;
  }
}

const NO_BYTES = new Uint8Array(0);

/** One call's way through a database. Uses nothing of the call it was made from. */
class KeySearch {
  /** Keys that match. */
  readonly found: FoundKeys;
  /** Whether they became too many. */
  isTooMuch = false;
  readonly #store: Store;
  readonly #database: number;
  readonly #operation: number;
  readonly #pattern: Uint8Array | undefined;
  /** Keys of the bucket visited last, which are compared with no lock held. */
  readonly #bucket = new ByteWriter(1024);
  readonly #ends: number[] = [];
  readonly #visit = (entry: number): void => this.#copyKey(entry);
  #comparedCount = 0;
  #shard = 0;
  #position = 0;

  constructor(call: CommandCall, holdings: Holdings) {
    const { args } = call;
    const pattern = args.bytes.slice(args.starts[1]!, args.ends[1]!);
    this.#store = call.store;
    this.#database = call.database;
    this.#operation = call.row.operation;
    this.#pattern = isMatchAll(pattern) ? undefined : pattern;
    this.found = new FoundKeys(holdings);
  }

  /** Whether all shards were looked through, or there is no point in going on. */
  get isOver(): boolean {
    return this.isTooMuch ||
      (this.#shard >= this.#store.shardCount && this.#comparedCount === this.#ends.length);
  }

  /**
   * Goes on for the length of a slice.
   *
   * @returns -1, or the shard whose lock was busy
   */
  advance(): number {
    const untilMs = performance.now() + SLICE_MS;
    while (!this.isOver) {
      if (this.#comparedCount < this.#ends.length) this.#compareNext();
      else if (this.#store.locks.tryLock(this.#shard, false)) this.#visitLocked();
      else return this.#shard;
      if (performance.now() >= untilMs) break;
    }
    return -1;
  }

  /** Goes on to the end, with others in between. */
  async finish(busyShard: number): Promise<void> {
    while (!this.isOver) {
      if (busyShard >= 0) {
        await this.#store.locks.lockAsync(busyShard, false);
        this.#visitLocked();
      } else {
        await nextTurn();
      }
      busyShard = this.advance();
    }
  }

  /** Takes the keys of one bucket and gives the lock back. */
  #visitLocked(): void {
    const store = this.#store;
    const shard = this.#shard;
    this.#bucket.length = 0;
    this.#ends.length = 0;
    this.#comparedCount = 0;
    let next: number;
    try {
      next = store.keyspace.scanOnce(this.#database, shard, this.#position, this.#visit);
    } catch (error) {
      store.locks.poison(shard, this.#operation);
      throw error;
    }
    store.locks.unlock(shard, false);
    this.#position = next;
    if (next === 0) this.#shard++;
  }

  #copyKey(entry: number): void {
    const store = this.#store;
    const expireAtMs = store.expireAtMs(entry);
    if (expireAtMs !== 0 && expireAtMs <= store.nowMs) return;
    const at = this.#bucket.reserve(KEY_ROOM_BYTES);
    this.#bucket.length += store.copyKey(entry, this.#bucket.bytes, at);
    this.#ends.push(this.#bucket.length);
  }

  #compareNext(): void {
    const index = this.#comparedCount++;
    const start = index === 0 ? 0 : this.#ends[index - 1]!;
    const end = this.#ends[index]!;
    const { bytes } = this.#bucket;
    if (this.#pattern !== undefined && !matchesGlobBytes(this.#pattern, bytes, start, end)) return;
    if (!this.found.add(bytes, start, end)) this.isTooMuch = true;
  }
}

/** `KEYS pattern` */
function handleKeys(call: CommandCall, holdings: Holdings): HandlerStatus {
  const { args, sink } = call;
  if (args.length(1) > MAX_PATTERN_BYTES) {
    const detail = `a pattern must have at most ${MAX_PATTERN_BYTES} bytes`;
    sink.error(ReplyCode.BAD_ARGUMENT, detail);
    return HandlerStatus.DONE;
  }
  const search = new KeySearch(call, holdings);
  const busyShard = search.advance();
  if (search.isOver) {
    replyKeys(search, sink);
    return HandlerStatus.DONE;
  }
  call.later = replyKeysLater(search, busyShard, sink);
  return HandlerStatus.LATER;
}

async function replyKeysLater(
  search: KeySearch,
  busyShard: number,
  sink: ReplySink,
): Promise<HandlerStatus> {
  try {
    await search.finish(busyShard);
  } catch (error) {
    search.found.release();
    throw error;
  }
  replyKeys(search, sink);
  return HandlerStatus.DONE;
}

function replyKeys(search: KeySearch, sink: ReplySink): void {
  const { found } = search;
  if (search.isTooMuch) {
    found.release();
    sink.error(ReplyCode.UNSUPPORTED, "too many keys for one reply, use SCAN");
    return;
  }
  sink.arrayStart(found.count);
  streamReplies(sink, found);
}

/** Shards that RANDOMKEY draws before it looks through the database from a random place on. */
const SHARD_DRAWS = 16;

/** One call of RANDOMKEY. Uses nothing of the call it was made from. */
class KeyDraw {
  /** The key found; undefined = none so far. */
  key: Uint8Array | undefined;
  readonly #store: Store;
  readonly #database: number;
  readonly #operation: number;

  constructor(call: CommandCall) {
    this.#store = call.store;
    this.#database = call.database;
    this.#operation = call.row.operation;
  }

  /** Draws shards by how many keys they have, and a key from each; whether that ended it. */
  draw(): boolean {
    const { locks, keyspace } = this.#store;
    for (let i = 0; i < SHARD_DRAWS; i++) {
      const shard = this.#drawShard();
      if (shard < 0) return true;
      if (!locks.tryLock(shard, false)) continue;
      this.#underLock(shard, () => {
        this.#take(keyspace.sample(this.#database, shard, Math.random));
      });
      if (this.key !== undefined) return true;
    }
    return false;
  }

  /** Takes the first key that has not expired, from a random shard on. */
  async search(): Promise<void> {
    const { locks, keyspace, shardCount } = this.#store;
    const firstShard = Math.floor(Math.random() * shardCount);
    let untilMs = 0;
    for (let i = 0; i < shardCount && this.key === undefined; i++) {
      const shard = (firstShard + i) & (shardCount - 1);
      if (keyspace.entryCount(this.#database, shard) === 0) continue;
      let position = 0;
      do {
        if (performance.now() >= untilMs) {
          await nextTurn();
          untilMs = performance.now() + SLICE_MS;
        }
        if (!locks.tryLock(shard, false)) await locks.lockAsync(shard, false);
        this.#underLock(shard, () => {
          position = this.#store.scanShard(this.#database, shard, position, (entry) => {
            if (this.key === undefined) this.#take(entry);
          });
        });
      } while (position !== 0 && this.key === undefined);
    }
  }

  reply(sink: ReplySink): void {
    if (this.key === undefined) sink.nil();
    else sink.bulk(this.key, 0, this.key.length);
  }

  #drawShard(): number {
    const { keyspace, shardCount } = this.#store;
    let total = 0;
    for (let shard = 0; shard < shardCount; shard++) {
      total += keyspace.entryCount(this.#database, shard);
    }
    let left = Math.random() * total;
    for (let shard = 0; shard < shardCount; shard++) {
      left -= keyspace.entryCount(this.#database, shard);
      if (left < 0) return shard;
    }
    return -1;
  }

  /** Runs `action` with the lock that is held and gives it back. */
  #underLock(shard: number, action: () => void): void {
    const { locks } = this.#store;
    try {
      action();
    } catch (error) {
      locks.poison(shard, this.#operation);
      throw error;
    }
    locks.unlock(shard, false);
  }

  #take(entry: number): void {
    const store = this.#store;
    if (entry === 0) return;
    const expireAtMs = store.expireAtMs(entry);
    if (expireAtMs !== 0 && expireAtMs <= store.nowMs) return;
    const key = new Uint8Array(KEY_ROOM_BYTES);
    this.key = key.subarray(0, store.copyKey(entry, key, 0));
  }
}

function handleRandomKey(call: CommandCall): HandlerStatus {
  const draw = new KeyDraw(call);
  if (draw.draw()) {
    draw.reply(call.sink);
    return HandlerStatus.DONE;
  }
  // All that was drawn has expired, or was locked.
  call.later = replyDrawLater(draw, call.sink);
  return HandlerStatus.LATER;
}

async function replyDrawLater(draw: KeyDraw, sink: ReplySink): Promise<HandlerStatus> {
  await draw.search();
  draw.reply(sink);
  return HandlerStatus.DONE;
}

/**
 * The rows of KEYS RANDOMKEY. Thread: any; a thread makes its own at start.
 *
 * @param mostBytes what the replies to KEYS that wait to be read may take together
 */
export function keyListRows(mostBytes: number = KEYS_REPLY_MAX_BYTES): CommandRow[] {
  const holdings: Holdings = { byteCount: 0, mostBytes };
  return [
    new CommandRow({
      name: "keys",
      arity: 2,
      syntax: "pattern",
      summary: "Returns all keys that match a pattern; for a large database there is SCAN.",
      group: "generic",
      since: "1.0.0",
      flags: ["readonly"],
      cost: "whole-table",
      complexity: "O(N) for N keys, in slices of 1 ms",
      reply: "array",
      handler: (call) => handleKeys(call, holdings),
    }),
    new CommandRow({
      name: "randomkey",
      arity: 1,
      summary: "Returns a key, each with the same chance.",
      group: "generic",
      since: "1.0.0",
      flags: ["readonly"],
      cost: "whole-table",
      complexity: "O(1); O(N) in slices of 1 ms when nearly all of N keys have expired",
      reply: ["bulk", "nil"],
      handler: handleRandomKey,
    }),
  ];
}
