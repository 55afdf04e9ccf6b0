/**
 * The elements of collections, one by one, from whatever they are written in.
 *
 * The iterators have no `return`: a loop that is left early does not end them, so that the reader of
 * the file can pass over what is left.
 *
 * @module
 */

import { parseDouble } from "../base/double.ts";
import type { FileCursor } from "./file_cursor.ts";
import { ListpackReader } from "./listpack.ts";
import type { ElementReader } from "./packed_bytes.ts";
import { PIECE_BYTES, type RdbStrings } from "./rdb_strings.ts";
import { ZiplistReader } from "./ziplist.ts";

/** A score's first byte when it is no text. */
const NOT_A_NUMBER = 253;
const INFINITE = 254;
const MINUS_INFINITE = 255;

/** How a node of a list is written, in files from version 10 on. */
const ONE_ELEMENT = 1;
const LISTPACK = 2;

/** Iterates over what {@link Steps.advance} gives. */
export abstract class Steps<T> implements IterableIterator<T> {
  readonly #cursor: FileCursor;

  /** The cursor knows whether reading has failed. */
  constructor(cursor: FileCursor) {
    this.#cursor = cursor;
  }

  /** The next one; undefined when there is none left. */
  abstract advance(): T | undefined;

  /** See {@link Iterator}. */
  next(): IteratorResult<T, undefined> {
    if (this.#cursor.failure !== undefined) throw this.#cursor.failure;
    const value = this.advance();
    return value === undefined ? { done: true, value: undefined } : { done: false, value };
  }

  /** Itself: there is one pass only. */
  [Symbol.iterator](): this {
    return this;
  }
}

/** The elements of a list or set. */
export class Elements extends Steps<Uint8Array> {
  readonly #reader: ElementReader;

  /** Gives what the reader gives. */
  constructor(cursor: FileCursor, reader: ElementReader) {
    super(cursor);
    this.#reader = reader;
  }

  /** The next one, or undefined. */
  override advance(): Uint8Array | undefined {
    return this.#reader.next();
  }
}

/** A field of a hash and its value. */
export type FieldAndValue = readonly [field: Uint8Array, value: Uint8Array];

/** The fields of a hash. */
export class Fields extends Steps<FieldAndValue> {
  readonly #reader: ElementReader;

  /** Gives two at a time of what the reader gives. */
  constructor(cursor: FileCursor, reader: ElementReader) {
    super(cursor);
    this.#reader = reader;
  }

  /** The next one, or undefined. */
  override advance(): FieldAndValue | undefined {
    const field = this.#reader.next();
    if (field === undefined) return undefined;
    const value = this.#reader.next();
    return value === undefined
      ? this.#reader.fail("a value", "a field without one")
      : [field, value];
  }
}

/** A member of a sorted set and its score. */
export type MemberAndScore = readonly [member: Uint8Array, score: number];

/** The members of a sorted set. */
export class Members extends Steps<MemberAndScore> {
  readonly #reader: ElementReader;
  readonly #score: () => number;

  /** Takes members from the reader, and the score behind each from `score`; NaN is an error. */
  constructor(cursor: FileCursor, reader: ElementReader, score: () => number) {
    super(cursor);
    this.#reader = reader;
    this.#score = score;
  }

  /** The next one, or undefined. */
  override advance(): MemberAndScore | undefined {
    const member = this.#reader.next();
    if (member === undefined) return undefined;
    const score = this.#score();
    return Number.isNaN(score) ? this.#reader.fail("a score", "no number") : [member, score];
  }
}

/** The bytes of a long string. */
export class Pieces extends Steps<Uint8Array> {
  readonly #source: FileCursor;
  #left: number;

  /** Gives the next `byteCount` bytes of the file. */
  constructor(cursor: FileCursor, byteCount: number) {
    super(cursor);
    this.#source = cursor;
    this.#left = byteCount;
  }

  /** The next ones, or undefined. */
  override advance(): Uint8Array | undefined {
    if (this.#left === 0) return undefined;
    const piece = this.#source.takeSome(Math.min(this.#left, PIECE_BYTES), "a string");
    this.#left -= piece.length;
    return piece;
  }
}

/** Gives strings that follow each other in the file. */
export class StringsReader implements ElementReader {
  readonly #strings: RdbStrings;
  #left: number;
  #offset = 0;

  /** Gives the next `count`. */
  constructor(strings: RdbStrings, count: number) {
    this.#strings = strings;
    this.#left = count;
  }

  /** See {@link ElementReader}. */
  next(): Uint8Array | undefined {
    if (this.#left === 0) return undefined;
    this.#left--;
    this.#offset = this.#strings.cursor.offset;
    return this.#strings.string();
  }

  /** See {@link ElementReader}. */
  fail(expected: string, found: string): never {
    this.#strings.cursor.fail(this.#offset, expected, found);
  }
}

/** Gives the elements of a list that is a row of smaller ones. */
export class NodesReader implements ElementReader {
  readonly #strings: RdbStrings;
  readonly #isOld: boolean;
  #left: number;
  #node: ElementReader | undefined;
  #offset = 0;

  /**
   * Gives those of the next `nodeCount` nodes.
   *
   * @param isOld nodes are ziplists, and do not say so
   */
  constructor(strings: RdbStrings, nodeCount: number, isOld: boolean) {
    this.#strings = strings;
    this.#left = nodeCount;
    this.#isOld = isOld;
  }

  /** See {@link ElementReader}. */
  next(): Uint8Array | undefined {
    for (;;) {
      const element = this.#node?.next();
      if (element !== undefined) return element;
      this.#node = undefined;
      if (this.#left === 0) return undefined;
      this.#left--;
      this.#offset = this.#strings.cursor.offset;
      if (this.#beginNode() === ONE_ELEMENT) return this.#strings.string();
    }
  }

  /** See {@link ElementReader}. */
  fail(expected: string, found: string): never {
    this.#strings.cursor.fail(this.#offset, expected, found);
  }

  #beginNode(): number {
    if (this.#isOld) {
      this.#node = new ZiplistReader(this.#strings.packed());
      return LISTPACK;
    }
    const container = this.#strings.length();
    if (container === LISTPACK) this.#node = new ListpackReader(this.#strings.packed());
    else if (container !== ONE_ELEMENT) this.fail("a node of a list, 1 or 2", String(container));
    return container;
  }
}

/** Reads scores out of a row of members and scores. */
export function scoresIn(reader: ElementReader): () => number {
  return () => {
    const text = reader.next();
    if (text === undefined) return reader.fail("a score", "a member without one");
    return parseDouble(text, 0, text.length);
  };
}

/** Reads a score as files up to version 7 have it: a length and as many digits. */
export function textScore(cursor: FileCursor): number {
  const byteCount = cursor.byte("a score");
  switch (byteCount) {
    case NOT_A_NUMBER:
      return NaN;
    case INFINITE:
      return Infinity;
    case MINUS_INFINITE:
      return -Infinity;
  }
  return parseDouble(cursor.take(byteCount, "a score"), 0, byteCount);
}
