/**
 * Stores to compare: what is in one, and an empty one.
 */

import { EntryType, type Store } from "../../src/store/store.ts";
import { contentOf } from "../unit/store/collection_helpers.ts";
import { smallStore } from "../unit/store/helpers.ts";

const DATABASES = 16;

/** An empty store that shares nothing with others but what its keys mean. */
export function emptyStore(shardCount: number): Store {
  return smallStore({
    shardCount,
    maxMemoryBytes: 64 * 2 ** 20,
    maxValueBytes: 16 * 2 ** 20,
    hashSeed: new Uint32Array([7, 8]),
  });
}

/** Everything that can be seen of a store, as text by key. */
export function contentsOf(store: Store): Map<string, string> {
  const contents = new Map<string, string>();
  const decoder = new TextDecoder("latin1");
  const key = new Uint8Array(8192);
  const c = store.collections.newHandle();
  for (let database = 0; database < DATABASES; database++) {
    for (let shard = 0; shard < store.shardCount; shard++) {
      let position = 0;
      do {
        position = store.scanShard(database, shard, position, (entry) => {
          const name = decoder.decode(key.subarray(0, store.copyKey(entry, key, 0)));
          contents.set(`${database} ${name}`, valueOf(store, entry));
        });
      } while (position !== 0);
    }
  }
  return contents;

  function valueOf(store: Store, entry: number): string {
    const type = store.entryType(entry);
    const facts = `${type} ${store.expireAtMs(entry)} ${store.isPinned(entry)} `;
    if (type !== EntryType.STRING) {
      store.collections.openEntry(c, entry);
      return facts + JSON.stringify(contentOf(c.cursor, type));
    }
    const bytes = new Uint8Array(store.stringLength(entry));
    store.copyString(entry, bytes, 0);
    return facts + decoder.decode(bytes);
  }
}
