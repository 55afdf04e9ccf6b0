/**
 * One connection that speaks Protobuf.
 *
 * @module
 */

import type { ByteWriter, InputBuffer } from "../../base/bytes.ts";
import { PROTO_MAX_UNAUTHENTICATED_BYTES } from "../../base/limits.ts";
import { MAX_WRONG_PASSWORDS } from "../../command/authenticator.ts";
import { type ClientOrigin, ClientState } from "../../command/client_state.ts";
import { BatchSlice } from "../batch_slice.ts";
import { OUTPUT_PAUSE_BYTES, type Session, SessionStep } from "../session.ts";
import { FrameReader, FrameStatus } from "./framing.ts";
import { type ClientMessage, ErrorCode } from "./messages.ts";
import type { ProtoService } from "./proto_service.ts";

/** How HTTP requests begin; no message of ours does. */
const HTTP_METHODS = ["GET ", "POST ", "PUT ", "HEAD ", "DELETE ", "OPTIONS ", "PATCH "];

/**
 * Executes the messages of one connection, in order, into one output.
 *
 * Bytes that are no message are answered with an error and cost nothing else, as long as it is known
 * where the next message starts. A message that began to arrive before the server began to stop is
 * executed; later ones are refused and the connection closes.
 *
 * Without a framing a read is a message: bytes that end too early are an error, unless they filled
 * the whole buffer, which shows that the rest is on its way; and two messages that arrive in one
 * read are one message, in which the last one counts.
 *
 * Thread: belongs to one connection.
 */
export class ProtoSession implements Session {
  readonly #service: ProtoService;
  readonly #client: ClientState;
  readonly #frame = new FrameReader();
  readonly #isDelimited: boolean;
  readonly #slice = new BatchSlice();
  #midRequest = false;
  #midBody = false;
  /** Whether no message has come yet. */
  #isFirst = true;
  /** The message under way began before the server was told to stop, so it is still served. */
  #admitted = false;
  /** A message that waits until the replies in front of it are written. */
  #held: ClientMessage | null = null;
  /** What the message that waits took from the input and where its reply starts. Unit: bytes. */
  #spentBytes = 0;

  /**
   * Begins a conversation.
   *
   * @param origin what is known of the connection
   */
  constructor(service: ProtoService, origin: ClientOrigin) {
    const { framing, authenticator } = service.options;
    this.#service = service;
    this.#isDelimited = framing === "delimited";
    this.#client = new ClientState(origin, !authenticator.required);
  }

  /** See {@link Session.midRequest}. */
  get midRequest(): boolean {
    return this.#midRequest;
  }

  /** See {@link Session.midBody}; the head of a message is its length. */
  get midBody(): boolean {
    return this.#midBody;
  }

  /** See {@link Session.process}. */
  process(
    input: InputBuffer,
    output: ByteWriter,
    untilMs?: number,
  ): SessionStep | Promise<SessionStep> {
    this.#service.beginBatch();
    this.#slice.begin(untilMs);
    this.#midRequest = false;
    this.#midBody = false;
    const result = this.#run(input, output);
    if (typeof result !== "number") return this.#resume(result, input);
    this.#settle();
    return result;
  }

  /** See {@link Session.close}; a session borrows nothing. */
  close(): void {}

  /** Runs until there is a step to return, or a message has to wait. */
  #run(input: InputBuffer, output: ByteWriter): SessionStep | Promise<void> {
    const held = this.#held;
    if (held !== null) {
      this.#held = null;
      const result = this.#service.execute(held, this.#client, output);
      if (result !== undefined) return result;
    }
    while (input.start < input.end) {
      if (output.length >= OUTPUT_PAUSE_BYTES) return SessionStep.FLUSH;
      const status = this.#find(input);
      if (status === FrameStatus.IN_LENGTH || status === FrameStatus.IN_MESSAGE) {
        this.#midRequest = true;
        this.#midBody = status === FrameStatus.IN_MESSAGE;
        return SessionStep.NEED_INPUT;
      }
      if (status !== FrameStatus.COMPLETE) return this.#lose(status, output);
      const before = output.length;
      const result = this.#execute(input, output);
      if (typeof result !== "number") return result;
      if (result !== SessionStep.NEED_INPUT || this.#midRequest) return result;
      if (this.#pauses(output.length - before, input)) return SessionStep.FLUSH;
    }
    return SessionStep.NEED_INPUT;
  }

  /** Nobody without the password can make the server hold a large message. */
  get #maxMessageBytes(): number {
    const { maxRequestBytes } = this.#service.options;
    return this.#client.authenticated
      ? maxRequestBytes
      : Math.min(maxRequestBytes, PROTO_MAX_UNAUTHENTICATED_BYTES);
  }

  #find(input: InputBuffer): FrameStatus {
    const frame = this.#frame;
    const maxBytes = this.#maxMessageBytes;
    if (this.#isDelimited) return frame.find(input, maxBytes);
    frame.start = input.start;
    frame.end = input.end;
    return input.length > maxBytes ? FrameStatus.TOO_LARGE : FrameStatus.COMPLETE;
  }

  /** Executes the message found. NEED_INPUT means that the batch can go on. */
  #execute(input: InputBuffer, output: ByteWriter): SessionStep | Promise<void> {
    const service = this.#service;
    const { options, decoder } = service;
    const { start, end } = this.#frame;
    if (options.phase.stopping && !this.#admitted) {
      this.#count();
      service.refuseLate(output);
      return SessionStep.CLOSE;
    }
    if (this.#isFirst && isHttp(input)) {
      options.onCrossProtocol?.(this.#client);
      this.#count();
      service.sendError(output, ErrorCode.MALFORMED, "this port speaks Protobuf, not HTTP");
      return SessionStep.CLOSE;
    }
    const message = decoder.decode(input.bytes, start, end);
    if (
      message === null && decoder.isCut && !this.#isDelimited && input.end === input.bytes.length
    ) {
      this.#midRequest = true;
      this.#midBody = true;
      return SessionStep.NEED_INPUT;
    }
    this.#isFirst = false;
    this.#admitted = false;
    this.#spentBytes = end - input.start;
    input.start = end;
    this.#count();
    if (message === null) {
      service.sendError(output, ErrorCode.MALFORMED, decoder.defect);
      return SessionStep.NEED_INPUT;
    }
    if (output.length > 0 && service.mayTakeLong(message)) {
      this.#held = message;
      return SessionStep.FLUSH;
    }
    return service.execute(message, this.#client, output) ?? SessionStep.NEED_INPUT;
  }

  /** Says why nobody can tell where the next message starts. */
  #lose(status: FrameStatus, output: ByteWriter): SessionStep {
    this.#count();
    if (status === FrameStatus.BAD_LENGTH) {
      this.#service.sendError(
        output,
        ErrorCode.MALFORMED,
        "the length in front of the message is not a varint of 32 bits",
      );
    } else {
      const when = this.#client.authenticated ? "" : "before the password ";
      this.#service.sendError(
        output,
        ErrorCode.TOO_LARGE,
        `${when}a message has at most ${this.#maxMessageBytes} bytes`,
      );
    }
    return SessionStep.CLOSE;
  }

  /** Comes back when the message that had to wait is answered; the next call goes on. */
  async #resume(pending: Promise<void>, input: InputBuffer): Promise<SessionStep> {
    await pending;
    if (this.#client.wrongPasswords >= MAX_WRONG_PASSWORDS) return SessionStep.CLOSE;
    return input.start < input.end ? SessionStep.FLUSH : SessionStep.NEED_INPUT;
  }

  /** Whether others should have their turn before the rest of the input. */
  #pauses(replyBytes: number, input: InputBuffer): boolean {
    return this.#slice.spend(this.#spentBytes + replyBytes) && input.start < input.end;
  }

  /** Remembers that a message began in time. */
  #settle(): void {
    if (this.#midRequest && !this.#service.options.phase.stopping) this.#admitted = true;
  }

  #count(): void {
    const { counters, messagesProcessed } = this.#service.options;
    counters.add(messagesProcessed);
  }
}

/**
 * Whether the input begins as an HTTP request does. A web page can make a browser send one here,
 * with messages in its body, so the connection must end before the body is read.
 */
function isHttp({ bytes, start, end }: InputBuffer): boolean {
  return HTTP_METHODS.some((method) => {
    if (end - start < method.length) return false;
    for (let i = 0; i < method.length; i++) {
      if (bytes[start + i] !== method.charCodeAt(i)) return false;
    }
    return true;
  });
}
