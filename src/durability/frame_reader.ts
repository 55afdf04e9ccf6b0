/**
 * Reads the frames of a file, one after the other.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { checksumProblem, frameLength, isIntactFrame } from "./frame.ts";
import { FILE_HEADER_BYTES, FRAME_HEADER_BYTES } from "./layout.ts";
import { readFully, type StorageFile } from "./storage.ts";

/** How much of the file is in memory, unless a frame is longer. */
const WINDOW_BYTES = 2 ** 20;

/** Fewer zeros at the end are what a frame has at its own. */
const MANY_ZEROS = 4096;
/** A frame begins with its length. */
const LENGTH_BYTES = 4;
/** How much is looked at at once for zeros. */
const PROBE_BYTES = 65_536;

/** What {@link FrameReader.next} found. */
export type FrameOutcome =
  /** A frame. */
  | "frame"
  /** The end of the file, or zeros up to there, where a frame could have begun. */
  | "end"
  /** No frame; {@link FrameReader.problem} says why. */
  | "problem";

/**
 * Reads the frames of a file from front to back.
 *
 * Thread: belongs to one thread.
 */
export class FrameReader {
  /** Where the frame that was read last begins in the file; what has a problem begins there. */
  offset: number = FILE_HEADER_BYTES;
  /** The frame that was read last: its body is `bytes[bodyStart, bodyEnd)`, until the next one. */
  bytes: Uint8Array = new Uint8Array(0);
  /** First byte of the body. */
  bodyStart = 0;
  /** Behind the body's last byte. */
  bodyEnd = 0;
  /** Why there is no frame at {@link FrameReader.offset}. */
  problem = "";

  /** Length of the file. Unit: bytes. */
  readonly fileBytes: number;

  readonly #file: StorageFile;
  readonly #firstPosition: number;
  #view = new DataView(new ArrayBuffer(0));
  #window = new Uint8Array(0);
  /** Where in the file the window begins, and how much of it is filled. */
  #windowAt = 0;
  #windowBytes = 0;
  #next: number = FILE_HEADER_BYTES;
  readonly #mayEndInZeros: boolean;
  /** In `[zerosAt, zerosEnd)` there are zeros, and behind them something else or nothing. */
  #zerosAt = 0;
  #zerosEnd = 0;

  /**
   * Begins behind the file's header, which was read already.
   *
   * @param firstPosition the position that the first frame should have
   * @param mayEndInZeros whether zeros may follow the last frame, as in a segment that was made longer
   *   ahead of what is written
   */
  constructor(file: StorageFile, firstPosition: number, mayEndInZeros = false) {
    this.#file = file;
    this.fileBytes = file.size();
    this.#firstPosition = firstPosition;
    this.#mayEndInZeros = mayEndInZeros;
  }

  /** Position of the frame that was read last. */
  get position(): number {
    return this.positionAt(this.offset);
  }

  /** Where what is read next begins in the file. */
  get nextOffset(): number {
    return this.#next;
  }

  /** The position of what is at an offset of the file. */
  positionAt(offset: number): number {
    return this.#firstPosition + offset - FILE_HEADER_BYTES;
  }

  /** Reads the next frame. After a problem, the same one is found again. */
  next(): FrameOutcome {
    const offset = this.#next;
    this.offset = offset;
    const left = this.fileBytes - offset;
    if (left === 0 || (this.#mayEndInZeros && this.#isZeroFrom(offset))) return "end";
    this.#show(offset, Math.min(left, FRAME_HEADER_BYTES));
    let at = offset - this.#windowAt;
    const length = frameLength(this.#view, at, this.positionAt(offset), left);
    if (typeof length === "string") return this.#fail(length);
    this.#show(offset, length);
    at = offset - this.#windowAt;
    if (!isIntactFrame(this.#window, this.#view, at, length)) {
      return this.#fail(checksumProblem(this.#window, this.#view, at, length));
    }
    this.bytes = this.#window;
    this.bodyStart = at + FRAME_HEADER_BYTES;
    this.bodyEnd = at + length;
    this.#next = offset + length;
    return "frame";
  }

  /** Goes on at another place of the file. */
  seek(offset: number): void {
    assert(offset >= FILE_HEADER_BYTES, "frames are behind the header");
    this.#next = Math.min(offset, this.fileBytes);
  }

  /** Where the zeros begin with which the file ends; where it ends, if they are few. */
  get contentEnd(): number {
    const end = this.#lastContentEnd();
    return this.fileBytes - end < MANY_ZEROS ? this.fileBytes : end;
  }

  #lastContentEnd(): number {
    let end = this.fileBytes;
    while (end > 0) {
      const at = Math.max(0, end - PROBE_BYTES);
      const bytes = new Uint8Array(end - at);
      readFully(this.#file, at, bytes);
      const last = bytes.findLastIndex((byte) => byte !== 0);
      if (last >= 0) return at + last + 1;
      end = at;
    }
    return 0;
  }

  /** Whether there are only zeros from there on, one at least. */
  #isZeroFrom(offset: number): boolean {
    const headByteCount = Math.min(LENGTH_BYTES, this.fileBytes - offset);
    this.#show(offset, headByteCount);
    const at = offset - this.#windowAt;
    // Nearly always there is a frame, which has a length.
    for (let i = at; i < at + headByteCount; i++) if (this.#window[i] !== 0) return false;
    if (offset < this.#zerosAt || offset >= this.#zerosEnd) this.#measureZeros(offset);
    return this.#zerosEnd === this.fileBytes;
  }

  #measureZeros(offset: number): void {
    this.#zerosAt = offset;
    this.#zerosEnd = this.#endOfZeros(offset);
  }

  /** Where something else begins, or the file ends. What is there is in the window. */
  #endOfZeros(offset: number): number {
    const shownEnd = this.#windowAt + this.#windowBytes;
    // Mostly it is near: who looks for a frame comes across every zero of what is damaged.
    for (let at = offset; at < shownEnd; at++) {
      if (this.#window[at - this.#windowAt] !== 0) return at;
    }
    const bytes = new Uint8Array(Math.min(PROBE_BYTES, this.fileBytes - shownEnd));
    for (let at = shownEnd; at < this.fileBytes; at += bytes.length) {
      const byteCount = readFully(this.#file, at, bytes);
      for (let i = 0; i < byteCount; i++) if (bytes[i] !== 0) return at + i;
    }
    return this.fileBytes;
  }

  #fail(problem: string): FrameOutcome {
    this.problem = problem;
    return "problem";
  }

  /** Has `[offset, offset + byteCount)` of the file in the window. */
  #show(offset: number, byteCount: number): void {
    const end = this.#windowAt + this.#windowBytes;
    if (offset >= this.#windowAt && offset + byteCount <= end) return;
    const size = Math.max(Math.min(WINDOW_BYTES, this.fileBytes - offset), byteCount);
    if (size > this.#window.length || this.#window.length > WINDOW_BYTES) {
      this.#window = new Uint8Array(Math.max(size, Math.min(WINDOW_BYTES, this.fileBytes)));
      this.#view = new DataView(this.#window.buffer);
    }
    this.#windowAt = offset;
    this.#windowBytes = readFully(this.#file, offset, this.#window.subarray(0, size));
    assert(this.#windowBytes >= byteCount, "a file does not get shorter while it is read");
  }
}
