/**
 * Copies bytes from, to and within shared memory.
 *
 * V8 copies shared memory with atomic accesses, as the language demands: a word at a time where
 * source and target are aligned alike, and else *byte by byte*. Where a value begins depends on the
 * lengths of its key and of what was replied before, so seven copies in eight are of the slow kind.
 * What is done instead, in ns (Deno 2.9.6; V8 15.0, minima; a `subarray` and a `set` together):
 *
 * ```text
 *                                      64 B   256 B   1 KiB   4 KiB
 * a loop over bytes                      72     285    1070    4200
 * set, aligned alike                     34      36      50     109
 * set, not aligned alike              39–44   66–79 165–215 610–800
 * words of 64 bits, any alignment        13      23      65     230   for 1,280 bytes and less
 * two steps through private memory       56      61      79     156   for more
 * ```
 *
 * **Words** are read and written with a `DataView`, four at a time; optimized code makes no BigInt
 * of them. The last one may overlap the one before, so that no bytes are left over. **Two steps**:
 * between shared memory and a private buffer at an offset that is aligned alike, and between that
 * and where the bytes are to be private (or shared, aligned otherwise) with what is a plain move of
 * memory.
 *
 * A `DataView` costs more than a copy of short values. So those of arrays that stay are kept:
 * segments of the arena, and what was told to {@link keepView}; and of others (buffers of
 * connections, which come and go) that of the last source and of the last target are remembered. An
 * array that was given away is never asked for again, and of one that can change its length no view is
 * kept.
 *
 * @module
 */

import { assert } from "./assert.ts";

/** Fewer bytes are copied one by one. */
const WORD_BYTES = 8;
/** More bytes go in two steps where their alignments differ, in one where they do not. */
const WORDS_MAX_BYTES = 1280;
/** How much goes in two steps at a time: what stays in the nearest caches. A multiple of 8. */
const STEP_BYTES = 8192;
/** An array of so many bytes is a segment of an arena and stays. */
const LASTING_BYTES = 2 ** 20;

const EMPTY = new Uint8Array(0);
const EMPTY_VIEW = new DataView(EMPTY.buffer);

/**
 * The views of arrays that one side of the copies of a thread has: the last one that stays, and the
 * last one that does not. A thread copies between these two in turns, back and forth.
 */
class Views {
  #bytes: Uint8Array = EMPTY;
  #view: DataView = EMPTY_VIEW;
  #passingBytes: Uint8Array = EMPTY;
  #passingView: DataView = EMPTY_VIEW;

  /** A view of the bytes of an array. */
  of(bytes: Uint8Array): DataView {
    if (bytes === this.#bytes) return this.#view;
    return bytes === this.#passingBytes ? this.#passingView : this.#look(bytes);
  }

  #look(bytes: Uint8Array): DataView {
    if (hasOtherLengthLater(bytes)) return viewOf(bytes);
    let view = lasting.get(bytes);
    if (view === undefined && bytes.length >= LASTING_BYTES && isShared(bytes)) {
      lasting.set(bytes, view = viewOf(bytes));
    }
    if (view !== undefined) {
      this.#bytes = bytes;
      return this.#view = view;
    }
    this.#passingBytes = bytes;
    return this.#passingView = viewOf(bytes);
  }
}

const lasting = new WeakMap<Uint8Array, DataView>();
const sources = new Views();
const targets = new Views();
const step = new Uint8Array(STEP_BYTES + WORD_BYTES);

/**
 * Remembers the view of an array that a thread copies from or to again and again.
 *
 * @param bytes of a buffer with one length for ever
 * @returns the array
 */
export function keepView<T extends Uint8Array>(bytes: T): T {
  assert(!hasOtherLengthLater(bytes), "a view is kept of what keeps its length");
  lasting.set(bytes, viewOf(bytes));
  return bytes;
}

/** Whether an array's memory is shared. */
export function isShared({ buffer }: Uint8Array): boolean {
  return buffer instanceof SharedArrayBuffer;
}

/** An embedding program may hand in an array that grows or shrinks with its buffer. */
function hasOtherLengthLater({ buffer }: Uint8Array): boolean {
  return buffer instanceof SharedArrayBuffer ? buffer.growable : buffer.resizable;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/**
 * Copies `source[start, end)` to `target[offset…]`. Either array may be shared, or both.
 *
 * They may be one array when the target is no nearer to its end than the source, or apart from it.
 *
 * Shape: `copyBytes(segment, 4120, 4136, reply, 7)` copies 16 bytes.
 */
export function copyBytes(
  source: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  offset: number,
): void {
  const byteCount = end - start;
  if (byteCount < WORD_BYTES) {
    for (let i = start, p = offset; i < end; i++, p++) target[p] = source[i]!;
  } else if (byteCount <= WORDS_MAX_BYTES) {
    copyWords(sources.of(source), start, targets.of(target), offset, byteCount);
  } else {
    copyLong(source, start, end, target, offset);
  }
}

/**
 * Moves `byteCount` bytes within an array of which `view` is a view; the ranges may overlap.
 *
 * Shape: `moveBytes(view, segment, 140, 120, 80)` makes room for 20 bytes before 80 others.
 */
export function moveBytes(
  view: DataView,
  bytes: Uint8Array,
  to: number,
  from: number,
  byteCount: number,
): void {
  if (byteCount > WORDS_MAX_BYTES) {
    bytes.copyWithin(to, from, from + byteCount);
  } else if (byteCount < WORD_BYTES) {
    if (to < from) { for (let i = 0; i < byteCount; i++) bytes[to + i] = bytes[from + i]!; }
    else for (let i = byteCount - 1; i >= 0; i--) bytes[to + i] = bytes[from + i]!;
  } else if (to < from) {
    copyWords(view, from, view, to, byteCount);
  } else {
    // From the end; the first word may overlap the second, and its source what is written by then.
    const first = view.getBigUint64(from, true);
    for (let i = byteCount - WORD_BYTES; i > 0; i -= WORD_BYTES) {
      view.setBigUint64(to + i, view.getBigUint64(from + i, true), true);
    }
    view.setBigUint64(to, first, true);
  }
}

/** Copies at least 8 bytes, a word at a time. */
function copyWords(
  source: DataView,
  start: number,
  target: DataView,
  offset: number,
  byteCount: number,
): void {
  // The last word may overlap the one before, and its source what is written by then.
  const end = start + byteCount - WORD_BYTES;
  const last = source.getBigUint64(end, true);
  let at = start;
  let to = offset;
  while (at + 32 <= end) {
    target.setBigUint64(to, source.getBigUint64(at, true), true);
    target.setBigUint64(to + 8, source.getBigUint64(at + 8, true), true);
    target.setBigUint64(to + 16, source.getBigUint64(at + 16, true), true);
    target.setBigUint64(to + 24, source.getBigUint64(at + 24, true), true);
    at += 32;
    to += 32;
  }
  while (at < end) {
    target.setBigUint64(to, source.getBigUint64(at, true), true);
    at += WORD_BYTES;
    to += WORD_BYTES;
  }
  target.setBigUint64(offset + byteCount - WORD_BYTES, last, true);
}

/** Copies more than that: with `set`, which is fast where both sides are private or aligned alike. */
function copyLong(
  source: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  offset: number,
): void {
  const from = (source.byteOffset + start) & 7;
  const to = (target.byteOffset + offset) & 7;
  const fromShared = isShared(source);
  const toShared = isShared(target);
  if (from === to || !(fromShared || toShared)) {
    target.set(source.subarray(start, end), offset);
    return;
  }
  for (let at = start, p = offset; at < end; at += STEP_BYTES, p += STEP_BYTES) {
    const byteCount = Math.min(STEP_BYTES, end - at);
    let skew = fromShared ? from : to;
    step.set(source.subarray(at, at + byteCount), skew);
    if (fromShared && toShared) {
      step.copyWithin(to, skew, skew + byteCount);
      skew = to;
    }
    target.set(step.subarray(skew, skew + byteCount), p);
  }
}
