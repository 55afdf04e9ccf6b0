/**
 * What the threads of a server share about publish and subscribe, beside the registry of channels,
 * which is in the store.
 *
 * ```text
 * 0     line 0: what it is. u32 magic, shards, I/O threads; u32 classes of keyspace events that are
 *       published (bits of NotifyClass; 0 = none)
 * 64    per I/O thread, a line: u32 version of its patterns, u32 overrun (1 = look at its lines below),
 *       u32 whether subscribers of its patterns missed something
 * …     per (shard, I/O thread), 8 bytes:
 *         0  u32 publications sent to that thread so far, modulo 2^32
 *         4  u32 hash of the channel that it missed a publication on; 0 = none, 1 = of several
 * …     per I/O thread, two halves of PATTERN_TABLE_BYTES each: the patterns that its clients
 *       subscribe to; the half `version & 1` is valid
 *         0  u32 patterns
 *         4  per pattern: u32 subscribers, u32 bytes, the pattern, padding to 4
 * ```
 *
 * **Counts of publications** are guarded by the shard's lock. They make the order of a shard's
 * publications known to who receives them: messages of several publishers come through different
 * rings of an inbox and may be seen in another order than they were sent in.
 *
 * **Patterns** of a thread have one writer, that thread. It fills the half that is not valid, then
 * raises the version. A reader notes the version, copies the half and looks again: if the version
 * is another, it copies again. So nobody waits for anybody.
 *
 * **An overrun** is noted by a publisher that found an inbox full, under the shard's lock, and taken
 * by the I/O thread, which cuts its subscribers of the channel off.
 *
 * @module
 */

import { assert } from "../base/assert.ts";

/** Shared memory of a {@link PubSubRegion}; structured-cloneable. */
export interface PubSubMemory {
  /** The region. */
  readonly buffer: SharedArrayBuffer;
}

/**
 * Room for the patterns of one I/O thread.
 *
 * Unit: bytes. Reason: as much as {@link PATTERNS_MAX} patterns of usual length need.
 */
export const PATTERN_TABLE_BYTES = 65536;

/**
 * Most different patterns of one I/O thread.
 *
 * Unit: patterns. Reason: every publication is compared with all of them, some 0.1 µs each, under a
 * shard's lock.
 */
export const PATTERNS_MAX = 1024;

/**
 * Longest pattern.
 *
 * Unit: bytes. Reason: a comparison takes up to its length times that of the channel's name.
 */
export const PATTERN_MAX_BYTES = 1024;

/**
 * Longest name of a channel that is published to; who subscribes names it as long as a key may be.
 *
 * Unit: bytes. Reason: it must fit a message of an inbox's smallest ring, with its payload, and have
 * room for a key and what keyspace notifications put in front of it.
 */
export const CHANNEL_MAX_BYTES = 8192;

/** Marks that a thread missed publications on more than one channel of a shard. */
export const SEVERAL_CHANNELS = 1;

const MAGIC = 0x53505331;
const LINE_BYTES = 64;
const Header = { MAGIC: 0, SHARDS: 1, THREADS: 2, NOTIFY: 3 } as const;
const Thread = { VERSION: 0, OVERRUN: 1, PATTERNS_OVERRUN: 2 } as const;
const Line = { SENT: 0, MISSED: 1 } as const;

/** One pattern of one thread, as others see it. */
export interface SharedPattern {
  /** The pattern, one character per byte. */
  readonly pattern: string;
  /** Connections of that thread that subscribe to it. */
  readonly subscriberCount: number;
}

/**
 * The region, as one thread sees it.
 *
 * Thread: any; each method says who may call it.
 */
export class PubSubRegion {
  /** To hand to another thread for {@link PubSubRegion.attach}. */
  readonly memory: PubSubMemory;
  /** Threads that have subscribers. */
  readonly ioThreadCount: number;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #bytes: Uint8Array<SharedArrayBuffer>;
  readonly #shardCount: number;
  readonly #linesAt: number;
  readonly #patternsAt: number;

  private constructor(memory: PubSubMemory) {
    this.memory = memory;
    const words = new Int32Array(memory.buffer);
    assert(words[Header.MAGIC] === MAGIC, "the buffer is a region of this version");
    this.#words = words;
    this.#bytes = new Uint8Array(memory.buffer);
    this.#shardCount = words[Header.SHARDS]!;
    this.ioThreadCount = words[Header.THREADS]!;
    this.#linesAt = (1 + this.ioThreadCount) * (LINE_BYTES / 4);
    this.#patternsAt = this.#linesAt * 4 + this.#shardCount * this.ioThreadCount * 8;
  }

  /**
   * Makes an empty region. Thread: any, before others attach.
   *
   * @param firstCount where counts of publications start; tests start just below the wraps
   */
  static create(shardCount: number, ioThreadCount: number, firstCount = 0): PubSubRegion {
    const byteCount = (1 + ioThreadCount) * LINE_BYTES + shardCount * ioThreadCount * 8 +
      ioThreadCount * 2 * PATTERN_TABLE_BYTES;
    const buffer = new SharedArrayBuffer(byteCount);
    const words = new Int32Array(buffer);
    words[Header.MAGIC] = MAGIC;
    words[Header.SHARDS] = shardCount;
    words[Header.THREADS] = ioThreadCount;
    const region = new PubSubRegion({ buffer });
    for (let shard = 0; shard < shardCount; shard++) {
      for (let thread = 0; thread < ioThreadCount; thread++) {
        words[region.#lineAt(shard, thread) + Line.SENT] = firstCount;
      }
    }
    return region;
  }

  /** Opens a region made by {@link PubSubRegion.create}, possibly in another thread. */
  static attach(memory: PubSubMemory): PubSubRegion {
    return new PubSubRegion(memory);
  }

  /** Classes of keyspace events that are published; a plain read. Thread: any. */
  get notifyClasses(): number {
    return this.#words[Header.NOTIFY]!;
  }

  /** Changes what is published. Thread: any. */
  set notifyClasses(classes: number) {
    Atomics.store(this.#words, Header.NOTIFY, classes);
  }

  /** Publications of a shard that were sent to a thread. Needs the shard's lock. */
  sentCount(shard: number, thread: number): number {
    return this.#words[this.#lineAt(shard, thread) + Line.SENT]!;
  }

  /** Counts one more. Needs the shard's exclusive lock. */
  countSent(shard: number, thread: number): void {
    const at = this.#lineAt(shard, thread) + Line.SENT;
    this.#words[at] = (this.#words[at]! + 1) | 0;
  }

  /**
   * Notes that a thread missed a publication. Needs the shard's exclusive lock.
   *
   * @param channelHash of the channel; 0 when only patterns match it
   * @param patternsToo whether subscribers of its patterns missed it
   */
  noteOverrun(shard: number, thread: number, channelHash: number, patternsToo: boolean): void {
    const words = this.#words;
    const lineAt = this.#threadAt(thread);
    if (channelHash !== 0) {
      const at = this.#lineAt(shard, thread) + Line.MISSED;
      const before = words[at]!;
      const isOther = before !== 0 && before !== (channelHash | 0);
      Atomics.store(words, at, isOther ? SEVERAL_CHANNELS : channelHash);
    }
    if (patternsToo) Atomics.store(words, lineAt + Thread.PATTERNS_OVERRUN, 1);
    // Pairs with the exchange in takeOverrun: who sees it sees the lines.
    Atomics.store(words, lineAt + Thread.OVERRUN, 1);
  }

  /** Whether a thread missed something. Thread: that one. */
  hasOverrun(thread: number): boolean {
    return Atomics.load(this.#words, this.#threadAt(thread) + Thread.OVERRUN) !== 0;
  }

  /**
   * Takes what a thread missed. Thread: that one.
   *
   * @param visit called with the shard and the hash of the channel, or {@link SEVERAL_CHANNELS}
   * @returns whether subscribers of its patterns missed something
   */
  takeOverrun(thread: number, visit: (shard: number, channelHash: number) => void): boolean {
    const words = this.#words;
    const lineAt = this.#threadAt(thread);
    Atomics.store(words, lineAt + Thread.OVERRUN, 0);
    for (let shard = 0; shard < this.#shardCount; shard++) {
      const hash = Atomics.exchange(words, this.#lineAt(shard, thread) + Line.MISSED, 0);
      if (hash !== 0) visit(shard, hash >>> 0);
    }
    return Atomics.exchange(words, lineAt + Thread.PATTERNS_OVERRUN, 0) !== 0;
  }

  /** Changes whenever the patterns of a thread do. Thread: any. */
  patternVersion(thread: number): number {
    return Atomics.load(this.#words, this.#threadAt(thread) + Thread.VERSION);
  }

  /**
   * Publishes the patterns of a thread. Thread: that one.
   *
   * @returns false when they do not fit; nothing has changed then
   */
  tryWritePatterns(thread: number, patterns: ReadonlyMap<string, number>): boolean {
    const versionAt = this.#threadAt(thread) + Thread.VERSION;
    const version = (this.#words[versionAt]! + 1) | 0;
    const start = this.#halfAt(thread, version);
    const end = start + PATTERN_TABLE_BYTES;
    let at = start + 4;
    if (patterns.size > PATTERNS_MAX) return false;
    for (const [pattern, subscriberCount] of patterns) {
      const next = at + 8 + ((pattern.length + 3) & -4);
      if (next > end) return false;
      this.#words[at >> 2] = subscriberCount;
      this.#words[(at >> 2) + 1] = pattern.length;
      for (let i = 0; i < pattern.length; i++) this.#bytes[at + 8 + i] = pattern.charCodeAt(i);
      at = next;
    }
    this.#words[start >> 2] = patterns.size;
    Atomics.store(this.#words, versionAt, version);
    return true;
  }

  /** The patterns of a thread at one moment. Thread: any. */
  readPatterns(thread: number): { version: number; patterns: SharedPattern[] } {
    for (;;) {
      const version = this.patternVersion(thread);
      const start = this.#halfAt(thread, version);
      const copy = this.#bytes.slice(start, start + PATTERN_TABLE_BYTES);
      // The writer begins with the other half; only after that could it be in this one.
      if (this.patternVersion(thread) === version) return { version, patterns: decode(copy) };
    }
  }

  #threadAt(thread: number): number {
    return (1 + thread) * (LINE_BYTES / 4);
  }

  #lineAt(shard: number, thread: number): number {
    return this.#linesAt + (shard * this.ioThreadCount + thread) * 2;
  }

  #halfAt(thread: number, version: number): number {
    return this.#patternsAt + (thread * 2 + (version & 1)) * PATTERN_TABLE_BYTES;
  }
}

function decode(bytes: Uint8Array): SharedPattern[] {
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
  const patterns: SharedPattern[] = [];
  let at = 4;
  for (let left = words[0]!; left > 0; left--) {
    const length = words[(at >> 2) + 1]!;
    patterns.push({
      pattern: latin1Text(bytes, at + 8, at + 8 + length),
      subscriberCount: words[at >> 2]!,
    });
    at += 8 + ((length + 3) & -4);
  }
  return patterns;
}

/** Bytes as a string of as many characters; what names of channels are looked up by. */
export function latin1Text(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let at = start; at < end; at += 1024) {
    text += String.fromCharCode(...bytes.subarray(at, Math.min(end, at + 1024)));
  }
  return text;
}
