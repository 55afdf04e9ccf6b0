/**
 * Counts what is in a file of a data directory, also behind what cannot be read.
 *
 * @module
 */

import { isSegmentName } from "../durability/file_names.ts";
import { FrameReader } from "../durability/frame_reader.ts";
import { ALIGNMENT_BYTES, FILE_HEADER_BYTES } from "../durability/layout.ts";
import { type Mark, readMark } from "../durability/mark.ts";
import { RecordReader, RecordType } from "../durability/record.ts";
import type { Storage } from "../durability/storage.ts";

/** What is in a part of a file. */
export interface FrameCensus {
  /** Frames that are whole. */
  readonly frameCount: number;
  /** Records in them, marks and the end of a snapshot left out. */
  readonly recordCount: number;
  /** Events that were accepted, of these records. */
  readonly eventCount: number;
  /** Bytes of all these frames. */
  readonly readableBytes: number;
  /** Bytes in front of them, between them and behind. */
  readonly unreadableBytes: number;
  /** The first mark; undefined: there is none. */
  readonly firstMark: Mark | undefined;
  /** The last mark. */
  readonly lastMark: Mark | undefined;
  /** The last frame is a mark that says that the server was stopped. */
  readonly endsWithStop: boolean;
  /** Where the first thing is that cannot be read; undefined: all can be. */
  readonly problem: { readonly offset: number; readonly reason: string } | undefined;
}

/**
 * Reads the frames of `file[from, to)` that are whole, wherever they are.
 *
 * @param firstPosition position of the first frame of the file
 * @throws what the system says when the file cannot be read
 */
export function countFrames(
  storage: Storage,
  name: string,
  firstPosition: number,
  from: number = FILE_HEADER_BYTES,
): FrameCensus {
  const file = storage.open(name, "read");
  try {
    const begin = Math.max(from, FILE_HEADER_BYTES);
    if (file.size() <= begin) return NOTHING;
    const frames = new FrameReader(file, firstPosition, isSegmentName(name));
    return new Census(frames, begin).run();
  } finally {
    file.close();
  }
}

const NOTHING: FrameCensus = {
  frameCount: 0,
  recordCount: 0,
  eventCount: 0,
  readableBytes: 0,
  unreadableBytes: 0,
  firstMark: undefined,
  lastMark: undefined,
  endsWithStop: false,
  problem: undefined,
};

class Census {
  readonly #frames: FrameReader;
  readonly #record = new RecordReader();
  readonly #from: number;
  #frameCount = 0;
  #recordCount = 0;
  #eventCount = 0;
  #readableBytes = 0;
  #firstMark: Mark | undefined;
  #lastMark: Mark | undefined;
  #endsWithStop = false;
  #problem: FrameCensus["problem"];

  constructor(frames: FrameReader, from: number) {
    this.#frames = frames;
    this.#from = from;
  }

  run(): FrameCensus {
    const frames = this.#frames;
    let at = this.#from;
    frames.seek(at);
    while (at < frames.fileBytes) {
      const outcome = frames.next();
      if (outcome === "end") break;
      const problem = outcome === "frame" ? this.#count() : frames.problem;
      if (problem !== undefined) {
        this.#problem ??= { offset: at, reason: problem };
        frames.seek(at + ALIGNMENT_BYTES);
      }
      at = frames.nextOffset;
    }
    return {
      frameCount: this.#frameCount,
      recordCount: this.#recordCount,
      eventCount: this.#eventCount,
      readableBytes: this.#readableBytes,
      unreadableBytes: at - this.#from - this.#readableBytes,
      firstMark: this.#firstMark,
      lastMark: this.#lastMark,
      endsWithStop: this.#endsWithStop,
      problem: this.#problem,
    };
  }

  /** Counts the frame that was read last; what is wrong with it, if anything. */
  #count(): string | undefined {
    const { bytes, bodyStart, bodyEnd, nextOffset, offset } = this.#frames;
    const mark = readMark(bytes, bodyStart, bodyEnd);
    const record = this.#record.open(bytes, bodyStart, bodyEnd);
    let recordCount = 0;
    let eventCount = 0;
    for (let found = record.next(); found !== false; found = record.next()) {
      if (found !== true) return found;
      if (record.type === RecordType.EVENT_ACCEPTED) eventCount++;
      if (record.type !== RecordType.SNAPSHOT_END) recordCount++;
    }
    this.#frameCount++;
    this.#readableBytes += nextOffset - offset;
    this.#endsWithStop = mark?.isStop === true;
    if (mark === undefined) {
      this.#recordCount += recordCount;
      this.#eventCount += eventCount;
    } else {
      this.#firstMark ??= mark;
      this.#lastMark = mark;
    }
    return undefined;
  }
}
