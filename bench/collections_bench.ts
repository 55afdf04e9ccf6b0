/**
 * What one operation on a collection of 100,000 elements costs, its key's look-up included.
 *
 * The layer beneath is the store's look-up of the key and one search in the collection. The baseline
 * of each group is the operation that does little more than that, so what the others cost more is
 * their change. The lock is held all the time and the keys are hashed already. The small hash has
 * ten fields.
 *
 *     deno bench --allow-read bench/collections_bench.ts
 *
 * @module
 */

import { Key } from "../src/store/key.ts";
import { EntryType, Store, WriteStatus } from "../src/store/store.ts";

const ELEMENTS = 100_000;

const LISTS = "a list of 100,000, 1 operation";
const HASHES = "a hash of 100,000, 1 operation";
const SETS = "a set of 100,000, 1 operation";
const SORTED_SETS = "a sorted set of 100,000, 1 operation";

const encoder = new TextEncoder();

const store = Store.create({
  shardCount: 1,
  lockKind: "mutex",
  maxMemoryBytes: 512 * 2 ** 20,
  maxValueBytes: 2 ** 20,
  threadCount: 1,
  hashSeed: new Uint32Array([1, 2]),
});
store.nowMs = Date.now();
store.locks.lock(0, true);
const { collections } = store;
const { lists, hashes, sets, sortedSets } = collections;

/** Values `prefix0`, `prefix1`, … as a command's arguments. */
function valuesOf(prefix: string, count: number) {
  const starts = new Int32Array(count);
  const ends = new Int32Array(count);
  const bytes = encoder.encode(Array.from({ length: count }, (_, i) => prefix + i).join(""));
  let at = 0;
  for (let i = 0; i < count; i++) {
    starts[i] = at;
    at += prefix.length + String(i).length;
    ends[i] = at;
  }
  return { bytes, starts, ends };
}

function keyOf(name: string): Key {
  const bytes = encoder.encode(name);
  const key = new Key().set(bytes, 0, bytes.length);
  store.locate(key);
  return key;
}

function must(status: WriteStatus): void {
  if (status !== WriteStatus.OK) throw new Error(`status ${status}`);
}

const fields = valuesOf("field:", ELEMENTS);
const c = collections.handle(0);
const keys = {
  list: keyOf("list"),
  hash: keyOf("hash"),
  set: keyOf("set"),
  scores: keyOf("scores"),
  small: keyOf("small"),
};
let state = 1;
/** Random index. */
function next(): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor(state / 2 ** 32 * ELEMENTS);
}

function openList(): void {
  collections.open(c, 0, keys.list, EntryType.LIST, true);
}
openList();
for (let i = 0; i < ELEMENTS; i++) must(lists.push(c, false, fields, i, 1));
collections.open(c, 0, keys.hash, EntryType.HASH, true);
for (let i = 0; i < ELEMENTS - 1; i++) must(hashes.putFields(c, fields, i, 1));
collections.open(c, 0, keys.set, EntryType.SET, true);
for (let i = 0; i < ELEMENTS; i++) must(sets.addMembers(c, fields, i, 1));
collections.open(c, 0, keys.scores, EntryType.SORTED_SET, true);
function put(i: number, score: number): void {
  const start = fields.starts[i]!;
  const end = fields.ends[i]!;
  must(sortedSets.beginOne(c, end - start));
  sortedSets.put(c, fields.bytes, start, end, score);
  sortedSets.finish(c);
}
for (let i = 0; i < ELEMENTS; i++) put(i, next());
let flip = 0;

Deno.bench("RPUSH and LPOP (2 operations)", { group: LISTS }, () => {
  openList();
  must(lists.push(c, false, fields, flip++ % ELEMENTS, 1));
  openList();
  c.cursor.seekFirst();
  must(lists.removeRanks(c, 0, 1));
});

Deno.bench("LPUSH and RPOP (2 operations)", { group: LISTS }, () => {
  openList();
  must(lists.push(c, true, fields, flip++ % ELEMENTS, 1));
  openList();
  c.cursor.seekLast();
  must(lists.removeRanks(c, c.count - 1, 1));
});

Deno.bench("LINDEX", { group: LISTS, baseline: true }, () => {
  openList();
  c.cursor.seekRank(next());
});

Deno.bench("HSET of a field that exists", { group: HASHES }, () => {
  collections.open(c, 0, keys.hash, EntryType.HASH, true);
  must(hashes.putFields(c, fields, Math.min(next(), ELEMENTS - 3), 1));
});

Deno.bench("HGET", { group: HASHES, baseline: true }, () => {
  collections.open(c, 0, keys.hash, EntryType.HASH, false);
  const i = next();
  hashes.find(c, fields.bytes, fields.starts[i]!, fields.ends[i]!);
});

Deno.bench("HDEL and HSET (2 operations)", { group: HASHES }, () => {
  collections.open(c, 0, keys.hash, EntryType.HASH, true);
  const i = Math.min(next(), ELEMENTS - 3);
  must(hashes.remove(c, fields, i, 1));
  collections.open(c, 0, keys.hash, EntryType.HASH, true);
  must(hashes.putFields(c, fields, i, 1));
});

Deno.bench("SADD of a member that exists", { group: SETS, baseline: true }, () => {
  collections.open(c, 0, keys.set, EntryType.SET, true);
  must(sets.addMembers(c, fields, next(), 1));
});

Deno.bench("SREM and SADD (2 operations)", { group: SETS }, () => {
  collections.open(c, 0, keys.set, EntryType.SET, true);
  const i = next();
  must(sets.remove(c, fields, i, 1));
  collections.open(c, 0, keys.set, EntryType.SET, true);
  must(sets.addMembers(c, fields, i, 1));
});

Deno.bench("ZADD of a new score", { group: SORTED_SETS }, () => {
  collections.open(c, 0, keys.scores, EntryType.SORTED_SET, true);
  put(next(), next());
});

Deno.bench("ZSCORE", { group: SORTED_SETS, baseline: true }, () => {
  collections.open(c, 0, keys.scores, EntryType.SORTED_SET, false);
  const i = next();
  sortedSets.find(c, fields.bytes, fields.starts[i]!, fields.ends[i]!);
});

Deno.bench("ZRANK", { group: SORTED_SETS }, () => {
  collections.open(c, 0, keys.scores, EntryType.SORTED_SET, false);
  const i = next();
  sortedSets.rankOf(c, fields.bytes, fields.starts[i]!, fields.ends[i]!);
});

Deno.bench("HSET of a field that exists, in a small hash", { group: HASHES }, () => {
  collections.open(c, 0, keys.small, EntryType.HASH, true);
  must(hashes.putFields(c, fields, 2 * (next() % 10), 1));
});
