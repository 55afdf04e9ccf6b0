/**
 * Makes a store of what is in a data directory, and opens its log to go on.
 *
 * The newest snapshot that is whole is read, then the log behind it. A snapshot that is damaged is
 * passed over where an older one and all of the log behind that are still there; else nothing is read,
 * and the start fails. Nothing on the disk is changed before all of it was read.
 *
 * @module
 */

import { AssertionFault } from "../base/assert.ts";
import { DATABASE_COUNT } from "../store/control.ts";
import { DamageError } from "./damage.ts";
import { EventIdRecovery } from "./event_id_records.ts";
import { decodeFileHeader, HISTORY_BYTES } from "./file_header.ts";
import { filesOf, UNFINISHED } from "./file_names.ts";
import { FILE_HEADER_BYTES } from "./layout.ts";
import { type LogEnd, LogReader, type LogReaderOptions } from "./log_reader.ts";
import { LogWriter } from "./log_writer.ts";
import { PendingEvents } from "./pending_events.ts";
import { RecordReader } from "./record.ts";
import { type EvictedKey, Replayer } from "./replayer.ts";
import { readSnapshot, type SnapshotSummary } from "./snapshot_file.ts";
import { readFully, type Storage } from "./storage.ts";
import type { EventIds } from "../store/event_ids.ts";
import { Key } from "../store/key.ts";
import type { Store } from "../store/store.ts";

/** What was found in a data directory. */
export interface Recovered {
  /** Of the directory; drawn now if it was empty. */
  readonly history: Uint8Array;
  /** The snapshot that was read. */
  readonly snapshot: SnapshotSummary | undefined;
  /** Snapshots that are damaged and were passed over. */
  readonly damaged: readonly DamageError[];
  /** Where the log ends. */
  readonly log: LogEnd;
  /** Events that were accepted and not settled. */
  readonly pending: PendingEvents;
  /** Effects that were applied, those of the snapshot included. */
  readonly appliedCount: number;
  /** Keys that had to go to make room; see {@link tellEvicted}. */
  readonly evicted: readonly EvictedKey[];
  /** The highest number of a mutation. */
  readonly seq: number;
}

/**
 * Reads a data directory into a store.
 *
 * Thread: the one that starts the server, before there are others.
 *
 * @param storage the directory, which nobody else uses
 * @param store empty; has no hook yet
 * @param onProgress called now and then with how many effects were applied
 * @param eventIds empty; is given the ids of the events that are found, and their key
 * @throws {DamageError} when something is damaged that cannot be done without
 * @throws {NoRoomError} when the store has no room for what is there
 * @throws what the system says when a file cannot be read
 */
export function recover(
  storage: Storage,
  store: Store,
  onProgress: (appliedCount: number) => void = () => {},
  eventIds?: EventIds,
): Recovered {
  const replayer = new Replayer(store);
  const pending = new PendingEvents();
  const ids = new EventIdRecovery(eventIds, Date.now());
  const { snapshot, damaged } = chooseSnapshot(storage);
  const history = snapshot?.summary.history ?? historyOfLog(storage) ??
    crypto.getRandomValues(new Uint8Array(HISTORY_BYTES));
  ids.useHistory(history);
  const apply = (record: RecordReader, path: string, offset: number): void => {
    const problem = applyRecord(record, replayer, pending, ids);
    if (problem !== undefined) throw new DamageError(path, offset, problem);
    if ((replayer.appliedCount & 0xffff) === 0) onProgress(replayer.appliedCount);
  };
  if (snapshot !== undefined) {
    const path = `${storage.path}/${snapshot.name}`;
    readSnapshot(storage, snapshot.name, (record, offset) => apply(record, path, offset));
    ids.endSnapshot();
  }
  const record = new RecordReader();
  const log = readLog(damaged, {
    storage,
    history: snapshot?.summary.history,
    fromPosition: snapshot?.summary.position ?? 0,
    onFrame: ({ bytes, bodyStart, bodyEnd, offset }, name) => {
      const path = `${storage.path}/${name}`;
      record.open(bytes, bodyStart, bodyEnd);
      for (let found = record.next(); found !== false; found = record.next()) {
        if (found !== true) throw new DamageError(path, offset, found);
        apply(record, path, offset);
      }
    },
  });
  requireLogOf(storage, snapshot, damaged, log);
  replayer.finish();
  ids.placeIds(pending.jobs.values());
  return {
    history,
    snapshot: snapshot?.summary,
    damaged,
    log,
    pending,
    appliedCount: replayer.appliedCount,
    evicted: replayer.evicted,
    seq: replayer.seq,
  };
}

/**
 * Applies a record.
 *
 * @returns what is wrong with it; undefined: nothing
 * @throws {NoRoomError} when the store has no room
 */
function applyRecord(
  record: RecordReader,
  replayer: Replayer,
  pending: PendingEvents,
  ids: EventIdRecovery,
): string | undefined {
  if (record.database >= DATABASE_COUNT) return `there is no database ${record.database}`;
  try {
    const noted = ids.note(record, pending.jobs);
    if (noted === true || pending.note(record)) return undefined;
    return noted === false ? replayer.apply(record) : noted;
  } catch (error) {
    // Nobody has written such a record, although its frame is whole.
    if (error instanceof AssertionFault) {
      return `a record of type ${record.type} cannot be applied: ${error.message}`;
    }
    throw error;
  }
}

/**
 * Tells the store's hook of the keys that had to go while it was filled: else those would come back with
 * the next start, and what was written to them from now on would be put on top of what they had.
 *
 * Thread: the one that starts the server, before it serves.
 */
export function tellEvicted({ evicted, seq }: Recovered, store: Store): void {
  const key = new Key();
  for (const { database, bytes } of evicted) {
    store.locate(key.set(bytes, 0, bytes.length));
    store.locks.lock(key.shard, true);
    // All that was written to it has a lower number, and all that will be has this one or a higher one.
    store.hook?.removed(key.shard, database, key, seq + 1);
    store.locks.unlock(key.shard, true);
  }
}

/**
 * Opens the log of a directory that was recovered: what is torn is cut off, what is unfinished or was
 * never confirmed is removed.
 *
 * @param segmentBytes a segment of this length is followed by another one
 * @param clock the time. Unit: ms since the epoch
 * @param reserveBytes how far a segment is made longer ahead of what is written; 0 = not at all
 * @throws what the system says
 */
export function openLog(
  storage: Storage,
  { history, log }: Pick<Recovered, "history" | "log">,
  segmentBytes: number,
  clock: () => number,
  reserveBytes = 0,
): LogWriter {
  const { position, segment, torn, unconfirmedSegments } = log;
  for (const name of storage.list()) {
    if (name.endsWith(UNFINISHED)) storage.remove(name);
  }
  for (const name of unconfirmedSegments) storage.remove(name);
  if (torn !== undefined) cutOff(storage, torn.name, torn.offset);
  storage.syncDirectory();
  const options = { storage, history, segmentBytes, clock, reserveBytes };
  return segment === undefined
    ? LogWriter.begin(options, position)
    : LogWriter.resume(options, segment, position);
}

/** Cuts a file off; with nothing left, not even a header, it goes. */
function cutOff(storage: Storage, name: string, offset: number): void {
  if (offset === 0) {
    storage.remove(name);
    return;
  }
  const file = storage.open(name, "update");
  try {
    file.truncate(offset);
    file.sync();
  } finally {
    file.close();
  }
}

interface ChosenSnapshot {
  readonly name: string;
  readonly summary: SnapshotSummary;
}

/** The newest snapshot that is whole. */
function chooseSnapshot(
  storage: Storage,
): { snapshot: ChosenSnapshot | undefined; damaged: DamageError[] } {
  const damaged: DamageError[] = [];
  for (const { name } of filesOf(storage.list(), "snapshot").toReversed()) {
    try {
      return { snapshot: { name, summary: readSnapshot(storage, name, () => {}) }, damaged };
    } catch (error) {
      if (!(error instanceof DamageError)) throw error;
      damaged.push(error);
    }
  }
  // Without any snapshot the log must go back to its beginning: the reader says so if it does not.
  return { snapshot: undefined, damaged };
}

/** The history that the first segment of the log names; a torn or damaged header names none. */
function historyOfLog(storage: Storage): Uint8Array | undefined {
  const first = filesOf(storage.list(), "log")[0];
  if (first === undefined) return undefined;
  const file = storage.open(first.name, "read");
  try {
    const bytes = new Uint8Array(FILE_HEADER_BYTES);
    const header = decodeFileHeader(bytes.subarray(0, readFully(file, 0, bytes)), "log");
    return typeof header === "string" ? undefined : header.history;
  } finally {
    file.close();
  }
}

/** Reads the log. If that is not enough without the snapshots that are damaged, they are the problem. */
function readLog(damaged: readonly DamageError[], options: LogReaderOptions): LogEnd {
  try {
    return new LogReader(options).read();
  } catch (error) {
    throw error instanceof DamageError && damaged.length > 0 ? damaged[0] : error;
  }
}

/**
 * A snapshot means nothing without the log that was written while it was taken, and the log does for one
 * that is damaged only when it reaches as far.
 */
function requireLogOf(
  storage: Storage,
  snapshot: ChosenSnapshot | undefined,
  damaged: readonly DamageError[],
  log: LogEnd,
): void {
  const newest = filesOf(storage.list(), "snapshot").at(-1);
  if (damaged.length > 0 && newest!.position > log.position) {
    const { path, offset, reason } = damaged[0]!;
    throw new DamageError(path, offset, reason, "snapshot without log");
  }
  if (snapshot === undefined || log.position >= snapshot.summary.replayUntil) return;
  const path = `${storage.path}/${log.segment ?? snapshot.name}`;
  const { replayUntil } = snapshot.summary;
  const reason = `the log from position ${log.position} to ${replayUntil} is missing`;
  throw new DamageError(path, log.torn?.offset ?? 0, reason, "snapshot without log");
}
