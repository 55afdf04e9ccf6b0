/**
 * Which piece of the log has the last change of each shard, so that with `--fsync always` a reply waits
 * for what it tells, and for nothing else.
 *
 * One word per shard, written by who holds the shard's exclusive lock, when the change was put into the
 * log and before the lock is given back; so who reads it behind a lock of its own finds what it saw, or
 * something later. Exists with `always` only.
 *
 * Numbers of pieces go round after 2^32. A shard that nobody has changed for so long may be taken for
 * one whose change is not durable, for as long as that very number waits: its readers wait then, too.
 *
 * @module
 */

import type { Key } from "../store/key.ts";
import type { CollectionChange } from "../store/mutation_hook.ts";
import type { Store } from "../store/store.ts";
import { EffectRecorder } from "./effect_recorder.ts";
import type { RecordWriter } from "./record.ts";

/** The word of a shard that was not changed yet. */
const NEVER = -1;

/** Makes the memory. */
export function createShardPieces(shardCount: number): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(shardCount * 4);
  new Int32Array(memory).fill(NEVER);
  return memory;
}

/** The words of all shards, and which of them the thread is changing. Thread: one instance per thread. */
export class ShardPieces {
  readonly #words: Int32Array;
  /** Shards with effects that were not published yet; the same one may come twice. */
  readonly #changed: number[] = [];
  #hasChangedAll = false;

  /** Attaches a thread to what {@link createShardPieces} made. */
  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
  }

  /** The piece with the last change of a shard. */
  of(shard: number): number {
    return Atomics.load(this.#words, shard);
  }

  /** A shard was changed, whose lock is held. */
  note(shard: number): void {
    const changed = this.#changed;
    if (changed.length === 0 || changed[changed.length - 1] !== shard) changed.push(shard);
  }

  /** All shards were changed, whose locks are held. */
  noteAll(): void {
    this.#hasChangedAll = true;
  }

  /** What was noted is in this piece, or in front of it; the locks are still held. */
  published(piece: number): void {
    const changed = this.#changed;
    if (this.#hasChangedAll) {
      for (let shard = 0; shard < this.#words.length; shard++) {
        Atomics.store(this.#words, shard, piece);
      }
      this.#hasChangedAll = false;
    } else {
      for (let i = 0; i < changed.length; i++) Atomics.store(this.#words, changed[i]!, piece);
    }
    changed.length = 0;
  }
}

/** An {@link EffectRecorder} that notes which shards are changed. */
export class ShardNoter extends EffectRecorder {
  readonly #pieces: ShardPieces;

  /** Writes to `records` and notes in `pieces`. */
  constructor(store: Store, records: RecordWriter, pieces: ShardPieces) {
    super(store, records);
    this.#pieces = pieces;
  }

  /** See {@link EffectRecorder.written}. */
  override written(shard: number, database: number, address: number): void {
    this.#pieces.note(shard);
    super.written(shard, database, address);
    // A long collection may have gone in parts, and the last one is still to go.
    this.#pieces.note(shard);
  }

  /** See {@link EffectRecorder.rangeWritten}. */
  override rangeWritten(
    shard: number,
    database: number,
    address: number,
    start: number,
    end: number,
  ): void {
    this.#pieces.note(shard);
    super.rangeWritten(shard, database, address, start, end);
  }

  /** See {@link EffectRecorder.copied}. */
  override copied(
    shard: number,
    from: { readonly database: number; readonly key: Key },
    goes: boolean,
    sourceSeq: number,
    database: number,
    address: number,
  ): boolean {
    this.#pieces.note(shard);
    return super.copied(shard, from, goes, sourceSeq, database, address);
  }

  /** See {@link EffectRecorder.expiryChanged}. */
  override expiryChanged(shard: number, database: number, address: number): void {
    this.#pieces.note(shard);
    super.expiryChanged(shard, database, address);
  }

  /** See {@link EffectRecorder.removed}. */
  override removed(shard: number, database: number, key: Key, seq: number): void {
    this.#pieces.note(shard);
    super.removed(shard, database, key, seq);
  }

  /** See {@link EffectRecorder.changed}. */
  override changed(shard: number, database: number, key: Key, change: CollectionChange): void {
    this.#pieces.note(shard);
    super.changed(shard, database, key, change);
  }

  /** See {@link EffectRecorder.flushed}. */
  override flushed(database: number): void {
    this.#pieces.noteAll();
    super.flushed(database);
  }

  /** See {@link EffectRecorder.swapped}. */
  override swapped(first: number, second: number): void {
    this.#pieces.noteAll();
    super.swapped(first, second);
  }
}
