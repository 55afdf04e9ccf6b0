/**
 * Large values: whole pages first, then chunks; addresses in the entry (layout in entry.ts).
 *
 * @module
 */

import type { Arena } from "./arena.ts";
import type { BlockAllocator } from "./block_allocator.ts";
import {
  CHUNK_HEADER_BYTES,
  CHUNK_VALUE_BYTES,
  Entry,
  ENTRY_HEADER_BYTES,
  EntryFlag,
  extentCount,
  extentPageCount,
  TTL_BYTES,
} from "./entry.ts";
import { Page, PAGE_WORDS, type PageAllocator, PageKind } from "./page_allocator.ts";
import { PAGE_BYTES, PAGE_UNITS } from "./size_classes.ts";

/** Extents of large values. Thread: one instance per thread, under the shard's lock. */
export class Extents {
  readonly #arena: Arena;
  readonly #blocks: BlockAllocator;
  readonly #pages: PageAllocator;
  /** Addresses reserved by a plan, in value order. */
  readonly #reserved: number[] = [];

  /** Wires the parts of one thread together. */
  constructor(arena: Arena, blocks: BlockAllocator, pages: PageAllocator) {
    this.#arena = arena;
    this.#blocks = blocks;
    this.#pages = pages;
  }

  /** Reserves what a value of `valueBytes` needs; false (and nothing reserved) without memory. */
  reserve(shard: number, valueBytes: number): boolean {
    const pageCount = extentPageCount(valueBytes);
    for (let i = 0; i < pageCount; i++) {
      if (!this.#keep(this.#blocks.allocatePage(shard, PageKind.EXTENT))) return false;
    }
    for (let left = valueBytes % PAGE_BYTES; left > 0; left -= CHUNK_VALUE_BYTES) {
      const byteCount = CHUNK_HEADER_BYTES + Math.min(left, CHUNK_VALUE_BYTES);
      if (!this.#keep(this.#blocks.allocate(shard, PageKind.CHUNK, byteCount))) return false;
    }
    return true;
  }

  /** Gives back what was reserved and not used. */
  cancel(): void {
    while (this.#reserved.length > 0) this.#free(this.#reserved.pop()!);
  }

  /** Moves the reserved extents into an entry and copies the value into them. */
  fill(entry: number, value: Uint8Array, start: number): void {
    const valueBytes = this.#arena.read(entry, Entry.VALUE_BYTES);
    const listWord = this.#listWord(entry);
    let from = start;
    const end = start + valueBytes;
    for (let i = 0; i < this.#reserved.length; i++) {
      const extent = this.#reserved[i]!;
      this.#arena.write(entry, listWord + i, extent);
      const byteCount = Math.min(end - from, this.#room(i, valueBytes));
      this.#arena.bytesOf(extent).set(
        value.subarray(from, from + byteCount),
        this.#dataAt(extent, i, valueBytes),
      );
      from += byteCount;
      this.#setOwner(extent, i, valueBytes, entry);
    }
    this.#reserved.length = 0;
  }

  /** Copies the value of an entry to `target[offset…]`. */
  copyOut(entry: number, target: Uint8Array, offset: number): void {
    const valueBytes = this.#arena.read(entry, Entry.VALUE_BYTES);
    const listWord = this.#listWord(entry);
    const count = extentCount(valueBytes);
    for (let i = 0, done = 0; i < count; i++) {
      const extent = this.#arena.read(entry, listWord + i);
      const at = this.#dataAt(extent, i, valueBytes);
      const byteCount = Math.min(valueBytes - done, this.#room(i, valueBytes));
      target.set(this.#arena.bytesOf(extent).subarray(at, at + byteCount), offset + done);
      done += byteCount;
    }
  }

  /** Frees the extents of an entry. */
  release(entry: number): void {
    this.forEach(entry, (extent) => this.#free(extent));
  }

  /** Tells the extents of a moved entry where it lives now. */
  adopt(entry: number): void {
    const valueBytes = this.#arena.read(entry, Entry.VALUE_BYTES);
    this.forEach(entry, (extent, i) => this.#setOwner(extent, i, valueBytes, entry));
  }

  /** Points the owner of a moved chunk at its new address. */
  relocateChunk(to: number): void {
    const owner = this.#arena.read(to, 0);
    const index = this.#arena.read(to, 1);
    this.#arena.write(owner, this.#listWord(owner) + index, to);
  }

  /** Calls `visit` for each extent in value order. */
  forEach(entry: number, visit: (extent: number, index: number) => void): void {
    const count = extentCount(this.#arena.read(entry, Entry.VALUE_BYTES));
    const listWord = this.#listWord(entry);
    for (let i = 0; i < count; i++) visit(this.#arena.read(entry, listWord + i), i);
  }

  #keep(extent: number): boolean {
    if (extent === 0) {
      this.cancel();
      return false;
    }
    this.#reserved.push(extent);
    return true;
  }

  #free(extent: number): void {
    const page = Math.floor(extent / PAGE_UNITS);
    if (this.#pages.kindOf(page) === PageKind.EXTENT) this.#blocks.freePage(extent);
    else this.#blocks.free(extent);
  }

  #room(index: number, valueBytes: number): number {
    return index < extentPageCount(valueBytes) ? PAGE_BYTES : CHUNK_VALUE_BYTES;
  }

  #dataAt(extent: number, index: number, valueBytes: number): number {
    const at = this.#arena.byteAt(extent);
    return index < extentPageCount(valueBytes) ? at : at + CHUNK_HEADER_BYTES;
  }

  #setOwner(extent: number, index: number, valueBytes: number, entry: number): void {
    if (index < extentPageCount(valueBytes)) {
      const at = Math.floor(extent / PAGE_UNITS) * PAGE_WORDS;
      this.#pages.descriptors[at + Page.OWNER] = entry;
      this.#pages.descriptors[at + Page.POSITION] = index;
    } else {
      this.#arena.write(extent, 0, entry);
      this.#arena.write(extent, 1, index);
    }
  }

  #listWord(entry: number): number {
    const flags = (this.#arena.read(entry, Entry.TYPE) >>> 16) & 0xff;
    const bytes = ENTRY_HEADER_BYTES + ((flags & EntryFlag.HAS_TTL) !== 0 ? TTL_BYTES : 0);
    return bytes / 4;
  }
}
