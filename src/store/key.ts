/**
 * A key as a view into somebody's buffer, with its hash.
 *
 * @module
 */

/**
 * A reusable key: `bytes[start, end)` plus what {@link Store.locate} derives from them.
 *
 * Thread: belongs to one thread. Reuse instances; nothing here allocates per command.
 */
export class Key {
  /** Buffer that holds the key. */
  bytes: Uint8Array = EMPTY;
  /** First byte. */
  start = 0;
  /** Behind the last byte. */
  end = 0;
  /** Bucket hash, uint32. */
  hash = 0;
  /** Second hash word, uint32: shard in the low bits, tag in the high byte. */
  hashHigh = 0;
  /** Shard index. */
  shard = 0;
  /** Slot tag, 1 to 255. */
  tag = 0;

  /** Bytes of the key that {@link Key.remember} copied, while it is the same; else -1. */
  rememberedBytes: number = -1;
  /** Of a remembered key: where its entry was found last; 0 = nowhere yet. */
  entry = 0;
  /** Root of the table in which it was found. */
  rootAt = 0;
  /** `Root.DEPARTURES` of the table at that time. */
  departures = 0;
  #copy: Uint8Array = EMPTY;

  /** Points at other bytes; the derived fields are stale until the store locates the key. */
  set(bytes: Uint8Array, start: number, end: number): this {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.rememberedBytes = -1;
    return this;
  }

  /** Works out shard and tag of the two words of the hash. */
  derive(shardCount: number): void {
    const high = this.hashHigh;
    this.shard = high & (shardCount - 1);
    this.tag = tagOf(high);
  }

  /**
   * Keeps a copy of a key that was located: while the next ones are the same, nothing has to be
   * derived again. A long key is not remembered.
   */
  remember(): void {
    const byteCount = this.end - this.start;
    if (byteCount > REMEMBERED_BYTES_MAX) return;
    if (this.#copy.length === 0) this.#copy = new Uint8Array(REMEMBERED_BYTES_MAX);
    const copy = this.#copy;
    for (let i = 0; i < byteCount; i++) copy[i] = this.bytes[this.start + i]!;
    this.rememberedBytes = byteCount;
    this.entry = 0;
  }

  /**
   * Points at other bytes if they are the key that was remembered; it is located then.
   *
   * @returns false, nothing changed, when they are not
   */
  trySetSame(bytes: Uint8Array, start: number, end: number): boolean {
    if (end - start !== this.rememberedBytes) return false;
    const copy = this.#copy;
    for (let i = start; i < end; i++) if (bytes[i] !== copy[i - start]) return false;
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    return true;
  }

  /** Becomes a copy of `other`; the bytes are shared. */
  copyFrom(other: Key): this {
    this.hash = other.hash;
    this.hashHigh = other.hashHigh;
    this.shard = other.shard;
    this.tag = other.tag;
    return this.set(other.bytes, other.start, other.end);
  }
}

/** Longer keys are not remembered. Reason: comparing one takes as long as hashing a short one. */
const REMEMBERED_BYTES_MAX = 64;
const EMPTY = new Uint8Array(0);

/** The slot tag of a key by the second word of its hash. 0 would mark an empty slot. */
export function tagOf(hashHigh: number): number {
  return (hashHigh >>> 24) || 1;
}
