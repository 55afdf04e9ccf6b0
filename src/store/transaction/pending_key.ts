/**
 * What a transaction is going to do to one key.
 *
 * @module
 */

import { Int64 } from "../../base/int64.ts";
import type { ReservedWay } from "../collection/collections.ts";
import { Key } from "../key.ts";

/** What becomes of a key. */
export const PendingKind = {
  /** Only when it expires changes. */
  NONE: 0,
  /** It goes. */
  DELETE: 1,
  /** It becomes a string. */
  STRING: 2,
  /** Something is added to the integer that it is. */
  ADD: 3,
  /** Elements come to a list. */
  LIST: 4,
  /** Fields of a hash change. */
  HASH: 5,
  /** Members of a set change. */
  SET: 6,
  /** Members of a sorted set change. */
  SORTED_SET: 7,
} as const;
/** One of {@link PendingKind}. */
export type PendingKind = typeof PendingKind[keyof typeof PendingKind];

/** What becomes of the time to live of a key. */
export const PendingExpiry = {
  /** It stays; a new key has none. */
  KEEP: 0,
  /** It never expires. */
  NEVER: 1,
  /** It expires some time after the commit. */
  AFTER: 2,
} as const;
/** One of {@link PendingExpiry}. */
export type PendingExpiry = typeof PendingExpiry[keyof typeof PendingExpiry];

/** What becomes of a field or member. */
export const ElementKind = {
  /** It comes, or gets this value or score. */
  PUT: 0,
  /** Something is added to its value or score. */
  ADD: 1,
  /** It goes. */
  REMOVE: 2,
} as const;
/** One of {@link ElementKind}. */
export type ElementKind = typeof ElementKind[keyof typeof ElementKind];

/** What a transaction is going to do to one field or member; its bytes are those of the key. */
export class PendingElement {
  /** What becomes of it. */
  kind: ElementKind = ElementKind.PUT;
  /** Bytes of the field or member. */
  start: number;
  /** Behind them. */
  end: number;
  /** Bytes of the value of a field; at the commit, of what an addition comes to. */
  valueStart = 0;
  /** Behind them. */
  valueEnd = 0;
  /** What is added to the value of a field. */
  readonly delta: Int64 = new Int64();
  /** The score of a member, or what is added to it. */
  score = 0;
  /** The score that it gets; known at the commit. */
  newScore = 0;
  /** Whether it is there; known at the commit. */
  exists = false;

  /** Of the field or member at `bytes[start, end)`. */
  constructor(start: number, end: number) {
    this.start = start;
    this.end = end;
  }
}

const NO_ELEMENTS: readonly PendingElement[] = [];

/** What a transaction is going to do to one key. Thread: belongs to one transaction. */
export class PendingKey {
  /** The key, located. */
  readonly key: Key = new Key();
  /** What becomes of it. */
  kind: PendingKind = PendingKind.NONE;
  /** Whether what the key has goes first. */
  replaces = false;
  /** What becomes of its time to live. */
  expiry: PendingExpiry = PendingExpiry.KEEP;
  /** How long it has to live from the commit on. Unit: ms. */
  ttlMs = 0;
  /** Bytes of a string. */
  valueStart = 0;
  /** Behind them. */
  valueEnd = 0;
  /** What is added to an integer. */
  readonly delta: Int64 = new Int64();
  /** Fields or members, by their bytes as a string, in the order in which they were named first. */
  readonly elements: Map<string, PendingElement> = new Map();
  /** The same as a list, from {@link PendingKey.seal} on. */
  items: readonly PendingElement[] = NO_ELEMENTS;
  /** Elements that come in front of a list, in the order in which they come. */
  readonly front: PendingElement[] = [];
  /** Elements that come behind the last one of a list. */
  readonly back: PendingElement[] = [];

  /** How a change of a collection is made; known at the commit. */
  readonly way: ReservedWay = { goesToTree: false, entryBytes: 0, isWhole: false };

  /** Whether the only element that changes comes where there is room for it; known at the commit. */
  fits = false;

  /** Nothing comes any more: lists what there is, so that the commit need not. */
  seal(): void {
    if (this.elements.size > 0) this.items = [...this.elements.values()];
  }

  /** Forgets what was to become of the value. */
  drop(): void {
    this.elements.clear();
    this.front.length = this.back.length = 0;
    this.valueStart = this.valueEnd = 0;
  }
}
