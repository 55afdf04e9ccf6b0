/**
 * A collection as a command has it in hand.
 *
 * @module
 */

import type { Arena } from "../arena.ts";
import type { EntryType } from "../entry.ts";
import type { Extents } from "../extents.ts";
import { Key } from "../key.ts";
import { RecordCursor } from "./cursor.ts";

/** Values that are in one buffer: what `CommandArguments` is to a command. */
export interface ElementSource {
  /** The buffer. */
  readonly bytes: Uint8Array;
  /** First byte of each value. */
  readonly starts: Int32Array;
  /** Behind the last byte of each. */
  readonly ends: Int32Array;
}

/**
 * A collection at a key, opened by `Collections.open`. Reused; a command that needs several opens
 * several.
 *
 * Thread: belongs to one thread; needs the lock of its shard from opening to the last use.
 */
export class Collection {
  /** Database of the key. */
  database = 0;
  /** The key; a copy of the fields of the one it was opened with. */
  readonly key: Key = new Key();
  /** Type it was opened as. */
  type: EntryType = 2;
  /** Address of the entry; 0 = there is none (yet). */
  entry = 0;
  /** Root of a large collection; 0 = packed, or there is none. */
  root = 0;
  /** Elements, fields or members. */
  count = 0;
  /** Elements that the last operation with several added (new ones) or removed. */
  changed = 0;
  /** It is being made aside (`Collections.make`) and not at its key yet. */
  isDetached = false;
  /** Whether the operation under way has changed something. */
  isDirty = false;
  /** Number of the mutation under way. */
  seq = 0;
  /** Place in the elements: by index, by hash, by score. */
  readonly cursor: RecordCursor;
  /** Place in the members of a large sorted set, by hash. */
  readonly members: RecordCursor;

  /** Made by `Collections`. */
  constructor(arena: Arena, extents: Extents) {
    this.cursor = new RecordCursor(arena, extents);
    this.members = new RecordCursor(arena, extents);
  }

  /** Whether the key exists (with this type). */
  get exists(): boolean {
    return this.entry !== 0 || this.root !== 0;
  }

  /** Whether it is small enough to lie in its entry. */
  get isPacked(): boolean {
    return this.entry !== 0 && this.root === 0;
  }
}

/** Makes `own` the same key as `key`, with its bytes at `bytes[start…]`. */
export function takeKey(own: Key, key: Key, bytes: Uint8Array, start: number): void {
  own.set(bytes, start, start + key.end - key.start);
  own.hash = key.hash;
  own.hashHigh = key.hashHigh;
  own.shard = key.shard;
  own.tag = key.tag;
}
