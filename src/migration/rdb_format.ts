/**
 * Numbers of the RDB format: what a byte says of what follows it.
 *
 * ```text
 * file     "REDIS", version as 4 digits, parts, 255, from version 5 on checksum of everything before
 * part     opcode and what belongs to it, or
 *          type of value, key (a string), value
 * ```
 *
 * @see https://github.com/sripathikrishnan/redis-rdb-tools/wiki/Redis-RDB-Dump-File-Format up to
 *   version 9
 * @module
 */

/** The first bytes of a file. */
export const MAGIC = "REDIS";
/** Oldest version that is read. */
export const FIRST_VERSION = 1;
/** Newest version that is read: that of Redis 7.2. */
export const LAST_VERSION = 11;
/** Oldest version that ends with a checksum. */
export const CHECKSUM_VERSION = 5;

/** What is no value. */
export const Opcode = {
  /** A library of functions: its code. */
  FUNCTION2: 245,
  /** A function as release candidates of Redis 7.0 had it: name, engine, description, code. */
  FUNCTION_PRE_GA: 246,
  /** Data of a module that belongs to no key. */
  MODULE_AUX: 247,
  /** Seconds since the next key was used, a length. */
  IDLE: 248,
  /** How often the next key is used, a byte. */
  FREQ: 249,
  /** Name and value of something about the file. */
  AUX: 250,
  /** How many keys the database has, and how many of them expire. */
  RESIZEDB: 251,
  /** When the next key expires, int64 in milliseconds since 1970. */
  EXPIRETIME_MS: 252,
  /** The same, int32 in seconds. */
  EXPIRETIME: 253,
  /** The database of the following keys. */
  SELECTDB: 254,
  /** The end. */
  EOF: 255,
} as const;

/** How a value is written. */
export const ValueType = {
  /** A string. */
  STRING: 0,
  /** Number of elements, elements. */
  LIST: 1,
  /** Number of members, members. */
  SET: 2,
  /** Number of members, members each with a score in digits. */
  ZSET: 3,
  /** Number of fields, fields each with a value. */
  HASH: 4,
  /** Number of members, members each with a score in 8 bytes. */
  ZSET_2: 5,
  /** Value of a module, which only the module knows the length of. */
  MODULE_PRE_GA: 6,
  /** Value of a module. */
  MODULE_2: 7,
  /** A string that is a zipmap. */
  HASH_ZIPMAP: 9,
  /** A string that is a ziplist. */
  LIST_ZIPLIST: 10,
  /** A string that is an intset. */
  SET_INTSET: 11,
  /** A string that is a ziplist. */
  ZSET_ZIPLIST: 12,
  /** A string that is a ziplist. */
  HASH_ZIPLIST: 13,
  /** Number of ziplists, ziplists. */
  LIST_QUICKLIST: 14,
  /** A stream. */
  STREAM_LISTPACKS: 15,
  /** A string that is a listpack. */
  HASH_LISTPACK: 16,
  /** A string that is a listpack. */
  ZSET_LISTPACK: 17,
  /** Number of nodes, nodes: elements or listpacks. */
  LIST_QUICKLIST_2: 18,
  /** A stream of Redis 7.0. */
  STREAM_LISTPACKS_2: 19,
  /** A string that is a listpack. */
  SET_LISTPACK: 20,
  /** A stream of Redis 7.2. */
  STREAM_LISTPACKS_3: 21,
} as const;
