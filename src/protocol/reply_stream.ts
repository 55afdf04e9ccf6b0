/**
 * Replies that are larger than a connection's output may be.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import type { ByteWriter } from "../base/bytes.ts";
import type { ClientMemory } from "../base/client_memory.ts";
import type { ByteSource } from "../command/byte_source.ts";
import type { ReplySink } from "../command/reply_sink.ts";
import type { ReplySource } from "../command/reply_source.ts";

/** A source in the middle of a reply. */
interface Insertion {
  /** Of bytes, or of whole replies with the sink that they are written to. */
  readonly source: ByteSource | Replies;
  /** Where its bytes belong: offset in the output, once {@link ReplyStream.fill} began in the tail. */
  at: number;
}

/** A source of replies and where it writes them. */
interface Replies extends ReplySource {
  readonly sink: ReplySink;
}

const NO_BYTES = new Uint8Array(0);

/** A longer tail is client memory. Unit: bytes. Reason: most are a line end. */
const SMALL_TAIL_BYTES = 1024;

/**
 * Byte strings that go out between the bytes of the output, a piece at a time.
 *
 * While a reply is made, {@link ReplyStream.insert} notes that a source's bytes belong at the
 * output's present end; the reply goes on behind them as if they were there. When the reply is
 * complete, {@link ReplyStream.fill} puts the output together, as much as there is room for:
 *
 * ```text
 * output   …earlier replies │ $300000\r\n │ \r\n$5\r\nsmall\r\n$70000\r\n │ \r\n
 *                                         ↑ insert(source 0)           ↑ insert(source 1)
 * fill     …earlier replies │ $300000\r\n │ first bytes of source 0          → false: write, again
 *          more bytes of source 0                                           → false
 *          last bytes of source 0 │ \r\n$5\r\nsmall\r\n$70000\r\n │ source 1 │ \r\n  → true
 * ```
 *
 * Between the first `fill` and the one that says true, the session executes nothing else; that is
 * what keeps replies in order, and what bounds the sources of a connection by those of one command.
 * A source of replies ({@link ReplyStream.insertReplies}) is asked for more as long as there is room.
 * A long byte string in it is a source again, {@link ReplyStream.insert}ed as the last thing of a
 * step; it goes out before the next step.
 *
 * A source is released as soon as its last byte was copied, and by {@link ReplyStream.clear}.
 *
 * A session that uses it: inserts from its sink; calls `fill` before every request and returns
 * `FLUSH` on false; cuts with `rewind` where it cuts its output; calls `clear` where it withholds
 * a reply and when the connection is over.
 *
 * Thread: belongs to one connection.
 */
export class ReplyStream {
  /** Whether a reply is waiting to be put together. */
  isPending = false;
  /** Lends what has to be kept of long replies; another one may, while nothing is pending. */
  memory: ClientMemory | undefined;

  #insertions: Insertion[] = [];
  /** Insertions that are over. */
  #doneCount = 0;
  /** The output behind the first insertion, taken out of it by the first `fill`; may be longer. */
  #tail: Uint8Array<ArrayBuffer> = NO_BYTES;
  #tailAt = 0;
  #tailEnd = 0;
  #isTailLent = false;
  #isFilling = false;
  /** A byte string that a source of replies has in it, and the bytes behind it. */
  #nested: ByteSource | undefined;
  #nestedAt = 0;
  #nestedTail: Uint8Array = NO_BYTES;
  #isWriting = false;
  #areRepliesDone = false;

  /**
   * Makes a stream with nothing in it.
   *
   * @param memory lends what has to be kept of long replies; when left out, it is on the heap
   */
  constructor(memory?: ClientMemory) {
    this.memory = memory;
  }

  /** What it takes of client memory. Unit: bytes. */
  get heldBytes(): number {
    return this.#isTailLent ? this.#tail.length : 0;
  }

  /** Notes that the bytes of `source` come next; it is the stream's from now on. */
  insert(source: ByteSource, output: ByteWriter): void {
    if (this.#isWriting) {
      assert(this.#nested === undefined, "a step of a reply source ends with its byte source");
      this.#nested = source;
      this.#nestedAt = output.length;
      return;
    }
    assert(!this.#isFilling, "a reply is complete before the next one begins");
    this.#insertions.push({ source, at: output.length });
    this.isPending = true;
  }

  /**
   * Notes that the replies of `source` come next; it is the stream's from now on.
   *
   * @param sink writes to the output that is filled
   */
  insertReplies(source: ReplySource, sink: ReplySink, output: ByteWriter): void {
    assert(!this.#isFilling, "a reply is complete before the next one begins");
    const replies: Replies = {
      sink,
      writeNext: (target, mostBytes) => source.writeNext(target, mostBytes),
      release: () => source.release(),
    };
    this.#insertions.push({ source: replies, at: output.length });
    this.isPending = true;
  }

  /**
   * Takes back what was inserted behind a place in the output.
   *
   * @param length the output's length that is gone back to, of a time when nothing was half inserted
   */
  rewind(length: number): void {
    assert(!this.#isFilling, "what has begun to go out cannot be taken back");
    const insertions = this.#insertions;
    while (insertions.length > 0 && insertions[insertions.length - 1]!.at > length) {
      insertions.pop()!.source.release();
    }
    this.isPending = insertions.length > 0;
  }

  /**
   * Appends as much of the reply as fits.
   *
   * @param mostBytes the output is not filled beyond this length
   * @returns whether the reply is complete; if not, write the output and call again
   */
  fill(output: ByteWriter, mostBytes: number): boolean {
    if (!this.isPending) return true;
    if (!this.#isFilling) this.#takeTail(output);
    const insertions = this.#insertions;
    while (this.#doneCount < insertions.length) {
      const { source, at } = insertions[this.#doneCount]!;
      if (!this.#copyTail(output, at, mostBytes)) return false;
      const isOver = "sink" in source
        ? this.#writeReplies(source, output, mostBytes)
        : copyBytes(source, output, mostBytes);
      if (!isOver) return false;
      source.release();
      this.#doneCount++;
    }
    if (!this.#copyTail(output, this.#tailEnd, mostBytes)) return false;
    this.clear();
    return true;
  }

  /** Releases all sources and forgets the reply. */
  clear(): void {
    this.#nested?.release();
    this.#nested = undefined;
    this.#areRepliesDone = false;
    for (const { source } of this.#insertions) source.release();
    if (this.isPending) this.#insertions = [];
    this.#doneCount = 0;
    if (this.#isTailLent) this.memory!.give(this.#tail);
    this.#isTailLent = false;
    this.#tail = NO_BYTES;
    this.#tailAt = 0;
    this.#tailEnd = 0;
    this.#isFilling = false;
    this.isPending = false;
  }

  /** Moves the output behind the first insertion out of the way. */
  #takeTail(output: ByteWriter): void {
    const start = this.#insertions[0]!.at;
    const byteCount = this.#tailEnd = output.length - start;
    const memory = byteCount > SMALL_TAIL_BYTES ? this.memory : undefined;
    if (memory === undefined) {
      this.#tail = output.bytes.slice(start, output.length);
    } else {
      this.#tail = memory.tryTake(byteCount) ?? memory.overdraw(byteCount);
      this.#isTailLent = true;
      this.#tail.set(output.bytes.subarray(start, output.length));
    }
    this.#tailAt = 0;
    output.length = start;
    for (const insertion of this.#insertions) insertion.at -= start;
    this.#isFilling = true;
  }

  /** Lets a source of replies write while there is room; whether it is over. */
  #writeReplies(source: Replies, output: ByteWriter, mostBytes: number): boolean {
    for (;;) {
      if (this.#nested !== undefined) {
        if (!copyBytes(this.#nested, output, mostBytes)) return false;
        this.#nested.release();
        this.#nested = undefined;
        output.copy(this.#nestedTail);
      }
      if (this.#areRepliesDone) {
        this.#areRepliesDone = false;
        return true;
      }
      if (output.length >= mostBytes) return false;
      this.#isWriting = true;
      this.#areRepliesDone = source.writeNext(source.sink, mostBytes - output.length);
      this.#isWriting = false;
      if (this.#nested === undefined) {
        if (this.#areRepliesDone) continue;
        // It has written less than it may, because it takes long: others have their turn first.
        return false;
      }
      this.#nestedTail = output.bytes.slice(this.#nestedAt, output.length);
      output.length = this.#nestedAt;
    }
  }

  /** Copies the tail up to `end`; false when there is no room for all of it. */
  #copyTail(output: ByteWriter, end: number, mostBytes: number): boolean {
    const byteCount = Math.min(end - this.#tailAt, mostBytes - output.length);
    if (byteCount > 0) {
      output.copy(this.#tail, this.#tailAt, this.#tailAt + byteCount);
      this.#tailAt += byteCount;
    }
    return this.#tailAt >= end;
  }
}

/** Copies what there is room for; whether that was the last of it. */
function copyBytes(source: ByteSource, output: ByteWriter, mostBytes: number): boolean {
  const byteCount = Math.min(source.remaining, mostBytes - output.length);
  if (byteCount > 0) {
    const offset = output.reserve(byteCount);
    source.copyNext(output.bytes, offset, byteCount);
    output.length = offset + byteCount;
  }
  return source.remaining === 0;
}
