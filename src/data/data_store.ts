/**
 * Stores that hold a data directory's content while nobody serves it.
 *
 * @module
 */

import {
  EVENT_IDS_MAX,
  MEMORY_MAX_BYTES,
  MEMORY_MIN_BYTES,
  VALUE_MAX_BYTES,
} from "../base/limits.ts";
import { formatSize } from "../base/units.ts";
import { EVENT_ID_BYTES } from "../durability/event_id_records.ts";
import { filesOf } from "../durability/file_names.ts";
import { recover, type Recovered } from "../durability/recovery.ts";
import { NoRoomError } from "../durability/replayer.ts";
import type { Storage } from "../durability/storage.ts";
import { EventIds } from "../store/event_ids.ts";
import { Store } from "../store/store.ts";
import { DataError } from "./data_error.ts";

/**
 * The same each time, so that members of large sets and hashes are dumped in the same order: one
 * thread fills the store, and nobody waits for it who could be kept waiting.
 */
const HASH_SEED = new Uint32Array([0x5c1ce, 0xd0d0]);

/** Room for so many ids of events is made in any case. */
const IDS_MIN = 4096;

/** How large the store may get. */
export interface RoomOptions {
  /** Unit: bytes; left out: as much as the machine gives. */
  readonly maxMemoryBytes?: number | undefined;
  /** Largest value. Unit: bytes; left out: what any server takes. */
  readonly maxValueBytes?: number | undefined;
}

/**
 * Makes an empty store. Memory that is never used costs nothing, so that it need not be known before
 * how much there will be.
 *
 * @throws {DataError} when the system does not give as much as was asked for
 */
export function makeStore({ maxMemoryBytes, maxValueBytes }: RoomOptions = {}): Store {
  for (let bytes = maxMemoryBytes ?? MEMORY_MAX_BYTES;; bytes /= 2) {
    try {
      const store = Store.create({
        shardCount: 1,
        lockKind: "mutex",
        maxMemoryBytes: bytes,
        maxValueBytes: maxValueBytes ?? VALUE_MAX_BYTES,
        threadCount: 1,
        hashSeed: HASH_SEED,
      });
      // Nothing expires on the way.
      store.nowMs = 0;
      return store;
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      if (maxMemoryBytes === undefined && bytes > MEMORY_MIN_BYTES) continue;
      throw new DataError(
        `Cannot reserve ${formatSize(bytes)} of memory: ${error.message}; ` +
          "choose less with --max-memory",
      );
    }
  }
}

/** A store, and what was read into it. */
export interface RecoveredStore {
  /** Has everything, keys that have expired included. */
  readonly store: Store;
  /** Where it comes from. */
  readonly recovered: Recovered;
}

/**
 * Makes room for all ids of events that a directory may have. How long they are remembered is for the
 * server that starts from it to say.
 */
export function makeEventIds(storage: Storage): EventIds {
  let byteCount = 0;
  const names = storage.list();
  for (const { name } of [...filesOf(names, "snapshot"), ...filesOf(names, "log")]) {
    const file = storage.open(name, "read");
    byteCount += file.size();
    file.close();
  }
  // Some more, as hashes fill the memory unevenly.
  const most = Math.ceil(byteCount / EVENT_ID_BYTES * 1.25) + IDS_MIN;
  return EventIds.create({ maxIds: Math.min(most, EVENT_IDS_MAX), windowMs: Infinity });
}

/**
 * Reads a directory into a store as a start does.
 *
 * @param eventIds empty; is given the ids of events that are found
 * @throws {DamageError} as a start does
 * @throws {DataError} when there is too little memory
 */
export function recoverStore(
  storage: Storage,
  room: RoomOptions = {},
  onProgress?: (appliedCount: number) => void,
  eventIds?: EventIds,
): RecoveredStore {
  const store = makeStore(room);
  try {
    return { store, recovered: recover(storage, store, onProgress, eventIds) };
  } catch (error) {
    if (error instanceof NoRoomError) {
      throw error.flag === "--max-memory"
        ? noRoom(room, error.message)
        : new DataError(`${error.message}; give more with ${error.flag}`);
    }
    throw error;
  }
}

/** What to say when a store is full. */
export function noRoom({ maxMemoryBytes }: RoomOptions, reason: string): DataError {
  return new DataError(
    maxMemoryBytes === undefined
      ? `${reason}: this machine does not give more memory`
      : `${reason}; give more with --max-memory`,
  );
}
