/**
 * What Redis 7.0 would call the encoding of a collection.
 *
 * This server stores collections in two ways that Redis does not have. Clients and tools know
 * Redis's names, so they get the one that Redis with its default limits gives to a collection with
 * this content that was made by adding to it.
 *
 * @module
 */

import { EntryType } from "../entry.ts";
import { Int64, parseInt64 } from "../../base/int64.ts";
import type { Collection } from "./collection.ts";
import type { ElementView } from "./element.ts";

/** `hash-max-listpack-entries`. */
const HASH_ENTRIES = 512;
/** `zset-max-listpack-entries`. */
const SORTED_SET_ENTRIES = 128;
/** `set-max-intset-entries`. */
const INTEGER_SET_ENTRIES = 512;
/** `hash-max-listpack-value` and `zset-max-listpack-value`. Unit: bytes. */
const LISTPACK_ELEMENT_BYTES = 64;

/**
 * The name for an opened collection. Looks at no more elements than Redis's limits allow: some 10 µs
 * at most.
 */
export function collectionEncodingName(c: Collection): string {
  switch (c.type) {
    case EntryType.LIST:
      return "quicklist";
    case EntryType.HASH:
      return c.count <= HASH_ENTRIES && everyElement(c, isShort) ? "listpack" : "hashtable";
    case EntryType.SORTED_SET:
      return c.count <= SORTED_SET_ENTRIES && everyElement(c, isShort) ? "listpack" : "skiplist";
    default:
      return c.count <= INTEGER_SET_ENTRIES && everyElement(c, isInteger) ? "intset" : "hashtable";
  }
}

function everyElement(c: Collection, test: (element: ElementView) => boolean): boolean {
  const { cursor } = c;
  const isHash = c.type === EntryType.HASH;
  for (let more = cursor.seekFirst(); more; more = cursor.next()) {
    if (!test(cursor.element()) || (isHash && !test(cursor.value()))) return false;
  }
  return true;
}

function isShort(element: ElementView): boolean {
  return element.byteCount <= LISTPACK_ELEMENT_BYTES;
}

const number = new Int64();

function isInteger({ bytes, start, end, longRoot }: ElementView): boolean {
  return longRoot === 0 && parseInt64(bytes, start, end, number);
}
