/**
 * What an RDB file holds, one entry at a time.
 *
 * Bytes are views, see {@link FileCursor}. What can be iterated over can be iterated over once, before
 * the next entry is read: it reads from the file as it goes.
 *
 * @module
 */

import type { FieldAndValue, MemberAndScore } from "./elements.ts";

/** What every key has. */
export interface RdbKey {
  /** Number of the database. */
  readonly database: number;
  /** The key's bytes. */
  readonly key: Uint8Array;
  /** When the key expires, in milliseconds since 1970, perhaps long ago; 0 = never. */
  readonly expireAtMs: number;
  /** Where in the file the value's type is. Unit: bytes. */
  readonly offset: number;
}

/** A string. */
export interface RdbString extends RdbKey {
  /** Which entry it is. */
  readonly kind: "string";
  /** Length of all pieces. */
  readonly byteCount: number;
  /** The string, in one piece unless it is longer than 256 KiB. */
  readonly pieces: Iterable<Uint8Array>;
}

/** A list, or a set, whose members may come twice if the file is damaged. It may be empty. */
export interface RdbListOrSet extends RdbKey {
  /** Which entry it is. */
  readonly kind: "list" | "set";
  /** Elements, of a list in order. */
  readonly elements: Iterable<Uint8Array>;
}

/** A hash; fields may come twice if the file is damaged. It may be empty. */
export interface RdbHash extends RdbKey {
  /** Which entry it is. */
  readonly kind: "hash";
  /** Fields, each with its value. */
  readonly fields: Iterable<FieldAndValue>;
}

/** A sorted set; members may come twice if the file is damaged. It may be empty. */
export interface RdbSortedSet extends RdbKey {
  /** Which entry it is. */
  readonly kind: "sorted_set";
  /** Members, each with its score, which may be infinite and is never NaN. */
  readonly members: Iterable<MemberAndScore>;
}

/** Something that was passed over. */
export interface RdbUnsupported {
  /** Which entry it is. */
  readonly kind: "unsupported";
  /** What it is; the first two have a key. */
  readonly what: "stream" | "module value" | "module data" | "function library";
  /** Name of the module's type; empty when it is none. */
  readonly moduleType: string;
  /** Number of the database. */
  readonly database: number;
  /** The key's bytes; undefined when it belongs to no key. */
  readonly key: Uint8Array | undefined;
  /** Where in the file it is. Unit: bytes. */
  readonly offset: number;
}

/** One of the entries, told apart by their `kind`. */
export type RdbEntry = RdbString | RdbListOrSet | RdbHash | RdbSortedSet | RdbUnsupported;
