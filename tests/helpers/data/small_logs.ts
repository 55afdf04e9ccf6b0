/**
 * Small data directories whose every byte can be damaged.
 */

import { recoverStore } from "../../../src/data/data_store.ts";
import { HISTORY_BYTES } from "../../../src/durability/file_header.ts";
import { FRAME_HEADER_BYTES } from "../../../src/durability/layout.ts";
import { LogWriter } from "../../../src/durability/log_writer.ts";
import { MARK_FRAME_BYTES } from "../../../src/durability/mark.ts";
import { RecordType, RecordWriter } from "../../../src/durability/record.ts";
import { SnapshotWriter } from "../../../src/durability/snapshot_file.ts";
import type { Storage } from "../../../src/durability/storage.ts";
import { EntryType } from "../../../src/store/store.ts";
import { MemoryStorage } from "../memory_storage.ts";
import { contentsOf } from "../store_contents.ts";

/** Little, so that many stores can be made. */
export const SMALL_ROOM = { maxMemoryBytes: 2 ** 20, maxValueBytes: 4096 };

const HISTORY = new Uint8Array(HISTORY_BYTES).fill(9);
const START_MS = 1_700_000_000_000;
const encoder = new TextEncoder();

/** A directory, and what its log says where. */
export interface SmallLog {
  readonly storage: MemoryStorage;
  /** The frames: which segment, where in it, and which key it sets. */
  readonly frames: readonly {
    readonly segment: string;
    readonly offset: number;
    /** Behind its last byte. */
    readonly end: number;
    readonly key: string;
  }[];
}

/** A string record. */
function setKey(records: RecordWriter, key: string, seq: number): void {
  const bytes = encoder.encode(key);
  records.begin(RecordType.STRING, 0, bytes, 0, bytes.length, seq, EntryType.STRING);
  records.append(bytes, 0, bytes.length).end();
}

/** Appends a piece with one frame, which sets one key. */
function append(log: LogWriter, key: string, seq: number): void {
  const records = new RecordWriter();
  setKey(records, key, seq);
  const bytes = new Uint8Array(MARK_FRAME_BYTES + records.length);
  bytes.set(records.bytes.subarray(0, records.length), MARK_FRAME_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(MARK_FRAME_BYTES, records.length - FRAME_HEADER_BYTES, true);
  log.append(bytes, view, bytes.length);
}

/**
 * A log of `count` keys, `k0` on, all of it on the disk, in segments of a few frames each.
 *
 * @param snapshotAfter a snapshot is made behind so many keys; negative = none
 * @param isOnlyBehind whether the log in front of the snapshot is gone
 */
export function smallLog(count: number, snapshotAfter = -1, isOnlyBehind = false): SmallLog {
  const storage = new MemoryStorage();
  let nowMs = START_MS;
  const options = { storage, history: HISTORY, segmentBytes: 500, clock: () => nowMs };
  const log = LogWriter.begin(options, 0);
  const frames: SmallLog["frames"][number][] = [];
  for (let n = 0; n < count; n++) {
    if (n === snapshotAfter) {
      log.rotate();
      takeSnapshot(storage, log.position, n);
      if (isOnlyBehind) {
        for (const name of storage.list()) if (name < log.segment) storage.remove(name);
      }
    }
    nowMs += 1000;
    append(log, `k${n}`, n + 1);
    log.sync();
    const end = storage.bytesOf(log.segment).length;
    frames.push({ segment: log.segment, offset: end - frameBytes(n), end, key: `k${n}` });
  }
  log.stop();
  return { storage, frames };
}

function frameBytes(n: number): number {
  const records = new RecordWriter();
  setKey(records, `k${n}`, n + 1);
  return records.length;
}

function takeSnapshot(storage: Storage, position: number, keyCount: number): void {
  const writer = new SnapshotWriter({ storage, history: HISTORY, position, createdAtMs: START_MS });
  for (let n = 0; n < keyCount; n++) setKey(writer.records, `k${n}`, n + 1);
  writer.finish(keyCount, position);
}

/** Names of the keys that a start finds. */
export function keysAfterStart(storage: Storage): string[] {
  const { store } = recoverStore(storage, SMALL_ROOM);
  return [...contentsOf(store).keys()].map((name) => name.slice(2)).toSorted(byNumber);
}

/** `k0` on. */
export function keysUpTo(count: number): string[] {
  return Array.from({ length: count }, (_, n) => `k${n}`);
}

function byNumber(a: string, b: string): number {
  return Number(a.slice(1)) - Number(b.slice(1));
}
