/**
 * Passes over what there is no place for here: streams, values of modules, functions.
 *
 * @module
 */

import type { Int64 } from "../base/int64.ts";
import { ValueType } from "./rdb_format.ts";
import type { RdbStrings } from "./rdb_strings.ts";

/** How a module's data goes on. */
const ModuleOpcode = { END: 0, SIGNED: 1, UNSIGNED: 2, FLOAT: 3, DOUBLE: 4, STRING: 5 } as const;

/** Bytes of an entry's id. */
const ID_BYTES = 16;
/** Bytes of a time in milliseconds. */
const TIME_BYTES = 8;

/** What the names of module types are made of. */
const NAME_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const NAME_LENGTH = 9;
/** An id ends with the version of the encoding. Unit: bits. */
const NAME_SHIFT = 10n;

/**
 * Passes over a stream.
 *
 * ```text
 * number of nodes, each: id of the first entry, a string of 16 bytes; a string that is a listpack
 * number of entries; last id, two lengths
 *   from the second type on: first id, greatest id that was deleted, number ever added
 * number of groups, each:
 *   name; last id, two lengths; from the second type on: entries read
 *   number of pending entries, each: id, 16 bytes; time, 8 bytes; deliveries, a length
 *   number of consumers, each:
 *     name; time seen, 8 bytes; of the third type: time active, 8 bytes
 *     number of pending entries, each: id, 16 bytes
 * ```
 *
 * @param type one of the types of streams
 */
export function skipStream(strings: RdbStrings, type: number): void {
  const { cursor } = strings;
  for (let left = strings.count(2, "nodes of a stream"); left > 0; left--) {
    strings.skip();
    strings.skip();
  }
  for (let left = type === ValueType.STREAM_LISTPACKS ? 3 : 8; left > 0; left--) strings.length();
  for (let left = strings.count(5, "groups of a stream"); left > 0; left--) {
    strings.skip();
    for (let i = type === ValueType.STREAM_LISTPACKS ? 2 : 3; i > 0; i--) strings.length();
    const pending = strings.count(ID_BYTES + TIME_BYTES + 1, "pending entries");
    for (let i = 0; i < pending; i++) {
      cursor.skip(ID_BYTES + TIME_BYTES, "a pending entry");
      strings.length();
    }
    skipConsumers(strings, type);
  }
}

function skipConsumers(strings: RdbStrings, type: number): void {
  const { cursor } = strings;
  const timeBytes = type === ValueType.STREAM_LISTPACKS_3 ? 2 * TIME_BYTES : TIME_BYTES;
  for (let left = strings.count(timeBytes + 2, "consumers"); left > 0; left--) {
    strings.skip();
    cursor.skip(timeBytes, "a consumer's times");
    const pending = strings.count(ID_BYTES, "pending entries");
    cursor.skip(pending * ID_BYTES, "pending entries");
  }
}

/**
 * Passes over a module's value.
 *
 * @returns name of its type
 */
export function skipModuleValue(strings: RdbStrings): string {
  const name = moduleName(strings.int64());
  skipModuleParts(strings);
  return name;
}

/**
 * Passes over a module's data that belongs to no key.
 *
 * @returns name of its type
 */
export function skipModuleAux(strings: RdbStrings): string {
  const name = moduleName(strings.int64());
  const { offset } = strings.cursor;
  const opcode = strings.length();
  if (opcode !== ModuleOpcode.UNSIGNED) {
    strings.cursor.fail(offset, "when a module reads its data, 2", String(opcode));
  }
  strings.length();
  skipModuleParts(strings);
  return name;
}

function skipModuleParts(strings: RdbStrings): void {
  const { cursor } = strings;
  for (;;) {
    const { offset } = cursor;
    const opcode = strings.length();
    switch (opcode) {
      case ModuleOpcode.END:
        return;
      case ModuleOpcode.SIGNED:
      case ModuleOpcode.UNSIGNED:
        strings.int64();
        break;
      case ModuleOpcode.FLOAT:
        cursor.skip(4, "a module's number");
        break;
      case ModuleOpcode.DOUBLE:
        cursor.skip(8, "a module's number");
        break;
      case ModuleOpcode.STRING:
        strings.skip();
        break;
      default:
        cursor.fail(offset, "a part of a module's data, 0 to 5", String(opcode));
    }
  }
}

/** Passes over a function of a release candidate of Redis 7.0. */
export function skipOldFunction(strings: RdbStrings): void {
  strings.skip();
  strings.skip();
  const { offset } = strings.cursor;
  const hasDescription = strings.length();
  if (hasDescription > 1) {
    strings.cursor.fail(offset, "whether there is a description, 0 or 1", String(hasDescription));
  }
  if (hasDescription === 1) strings.skip();
  strings.skip();
}

/** The name that an id of 64 bits is made of, six bits to a character. */
function moduleName({ hi, lo }: Int64): string {
  let bits = ((BigInt(hi >>> 0) << 32n) | BigInt(lo)) >> NAME_SHIFT;
  let name = "";
  for (let i = 0; i < NAME_LENGTH; i++) {
    name = NAME_CHARACTERS[Number(bits & 63n)]! + name;
    bits >>= 6n;
  }
  return name;
}
