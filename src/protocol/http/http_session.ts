/**
 * One connection's conversation in HTTP/1.1 or HTTP/1.0.
 *
 * @module
 */

import type { ByteWriter, InputBuffer } from "../../base/bytes.ts";
import { BatchSlice } from "../batch_slice.ts";
import { OUTPUT_PAUSE_BYTES, type Session, SessionStep } from "../session.ts";
import { encodeText } from "./characters.ts";
import { Disposition } from "./disposition.ts";
import type { HttpExchange } from "./exchange.ts";
import type { HttpService } from "./http_service.ts";
import { ParseStep } from "./parse_step.ts";

const CONTINUE = encodeText("HTTP/1.1 100 Continue\r\n\r\n");

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
  #exchange: HttpExchange | null = null;
  /** Whether the exchange's parser has begun with a request. */
  #inRequest = false;
  /** Whether that request started while the server was stopping. */
  #isLate = false;
  #continueSent = false;
  readonly #slice = new BatchSlice();
  /** Output in front of the request's reply. Unit: bytes. */
  #replyStart = 0;

  /**
   * Starts a conversation.
   *
   * @param service what all sessions of the thread share
   */
  constructor(service: HttpService) {
    this.#service = service;
  }

  /** See {@link Session.midRequest}. */
  get midRequest(): boolean {
    return this.#inRequest && this.#exchange !== null && this.#exchange.parser.hasStarted;
  }

  /** See {@link Session.midBody}. */
  get midBody(): boolean {
    return this.midRequest && this.#exchange!.parser.headComplete;
  }

  /** See {@link Session.process}. */
  process(input: InputBuffer, output: ByteWriter): SessionStep | Promise<SessionStep> {
    this.#service.beginBatch();
    this.#slice.begin();
    const result = this.#run(input, output);
    return typeof result === "number" ? result : this.#resume(result, input, output);
  }

  /** See {@link Session.close}. */
  close(): void {
    this.#releaseExchange();
  }

  /** Runs until there is a step to return, or a handler parks. */
  #run(input: InputBuffer, output: ByteWriter): SessionStep | Promise<void> {
    while (input.start < input.end) {
      const exchange = this.#exchange ??= this.#service.takeExchange();
      const { parser } = exchange;
      if (!this.#inRequest) {
        this.#inRequest = true;
        this.#isLate = this.#service.phase.stopping;
        this.#continueSent = false;
        parser.begin(input);
      }
      const step = parser.parse(input);
      this.#replyStart = output.length;
      exchange.begin(output);
      if (step === ParseStep.FAILED) {
        this.#service.refuse(exchange, parser.failure);
        return this.#closing();
      }
      if (this.#isLate && parser.headComplete) {
        this.#service.refuseLate(exchange);
        return this.#closing();
      }
      if (step === ParseStep.INCOMPLETE) {
        this.#continueIfAsked(exchange, output);
        return SessionStep.NEED_INPUT;
      }
      const pending = this.#service.answer(exchange);
      if (pending !== undefined) return pending;
      const next = this.#finishRequest(exchange, input, output);
      if (next !== SessionStep.NEED_INPUT) return next;
    }
    this.#releaseExchange();
    return SessionStep.NEED_INPUT;
  }

  /** Goes on when the parked request has been answered. */
  async #resume(
    pending: Promise<void>,
    input: InputBuffer,
    output: ByteWriter,
  ): Promise<SessionStep> {
    for (;;) {
      await pending;
      this.#service.beginBatch();
      const next = this.#finishRequest(this.#exchange!, input, output);
      if (next !== SessionStep.NEED_INPUT) return next;
      const result = this.#run(input, output);
      if (typeof result === "number") return result;
      pending = result;
    }
  }

  /** Takes an answered request from the input. Returns NEED_INPUT when the batch can go on. */
  #finishRequest(exchange: HttpExchange, input: InputBuffer, output: ByteWriter): SessionStep {
    const { requestEnd } = exchange.parser;
    const byteCount = requestEnd - input.start + output.length - this.#replyStart;
    input.start = requestEnd;
    this.#inRequest = false;
    if (exchange.disposition === Disposition.CLOSE) return this.#closing();
    const pauses = this.#slice.spend(byteCount) || output.length > OUTPUT_PAUSE_BYTES;
    return pauses && input.start < input.end ? SessionStep.FLUSH : SessionStep.NEED_INPUT;
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
    this.#releaseExchange();
    return SessionStep.CLOSE;
  }

  #releaseExchange(): void {
    if (this.#exchange === null) return;
    this.#service.giveExchange(this.#exchange);
    this.#exchange = null;
  }
}
