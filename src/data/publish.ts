/**
 * Writes a store into a data directory, so that a server starts from it.
 *
 * @module
 */

import { EventIdSnapshot } from "../durability/event_id_records.ts";
import { HISTORY_BYTES } from "../durability/file_header.ts";
import { filesOf } from "../durability/file_names.ts";
import { PendingEvents } from "../durability/pending_events.ts";
import { openLog, type Recovered } from "../durability/recovery.ts";
import { SnapshotWriter } from "../durability/snapshot_file.ts";
import { SnapshotTaker } from "../durability/snapshot_taker.ts";
import type { Storage } from "../durability/storage.ts";
import { DATABASE_COUNT } from "../store/control.ts";
import type { EventIds } from "../store/event_ids.ts";
import type { Store } from "../store/store.ts";

/** So many steps of a snapshot between two reports. */
const STEPS_PER_REPORT = 4096;

/**
 * Where the log of a directory begins that was not there before. Not at 0: then a log would be taken for
 * one that has everything, if the snapshot in front of it were damaged.
 */
const FIRST_POSITION = 4096;

/** What to write. */
export interface PublishOptions {
  /** The directory, which nobody else uses. */
  readonly storage: Storage;
  /** What was there before; undefined: nothing. */
  readonly recovered: Recovered | undefined;
  /** The keys. */
  readonly store: Store;
  /** Events that were accepted and not settled: jobs (base/job.ts), in order. */
  readonly events: readonly Uint8Array[];
  /** Ids of events that were there before; undefined: none were. */
  readonly eventIds?: EventIds | undefined;
  /** The time. Unit: ms since the epoch. */
  readonly nowMs: number;
  /** Told now and then how many keys were written. */
  readonly onProgress?: ((keyCount: number) => void) | undefined;
}

/** What was written. */
export interface Published {
  /** Name of the snapshot. */
  readonly snapshot: string;
  /** Its length. Unit: bytes. */
  readonly byteCount: number;
}

/**
 * Writes a snapshot that has everything. What was in the directory before is there until it is
 * complete, and goes then.
 *
 * @throws what the system says; the directory has what it had then
 */
export function publish(options: PublishOptions): Published {
  const { storage, recovered, store, nowMs } = options;
  const position = recovered === undefined ? FIRST_POSITION : closeLog(storage, recovered, nowMs);
  const writer = new SnapshotWriter({
    storage,
    history: recovered?.history ?? crypto.getRandomValues(new Uint8Array(HISTORY_BYTES)),
    position,
    createdAtMs: Math.floor(nowMs),
  });
  const ids = options.eventIds && new EventIdSnapshot(options.eventIds, nowMs);
  const taker = new SnapshotTaker(store, writer, DATABASE_COUNT, ids);
  try {
    for (let step = 1; taker.step(); step++) {
      if (step % STEPS_PER_REPORT === 0) options.onProgress?.(taker.keyCount);
    }
    appendEvents(writer, options.events);
    writer.finish(taker.keyCount, position);
  } catch (error) {
    taker.release();
    writer.abandon();
    throw error;
  }
  removeOlder(storage, position);
  return { snapshot: writer.name, byteCount: writer.byteCount };
}

/** Ends the log as a server that stops does; returns where. */
function closeLog(storage: Storage, recovered: Recovered, nowMs: number): number {
  const log = openLog(storage, recovered, Infinity, () => nowMs);
  log.stop();
  return log.position;
}

function appendEvents(writer: SnapshotWriter, events: readonly Uint8Array[]): void {
  const pending = new PendingEvents(new Map(events.map((job, index) => [index + 1, job])));
  pending.appendTo(writer.records);
}

/** An older snapshot would bring back what was there before, if the new one were damaged. */
function removeOlder(storage: Storage, position: number): void {
  const names = storage.list();
  for (const { name, position: at } of filesOf(names, "snapshot")) {
    if (at < position) storage.remove(name);
  }
  // The last segment goes on behind the snapshot.
  const segments = filesOf(names, "log");
  for (const [index, { name }] of segments.entries()) {
    if ((segments[index + 1]?.position ?? Infinity) <= position) storage.remove(name);
  }
  storage.syncDirectory();
}

/** Whether a directory has segments or snapshots. */
export function hasData(storage: Storage): boolean {
  const names = storage.list();
  return filesOf(names, "snapshot").length > 0 || filesOf(names, "log").length > 0;
}
