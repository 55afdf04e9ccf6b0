/**
 * One connection's conversation in HTTP/1.1 or HTTP/1.0.
 *
 * @module
 */

import type { ByteWriter, InputBuffer } from "../../base/bytes.ts";
import { CONNECTION_BUFFER_BYTES } from "../../base/limits.ts";
import type { ClientOrigin } from "../../command/client_state.ts";
import { type KeptBytes, OUTPUT_PAUSE_BYTES, type Session, SessionStep } from "../session.ts";
import type { AsyncByteSource } from "./async_source.ts";
import { encodeText } from "./characters.ts";
import { Disposition } from "./disposition.ts";
import type { HttpExchange } from "./exchange.ts";
import type { ClientKey } from "./request_limit.ts";
import type { HttpService } from "./http_service.ts";
import { ParseStep } from "./parse_step.ts";

const CONTINUE = encodeText("HTTP/1.1 100 Continue\r\n\r\n");

/**
 * Most that is fetched of a body at a time.
 *
 * Unit: bytes. Reason: a client that takes a file slowly holds no more than this.
 */
const BODY_PIECE_BYTES = 65536;

/**
 * Least that is fetched of a body at a time.
 *
 * Unit: bytes. Reason: a connection has no smaller output.
 */
const BODY_PIECE_MIN_BYTES: number = CONNECTION_BUFFER_BYTES;

/**
 * A piece is one in so many parts of the memory that is free.
 *
 * Reason: a thousand clients that take large files slowly then have some 32 KiB each of 64 MiB, and
 * leave others a sixth of it.
 */
const BODY_PIECE_SHARE = 256;

const NOTHING = new Uint8Array(0);

/** Instead of a {@link SessionStep}: the request is answered, and the batch may go on. */
const CONTINUE_BATCH = -1;

/**
 * Executes every complete request in the input, in order, into one output.
 *
 * A malformed request is answered and closes the connection, because where the next one would start
 * is not known; requests in front of it are answered as usual. A request whose first byte arrived
 * before the server began to stop is finished; later ones are refused and the connection closes.
 *
 * Thread: belongs to one connection.
 */
export class HttpSession implements Session {
  readonly #service: HttpService;
  readonly #client: ClientOrigin;
  readonly #clientKey: ClientKey | undefined;
  /** Has the connection since a reply that said so; see {@link HttpExchange.upgrade}. */
  #successor: Session | undefined;
  #exchange: HttpExchange | null = null;
  /** Whether the exchange's parser has begun with a request. */
  #inRequest = false;
  /** Whether that request started while the server was stopping. */
  #isLate = false;
  #continueSent = false;
  /** Whether its head was judged and found good. */
  #isAdmitted = false;
  /** Whether all of it is there and only its answer is missing. */
  #isComplete = false;
  /** Whether it is answered, and what is left of the reply waits until some of it is written. */
  #isReplying = false;
  /** See {@link HttpExchange.arrival}. */
  #arrival = 0;
  /** Whether the last call asked to be called again before anything is read. */
  #isPaused = false;
  /** Output in front of the request's reply. Unit: bytes. */
  #replyStart = 0;

  /**
   * Starts a conversation.
   *
   * @param service what all sessions of the thread share
   * @param client whose connection it is
   */
  constructor(service: HttpService, client: ClientOrigin) {
    this.#service = service;
    this.#client = client;
    this.#clientKey = service.keyOf(client);
  }

  /** See {@link Session.midRequest}. */
  get midRequest(): boolean {
    if (this.#successor !== undefined) return this.#successor.midRequest;
    return this.#inRequest && this.#exchange !== null && this.#exchange.parser.hasStarted;
  }

  /** See {@link Session.midBody}. */
  get midBody(): boolean {
    if (this.#successor !== undefined) return this.#successor.midBody;
    return this.midRequest && this.#exchange!.parser.headComplete;
  }

  /** See {@link Session.heldBytes}. */
  get heldBytes(): number {
    return this.#successor?.heldBytes ?? 0;
  }

  /** See {@link Session.midReply}. */
  get midReply(): boolean {
    return this.#isReplying || (this.#successor?.midReply ?? false);
  }

  /** See {@link Session.kept}. */
  get kept(): KeptBytes | undefined {
    return this.#isReplying ? this.#exchange?.kept : undefined;
  }

  /** See {@link Session.farewell}. */
  get farewell(): Uint8Array<ArrayBuffer> {
    return this.#successor?.farewell ?? NOTHING;
  }

  /** See {@link Session.timeoutReply}. */
  get timeoutReply(): Uint8Array<ArrayBuffer> | undefined {
    return this.#successor?.timeoutReply;
  }

  /** See {@link Session.process}. */
  process(
    input: InputBuffer,
    output: ByteWriter,
    untilMs?: number,
  ): SessionStep | Promise<SessionStep> {
    if (this.#successor !== undefined) return this.#successor.process(input, output, untilMs);
    this.#service.beginBatch();
    this.#service.slice.begin(untilMs);
    // Nothing was read since a pause.
    if (!this.#isPaused) this.#arrival = ++this.#service.arrivalCount;
    if (this.#isReplying) {
      const { body, kept } = this.#exchange!;
      if (body !== undefined) return this.#fetch(body, input, output);
      if (kept !== undefined) {
        if (kept.remaining > 0) return SessionStep.FLUSH;
        this.#isReplying = false;
        this.#exchange!.dropReply();
      }
      const step = this.#goOnReplying(input, output);
      this.#isPaused = step === SessionStep.FLUSH;
      if (step !== SessionStep.NEED_INPUT) return step;
    }
    const result = this.#run(input, output);
    if (typeof result !== "number") return this.#resume(result, input, output);
    this.#isPaused = result === SessionStep.FLUSH;
    return result;
  }

  /** See {@link Session.close}. */
  close(): void {
    this.#successor?.close();
    if (this.#isReplying && this.#exchange !== null) {
      this.#exchange.noteCutOff();
      this.#service.answered(this.#exchange);
    }
    this.#releaseExchange();
  }

  /** Runs until there is a step to return, or a handler parks. */
  #run(input: InputBuffer, output: ByteWriter): SessionStep | Promise<void> {
    while (input.start < input.end) {
      const exchange = this.#exchange ??= this.#service.takeExchange(
        this.#client,
        this.#clientKey,
      );
      if (!this.#inRequest) this.#beginRequest(exchange, input);
      const result = this.#isComplete
        ? this.#answerComplete(exchange, input, output)
        : this.#read(exchange, input, output);
      if (result !== CONTINUE_BATCH) return result;
      const next = this.#finishRequest(exchange, input, output);
      if (next !== SessionStep.NEED_INPUT) return next;
    }
    this.#releaseExchange();
    return SessionStep.NEED_INPUT;
  }

  #beginRequest(exchange: HttpExchange, input: InputBuffer): void {
    this.#inRequest = true;
    this.#isLate = this.#service.phase.stopping;
    this.#continueSent = false;
    this.#isAdmitted = false;
    exchange.reset(this.#arrival);
    exchange.startedAtMs = this.#service.timesRequests ? performance.now() : 0;
    exchange.parser.begin(input);
  }

  /** Reads on, and answers if that completes the request or settles that it will be refused. */
  #read(
    exchange: HttpExchange,
    input: InputBuffer,
    output: ByteWriter,
  ): SessionStep | Promise<void> | typeof CONTINUE_BATCH {
    const service = this.#service;
    const { parser } = exchange;
    const step = parser.parse(input);
    this.#replyStart = output.length;
    exchange.begin(output);
    // The head is judged before anything of the body is, so that the answer is the same however
    // much of the body came with it.
    if (parser.headComplete && !this.#isAdmitted) {
      if (this.#isLate) return this.#refuseLate(exchange);
      const refusal = service.admit(exchange);
      if (refusal !== null) return refusal ?? CONTINUE_BATCH;
      this.#isAdmitted = true;
    }
    if (step !== ParseStep.COMPLETE) return this.#leave(exchange, step, output);
    if (output.length > 0 && service.mayTakeLong(exchange.request)) {
      this.#isComplete = true;
      return SessionStep.FLUSH;
    }
    return this.#answer(exchange, output);
  }

  #refuseLate(exchange: HttpExchange): SessionStep {
    this.#service.refuseLate(exchange);
    return this.#closing();
  }

  /** Leaves a request that is not all there, or that never will be. */
  #leave(exchange: HttpExchange, step: ParseStep, output: ByteWriter): SessionStep {
    if (step === ParseStep.FAILED) {
      this.#service.refuse(exchange, exchange.parser.failure);
      return this.#closing();
    }
    this.#continueIfAsked(exchange, output);
    exchange.shrink();
    return SessionStep.NEED_INPUT;
  }

  /** Answers a request in front of which everything has been written. */
  #answerComplete(
    exchange: HttpExchange,
    input: InputBuffer,
    output: ByteWriter,
  ): Promise<void> | typeof CONTINUE_BATCH {
    this.#isComplete = false;
    exchange.parser.follow(input);
    this.#replyStart = output.length;
    exchange.begin(output);
    return this.#answer(exchange, output);
  }

  #answer(
    exchange: HttpExchange,
    output: ByteWriter,
  ): Promise<void> | typeof CONTINUE_BATCH {
    try {
      return this.#service.answer(exchange) ?? CONTINUE_BATCH;
    } catch (error) {
      this.#fail(exchange, output, error);
      return CONTINUE_BATCH;
    }
  }

  /** Replaces whatever a handler had written before it threw. */
  #fail(exchange: HttpExchange, output: ByteWriter, error: unknown): void {
    output.length = this.#replyStart;
    exchange.dropReply();
    this.#service.failed(exchange, error);
  }

  /** Comes back when the parked request has been answered; the next call goes on. */
  async #resume(
    pending: Promise<void>,
    input: InputBuffer,
    output: ByteWriter,
  ): Promise<SessionStep> {
    const exchange = this.#exchange!;
    try {
      await pending;
    } catch (error) {
      this.#fail(exchange, output, error);
    }
    return this.#pause(this.#finishRequest(exchange, input, output), input);
  }

  /** Ends a call that waited: what is behind the request has its turn in the next one. */
  #pause(next: SessionStep, input: InputBuffer): SessionStep {
    if (next === SessionStep.CLOSE) return next;
    this.#isPaused = next === SessionStep.FLUSH || input.start < input.end;
    if (this.#isPaused) return SessionStep.FLUSH;
    this.#releaseExchange();
    return SessionStep.NEED_INPUT;
  }

  /** Puts the next piece of a body that comes from outside of memory into the output. */
  async #fetch(
    body: AsyncByteSource,
    input: InputBuffer,
    output: ByteWriter,
  ): Promise<SessionStep> {
    const exchange = this.#exchange!;
    const byteCount = Math.min(body.remaining, this.#pieceBytes());
    // Of a time when there was more room.
    if (output.length === 0 && output.bytes.length > 2 * byteCount) output.release();
    const start = output.reserve(byteCount);
    try {
      const piece = output.bytes.subarray(start, start + byteCount);
      output.length = start + await body.readNext(piece);
    } catch (error) {
      // The head is out: all that can be said is that this is not the whole body.
      this.#service.bodyFailed(error);
      exchange.noteCutOff();
      return this.#closing();
    }
    if (body.remaining > 0) return SessionStep.FLUSH;
    exchange.dropReply();
    this.#isReplying = false;
    return this.#pause(this.#goOnReplying(input, output), input);
  }

  /** How much of a body may be fetched: the less, the more is lent to others. A power of two. */
  #pieceBytes(): number {
    const { memory } = this.#client;
    if (memory === undefined) return BODY_PIECE_BYTES;
    const shareBytes = Math.max(memory.freeBytes / BODY_PIECE_SHARE, BODY_PIECE_MIN_BYTES);
    return Math.min(2 ** Math.floor(Math.log2(shareBytes)), BODY_PIECE_BYTES);
  }

  /** Goes on with a reply that is larger than the output may be. */
  #goOnReplying(input: InputBuffer, output: ByteWriter): SessionStep {
    const exchange = this.#exchange!;
    exchange.parser.follow(input);
    this.#replyStart = output.length;
    return this.#finishRequest(exchange, input, output);
  }

  /**
   * Takes an answered request from the input, once its reply is in the output as a whole. Returns
   * NEED_INPUT when the batch can go on.
   */
  #finishRequest(exchange: HttpExchange, input: InputBuffer, output: ByteWriter): SessionStep {
    const { stream } = exchange;
    if (exchange.successor !== undefined) return this.#succeed(exchange, input);
    if (exchange.body !== undefined || exchange.kept !== undefined) {
      this.#isReplying = true;
      return SessionStep.FLUSH;
    }
    if (stream.isPending) {
      this.#isReplying = !stream.fill(output, OUTPUT_PAUSE_BYTES);
      if (this.#isReplying) return SessionStep.FLUSH;
    }
    if (exchange.disposition === Disposition.CLOSE) return this.#closing();
    const { requestEnd } = exchange.parser;
    const byteCount = requestEnd - input.start + output.length - this.#replyStart;
    input.start = requestEnd;
    this.#inRequest = false;
    this.#service.answered(exchange);
    // What is behind it may have to see what it did.
    if (!exchange.isShared) this.#arrival = ++this.#service.arrivalCount;
    const pauses = this.#service.slice.spend(byteCount) || output.length > OUTPUT_PAUSE_BYTES;
    return pauses && input.start < input.end ? SessionStep.FLUSH : SessionStep.NEED_INPUT;
  }

  /** Leaves the connection to another protocol, which begins behind the request. */
  #succeed(exchange: HttpExchange, input: InputBuffer): SessionStep {
    this.#service.answered(exchange);
    this.#successor = exchange.successor;
    exchange.successor = undefined;
    input.start = exchange.parser.requestEnd;
    this.#inRequest = false;
    this.#releaseExchange();
    return SessionStep.FLUSH;
  }

  /** Tells a client that waits for it to send the body. */
  #continueIfAsked(exchange: HttpExchange, output: ByteWriter): void {
    if (!exchange.parser.headComplete || !exchange.request.expectsContinue) return;
    if (this.#continueSent) return;
    this.#continueSent = true;
    output.copy(CONTINUE);
  }

  #closing(): SessionStep {
    this.#inRequest = false;
    this.#isComplete = false;
    this.#isReplying = false;
    if (this.#exchange !== null) this.#service.answered(this.#exchange);
    this.#releaseExchange();
    return SessionStep.CLOSE;
  }

  #releaseExchange(): void {
    if (this.#exchange === null) return;
    this.#service.giveExchange(this.#exchange);
    this.#exchange = null;
  }
}
