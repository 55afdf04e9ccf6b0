/**
 * One connection's conversation over WebSocket, behind its handshake.
 *
 * @module
 */

import type { ByteWriter, InputBuffer } from "../../base/bytes.ts";
import type { CounterSink } from "../../command/counters.ts";
import type { ServerPhase } from "../../command/phase.ts";
import type { PushTarget } from "../../command/pubsub/subscriber.ts";
import { BatchSlice } from "../batch_slice.ts";
import { OUTPUT_PAUSE_BYTES, type Session, SessionStep } from "../session.ts";
import { CloseCode, isSendableCode } from "./close_code.ts";
import { appendClose, appendFrame, appendFrameHead, closeFrame, Opcode } from "./frame.ts";
import { PING_AFTER_S, PONG_WITHIN_S } from "./limits.ts";
import { MessageReader, ReadStep } from "./message_reader.ts";
import { StuckWatch } from "./stuck_watch.ts";
import { Utf8Checker } from "./utf8_checker.ts";

/**
 * Instead of an answer: replies that are ready should be written first; the same message comes again
 * then.
 */
export const WRITE_FIRST: "write first" = "write first" as const;

/** Who answers the messages of one connection. Thread: the connection's. */
export interface MessageHandler {
  /** Told that messages follow in this turn of the event loop. */
  beginBatch(): void;
  /**
   * Answers the text message `bytes[start, end)`, which is UTF-8, with whole frames.
   *
   * @param output to append them to, before or behind an await
   * @returns {@link WRITE_FIRST} only when there is output already
   */
  receive(
    bytes: Uint8Array,
    start: number,
    end: number,
    output: ByteWriter,
  ): void | typeof WRITE_FIRST | Promise<void>;
  /** Told once that no message follows, and that none may be sent. */
  close(): void;
}

/** Ids of the counters of WebSocket connections. */
export interface WebSocketCounterIds {
  /** Open connections. */
  readonly connections: number;
  /** Messages received. */
  readonly messagesIn: number;
}

/** Why a client is cut off: it answers no ping, or does not take what it is sent. */
export type StreamDefect = "no_pong" | "slow";

/** What a {@link WebSocketSession} is made from. */
export interface WebSocketOptions {
  /** The server's phase. */
  readonly phase: ServerPhase;
  /** Longest message. Unit: bytes. */
  readonly maxMessageBytes: number;
  /** This thread's counters. */
  readonly counters: CounterSink;
  /** Where to count. */
  readonly counterIds: WebSocketCounterIds;
  /** Where to push pings. */
  readonly target: PushTarget;
  /** Told that the client is about to be cut off. */
  readonly onCutOff?: (defect: StreamDefect) => void;
  /** Told that the session is over. */
  readonly onClose?: () => void;
}

const STOPPING_REASON = "the server is stopping";
const FAREWELL = closeFrame(CloseCode.GOING_AWAY, STOPPING_REASON);
const TIMEOUT_REPLY = closeFrame(CloseCode.POLICY, "the message came too slowly");
const NO_PAYLOAD = new Uint8Array(0);

/**
 * Executes every complete message in the input, in order, into one output.
 *
 * A client that breaks the protocol is told how in a Close frame, and nothing that it sent behind is
 * looked at. Its own Close frame is answered with the same code. Either way the server closes its
 * side behind the frame, and waits a moment for the client to do the same.
 *
 * Thread: belongs to one connection.
 */
export class WebSocketSession implements Session {
  readonly #options: WebSocketOptions;
  readonly #handler: MessageHandler;
  readonly #reader: MessageReader;
  readonly #slice = new BatchSlice();
  readonly #text = new Utf8Checker();
  /** Whether a part of a frame or of a message is waiting for the rest. */
  #midRequest = false;
  /** Whether a message is being answered after an await: nothing is read meanwhile. */
  #isWaiting = false;
  #isOver = false;
  /** How often {@link WebSocketSession.beat} was called since something came. */
  #silentBeats = 0;
  readonly #stuck: StuckWatch;
  /** Output in front of the message's reply. Unit: bytes. */
  #replyStart = 0;

  /** Starts behind the handshake. */
  constructor(options: WebSocketOptions, handler: MessageHandler) {
    this.#options = options;
    this.#handler = handler;
    this.#reader = new MessageReader(options.maxMessageBytes);
    this.#stuck = new StuckWatch(options.target);
    // Pings tell whether somebody is there, however long nobody has anything to say.
    options.target.isSubscriber = true;
    options.counters.add(options.counterIds.connections);
  }

  /** See {@link Session.midRequest}. */
  get midRequest(): boolean {
    return this.#midRequest;
  }

  /** See {@link Session.midBody}; a message has no head worth a timeout of its own. */
  get midBody(): boolean {
    return this.#midRequest;
  }

  /** See {@link Session.farewell}. */
  get farewell(): Uint8Array<ArrayBuffer> {
    return FAREWELL;
  }

  /** See {@link Session.timeoutReply}. */
  get timeoutReply(): Uint8Array<ArrayBuffer> {
    return TIMEOUT_REPLY;
  }

  /** See {@link Session.process}. */
  process(
    input: InputBuffer,
    output: ByteWriter,
    untilMs?: number,
  ): SessionStep | Promise<SessionStep> {
    this.#silentBeats = 0;
    this.#slice.begin(untilMs);
    this.#handler.beginBatch();
    const result = this.#run(input, output);
    return typeof result === "number" ? result : this.#resume(result, input, output);
  }

  /** See {@link Session.close}. */
  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { counters, counterIds, onClose } = this.#options;
    counters.add(counterIds.connections, -1);
    this.#handler.close();
    onClose?.();
  }

  /**
   * To be called once a second: pings a client that has been silent for long, and cuts it off when
   * it does not answer, or does not take what it was sent.
   */
  beat(): void {
    if (this.#isOver) return;
    const { target } = this.#options;
    if (this.#stuck.beat()) return this.#cutOff("slow");
    // While a message waits nothing is read, and what was not sent yet cannot be answered.
    if (this.#isWaiting || this.#silentBeats >= PING_AFTER_S && target.pendingBytes > 0) return;
    this.#silentBeats++;
    if (this.#silentBeats === PING_AFTER_S) {
      appendFrameHead(target.writer, Opcode.PING, 0);
      target.wake();
    } else if (this.#silentBeats > PING_AFTER_S + PONG_WITHIN_S) {
      this.#cutOff("no_pong");
    }
  }

  /** To be called when nothing waited for the client, and something more is pushed. */
  noteProgress(): void {
    this.#stuck.noteProgress();
  }

  #cutOff(defect: StreamDefect): void {
    this.#options.onCutOff?.(defect);
    this.#options.target.cutOff();
  }

  /** Runs until there is a step to return, or a message has to wait. */
  #run(input: InputBuffer, output: ByteWriter): SessionStep | Promise<void> {
    const reader = this.#reader;
    for (;;) {
      if (output.length >= OUTPUT_PAUSE_BYTES) return SessionStep.FLUSH;
      const inputStart = input.start;
      this.#replyStart = output.length;
      const step = reader.next(input);
      switch (step) {
        case ReadStep.NEED_INPUT:
          return this.#leave(input, output);
        case ReadStep.FAILED:
          return this.#closing(output, reader.failure.code, reader.failure.reason);
        case ReadStep.CLOSE:
          return this.#answerClose(input, output);
        case ReadStep.MESSAGE: {
          const result = this.#answer(input, output);
          if (result === WRITE_FIRST) return SessionStep.FLUSH;
          if (result !== undefined) return result;
          break;
        }
        case ReadStep.PING: {
          const start = reader.payloadStart(input);
          appendFrame(output, Opcode.PONG, input.bytes, start, start + reader.payloadBytes);
          break;
        }
        case ReadStep.WORKING:
        case ReadStep.PONG:
      }
      if (step !== ReadStep.WORKING) reader.consume(input);
      const byteCount = input.start - inputStart + output.length - this.#replyStart;
      // One that is not counted by its bytes took many frames.
      const isLong = step === ReadStep.WORKING ? LONG_STEP_BYTES : 0;
      if (this.#slice.spend(byteCount + isLong) && input.start < input.end) {
        return SessionStep.FLUSH;
      }
    }
  }

  #answer(input: InputBuffer, output: ByteWriter): void | typeof WRITE_FIRST | Promise<void> {
    const reader = this.#reader;
    const start = reader.payloadStart(input);
    const result = this.#handler.receive(
      input.bytes,
      start,
      start + reader.payloadBytes,
      output,
    );
    if (result !== WRITE_FIRST) this.#options.counters.add(this.#options.counterIds.messagesIn);
    return result;
  }

  /** Comes back when the message that had to wait is answered; the next call goes on. */
  async #resume(
    pending: Promise<void>,
    input: InputBuffer,
    output: ByteWriter,
  ): Promise<SessionStep> {
    this.#isWaiting = true;
    try {
      await pending;
    } finally {
      this.#isWaiting = false;
      this.#silentBeats = 0;
    }
    this.#reader.consume(input);
    return input.start < input.end ? SessionStep.FLUSH : this.#leave(input, output);
  }

  /** Everything that is whole is answered. */
  #leave(input: InputBuffer, output: ByteWriter): SessionStep {
    this.#midRequest = this.#reader.isInMessage || input.start < input.end;
    if (!this.#options.phase.stopping) return SessionStep.NEED_INPUT;
    // Whatever it sends from now on would be refused.
    return this.#closing(output, CloseCode.GOING_AWAY, STOPPING_REASON);
  }

  #answerClose(input: InputBuffer, output: ByteWriter): SessionStep {
    const { payloadBytes } = this.#reader;
    const start = this.#reader.payloadStart(input);
    const { bytes } = input;
    if (payloadBytes === 0) {
      appendFrame(output, Opcode.CLOSE, NO_PAYLOAD);
      return this.#over();
    }
    const code = payloadBytes === 1 ? -1 : bytes[start]! << 8 | bytes[start + 1]!;
    if (!isSendableCode(code)) {
      return this.#closing(output, CloseCode.PROTOCOL_ERROR, "no such close code");
    }
    this.#text.reset();
    if (!this.#text.take(bytes, start + 2, start + payloadBytes) || !this.#text.isComplete) {
      return this.#closing(output, CloseCode.INVALID_TEXT, "the reason is not UTF-8");
    }
    return this.#closing(output, code);
  }

  #closing(output: ByteWriter, code: number, reason = ""): SessionStep {
    appendClose(output, code, reason);
    return this.#over();
  }

  /** Nothing may follow the Close frame. */
  #over(): SessionStep {
    this.#midRequest = false;
    this.close();
    return SessionStep.CLOSE;
  }
}

/** What many small frames weigh. Unit: bytes. */
const LONG_STEP_BYTES = 8192;
