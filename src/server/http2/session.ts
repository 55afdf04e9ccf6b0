/**
 * One client's HTTP/2 connection.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9113
 *
 * @module
 */

import { MAX_FIELD_SECTION_BYTES } from "../../protocol/http/limits.ts";
import {
  encodeFrame,
  ErrorCode,
  FRAME_HEAD_BYTES,
  FRAME_MAX_BYTES,
  FrameFlag,
  FrameType,
  PREFACE,
  Setting,
  settingsFrame,
  WINDOW_BYTES,
  WINDOW_MAX_BYTES,
  words,
} from "../../protocol/http2/frames.ts";
import { FrameMeter } from "../../protocol/http2/frame_meter.ts";
import { encodeReplyFields, HpackDecoder } from "../../protocol/http2/hpack.ts";
import type { ReplyHead } from "../../protocol/http2/reply_reader.ts";
import { translateHead } from "../../protocol/http2/request_head.ts";
import type { ClientSocket } from "../client_socket.ts";
import { FrameQueue } from "./frame_queue.ts";
import { type StreamCarrier, StreamSocket } from "./stream_socket.ts";

/**
 * Most requests of one connection at a time.
 *
 * Reason: RFC 9113 section 6.5.2 asks for no fewer than 100.
 */
export const CONCURRENT_STREAMS_MAX = 100;

/** How long a client has to take our last words. Unit: ms. */
const FAREWELL_MS = 100;

/** What is taken is granted again when it comes to this. Unit: bytes. */
const GRANT_BYTES = 16384;

/** Bounds of a session. */
export interface SessionLimits {
  /** How long the head of a request may take to arrive. Unit: ms. */
  readonly headTimeoutMs: number;
  /** How long nothing may happen. Unit: ms. */
  readonly idleTimeoutMs: number;
}

/** What a {@link ClientSession} tells its owner and asks of it. */
export interface SessionEvents {
  /** A promise of the connection's turn to read on; undefined when it may at once. */
  turn(): Promise<void> | undefined;
  /** Serves a stream as if it were a connection; ends when it is over. Never rejects. */
  serveStream(socket: ClientSocket): Promise<void>;
  /** The client sent more of what costs us than anybody needs to. */
  onAbuse(socket: ClientSocket): void;
  /** It sent a request that is none, or broke the rules otherwise. */
  onMalformed(socket: ClientSocket, reason: string): void;
  /** A frame made us throw: our bug, which costs that connection only. */
  onFailure(error: unknown): void;
  /** It was silent, or late with the rest of a head. */
  onTimeout(socket: ClientSocket, isMidHead: boolean): void;
  /** The sweep's clock, ms. */
  now(): number;
}

/** The connection cannot go on. */
class ConnectionFault extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * The life of a connection whose client speaks HTTP/2.
 *
 * Thread: the I/O thread that accepted it.
 */
export class ClientSession implements StreamCarrier {
  readonly #socket: ClientSocket;
  readonly #limits: SessionLimits;
  readonly #events: SessionEvents;
  readonly #meter = new FrameMeter();
  readonly #hpack = new HpackDecoder();
  readonly #queue: FrameQueue;
  readonly #streams = new Map<number, StreamSocket>();
  /** Streams that wait for room in a window; told when there is some. */
  #room = Promise.withResolvers<void>();
  #sendWindowBytes: number = WINDOW_BYTES;
  #receiveWindowBytes: number = WINDOW_BYTES;
  /** What was taken and is not granted again yet. Unit: bytes. */
  #ungrantedBytes = 0;
  #initialWindowBytes: number = WINDOW_BYTES;
  #lastStreamId = 0;
  #hasPreface = false;
  #hasSettings = false;
  /** The header block that is half received: its stream, its flags, its parts. */
  #block: { stream: number; flags: number; parts: Uint8Array[] } | undefined;
  #lastActivityMs: number;
  #farewellTimer: ReturnType<typeof setTimeout> | undefined;
  #saysGoodbye = false;
  #isEnding = false;
  #isOver = false;

  /** Makes the session of a client whose handshake chose HTTP/2. */
  constructor(socket: ClientSocket, limits: SessionLimits, events: SessionEvents) {
    this.#socket = socket;
    this.#limits = limits;
    this.#events = events;
    this.#lastActivityMs = events.now();
    this.#queue = new FrameQueue(socket, (byteCount) => {
      this.#meter.countSent(byteCount);
      this.#lastActivityMs = events.now();
    });
  }

  /** The client's end. */
  get remoteAddr(): Deno.NetAddr {
    return this.#socket.remoteAddr;
  }

  /** Our end. */
  get localAddr(): Deno.NetAddr {
    return this.#socket.localAddr;
  }

  /** Serves the client until one side ends it. Never rejects. */
  async run(): Promise<void> {
    this.#queue.push(settingsFrame([
      [Setting.ENABLE_PUSH, 0],
      [Setting.MAX_CONCURRENT_STREAMS, CONCURRENT_STREAMS_MAX],
      [Setting.MAX_HEADER_LIST_SIZE, MAX_FIELD_SECTION_BYTES],
    ]));
    try {
      await this.#readFrames();
    } catch (error) {
      const isFault = error instanceof ConnectionFault;
      if (isFault) this.#events.onMalformed(this.#socket, error.message);
      else this.#events.onFailure(error);
      await this.#farewell(isFault ? error.code : ErrorCode.INTERNAL_ERROR);
      await this.#discard();
    } finally {
      this.end();
    }
  }

  /** Ends it when its client was silent for too long, or late with the rest of a head. */
  sweep(nowMs: number): void {
    const { headTimeoutMs, idleTimeoutMs } = this.#limits;
    const { headStartedAtMs } = this.#meter;
    const isMidHead = headStartedAtMs > 0 && performance.now() - headStartedAtMs >= headTimeoutMs;
    const isIdle = this.#streams.size === 0 && nowMs - this.#lastActivityMs >= idleTimeoutMs;
    if (this.#isEnding || !isMidHead && !isIdle) return;
    this.#events.onTimeout(this.#socket, isMidHead);
    void this.#farewell(ErrorCode.NO_ERROR);
  }

  /** Says that no further requests will be answered; those under way are, and then it ends. */
  goAway(): void {
    if (this.#saysGoodbye || this.#isEnding) return;
    this.#saysGoodbye = true;
    this.#sayGoAway(ErrorCode.NO_ERROR);
    if (this.#streams.size === 0) void this.#farewell(undefined);
  }

  /** Ends it at once. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = this.#isEnding = true;
    clearTimeout(this.#farewellTimer);
    for (const stream of this.#streams.values()) stream.end();
    this.#queue.end();
    this.#socket.close();
    this.#tellRoom();
  }

  /** See {@link StreamCarrier.sendHead}. */
  async sendHead(stream: StreamSocket, { status, fields, isBodiless }: ReplyHead): Promise<void> {
    const block = encodeReplyFields(status, fields);
    let type: number = FrameType.HEADERS;
    let flags: number = isBodiless ? FrameFlag.END_STREAM : 0;
    for (let at = 0; at === 0 || at < block.length; at += FRAME_MAX_BYTES) {
      const part = block.subarray(at, at + FRAME_MAX_BYTES);
      if (at + FRAME_MAX_BYTES >= block.length) flags |= FrameFlag.END_HEADERS;
      this.#queue.push(encodeFrame(type, flags, stream.id, part));
      type = FrameType.CONTINUATION;
      flags = 0;
    }
    // What is sent was copied: a stream that ends need not wait for a client that takes nothing.
    await stream.unlessOver(this.#queue.drained());
  }

  /** See {@link StreamCarrier.sendBody}. */
  async sendBody(stream: StreamSocket, part: Uint8Array<ArrayBuffer>): Promise<void> {
    for (let at = 0; at < part.length;) {
      while (this.#sendWindowBytes <= 0 || stream.sendWindowBytes <= 0) {
        await stream.unlessOver(this.#room.promise);
        if (stream.isOver) throw new Deno.errors.Interrupted("the stream is over");
      }
      const byteCount = Math.min(
        part.length - at,
        FRAME_MAX_BYTES,
        this.#sendWindowBytes,
        stream.sendWindowBytes,
      );
      this.#sendWindowBytes -= byteCount;
      stream.sendWindowBytes -= byteCount;
      const bytes = part.subarray(at, at += byteCount);
      this.#queue.push(encodeFrame(FrameType.DATA, 0, stream.id, bytes));
      await stream.unlessOver(this.#queue.drained());
      if (stream.isOver) throw new Deno.errors.Interrupted("the stream is over");
    }
  }

  /** See {@link StreamCarrier.sendEnd}. */
  sendEnd(stream: StreamSocket): void {
    this.#queue.push(
      encodeFrame(FrameType.DATA, FrameFlag.END_STREAM, stream.id, new Uint8Array(0)),
    );
  }

  /** See {@link StreamCarrier.reset}. */
  reset(stream: StreamSocket, code: ErrorCode): void {
    this.#reset(stream.id, code);
    stream.end();
    this.#forget(stream);
  }

  /** See {@link StreamCarrier.grant}. */
  grant(stream: StreamSocket, byteCount: number): void {
    this.#grantConnection(byteCount);
    if (stream.isOver || stream.hasRequest) return;
    stream.receiveWindowBytes += byteCount;
    this.#queue.push(encodeFrame(FrameType.WINDOW_UPDATE, 0, stream.id, words(byteCount)));
  }

  async #readFrames(): Promise<void> {
    const buffer = new Uint8Array(2 * (FRAME_HEAD_BYTES + FRAME_MAX_BYTES));
    let length = 0;
    for (;;) {
      const turn = this.#events.turn();
      if (turn !== undefined) await turn;
      if (this.#isOver) return;
      const byteCount = await this.#read(buffer.subarray(length));
      if (byteCount === null) return;
      if (this.#isEnding) return await this.#discard();
      const arrived = buffer.subarray(length, length + byteCount);
      length += byteCount;
      if (!this.#meter.take(arrived, performance.now())) {
        await this.#abuse();
        return await this.#discard();
      }
      let at = this.#takePreface(buffer, length);
      for (let end = at; (end = endOfFrame(buffer, at, length)) >= 0; at = end) {
        this.#takeFrame(buffer, at, end);
        if (this.#isEnding) return await this.#discard();
      }
      // What the client asks for is answered before it may ask for more.
      await this.#queue.drained();
      buffer.copyWithin(0, at, length);
      length -= at;
    }
  }

  /** Reads; null when the client has gone, however it went. */
  async #read(target: Uint8Array<ArrayBuffer>): Promise<number | null> {
    try {
      return await this.#socket.read(target);
    } catch {
      return null;
    }
  }

  /** Behind the client's first words, 0 when they have come before or not yet as a whole. */
  #takePreface(buffer: Uint8Array, length: number): number {
    if (this.#hasPreface) return 0;
    for (let i = 0; i < Math.min(length, PREFACE.length); i++) {
      if (buffer[i] !== PREFACE[i]) throw fault("it does not begin as HTTP/2 does");
    }
    if (length < PREFACE.length) return length;
    this.#hasPreface = true;
    return PREFACE.length;
  }

  #takeFrame(buffer: Uint8Array<ArrayBuffer>, start: number, end: number): void {
    const type = buffer[start + 3]!;
    const flags = buffer[start + 4]!;
    const id = wordAt(buffer, start + 5) & 0x7fffffff;
    const payload = buffer.subarray(start + FRAME_HEAD_BYTES, end);
    if (!this.#hasSettings && type !== FrameType.SETTINGS) throw fault("it has no settings");
    const { FRAME_SIZE_ERROR } = ErrorCode;
    if (
      this.#block !== undefined &&
      (type !== FrameType.CONTINUATION || id !== this.#block.stream)
    ) throw fault("a header block is interrupted");
    switch (type) {
      case FrameType.DATA:
        return this.#takeData(id, flags, payload);
      case FrameType.HEADERS:
        return this.#takeHeaders(id, flags, payload);
      case FrameType.CONTINUATION:
        if (this.#block === undefined) throw fault("a continuation of nothing");
        return this.#takeBlockPart(this.#block, flags, payload);
      case FrameType.PRIORITY:
        if (id === 0) throw fault("the priority of no stream");
        if (payload.length !== 5) throw fault("a priority of odd length", FRAME_SIZE_ERROR);
        return;
      case FrameType.RST_STREAM:
        if (payload.length !== 4) throw fault("a reset of odd length", FRAME_SIZE_ERROR);
        return this.#takeReset(id);
      case FrameType.SETTINGS:
        return this.#takeSettings(id, flags, payload);
      case FrameType.PUSH_PROMISE:
        throw fault("a promise of a client");
      case FrameType.PING:
        if (id !== 0) throw fault("a ping on a stream");
        if (payload.length !== 8) throw fault("a ping of odd length", FRAME_SIZE_ERROR);
        if ((flags & FrameFlag.ACK) === 0) {
          this.#queue.push(encodeFrame(FrameType.PING, FrameFlag.ACK, 0, payload));
        }
        return;
      case FrameType.GOAWAY:
        if (id !== 0 || payload.length < 8) throw fault("a goodbye that is none");
        return this.goAway();
      case FrameType.WINDOW_UPDATE:
        if (payload.length !== 4) throw fault("a window update of odd length", FRAME_SIZE_ERROR);
        return this.#takeWindowUpdate(id, wordAt(payload, 0) & 0x7fffffff);
    }
  }

  #takeSettings(id: number, flags: number, payload: Uint8Array): void {
    const { FRAME_SIZE_ERROR, FLOW_CONTROL_ERROR } = ErrorCode;
    if (id !== 0) throw fault("settings of a stream");
    const isAck = (flags & FrameFlag.ACK) !== 0;
    if (payload.length % 6 !== 0 || isAck && payload.length > 0) {
      throw fault("settings of odd length", FRAME_SIZE_ERROR);
    }
    if (isAck) return;
    this.#hasSettings = true;
    for (let at = 0; at < payload.length; at += 6) {
      const setting = payload[at]! << 8 | payload[at + 1]!;
      const value = wordAt(payload, at + 2);
      if (setting === Setting.ENABLE_PUSH && value > 1) throw fault("a setting out of range");
      if (setting === Setting.MAX_FRAME_SIZE && (value < FRAME_MAX_BYTES || value > 2 ** 24 - 1)) {
        throw fault("a setting out of range");
      }
      if (setting !== Setting.INITIAL_WINDOW_SIZE) continue;
      if (value > WINDOW_MAX_BYTES) throw fault("a window out of range", FLOW_CONTROL_ERROR);
      for (const stream of this.#streams.values()) {
        stream.sendWindowBytes += value - this.#initialWindowBytes;
        if (stream.sendWindowBytes > WINDOW_MAX_BYTES) {
          throw fault("a window out of range", FLOW_CONTROL_ERROR);
        }
      }
      this.#initialWindowBytes = value;
    }
    this.#queue.push(encodeFrame(FrameType.SETTINGS, FrameFlag.ACK, 0, new Uint8Array(0)));
    this.#tellRoom();
  }

  #takeWindowUpdate(id: number, byteCount: number): void {
    const { FLOW_CONTROL_ERROR } = ErrorCode;
    if (byteCount === 0) throw fault("a window grows by nothing");
    if (id === 0) {
      this.#sendWindowBytes += byteCount;
      if (this.#sendWindowBytes > WINDOW_MAX_BYTES) {
        throw fault("a window out of range", FLOW_CONTROL_ERROR);
      }
    } else {
      this.#checkKnown(id);
      const stream = this.#streams.get(id);
      if (stream === undefined) return;
      stream.sendWindowBytes += byteCount;
      if (stream.sendWindowBytes > WINDOW_MAX_BYTES) this.reset(stream, FLOW_CONTROL_ERROR);
    }
    this.#tellRoom();
  }

  #takeReset(id: number): void {
    this.#checkKnown(id);
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    stream.end();
    this.#forget(stream);
  }

  #takeData(id: number, flags: number, payload: Uint8Array): void {
    this.#checkKnown(id);
    this.#receiveWindowBytes -= payload.length;
    if (this.#receiveWindowBytes < 0) {
      throw fault("more than its window allows", ErrorCode.FLOW_CONTROL_ERROR);
    }
    const data = withoutPadding(payload, flags);
    this.#grantConnection(payload.length - data.length);
    const stream = this.#streams.get(id);
    if (stream === undefined || stream.isOver) return this.#grantConnection(data.length);
    if (stream.hasRequest) {
      this.#grantConnection(data.length);
      return this.reset(stream, ErrorCode.STREAM_CLOSED);
    }
    stream.receiveWindowBytes -= payload.length;
    if (stream.receiveWindowBytes < 0) {
      throw fault("more than its window allows", ErrorCode.FLOW_CONTROL_ERROR);
    }
    stream.receiveWindowBytes += payload.length - data.length;
    // The buffer is used again.
    if (stream.take(data.slice(), (flags & FrameFlag.END_STREAM) !== 0)) return;
    this.#grantConnection(data.length);
    this.#resetMalformed(stream, "the body is not as long as it said");
  }

  #takeHeaders(id: number, flags: number, payload: Uint8Array): void {
    if (id % 2 === 0) throw fault("a stream that no client begins");
    let block = withoutPadding(payload, flags);
    if ((flags & FrameFlag.PRIORITY) !== 0) {
      if (block.length < 5) throw fault("a priority that is cut off");
      block = block.subarray(5);
    }
    this.#block = { stream: id, flags, parts: [] };
    this.#takeBlockPart(this.#block, flags, block);
  }

  #takeBlockPart(
    block: { stream: number; flags: number; parts: Uint8Array[] },
    flags: number,
    part: Uint8Array,
  ): void {
    block.parts.push(part.slice());
    if ((flags & FrameFlag.END_HEADERS) === 0) return;
    this.#block = undefined;
    const fields = this.#hpack.decode(joined(block.parts));
    if (fields === null) throw fault("headers that make no sense", ErrorCode.COMPRESSION_ERROR);
    const hasEnded = (block.flags & FrameFlag.END_STREAM) !== 0;
    if (block.stream <= this.#lastStreamId) this.#takeTrailers(block.stream, hasEnded);
    else this.#begin(block.stream, fields, hasEnded);
  }

  /** Trailers end a body and are dropped. */
  #takeTrailers(id: number, hasEnded: boolean): void {
    const stream = this.#streams.get(id);
    // We may have ended it while they were on their way.
    if (stream === undefined || stream.isOver) return this.#countReset();
    if (stream.hasRequest || !hasEnded) throw fault("headers in the middle of a body");
    if (stream.take(new Uint8Array(0), true)) return;
    this.#resetMalformed(stream, "the body is not as long as it said");
  }

  #begin(id: number, fields: readonly string[], hasEnded: boolean): void {
    this.#lastStreamId = id;
    this.#lastActivityMs = this.#events.now();
    if (this.#saysGoodbye || this.#streams.size >= CONCURRENT_STREAMS_MAX) {
      this.#reset(id, ErrorCode.REFUSED_STREAM);
      return this.#countReset();
    }
    const head = translateHead(fields, hasEnded);
    if (head.kind === "malformed") {
      this.#events.onMalformed(this.#socket, head.reason);
      this.#reset(id, ErrorCode.PROTOCOL_ERROR);
      return this.#countReset();
    }
    const stream = new StreamSocket(id, head, this, this.#initialWindowBytes);
    this.#streams.set(id, stream);
    void this.#events.serveStream(stream).then(() => {
      stream.close();
      this.#forget(stream);
    });
  }

  #resetMalformed(stream: StreamSocket, reason: string): void {
    this.#events.onMalformed(this.#socket, reason);
    this.reset(stream, ErrorCode.PROTOCOL_ERROR);
    this.#countReset();
  }

  #reset(id: number, code: ErrorCode): void {
    this.#queue.push(encodeFrame(FrameType.RST_STREAM, 0, id, words(code)));
  }

  #forget(stream: StreamSocket): void {
    if (!this.#streams.delete(stream.id)) return;
    this.#lastActivityMs = this.#events.now();
    if (this.#saysGoodbye && this.#streams.size === 0) void this.#farewell(undefined);
  }

  #grantConnection(byteCount: number): void {
    this.#ungrantedBytes += byteCount;
    if (this.#ungrantedBytes < GRANT_BYTES) return;
    this.#receiveWindowBytes += this.#ungrantedBytes;
    this.#queue.push(encodeFrame(FrameType.WINDOW_UPDATE, 0, 0, words(this.#ungrantedBytes)));
    this.#ungrantedBytes = 0;
  }

  #checkKnown(id: number): void {
    if (id === 0 || id % 2 === 0 || id > this.#lastStreamId) {
      throw fault("a frame of a stream that nobody began");
    }
  }

  #tellRoom(): void {
    this.#room.resolve();
    this.#room = Promise.withResolvers();
  }

  #countReset(): void {
    if (!this.#meter.countReset(performance.now())) void this.#abuse();
  }

  async #abuse(): Promise<void> {
    if (this.#isEnding) return;
    this.#events.onAbuse(this.#socket);
    await this.#farewell(ErrorCode.ENHANCE_YOUR_CALM);
  }

  #sayGoAway(code: ErrorCode): void {
    this.#queue.push(encodeFrame(FrameType.GOAWAY, 0, 0, words(this.#lastStreamId, code)));
  }

  /** Says why (undefined: that was said), and ends when the client has had time to hear it. */
  async #farewell(code: ErrorCode | undefined): Promise<void> {
    if (this.#isEnding) return;
    this.#isEnding = true;
    for (const stream of this.#streams.values()) stream.end();
    if (code !== undefined) this.#sayGoAway(code);
    this.#farewellTimer = setTimeout(() => this.end(), FAREWELL_MS);
    await this.#queue.emptied();
    try {
      await this.#socket.closeWrite();
    } catch {
      // It has gone.
    }
  }

  /** Reads and forgets until the client or the farewell is at an end. */
  async #discard(): Promise<void> {
    const room = new Uint8Array(FRAME_MAX_BYTES);
    while (await this.#read(room) !== null);
  }
}

function fault(message: string, code: ErrorCode = ErrorCode.PROTOCOL_ERROR): ConnectionFault {
  return new ConnectionFault(code, message);
}

/** Behind the frame at `start`, or -1 when it is not all there. */
function endOfFrame(buffer: Uint8Array, start: number, length: number): number {
  if (start + FRAME_HEAD_BYTES > length) return -1;
  const payloadBytes = buffer[start]! << 16 | buffer[start + 1]! << 8 | buffer[start + 2]!;
  if (payloadBytes > FRAME_MAX_BYTES) {
    throw fault("a frame that is too long", ErrorCode.FRAME_SIZE_ERROR);
  }
  const end = start + FRAME_HEAD_BYTES + payloadBytes;
  return end > length ? -1 : end;
}

function withoutPadding(payload: Uint8Array, flags: number): Uint8Array {
  if ((flags & FrameFlag.PADDED) === 0) return payload;
  const padding = payload[0];
  if (padding === undefined || padding >= payload.length) throw fault("more padding than payload");
  return payload.subarray(1, payload.length - padding);
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function wordAt(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24 | bytes[at + 1]! << 16 | bytes[at + 2]! << 8 | bytes[at + 3]!) >>> 0;
}
