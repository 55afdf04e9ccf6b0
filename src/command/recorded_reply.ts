/**
 * Replies that cannot be written yet, because the one in front of them is not known.
 *
 * @module
 */

import { Int64 } from "../base/int64.ts";
import type { ByteSource } from "./byte_source.ts";
import type { ReplyCode } from "./reply_code.ts";
import type { ReplySink } from "./reply_sink.ts";
import type { ReplySource } from "./reply_source.ts";

/**
 * Takes a reply and repeats it to another sink later.
 *
 * Thread: one I/O thread.
 */
export class RecordedReply implements ReplySink {
  /** Room that {@link RecordedReply.bulkStart} gave last. */
  target: Uint8Array = NOTHING;

  readonly #calls: ((sink: ReplySink) => void)[] = [];

  /** Repeats everything. */
  replay(sink: ReplySink): void {
    for (const call of this.#calls) call(sink);
  }

  /** See {@link ReplySink.ok}. */
  ok(): void {
    this.#calls.push((sink) => sink.ok());
  }

  /** See {@link ReplySink.simple}. */
  simple(word: string): void {
    this.#calls.push((sink) => sink.simple(word));
  }

  /** See {@link ReplySink.error}. */
  error(code: ReplyCode, detail?: string): void {
    this.#calls.push((sink) => sink.error(code, detail));
  }

  /** See {@link ReplySink.integer}. */
  integer(value: number): void {
    this.#calls.push((sink) => sink.integer(value));
  }

  /** See {@link ReplySink.int64}. */
  int64(value: Int64): void {
    const copy = new Int64();
    copy.copyFrom(value);
    this.#calls.push((sink) => sink.int64(copy));
  }

  /** See {@link ReplySink.double}. */
  double(value: number): void {
    this.#calls.push((sink) => sink.double(value));
  }

  /** See {@link ReplySink.nil}. */
  nil(): void {
    this.#calls.push((sink) => sink.nil());
  }

  /** See {@link ReplySink.nilArray}. */
  nilArray(): void {
    this.#calls.push((sink) => sink.nilArray());
  }

  /** See {@link ReplySink.bulk}. */
  bulk(bytes: Uint8Array, start: number, end: number): void {
    const copy = bytes.slice(start, end);
    this.#calls.push((sink) => sink.bulk(copy, 0, copy.length));
  }

  /** See {@link ReplySink.bulkText}. */
  bulkText(text: string): void {
    this.#calls.push((sink) => sink.bulkText(text));
  }

  /** See {@link ReplySink.verbatimText}. */
  verbatimText(text: string): void {
    this.#calls.push((sink) => sink.verbatimText(text));
  }

  /** See {@link ReplySink.bulkStart}. */
  bulkStart(byteCount: number): number {
    const room = this.target = new Uint8Array(byteCount);
    this.#calls.push((sink) => sink.bulk(room, 0, byteCount));
    return 0;
  }

  /** See {@link ReplySink.arrayStart}. */
  arrayStart(elementCount: number): void {
    this.#calls.push((sink) => sink.arrayStart(elementCount));
  }

  /** See {@link ReplySink.setStart}. */
  setStart(elementCount: number): void {
    this.#calls.push((sink) => sink.setStart(elementCount));
  }

  /** See {@link ReplySink.mapStart}. */
  mapStart(pairCount: number): void {
    this.#calls.push((sink) => sink.mapStart(pairCount));
  }

  /** See {@link ReplySink.pushStart}. */
  pushStart(elementCount: number): void {
    this.#calls.push((sink) => sink.pushStart(elementCount));
  }

  /** Number of calls so far. */
  mark(): number {
    return this.#calls.length;
  }

  /** Forgets the calls behind `mark`. */
  rewind(mark: number): void {
    this.#calls.length = mark;
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
