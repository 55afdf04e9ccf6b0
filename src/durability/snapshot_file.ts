/**
 * Snapshots: all keys, each as it was at some moment between two positions of the log.
 *
 * ```text
 * header │ frame │ frame │ … │ frame with SNAPSHOT_END
 * ```
 *
 * A snapshot is made while the server serves, so its keys are of different moments. The log is
 * replayed over it from the position in its header on, and each key takes what is newer than itself,
 * by the number of its mutation. It means something only with the log up to the position in its last
 * record, which is on the disk before the snapshot gets its name.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { DamageError } from "./damage.ts";
import { decodeFileHeader, encodeFileHeader, type FileHeader } from "./file_header.ts";
import { fileName, UNFINISHED } from "./file_names.ts";
import { sealFrame } from "./frame.ts";
import { FrameReader } from "./frame_reader.ts";
import { FILE_HEADER_BYTES, FRAME_HEADER_BYTES } from "./layout.ts";
import { RecordReader, RecordType, RecordWriter } from "./record.ts";
import { appendAll, readFully, type Storage, type StorageFile, tryRemove } from "./storage.ts";

/** A frame is written when it has this many bytes; a single record may be longer. */
const FULL_FRAME_BYTES = 2 ** 18;
/** The file is synced after so many bytes, so that there is little left to wait for in the end. */
const SYNC_EVERY_BYTES = 2 ** 23;
const NO_KEY = new Uint8Array(0);

/** What a {@link SnapshotWriter} works with. */
export interface SnapshotWriterOptions {
  /** The directory. */
  readonly storage: Storage;
  /** Of the directory. */
  readonly history: Uint8Array;
  /** From here on the effects in the log may be missing in the snapshot. */
  readonly position: number;
  /** Unit: ms since the epoch. */
  readonly createdAtMs: number;
}

/** Writes one snapshot. Thread: belongs to one thread. */
export class SnapshotWriter {
  /** Records are appended here; then {@link SnapshotWriter.flushIfFull}. */
  readonly records: RecordWriter = new RecordWriter(FULL_FRAME_BYTES, FULL_FRAME_BYTES * 2);
  /** What the file is called until it is whole. */
  readonly unfinishedName: string;
  /** What it is called then. */
  readonly name: string;

  readonly #options: SnapshotWriterOptions;
  readonly #file: StorageFile;
  /** Position of the next frame, in this file. */
  #position = 0;
  #syncedPosition = 0;
  #isOver = false;

  /**
   * Makes the file. One that was left unfinished is gone.
   *
   * @throws what the system says
   */
  constructor(options: SnapshotWriterOptions) {
    const { storage, history, position, createdAtMs } = options;
    this.#options = options;
    this.name = fileName("snapshot", position);
    this.unfinishedName = this.name + UNFINISHED;
    if (storage.list().includes(this.unfinishedName)) storage.remove(this.unfinishedName);
    this.#file = storage.open(this.unfinishedName, "create");
    const header = { kind: "snapshot", flags: 0, position, createdAtMs, history } as const;
    try {
      appendAll(this.#file, encodeFileHeader(header));
    } catch (error) {
      this.abandon();
      throw error;
    }
  }

  /** How long the file is, but for what is still in {@link SnapshotWriter.records}. Unit: bytes. */
  get byteCount(): number {
    return FILE_HEADER_BYTES + this.#position;
  }

  /**
   * Writes the records when there are many. They must be complete keys, or parts of one collection.
   *
   * @throws what the system says
   */
  flushIfFull(): void {
    if (this.records.length >= FULL_FRAME_BYTES) this.#flush();
  }

  /**
   * Ends the snapshot: it is on the disk and has its name.
   *
   * @param keyCount how many keys it has
   * @param replayUntil the log is on the disk up to here, and had no later effect when the last key
   *   was read
   * @throws what the system says; the snapshot is to be abandoned then
   */
  finish(keyCount: number, replayUntil: number): void {
    const { storage } = this.#options;
    this.records.begin(RecordType.SNAPSHOT_END, 0, NO_KEY, 0, 0, 0);
    this.records.appendUint64(keyCount).appendUint64(replayUntil).end();
    this.#flush();
    this.#file.sync();
    storage.rename(this.unfinishedName, this.name);
    storage.syncDirectory();
    this.#close();
  }

  /** Gives the snapshot up, unless it is finished; never throws. */
  abandon(): void {
    if (this.#isOver) return;
    this.#close();
    tryRemove(this.#options.storage, this.unfinishedName);
  }

  #close(): void {
    assert(!this.#isOver, "a snapshot ends once");
    this.#isOver = true;
    this.#file.close();
  }

  #flush(): void {
    const { records } = this;
    if (records.isEmpty) return;
    sealFrame(records.bytes, records.view, 0, records.length - FRAME_HEADER_BYTES, this.#position);
    appendAll(this.#file, records.bytes.subarray(0, records.length));
    this.#position += records.length;
    records.clear();
    if (this.#position - this.#syncedPosition < SYNC_EVERY_BYTES) return;
    this.#file.sync();
    this.#syncedPosition = this.#position;
  }
}

/** What a snapshot says of itself. */
export interface SnapshotSummary {
  /** From here on the log is replayed. */
  readonly position: number;
  /** Without the log up to here the snapshot means nothing. */
  readonly replayUntil: number;
  /** How many keys it has. */
  readonly keyCount: number;
  /** When it was begun. Unit: ms since the epoch. */
  readonly createdAtMs: number;
  /** Of which data directory it is. */
  readonly history: Uint8Array;
}

/**
 * Reads a snapshot from front to back.
 *
 * @param onRecord called with each record but for the last, which it shows until the call ends, and
 *   with where the record's frame begins in the file
 * @throws {DamageError} when it is damaged or not whole
 * @throws what the system says when the file cannot be read
 */
export function readSnapshot(
  storage: Storage,
  name: string,
  onRecord: (record: RecordReader, offset: number) => void,
): SnapshotSummary {
  const file = storage.open(name, "read");
  try {
    return readFrames(`${storage.path}/${name}`, file, onRecord);
  } finally {
    file.close();
  }
}

function readFrames(
  path: string,
  file: StorageFile,
  onRecord: (record: RecordReader, offset: number) => void,
): SnapshotSummary {
  const header = readHeader(path, file);
  const frames = new FrameReader(file, 0);
  const record = new RecordReader();
  let end: SnapshotSummary | undefined;
  for (;;) {
    const outcome = frames.next();
    if (outcome === "end") break;
    if (outcome === "problem") throw new DamageError(path, frames.offset, frames.problem);
    record.open(frames.bytes, frames.bodyStart, frames.bodyEnd);
    for (;;) {
      const found = record.next();
      if (typeof found === "string") throw new DamageError(path, frames.offset, found);
      if (!found) break;
      if (end !== undefined) {
        throw new DamageError(path, frames.offset, "it goes on behind its end");
      }
      if (record.type === RecordType.SNAPSHOT_END) end = summaryOf(header, record);
      else onRecord(record, frames.offset);
    }
  }
  if (end === undefined) throw new DamageError(path, frames.offset, "its end is missing");
  return end;
}

function readHeader(path: string, file: StorageFile): FileHeader {
  const bytes = new Uint8Array(FILE_HEADER_BYTES);
  const header = decodeFileHeader(bytes.subarray(0, readFully(file, 0, bytes)), "snapshot");
  if (typeof header === "string") throw new DamageError(path, 0, header);
  return header;
}

function summaryOf(header: FileHeader, record: RecordReader): SnapshotSummary {
  return {
    position: header.position,
    replayUntil: record.uint64At(8),
    keyCount: record.uint64At(0),
    createdAtMs: header.createdAtMs,
    history: header.history,
  };
}
