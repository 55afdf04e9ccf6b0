/**
 * Reads a log from front to back, and tells its end from damage.
 *
 * **The end.** A crash leaves the last thing that was written unfinished; the log then ends with its
 * last whole frame, and what follows is to be cut off. Nobody was told that it is safe.
 *
 * **Damage** is anything unreadable that somebody may have been told is safe: what is in front of a
 * position that any mark of the log calls durable (mark.ts), and what is missing between segments. A
 * log that is damaged is not read on, because what follows may depend on what is lost.
 *
 * **After a failure** to write or to sync, nothing more is written to that segment. The next one
 * says so in its header. Nothing in it was confirmed before a snapshot was made that has what the
 * failed segment lost, and until then its marks call nothing of it durable. So without a snapshot it
 * is given up.
 *
 * @module
 */

import { DamageError, type DamageKind } from "./damage.ts";
import { decodeFileHeader, type FileHeader, HeaderFlag } from "./file_header.ts";
import { filesOf, type NamedFile } from "./file_names.ts";
import { FrameReader } from "./frame_reader.ts";
import { ALIGNMENT_BYTES, FILE_HEADER_BYTES } from "./layout.ts";
import { type Mark, readMark } from "./mark.ts";
import { readFully, type Storage, type StorageFile } from "./storage.ts";

/** What a crash left behind the last whole frame of a log. */
export interface TornEnd {
  /** Name of the segment. */
  readonly name: string;
  /** Where it begins. Unit: bytes of the file. */
  readonly offset: number;
  /** How long it is. */
  readonly byteCount: number;
  /** Why it cannot be read. */
  readonly reason: string;
}

/** Where a log ends, and how. */
export interface LogEnd {
  /** Position behind the last whole frame. */
  readonly position: number;
  /** The segment that has the last whole frame, or could have the next; undefined: there is none. */
  readonly segment: string | undefined;
  /** Of which history its segments are; undefined: there is none. */
  readonly history: Uint8Array | undefined;
  /** The last mark; undefined: there was none. */
  readonly lastMark: Mark | undefined;
  /** What is to be cut off; undefined: nothing. */
  readonly torn: TornEnd | undefined;
  /**
   * Segments to be removed: begun after a failure and never confirmed.
   */
  readonly unconfirmedSegments: readonly string[];
}

/** What {@link LogReader} is told. */
export interface LogReaderOptions {
  /** The directory. */
  readonly storage: Storage;
  /** Of which history the segments must be; undefined: of any, but all of the same. */
  readonly history?: Uint8Array | undefined;
  /** Frames in front of this position are of no interest, and need not be there. */
  readonly fromPosition: number;
  /**
   * Called with each frame that is no mark, in order.
   *
   * @param frame shows the frame, until the call ends
   * @param name name of the segment
   */
  readonly onFrame: (frame: FrameReader, name: string) => void;
}

/** Reads a log once. Thread: belongs to one thread. */
export class LogReader {
  readonly #options: LogReaderOptions;
  #history: Uint8Array | undefined;
  #position: number;
  #segment: string | undefined;
  #lastMark: Mark | undefined;
  /** The furthest position that a mark has called durable so far. */
  #durablePosition = 0;
  #torn: TornEnd | undefined;
  /** Behind a segment that was begun after a failure, and does not follow what is there. */
  #isInGap = false;
  readonly #unconfirmedSegments: string[] = [];

  /** Nothing is read before {@link LogReader.read}. */
  constructor(options: LogReaderOptions) {
    this.#options = options;
    this.#history = options.history;
    this.#position = options.fromPosition;
  }

  /**
   * Reads all segments from the one that has `fromPosition` on.
   *
   * @throws {DamageError} when the log is damaged
   * @throws what the system says when a file cannot be read
   */
  read(): LogEnd {
    const segments = this.#segmentsToRead();
    for (const [index, segment] of segments.entries()) {
      using opened = this.#open(segment);
      const follows = segment.position === this.#position && !this.#isInGap;
      if (this.#torn === undefined && follows) {
        this.#readSegment(segment, opened.file, segments[index + 1]);
      } else {
        this.#readBehindGap(segment, opened.file);
      }
    }
    return {
      position: this.#position,
      segment: this.#segment,
      history: this.#history,
      lastMark: this.#lastMark,
      torn: this.#torn,
      unconfirmedSegments: this.#unconfirmedSegments,
    };
  }

  #segmentsToRead(): NamedFile[] {
    const { storage, fromPosition } = this.#options;
    const all = filesOf(storage.list(), "log");
    const first = all.findLastIndex(({ position }) => position <= fromPosition);
    if (first >= 0) {
      this.#position = all[first]!.position;
      return all.slice(first);
    }
    if (all.length === 0) return [];
    const { name, position } = all[0]!;
    throw this.#damage(
      name,
      0,
      `the log begins with position ${position}, and what is from ${fromPosition} on is missing`,
      "missing",
    );
  }

  /** Reads a segment that begins where the one before it ended. */
  #readSegment(segment: NamedFile, file: StorageFile, next: NamedFile | undefined): void {
    const header = this.#readHeader(segment, file);
    // A segment has its name only when its header is on the disk.
    if (typeof header === "string") throw this.#damage(segment.name, 0, header);
    const frames = new FrameReader(file, segment.position, true);
    this.#segment = segment.name;
    for (;;) {
      const outcome = frames.next();
      this.#position = frames.position;
      if (outcome === "end") break;
      if (outcome === "problem") {
        this.#endAt(segment, frames, frames.offset, frames.problem, next);
        return;
      }
      const mark = readMark(frames.bytes, frames.bodyStart, frames.bodyEnd);
      if (mark !== undefined) this.#note(mark);
      else if (frames.position >= this.#options.fromPosition) {
        this.#options.onFrame(frames, segment.name);
      }
    }
    if (this.#position < this.#durablePosition) {
      throw this.#damage(segment.name, frames.offset, this.#missingText(this.#durablePosition));
    }
  }

  /** What is unreadable from an offset on is the end of the log, or damage. */
  #endAt(
    segment: NamedFile,
    frames: FrameReader,
    offset: number,
    reason: string,
    next: NamedFile | undefined,
  ): void {
    const isLast = next === undefined || this.#isFresh(next);
    const durable = Math.max(this.#durablePosition, durableBehind(frames, offset));
    if (!isLast || this.#position < durable) throw this.#damage(segment.name, offset, reason);
    this.#torn = {
      name: segment.name,
      offset,
      // Without what was only reserved.
      byteCount: Math.max(frames.contentEnd, offset) - offset,
      reason,
    };
  }

  /** A segment that does not begin where the one before it ended, or behind one that does not. */
  #readBehindGap(segment: NamedFile, file: StorageFile): void {
    const header = this.#readHeader(segment, file);
    const isFresh = typeof header !== "string" && (header.flags & HeaderFlag.AFTER_FAILURE) !== 0;
    if (!isFresh && !this.#isInGap) {
      throw this.#damage(segment.name, 0, this.#missingText(segment.position), "missing");
    }
    this.#isInGap = true;
    const frames = new FrameReader(file, segment.position, true);
    if (durableBehind(frames, 0) > this.#position) {
      throw this.#damage(segment.name, 0, this.#missingText(segment.position), "missing");
    }
    this.#unconfirmedSegments.push(segment.name);
  }

  #readHeader(segment: NamedFile, file: StorageFile): FileHeader | string {
    const bytes = new Uint8Array(FILE_HEADER_BYTES);
    const header = decodeFileHeader(bytes.subarray(0, readFully(file, 0, bytes)), "log");
    if (typeof header === "string") return header;
    if (header.position !== segment.position) {
      return `the header says position ${header.position}, the name ${segment.position}`;
    }
    const history = this.#history ??= header.history;
    if (header.history.some((byte, index) => byte !== history[index])) {
      throw this.#damage(segment.name, 32, "the file belongs to another data directory");
    }
    return header;
  }

  #isFresh(segment: NamedFile): boolean {
    using opened = this.#open(segment);
    const header = this.#readHeader(segment, opened.file);
    return typeof header !== "string" && (header.flags & HeaderFlag.AFTER_FAILURE) !== 0;
  }

  #note(mark: Mark): void {
    this.#lastMark = mark;
    this.#durablePosition = Math.max(this.#durablePosition, mark.durablePosition);
  }

  #missingText(until: number): string {
    return `the log from position ${this.#position} to ${until} is missing`;
  }

  #open(segment: NamedFile): Disposable & { readonly file: StorageFile } {
    const file = this.#options.storage.open(segment.name, "read");
    return { file, [Symbol.dispose]: () => file.close() };
  }

  #damage(name: string, offset: number, reason: string, kind?: DamageKind): DamageError {
    return new DamageError(`${this.#options.storage.path}/${name}`, offset, reason, kind);
  }
}

/** The furthest position that a mark behind an unreadable place calls durable; 0 = there is none. */
function durableBehind(frames: FrameReader, offset: number): number {
  let durable = 0;
  let at = Math.max(offset + ALIGNMENT_BYTES, FILE_HEADER_BYTES);
  while (at < frames.fileBytes) {
    frames.seek(at);
    const outcome = frames.next();
    if (outcome === "end") break;
    if (outcome === "problem") {
      at += ALIGNMENT_BYTES;
      continue;
    }
    const mark = readMark(frames.bytes, frames.bodyStart, frames.bodyEnd);
    if (mark !== undefined) durable = Math.max(durable, mark.durablePosition);
    at = frames.nextOffset;
  }
  return durable;
}
