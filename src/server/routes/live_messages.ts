/**
 * What is said over a WebSocket: one JSON object a message.
 *
 * ```text
 * {"type":"event","user":"alice","action":"buy","amount":5,"ref":1}
 *                                             {"type":"reply","ref":1,"status":"accepted"}
 * {"type":"metrics","interval_ms":250}
 *                                             {"type":"reply","status":"subscribed","interval_ms":250}
 *                                             {"type":"metrics","at":1792595412345,"metrics":{…}}
 * ```
 *
 * Every message has exactly one reply, in order; `docs/websocket.md` says which.
 *
 * @module
 */

import { ByteWriter } from "../../base/bytes.ts";
import { ByteSlice, EventFields } from "../../base/job.ts";
import { EVENT_WAIT_MAX_MS } from "../../base/limits.ts";
import type { CounterSink } from "../../command/counters.ts";
import type { PushTarget } from "../../command/pubsub/subscriber.ts";
import { EventOutcome } from "../../command/event_intake.ts";
import type { Settlement } from "../../command/event_waits.ts";
import { encodeText, equalBytes, QUOTE } from "../../protocol/http/characters.ts";
import { EventJsonDecoder } from "../../protocol/http/event_json.ts";
import { JsonKind, type JsonToken } from "../../protocol/http/json_scanner.ts";
import { appendFrame, Opcode } from "../../protocol/websocket/frame.ts";
import { type MessageHandler, WRITE_FIRST } from "../../protocol/websocket/websocket_session.ts";
import { type EventOffer, gateReply, REFUSAL_REASONS } from "./event_offer.ts";
import {
  DEFAULT_INTERVAL_MS,
  type LiveMetrics,
  MAX_INTERVAL_MS,
  type MetricsSnapshot,
  type MetricsViewer,
  MIN_INTERVAL_MS,
} from "./live_metrics.ts";
import { writeOutcome } from "./replies.ts";

/** Longest `ref`. Unit: bytes, as they were sent, without quotes. */
export const MAX_REF_BYTES = 128;

const EVENT = encodeText("event");
const METRICS = encodeText("metrics");
const REF_RULE = `ref must be an integer or a string, of at most ${MAX_REF_BYTES} bytes`;
const WAIT_RULE = `wait_ms must be an integer from 0 to ${EVENT_WAIT_MAX_MS}`;
const INTERVAL_RULE =
  `interval_ms must be 0 or an integer from ${MIN_INTERVAL_MS} to ${MAX_INTERVAL_MS}`;
const TYPE_RULE = `type must be "event" or "metrics"`;

/** No number that anybody accepts has more digits. */
const MAX_NUMBER_DIGITS = 9;

const NO_REF = new ByteSlice();

/** Ids of the counters of messages. */
export interface LiveCounterIds {
  /** Messages sent. */
  readonly messagesOut: number;
  /** Clients that watch the counters. */
  readonly viewers: number;
}

/** What {@link LiveMessages} is made from. */
export interface LiveMessagesOptions {
  /** Where events go. */
  readonly intake: EventOffer;
  /** What viewers are shown. */
  readonly live: LiveMetrics;
  /** This thread's counters. */
  readonly counters: CounterSink;
  /** Where to count. */
  readonly counterIds: LiveCounterIds;
  /** Time of day, ms since the epoch; `Date.now` when left out. */
  readonly clock?: () => number;
}

/**
 * What the conversations of one thread share.
 *
 * Thread: one I/O thread.
 */
export class LiveMessages {
  readonly #options: LiveMessagesOptions;
  readonly #decoder: EventJsonDecoder;
  readonly #event = new EventFields("websocket");
  readonly #scratch = new ByteWriter(256);
  /** `ref` of the message under way, as it was sent. */
  readonly #ref = new ByteSlice();
  #nowMs = 0;

  /** Serves nobody yet. */
  constructor(options: LiveMessagesOptions) {
    this.#options = options;
    this.#decoder = new EventJsonDecoder(["ref", "wait_ms", "interval_ms"], options.intake.gate);
  }

  /** Begins to talk to a client. */
  converse(target: PushTarget, noteProgress: () => void): LiveConversation {
    return new LiveConversation(this, this.#options, target, noteProgress);
  }

  /** Takes the time once for the messages that follow in this turn of the event loop. */
  beginBatch(): void {
    this.#nowMs = (this.#options.clock ?? Date.now)();
  }

  /** Answers one message; see {@link MessageHandler.receive}. */
  receive(
    viewer: LiveConversation,
    bytes: Uint8Array,
    start: number,
    end: number,
    output: ByteWriter,
  ): void | typeof WRITE_FIRST | Promise<void> {
    const decoder = this.#decoder;
    if (!decoder.scan(bytes, start, end)) {
      this.#options.intake.countInvalid();
      return this.#sendError(output, NO_REF, "invalid_json");
    }
    const [refToken, wait, interval] = decoder.extras as [JsonToken, JsonToken, JsonToken];
    const ref = this.#ref;
    if (!takeRef(bytes, refToken, ref)) {
      return this.#sendError(output, NO_REF, "invalid_ref", REF_RULE);
    }
    const { type } = decoder;
    if (type.kind === JsonKind.STRING) {
      if (equalBytes(bytes, type.start, type.end, EVENT)) {
        return this.#offer(bytes, ref, wait, output);
      }
      if (equalBytes(bytes, type.start, type.end, METRICS)) {
        return this.#watch(viewer, ref, integerOf(bytes, interval), output);
      }
    }
    this.#sendError(output, ref, "unknown_type", TYPE_RULE);
  }

  #offer(
    bytes: Uint8Array,
    ref: ByteSlice,
    wait: JsonToken,
    output: ByteWriter,
  ): void | typeof WRITE_FIRST | Promise<void> {
    const { intake } = this.#options;
    const waitMs = integerOf(bytes, wait) ?? 0;
    if (!(waitMs >= 0 && waitMs <= EVENT_WAIT_MAX_MS)) {
      intake.countInvalid();
      return this.#sendError(output, ref, "invalid_wait", WAIT_RULE);
    }
    if (waitMs > 0 && output.length > 0) return WRITE_FIRST;
    const event = this.#event;
    const defect = this.#decoder.read(event);
    if (defect !== undefined) {
      intake.countInvalid();
      return this.#sendError(output, ref, "invalid_event", defect);
    }
    const refusal = this.#decoder.admit(event);
    if (refusal !== undefined) {
      intake.countInvalid();
      const { reason, detail } = gateReply(refusal);
      return this.#sendError(output, ref, reason, detail);
    }
    event.acceptedAtMs = this.#nowMs;
    const outcome = waitMs === 0 ? intake.offer(event) : intake.offerWaiting(event, waitMs);
    // While the client waits, others use everything that is shared.
    if (typeof outcome !== "number") return this.#replyLater(copyOf(ref), outcome, output);
    this.#replyTo(ref, outcome, output);
  }

  #replyTo(ref: ByteSlice, outcome: EventOutcome, output: ByteWriter): void {
    if (outcome === EventOutcome.ACCEPTED) return this.#reply(output, ref, "accepted");
    const scratch = this.#beginReply(ref, "rejected");
    scratch.ascii(`,"reason":"${REFUSAL_REASONS[outcome]}"`);
    if (outcome === EventOutcome.SERVER_BUSY) {
      scratch.ascii(`,"retry_after_ms":`);
      scratch.integer(this.#options.intake.retryAfterMs());
    }
    this.#endReply(output);
  }

  async #replyLater(
    ref: ByteSlice,
    waiting: Promise<Settlement>,
    output: ByteWriter,
  ): Promise<void> {
    const settlement = await waiting;
    if (settlement.kind === "pending") return this.#reply(output, ref, "accepted");
    const scratch = this.#beginReply(ref, settlement.kind);
    if (settlement.kind === "processed") {
      writeOutcome(scratch, settlement.balance, settlement.result);
    } else {
      scratch.utf8(`,"reason":${JSON.stringify(settlement.reason)}`);
    }
    this.#endReply(output);
  }

  #watch(
    viewer: LiveConversation,
    ref: ByteSlice,
    intervalMs: number | undefined,
    output: ByteWriter,
  ): void {
    const wantedMs = intervalMs ?? DEFAULT_INTERVAL_MS;
    if (wantedMs === 0) {
      viewer.stopWatching();
      return this.#reply(output, ref, "unsubscribed");
    }
    if (!(wantedMs >= MIN_INTERVAL_MS && wantedMs <= MAX_INTERVAL_MS)) {
      return this.#sendError(output, ref, "invalid_interval", INTERVAL_RULE);
    }
    const scratch = this.#beginReply(ref, "subscribed");
    scratch.ascii(`,"interval_ms":`);
    scratch.integer(viewer.watch(wantedMs));
    this.#endReply(output);
    // The first ones at once: nobody wants to look at nothing for an interval.
    output.copy(this.#options.live.current().frame);
    this.#countOut();
  }

  #reply(output: ByteWriter, ref: ByteSlice, status: string): void {
    this.#beginReply(ref, status);
    this.#endReply(output);
  }

  /** `{"type":"reply","ref":…,"status":…`; `}` is missing. */
  #beginReply(ref: ByteSlice, status: string): ByteWriter {
    const scratch = this.#begin("reply", ref);
    scratch.ascii(`,"status":"`);
    scratch.ascii(status);
    scratch.byte(QUOTE);
    return scratch;
  }

  #sendError(output: ByteWriter, ref: ByteSlice, reason: string, detail?: string): void {
    const scratch = this.#begin("error", ref);
    scratch.ascii(`,"reason":"${reason}"`);
    if (detail !== undefined) scratch.utf8(`,"detail":${JSON.stringify(detail)}`);
    this.#endReply(output);
  }

  #begin(type: string, ref: ByteSlice): ByteWriter {
    const scratch = this.#scratch;
    scratch.clear();
    scratch.ascii(`{"type":"`);
    scratch.ascii(type);
    scratch.byte(QUOTE);
    if (ref.length > 0) {
      scratch.ascii(`,"ref":`);
      scratch.copy(ref.bytes, ref.start, ref.end);
    }
    return scratch;
  }

  #endReply(output: ByteWriter): void {
    const scratch = this.#scratch;
    scratch.ascii("}");
    appendFrame(output, Opcode.TEXT, scratch.bytes, 0, scratch.length);
    this.#countOut();
  }

  #countOut(): void {
    this.#options.counters.add(this.#options.counterIds.messagesOut);
  }
}

/**
 * The conversation with one client.
 *
 * Thread: belongs to one connection.
 */
export class LiveConversation implements MessageHandler, MetricsViewer {
  readonly #messages: LiveMessages;
  readonly #options: LiveMessagesOptions;
  readonly #target: PushTarget;
  readonly #noteProgress: () => void;
  #isWatching = false;

  /** Made by {@link LiveMessages.converse}. */
  constructor(
    messages: LiveMessages,
    options: LiveMessagesOptions,
    target: PushTarget,
    noteProgress: () => void,
  ) {
    this.#messages = messages;
    this.#options = options;
    this.#target = target;
    this.#noteProgress = noteProgress;
  }

  /** See {@link MessageHandler.beginBatch}. */
  beginBatch(): void {
    this.#messages.beginBatch();
  }

  /** See {@link MessageHandler.receive}. */
  receive(
    bytes: Uint8Array,
    start: number,
    end: number,
    output: ByteWriter,
  ): void | typeof WRITE_FIRST | Promise<void> {
    return this.#messages.receive(this, bytes, start, end, output);
  }

  /**
   * Is shown the counters from now on.
   *
   * @returns the interval that it gets. Unit: ms
   */
  watch(intervalMs: number): number {
    const { live, counters, counterIds } = this.#options;
    if (!this.#isWatching) counters.add(counterIds.viewers);
    this.#isWatching = true;
    return live.join(this, intervalMs);
  }

  /** Is shown nothing more. */
  stopWatching(): void {
    if (!this.#isWatching) return;
    const { live, counters, counterIds } = this.#options;
    this.#isWatching = false;
    counters.add(counterIds.viewers, -1);
    live.leave(this);
  }

  /** See {@link MetricsViewer.show}. */
  show(snapshot: MetricsSnapshot): void {
    const target = this.#target;
    // Who is slow is shown fewer of them, not old ones.
    if (target.pendingBytes > 0) return;
    const { counters, counterIds } = this.#options;
    this.#noteProgress();
    target.writer.copy(snapshot.frame);
    target.wake();
    counters.add(counterIds.messagesOut);
  }

  /** See {@link MessageHandler.close}. */
  close(): void {
    this.stopWatching();
  }
}

/** Finds the value of `ref` as it was sent, quotes included; empty when there is none. */
function takeRef(bytes: Uint8Array, { kind, start, end }: JsonToken, ref: ByteSlice): boolean {
  ref.clear();
  if (kind === JsonKind.MISSING) return true;
  if (end - start > MAX_REF_BYTES) return false;
  if (kind === JsonKind.INTEGER) ref.set(bytes, start, end);
  else if (kind === JsonKind.STRING) ref.set(bytes, start - 1, end + 1);
  return ref.length > 0;
}

function copyOf({ bytes, start, end }: ByteSlice): ByteSlice {
  const copy = new ByteSlice();
  const copied = bytes.slice(start, end);
  copy.set(copied, 0, copied.length);
  return copy;
}

/** An integer in few digits; undefined when there is no value, NaN when it is something else. */
function integerOf(bytes: Uint8Array, { kind, start, end }: JsonToken): number | undefined {
  if (kind === JsonKind.MISSING) return undefined;
  if (kind !== JsonKind.INTEGER || end - start > MAX_NUMBER_DIGITS) return NaN;
  return Number(String.fromCharCode(...bytes.subarray(start, end)));
}
