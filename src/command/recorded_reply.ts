/**
 * Replies that cannot be written yet, because the one in front of them is not known.
 *
 * @module
 */

import { Int64 } from "../base/int64.ts";
import type { ByteSource } from "./byte_source.ts";
import { ReplyCode } from "./reply_code.ts";
import type { ReplySink } from "./reply_sink.ts";
import { type ReplySource, streamBytes, streamReplies } from "./reply_source.ts";

/** With so much recorded, what can be fetched later is not copied. Unit: bytes. */
const FULL_BYTES = 262144;

/** Most that is recorded of the replies that share a count. Unit: bytes. Reason: C13. */
export const RECORDED_MAX_BYTES: number = 4 * 2 ** 20;

/** So short a reply is recorded in any case. Unit: bytes. Reason: 10,000 of them are few MiB. */
const SHORT_BYTES = 256;

/** What a call takes that is recorded, besides its bytes. */
const CALL_BYTES = 96;

/** How much is recorded of several replies. Thread: one I/O thread. */
export interface RecordedBytes {
  /** Unit: bytes. */
  count: number;
}

/**
 * Takes a reply and repeats it to another sink later.
 *
 * Thread: one I/O thread.
 */
export class RecordedReply implements ReplySink {
  /** Room that {@link RecordedReply.bulkStart} gave last. */
  target: Uint8Array = NOTHING;
  /** More was to be recorded than there is room for: an error takes the place of the reply. */
  isLost = false;

  readonly #held: RecordedBytes;
  #byteCount = 0;
  readonly #calls: ((sink: ReplySink) => void)[] = [];
  /** Sources that are not another sink's yet, and the number of calls in front of each. */
  #sources: { readonly source: ByteSource | ReplySource; readonly at: number }[] = [];

  /** Starts with nothing; `held` counts for all replies that may be recorded at a time. */
  constructor(held: RecordedBytes = { count: 0 }) {
    this.#held = held;
  }

  /** See {@link ReplySink.isFull}. */
  get isFull(): boolean {
    return this.#held.count > FULL_BYTES;
  }

  /** Repeats everything, once. */
  replay(sink: ReplySink): void {
    if (this.isLost) {
      this.release();
      sink.error(ReplyCode.REPLY_TOO_LARGE);
      return;
    }
    this.#sources = [];
    for (const call of this.#calls) call(sink);
  }

  /** Lets go of what is not replayed; may be called any number of times. */
  release(): void {
    this.#letGo(0);
  }

  #letGo(mark: number): void {
    const sources = this.#sources;
    while (sources.length > 0 && sources.at(-1)!.at >= mark) sources.pop()!.source.release();
  }

  /** Takes note of a call, if there is room for it. */
  #record(byteCount: number, call: (sink: ReplySink) => void): void {
    if (!this.#hasRoomFor(byteCount)) return;
    this.#calls.push(call);
  }

  #hasRoomFor(byteCount: number): boolean {
    if (this.isLost) return false;
    this.#held.count += byteCount + CALL_BYTES;
    this.#byteCount += byteCount + CALL_BYTES;
    if (this.#held.count <= RECORDED_MAX_BYTES || this.#byteCount <= SHORT_BYTES) return true;
    this.isLost = true;
    return false;
  }

  /** See {@link ReplySink.bulkSource}. */
  bulkSource(source: ByteSource): void {
    this.#sources.push({ source, at: this.#calls.length });
    this.#record(0, (sink) => streamBytes(sink, source));
  }

  /** See {@link ReplySink.replySource}. */
  replySource(source: ReplySource): void {
    this.#sources.push({ source, at: this.#calls.length });
    this.#record(0, (sink) => streamReplies(sink, source));
  }

  /** See {@link ReplySink.ok}. */
  ok(): void {
    this.#record(0, (sink) => sink.ok());
  }

  /** See {@link ReplySink.simple}. */
  simple(word: string): void {
    this.#record(0, (sink) => sink.simple(word));
  }

  /** See {@link ReplySink.error}. */
  error(code: ReplyCode, detail?: string): void {
    this.#record(0, (sink) => sink.error(code, detail));
  }

  /** See {@link ReplySink.integer}. */
  integer(value: number): void {
    this.#record(0, (sink) => sink.integer(value));
  }

  /** See {@link ReplySink.int64}. */
  int64(value: Int64): void {
    const copy = new Int64();
    copy.copyFrom(value);
    this.#record(0, (sink) => sink.int64(copy));
  }

  /** See {@link ReplySink.double}. */
  double(value: number): void {
    this.#record(0, (sink) => sink.double(value));
  }

  /** See {@link ReplySink.nil}. */
  nil(): void {
    this.#record(0, (sink) => sink.nil());
  }

  /** See {@link ReplySink.nilArray}. */
  nilArray(): void {
    this.#record(0, (sink) => sink.nilArray());
  }

  /** See {@link ReplySink.bulk}. */
  bulk(bytes: Uint8Array, start: number, end: number): void {
    if (!this.#hasRoomFor(end - start)) return;
    const copy = bytes.slice(start, end);
    this.#calls.push((sink) => sink.bulk(copy, 0, copy.length));
  }

  /** See {@link ReplySink.bulkText}. */
  bulkText(text: string): void {
    this.#record(2 * text.length, (sink) => sink.bulkText(text));
  }

  /** See {@link ReplySink.verbatimText}. */
  verbatimText(text: string): void {
    this.#record(2 * text.length, (sink) => sink.verbatimText(text));
  }

  /** See {@link ReplySink.bulkStart}. */
  bulkStart(byteCount: number): number {
    const room = this.target = new Uint8Array(byteCount);
    if (!this.#hasRoomFor(byteCount)) return 0;
    this.#calls.push((sink) => sink.bulk(room, 0, byteCount));
    return 0;
  }

  /** See {@link ReplySink.arrayStart}. */
  arrayStart(elementCount: number): void {
    this.#record(0, (sink) => sink.arrayStart(elementCount));
  }

  /** See {@link ReplySink.setStart}. */
  setStart(elementCount: number): void {
    this.#record(0, (sink) => sink.setStart(elementCount));
  }

  /** See {@link ReplySink.mapStart}. */
  mapStart(pairCount: number): void {
    this.#record(0, (sink) => sink.mapStart(pairCount));
  }

  /** See {@link ReplySink.pushStart}. */
  pushStart(elementCount: number): void {
    this.#record(0, (sink) => sink.pushStart(elementCount));
  }

  /** Number of calls so far. */
  mark(): number {
    return this.#calls.length;
  }

  /** Forgets the calls behind `mark`. */
  rewind(mark: number): void {
    this.#calls.length = mark;
    this.#letGo(mark);
  }
}

/**
 * Hands a reply on to a sink that may be changed while the reply is awaited.
 *
 * Thread: one I/O thread.
 */
export class SwitchedReply implements ReplySink {
  /** Where replies go. */
  to: ReplySink;

  /** Starts with `to`. */
  constructor(to: ReplySink) {
    this.to = to;
  }

  /** See {@link ReplySink.target}. */
  get target(): Uint8Array {
    return this.to.target;
  }

  /** See {@link ReplySink.bulkSource}; undefined where the sink has none. */
  get bulkSource(): ((source: ByteSource) => void) | undefined {
    const { to } = this;
    return to.bulkSource === undefined ? undefined : (source) => to.bulkSource!(source);
  }

  /** See {@link ReplySink.replySource}; undefined where the sink has none. */
  get replySource(): ((source: ReplySource) => void) | undefined {
    const { to } = this;
    return to.replySource === undefined ? undefined : (source) => to.replySource!(source);
  }

  /** See {@link ReplySink.isFull}. */
  get isFull(): boolean {
    return this.to.isFull === true;
  }

  /** See {@link ReplySink.isLost}. */
  get isLost(): boolean {
    return this.to.isLost === true;
  }

  /** See {@link ReplySink.ok}. */
  ok(): void {
    this.to.ok();
  }

  /** See {@link ReplySink.simple}. */
  simple(word: string): void {
    this.to.simple(word);
  }

  /** See {@link ReplySink.error}. */
  error(code: ReplyCode, detail?: string): void {
    this.to.error(code, detail);
  }

  /** See {@link ReplySink.integer}. */
  integer(value: number): void {
    this.to.integer(value);
  }

  /** See {@link ReplySink.int64}. */
  int64(value: Int64): void {
    this.to.int64(value);
  }

  /** See {@link ReplySink.double}. */
  double(value: number): void {
    this.to.double(value);
  }

  /** See {@link ReplySink.nil}. */
  nil(): void {
    this.to.nil();
  }

  /** See {@link ReplySink.nilArray}. */
  nilArray(): void {
    this.to.nilArray();
  }

  /** See {@link ReplySink.bulk}. */
  bulk(bytes: Uint8Array, start: number, end: number): void {
    this.to.bulk(bytes, start, end);
  }

  /** See {@link ReplySink.bulkText}. */
  bulkText(text: string): void {
    this.to.bulkText(text);
  }

  /** See {@link ReplySink.verbatimText}. */
  verbatimText(text: string): void {
    this.to.verbatimText(text);
  }

  /** See {@link ReplySink.bulkStart}. */
  bulkStart(byteCount: number): number {
    return this.to.bulkStart(byteCount);
  }

  /** See {@link ReplySink.arrayStart}. */
  arrayStart(elementCount: number): void {
    this.to.arrayStart(elementCount);
  }

  /** See {@link ReplySink.setStart}. */
  setStart(elementCount: number): void {
    this.to.setStart(elementCount);
  }

  /** See {@link ReplySink.mapStart}. */
  mapStart(pairCount: number): void {
    this.to.mapStart(pairCount);
  }

  /** See {@link ReplySink.pushStart}. */
  pushStart(elementCount: number): void {
    this.to.pushStart(elementCount);
  }

  /** See {@link ReplySink.mark}. */
  mark(): number {
    return this.to.mark();
  }

  /** See {@link ReplySink.rewind}. */
  rewind(mark: number): void {
    this.to.rewind(mark);
  }
}

const NOTHING = new Uint8Array(0);
