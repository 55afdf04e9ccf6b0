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

  /** Points at other bytes; the derived fields are stale until the store locates the key. */
  set(bytes: Uint8Array, start: number, end: number): this {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    return this;
  }

  /** Works out shard and tag of the two words of the hash. */
  derive(shardCount: number): void {
    const high = this.hashHigh;
    this.shard = high & (shardCount - 1);
    // Tag 0 marks an empty slot.
    this.tag = (high >>> 24) || 1;
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

const EMPTY = new Uint8Array(0);
