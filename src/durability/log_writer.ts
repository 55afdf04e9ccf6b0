/**
 * Writes a log: frames in pieces, each with a mark in front, into segments.
 *
 * ```text
 * piece    mark, 56 bytes │ frame                    one write, perhaps followed by one sync
 * ```
 *
 * **Invariants.**
 * - A segment is followed by another one only when all of it is on the disk, or when it failed.
 * - After a failure nothing is written to that segment any more: what the system has dropped of it is
 *   not known. The segment that follows says so in its header.
 * - Behind what was written there are zeros, or nothing. A reader takes them for the end.
 * - `durablePosition` never goes beyond what a sync has confirmed.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { encodeFileHeader, HeaderFlag } from "./file_header.ts";
import { fileName, filesOf, type NamedFile, UNFINISHED } from "./file_names.ts";
import { sealFrame } from "./frame.ts";
import { FILE_HEADER_BYTES, FRAME_HEADER_BYTES } from "./layout.ts";
import { MARK_FRAME_BYTES, writeMark } from "./mark.ts";
import { appendAll, type Storage, type StorageFile, tryRemove } from "./storage.ts";

/** What a {@link LogWriter} works with. */
export interface LogWriterOptions {
  /** The directory. */
  readonly storage: Storage;
  /** Of the directory. */
  readonly history: Uint8Array;
  /** A segment that has this many bytes is followed by another one. */
  readonly segmentBytes: number;
  /** The time. Unit: ms since the epoch. */
  readonly clock: () => number;
  /**
   * How far a segment is made longer with zeros, ahead of what is written; 0 = not at all. Worth it where
   * every write is synced. Unit: bytes.
   */
  readonly reserveBytes?: number;
}

/** Writes a log. Thread: belongs to one thread. */
export class LogWriter {
  readonly #options: LogWriterOptions;
  #file: StorageFile | undefined;
  #segment = "";
  /** How much is written of the segment. */
  #segmentBytes = 0;
  /** How long its file is, if that is longer; Infinity: nothing more is reserved. */
  #reservedEnd = 0;
  #position = 0;
  #durablePosition = 0;
  #hasFailed = false;
  /** What marks call durable until {@link LogWriter.confirm}; undefined: what is. */
  #confirmedPosition: number | undefined;

  private constructor(options: LogWriterOptions) {
    this.#options = options;
  }

  /**
   * Begins a log, or goes on behind its end with a new segment.
   *
   * @param position where the log ends; everything in front of it is on the disk
   * @throws what the system says
   */
  static begin(options: LogWriterOptions, position: number): LogWriter {
    const writer = new LogWriter(options);
    writer.#position = writer.#durablePosition = position;
    writer.#makeSegment(0, position);
    return writer;
  }

  /**
   * Goes on with the last segment of a log, of which everything is on the disk.
   *
   * @throws what the system says
   */
  static resume(options: LogWriterOptions, segment: string, position: number): LogWriter {
    const writer = new LogWriter(options);
    writer.#position = writer.#durablePosition = position;
    const file = writer.#file = options.storage.open(segment, "update");
    writer.#segment = segment;
    const [{ position: first }] = filesOf([segment], "log") as [NamedFile];
    writer.#segmentBytes = FILE_HEADER_BYTES + position - first;
    // What was reserved and not used.
    if (file.size() > writer.#segmentBytes) file.truncate(writer.#segmentBytes);
    return writer;
  }

  /** Position behind everything that was written. */
  get position(): number {
    return this.#position;
  }

  /** Everything in front of this position is on the disk. */
  get durablePosition(): number {
    return this.#durablePosition;
  }

  /** Name of the segment that is written to. */
  get segment(): string {
    return this.#segment;
  }

  /** Whether nothing can be written before {@link LogWriter.startAnew}. */
  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  /**
   * Writes a piece.
   *
   * @param bytes room for a mark, {@link MARK_FRAME_BYTES}, and then frames whose headers have their
   *   length only; is changed
   * @param view of the same bytes
   * @param end behind the last frame
   * @throws what the system says; the segment has failed then
   */
  append(bytes: Uint8Array, view: DataView, end: number): void {
    assert(!this.#hasFailed, "nothing is written to a segment that has failed");
    if (this.#segmentBytes >= this.#options.segmentBytes) this.rotate();
    this.#seal(bytes, view, end, false);
    this.#reserve(end);
    this.#write(bytes.subarray(0, end));
  }

  /** Makes the segment longer, if there are fewer zeros than are needed. */
  #reserve(byteCount: number): void {
    const { reserveBytes = 0 } = this.#options;
    const end = this.#segmentBytes + byteCount;
    if (reserveBytes === 0 || end <= this.#reservedEnd) return;
    const from = Math.max(this.#segmentBytes, this.#reservedEnd);
    this.#reservedEnd = end + reserveBytes;
    try {
      this.#file!.reserve(this.#reservedEnd - from);
    } catch {
      // The disk may have room for what is written, though not for more. If not, that is found next.
      this.#reservedEnd = Infinity;
    }
  }

  /** Cuts off what was reserved and not used. Until that is on the disk, zeros may follow. */
  #giveBack(): void {
    if (this.#reservedEnd > this.#segmentBytes) this.#file!.truncate(this.#segmentBytes);
    this.#reservedEnd = Infinity;
  }

  /**
   * Returns when everything that was written is on the disk.
   *
   * @throws what the system says; the segment has failed then
   */
  sync(): void {
    assert(!this.#hasFailed, "a segment that has failed is not asked again");
    if (this.#durablePosition === this.#position) return;
    this.#attempt(() => this.#file!.sync());
    this.#durablePosition = this.#position;
  }

  /**
   * Begins another segment, unless there is nothing in this one; what was written is on the disk then.
   *
   * @throws what the system says; the segment has failed then
   */
  rotate(): void {
    this.sync();
    if (this.#segmentBytes === FILE_HEADER_BYTES) return;
    this.#attempt(() => this.#giveBack());
    this.#file!.close();
    this.#file = undefined;
    this.#attempt(() => this.#makeSegment(0, this.#position));
  }

  /**
   * Lets the segment fail: what is put in next lacks something that came before it.
   *
   * @throws an error with this text, or what the system says
   */
  giveUp(reason: string): never {
    this.sync();
    this.#hasFailed = true;
    throw new Error(reason);
  }

  /**
   * Begins another segment after a failure. Nobody may be told that anything in it is safe before a
   * snapshot was made whose position is that of this segment; see {@link LogWriter.confirm}.
   *
   * @param position behind everything that was to be written before
   * @throws what the system says; it may be called again
   */
  startAnew(position: number): void {
    assert(this.#hasFailed && position >= this.#position, "it goes on behind what failed");
    this.#file?.close();
    this.#file = undefined;
    this.#makeSegment(HeaderFlag.AFTER_FAILURE, position);
    this.#confirmedPosition ??= this.#durablePosition;
    this.#position = this.#durablePosition = position;
    this.#hasFailed = false;
  }

  /** There is a snapshot that has what was lost: from now on marks say what is durable. */
  confirm(): void {
    this.#confirmedPosition = undefined;
  }

  /**
   * Ends the log with a mark which says that nothing is missing.
   *
   * @throws what the system says
   */
  stop(): void {
    if (!this.#hasFailed) {
      this.sync();
      const bytes = new Uint8Array(MARK_FRAME_BYTES);
      this.#seal(bytes, new DataView(bytes.buffer), bytes.length, true);
      this.#attempt(() => this.#giveBack());
      this.#write(bytes);
      this.sync();
    }
    this.close();
  }

  /** Closes the segment as it is. */
  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }

  /** Fills in the mark, and the headers of all frames. */
  #seal(bytes: Uint8Array, view: DataView, end: number, isStop: boolean): void {
    const first = this.#position;
    const writtenAtMs = Math.floor(this.#options.clock());
    const durablePosition = this.#confirmedPosition ?? this.#durablePosition;
    writeMark(bytes, view, 0, first, { durablePosition, writtenAtMs, isStop });
    for (let at = MARK_FRAME_BYTES; at < end;) {
      const bodyBytes = view.getUint32(at, true);
      sealFrame(bytes, view, at, bodyBytes, first + at);
      at += FRAME_HEADER_BYTES + bodyBytes;
      assert(at <= end, "frames end where the piece ends");
    }
  }

  #write(bytes: Uint8Array): void {
    this.#attempt(() => appendAll(this.#file!, bytes));
    this.#position += bytes.length;
    this.#segmentBytes += bytes.length;
  }

  #makeSegment(flags: number, position: number): void {
    const { storage, history, clock } = this.#options;
    const name = fileName("log", position);
    const header = encodeFileHeader({
      kind: "log",
      flags,
      position,
      createdAtMs: Math.floor(clock()),
      history,
    });
    this.#removeUnbegun(name);
    const unfinishedName = name + UNFINISHED;
    if (storage.list().includes(unfinishedName)) storage.remove(unfinishedName);
    const file = storage.open(unfinishedName, "create");
    try {
      appendAll(file, header);
      file.sync();
      // So a segment without its header is damage, and not one that a crash left unfinished.
      storage.rename(unfinishedName, name);
      storage.syncDirectory();
    } catch (error) {
      file.close();
      // It is tried again, mostly under another name: none may stay for each attempt.
      tryRemove(storage, unfinishedName);
      throw error;
    }
    this.#file = file;
    this.#segment = name;
    this.#segmentBytes = FILE_HEADER_BYTES;
    this.#reservedEnd = 0;
  }

  /** Removes a segment of this name that was being made when a crash or a failure came. */
  #removeUnbegun(name: string): void {
    const { storage } = this.#options;
    if (!storage.list().includes(name)) return;
    const file = storage.open(name, "read");
    const byteCount = file.size();
    file.close();
    assert(byteCount <= FILE_HEADER_BYTES, `${name} has nothing in it that would be overwritten`);
    storage.remove(name);
  }

  #attempt(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#hasFailed = true;
      throw error;
    }
  }
}
