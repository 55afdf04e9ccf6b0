/**
 * Many events in one body, one a line (`application/x-ndjson`).
 *
 * ```text
 * {"user":"alice","action":"buy","amount":1}\n
 * {"user":"bob","action":"buy","amount":2}\n
 * ```
 *
 * @module
 */

import type { EventFields } from "../../base/job.ts";
import { EventOutcome } from "../../command/event_intake.ts";
import type { StagedEvents } from "../../command/staged_events.ts";
import { BATCH_SLICE_MS } from "../../protocol/batch_slice.ts";
import { CR, LF, SPACE, TAB } from "../../protocol/http/characters.ts";
import type { EventJsonDecoder } from "../../protocol/http/event_json.ts";
import type { HttpExchange } from "../../protocol/http/exchange.ts";
import { type BatchOffer, gateReply, REFUSAL_REASONS, type RefusedOutcome } from "./event_offer.ts";
import { headerLine, retryAfterSeconds } from "./replies.ts";

/** Rejected lines that a reply describes one by one; the others are only counted. */
export const LISTED_ERRORS_MAX = 100;

/** The clock is read after this many lines or jobs. Reason: they take a small part of a slice. */
const LINES_PER_READING = 64;

/** One rejected line, as the reply describes it. */
interface LineError {
  line: number;
  reason: string;
  detail?: string;
}

/**
 * Offers the lines of one body in order.
 *
 * The first refusal (the channel is full, no memory, stopping) ends the offering: everything behind
 * it is refused for the same reason, so that a client can send the rest again from that line and
 * keep the order. Malformed lines are rejected one by one and stop nothing.
 *
 * Reply: `{"accepted":2,"rejected":2,"first_rejected_line":3,"retry_from_line":4,"errors":[{"line":3,
 * "reason":"invalid_json"},{"line":4,"reason":"server_busy"}],"errors_omitted":0}`. Every line that
 * is not blank is accepted or rejected. Status 202 when nothing was rejected, 200 when some lines
 * were and some were not; when none was accepted, 503 if at least one might be later, else 400.
 *
 * With a log, all lines that are accepted are one frame of it, so that after a crash all are there or
 * none; and none is settled before the last one was read.
 *
 * Thread: one I/O thread; others are served between slices of {@link BATCH_SLICE_MS}.
 */
export class EventBatch {
  readonly #exchange: HttpExchange;
  readonly #intake: BatchOffer;
  readonly #decoder: EventJsonDecoder;
  readonly #event: EventFields;
  readonly #staged: StagedEvents | undefined;
  readonly #errors: LineError[] = [];
  /** Where the next line starts. */
  #at: number;
  #line = 0;
  #isRead = false;
  #accepted = 0;
  #rejected = 0;
  #firstRejectedLine: number | null = null;
  /** Why nothing more is offered. */
  #refusal: RefusedOutcome | undefined;
  #retryFromLine: number | null = null;

  /**
   * Starts at the body's first line.
   *
   * @param decoder may be used by others between slices
   * @param event may be used by others between slices
   */
  constructor(
    exchange: HttpExchange,
    intake: BatchOffer,
    decoder: EventJsonDecoder,
    event: EventFields,
  ) {
    this.#exchange = exchange;
    this.#intake = intake;
    this.#decoder = decoder;
    this.#event = event;
    this.#staged = intake.stage();
    this.#at = exchange.request.bodyStart;
  }

  /** Offers everything and replies; a short body needs no promise. */
  run(): void | Promise<void> {
    if (!this.#runSlice()) return this.#runOn();
    this.#reply();
  }

  async #runOn(): Promise<void> {
    do await nextTurn(); while (!this.#runSlice());
    this.#reply();
  }

  /** Returns whether everything is done. */
  #runSlice(): boolean {
    const startedAtMs = performance.now();
    if (!this.#isRead) {
      if (!this.#read(startedAtMs)) return false;
      this.#isRead = true;
      if (this.#staged === undefined) return true;
      this.#staged.publish();
    }
    while (this.#staged!.putSome(LINES_PER_READING)) {
      if (performance.now() - startedAtMs >= BATCH_SLICE_MS) return false;
    }
    return true;
  }

  /** Offers lines until the slice is over; returns whether the body is done. */
  #read(startedAtMs: number): boolean {
    const { bytes, bodyEnd } = this.#exchange.request;
    while (this.#at < bodyEnd) {
      const lineFeed = bytes.indexOf(LF, this.#at);
      const end = lineFeed < 0 || lineFeed > bodyEnd ? bodyEnd : lineFeed;
      this.#line++;
      this.#takeLine(bytes, this.#at, end);
      this.#at = end + 1;
      const isReading = this.#line % LINES_PER_READING === 0;
      if (isReading && performance.now() - startedAtMs >= BATCH_SLICE_MS) break;
    }
    return this.#at >= bodyEnd;
  }

  #takeLine(bytes: Uint8Array, start: number, end: number): void {
    if (isBlank(bytes, start, end)) return;
    const event = this.#event;
    if (!this.#decoder.scan(bytes, start, end)) {
      this.#intake.countInvalid();
      return this.#reject("invalid_json");
    }
    const defect = this.#decoder.read(event);
    if (defect !== undefined) {
      this.#intake.countInvalid();
      return this.#reject("invalid_event", defect);
    }
    const closed = this.#decoder.admit(event);
    if (closed !== undefined) {
      this.#intake.countInvalid();
      const { reason, detail } = gateReply(closed);
      return this.#reject(reason, detail);
    }
    if (this.#refusal !== undefined) {
      this.#intake.countRefused(this.#refusal);
      return this.#reject(REFUSAL_REASONS[this.#refusal]);
    }
    event.acceptedAtMs = this.#exchange.nowMs;
    event.trace = this.#exchange.trace?.link;
    const outcome = this.#intake.offer(event, this.#staged);
    if (outcome === EventOutcome.ACCEPTED) {
      this.#accepted++;
      return;
    }
    this.#refusal = outcome;
    this.#retryFromLine = this.#line;
    this.#reject(REFUSAL_REASONS[outcome]);
  }

  #reject(reason: string, detail?: string): void {
    this.#rejected++;
    this.#firstRejectedLine ??= this.#line;
    if (this.#errors.length === LISTED_ERRORS_MAX) return;
    const error: LineError = { line: this.#line, reason };
    if (detail !== undefined) error.detail = detail;
    this.#errors.push(error);
  }

  #reply(): void {
    const { scratch } = this.#exchange;
    scratch.utf8(JSON.stringify({
      accepted: this.#accepted,
      rejected: this.#rejected,
      first_rejected_line: this.#firstRejectedLine,
      retry_from_line: this.#retryFromLine,
      errors: this.#errors,
      errors_omitted: this.#rejected - this.#errors.length,
    }));
    if (this.#refusal !== EventOutcome.SERVER_BUSY) return this.#exchange.sendScratch(this.#status);
    const seconds = retryAfterSeconds(this.#intake.retryAfterMs());
    this.#exchange.sendScratch(this.#status, headerLine("Retry-After", String(seconds)));
  }

  get #status(): number {
    if (this.#rejected === 0) return 202;
    if (this.#accepted > 0) return 200;
    return this.#refusal === undefined ? 400 : 503;
  }
}

function isBlank(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    if (byte !== SPACE && byte !== TAB && byte !== CR) return false;
  }
  return true;
}

/** Lets the thread look after others. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
