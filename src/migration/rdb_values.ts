/**
 * Values of keys in RDB files, by the number of their type.
 *
 * @module
 */

import {
  Elements,
  Fields,
  Members,
  NodesReader,
  Pieces,
  scoresIn,
  StringsReader,
  textScore,
} from "./elements.ts";
import { IntsetReader } from "./intset.ts";
import { ListpackReader } from "./listpack.ts";
import type { ElementReader } from "./packed_bytes.ts";
import type { RdbEntry, RdbString, RdbUnsupported } from "./rdb_entry.ts";
import { FIRST_VERSION, LAST_VERSION, ValueType } from "./rdb_format.ts";
import { skipModuleValue, skipStream } from "./rdb_skip.ts";
import type { RdbStrings } from "./rdb_strings.ts";
import { ZiplistReader } from "./ziplist.ts";
import { ZipmapReader } from "./zipmap.ts";

/** What is known of a key before its value is read. */
export interface KeyFront {
  /** See {@link RdbKey}. */
  database: number;
  /** See {@link RdbKey}. */
  expireAtMs: number;
  /** See {@link RdbKey}. */
  offset: number;
}

/** Something of the file that is read as it is asked for. */
export interface Unread {
  /** The next part; undefined when there is none left. */
  advance(): unknown;
}

/** A value, and what of it is still to be read. */
export interface ValueBegin {
  /** The entry. */
  readonly entry: RdbEntry;
  /** Its elements or pieces; undefined when it is whole. */
  readonly unread: Unread | undefined;
}

/** Reads a key and the front of its value; passes over a value that there is no place for. */
export function beginValue(strings: RdbStrings, type: number, front: KeyFront): ValueBegin {
  switch (type) {
    case ValueType.STRING:
      return beginString(strings, front);
    case ValueType.LIST:
    case ValueType.LIST_ZIPLIST:
    case ValueType.LIST_QUICKLIST:
    case ValueType.LIST_QUICKLIST_2:
      return beginElements(strings, type, "list", front);
    case ValueType.SET:
    case ValueType.SET_INTSET:
    case ValueType.SET_LISTPACK:
      return beginElements(strings, type, "set", front);
    case ValueType.HASH:
    case ValueType.HASH_ZIPMAP:
    case ValueType.HASH_ZIPLIST:
    case ValueType.HASH_LISTPACK:
      return beginFields(strings, type, front);
    case ValueType.ZSET:
    case ValueType.ZSET_2:
    case ValueType.ZSET_ZIPLIST:
    case ValueType.ZSET_LISTPACK:
      return beginMembers(strings, type, front);
    case ValueType.STREAM_LISTPACKS:
    case ValueType.STREAM_LISTPACKS_2:
    case ValueType.STREAM_LISTPACKS_3:
    case ValueType.MODULE_2:
      return passOver(strings, type, front);
    case ValueType.MODULE_PRE_GA:
      return strings.cursor.fail(front.offset, "a value whose end can be found", "one of a module");
  }
  return strings.cursor.fail(
    front.offset,
    `an opcode or a type of value of RDB versions ${FIRST_VERSION} to ${LAST_VERSION}`,
    String(type),
  );
}

function beginString(strings: RdbStrings, front: KeyFront): ValueBegin {
  const key = strings.string();
  const value = strings.stringOrLength();
  const { database, expireAtMs, offset } = front;
  const isLong = typeof value === "number";
  const unread = isLong ? new Pieces(strings.cursor, value) : undefined;
  const entry: RdbString = {
    kind: "string",
    database,
    key,
    expireAtMs,
    offset,
    byteCount: isLong ? value : value.length,
    pieces: isLong ? unread! : [value],
  };
  return { entry, unread };
}

function beginElements(
  strings: RdbStrings,
  type: number,
  kind: "list" | "set",
  front: KeyFront,
): ValueBegin {
  const key = strings.string();
  const elements = new Elements(strings.cursor, elementReader(strings, type));
  return { entry: { kind, ...front, key, elements }, unread: elements };
}

function beginFields(strings: RdbStrings, type: number, front: KeyFront): ValueBegin {
  const key = strings.string();
  const fields = new Fields(strings.cursor, elementReader(strings, type));
  return { entry: { kind: "hash", ...front, key, fields }, unread: fields };
}

function beginMembers(strings: RdbStrings, type: number, front: KeyFront): ValueBegin {
  const { cursor } = strings;
  const key = strings.string();
  const reader = elementReader(strings, type);
  const score = type === ValueType.ZSET
    ? () => textScore(cursor)
    : type === ValueType.ZSET_2
    ? () => cursor.double("a score")
    : scoresIn(reader);
  const members = new Members(cursor, reader, score);
  return { entry: { kind: "sorted_set", ...front, key, members }, unread: members };
}

/** Gives what the value is a row of; of sorted sets that are not compact only the members. */
function elementReader(strings: RdbStrings, type: number): ElementReader {
  switch (type) {
    case ValueType.LIST:
    case ValueType.SET:
      return new StringsReader(strings, strings.count(1, "elements"));
    case ValueType.HASH:
      return new StringsReader(strings, 2 * strings.count(2, "fields"));
    case ValueType.ZSET:
      return new StringsReader(strings, strings.count(2, "members"));
    case ValueType.ZSET_2:
      return new StringsReader(strings, strings.count(9, "members"));
    case ValueType.LIST_QUICKLIST:
      return new NodesReader(strings, strings.count(1, "nodes of a list"), true);
    case ValueType.LIST_QUICKLIST_2:
      return new NodesReader(strings, strings.count(2, "nodes of a list"), false);
    case ValueType.HASH_ZIPMAP:
      return new ZipmapReader(strings.packed());
    case ValueType.SET_INTSET:
      return new IntsetReader(strings.packed());
    case ValueType.LIST_ZIPLIST:
    case ValueType.HASH_ZIPLIST:
    case ValueType.ZSET_ZIPLIST:
      return new ZiplistReader(strings.packed());
    default:
      return new ListpackReader(strings.packed());
  }
}

function passOver(strings: RdbStrings, type: number, front: KeyFront): ValueBegin {
  const { database, offset } = front;
  const key = strings.string();
  let moduleType = "";
  if (type === ValueType.MODULE_2) moduleType = skipModuleValue(strings);
  else skipStream(strings, type);
  const what = type === ValueType.MODULE_2 ? "module value" : "stream";
  const entry: RdbUnsupported = { kind: "unsupported", what, moduleType, database, key, offset };
  return { entry, unread: undefined };
}
