/**
 * The live counters as server-sent events.
 *
 * ```text
 * retry: 3000
 *
 * id: 1792595412345
 * event: metrics
 * data: {"received":3,…}
 *
 * ```
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html
 *
 * @module
 */

import type { ByteWriter, InputBuffer } from "../../base/bytes.ts";
import type { PushTarget } from "../../command/pubsub/subscriber.ts";
import { encodeText } from "../../protocol/http/characters.ts";
import { type Session, SessionStep } from "../../protocol/session.ts";
import { StuckWatch } from "../../protocol/websocket/stuck_watch.ts";
import type { Beating } from "./heartbeat.ts";
import type { LiveMetrics, MetricsSnapshot, MetricsViewer } from "./live_metrics.ts";

/** A client that was cut off comes back after 3 s. */
const RETRY = encodeText("retry: 3000\n\n");

/** A comment, which clients skip. */
const COMMENT = encodeText(":\n\n");

/**
 * One is sent when nothing else was for so long.
 *
 * Unit: s. Reason: as often as browsers' makers advise, so that nobody on the way takes the silence
 * for the end.
 */
const COMMENT_AFTER_S = 15;

/** What an {@link EventStreamSession} is made from. */
export interface EventStreamOptions {
  /** What it shows. */
  readonly live: LiveMetrics;
  /** How often. Unit: ms. */
  readonly intervalMs: number;
  /** Where to. */
  readonly target: PushTarget;
  /** Told that the client is about to be cut off because it does not read. */
  readonly onSlow: () => void;
  /** Told that the session is over. */
  readonly onClose: () => void;
}

/**
 * Has the connection behind the head of the reply, whose body ends with the connection.
 *
 * Whatever the client sends is thrown away: there is no reply behind one that does not end.
 *
 * Thread: belongs to one connection.
 */
export class EventStreamSession implements Session, MetricsViewer, Beating {
  /** See {@link Session.midRequest}. */
  readonly midRequest = false;
  /** See {@link Session.midBody}. */
  readonly midBody = false;

  readonly #options: EventStreamOptions;
  readonly #stuck: StuckWatch;
  #hasBegun = false;
  #isOver = false;
  #silentBeats = 0;

  /** Begins with the first call of {@link EventStreamSession.process}. */
  constructor(options: EventStreamOptions) {
    this.#options = options;
    this.#stuck = new StuckWatch(options.target);
    // It waits for the server, not the other way round.
    options.target.isSubscriber = true;
  }

  /** See {@link Session.process}. */
  process(input: InputBuffer, output: ByteWriter): SessionStep {
    input.start = input.end;
    if (this.#hasBegun) return SessionStep.NEED_INPUT;
    this.#hasBegun = true;
    const { live, intervalMs } = this.#options;
    output.copy(RETRY);
    output.copy(live.current().event);
    live.join(this, intervalMs);
    return SessionStep.NEED_INPUT;
  }

  /** See {@link MetricsViewer.show}. */
  show(snapshot: MetricsSnapshot): void {
    if (this.#options.target.pendingBytes === 0) this.#push(snapshot.event);
  }

  /** Called once a second. */
  beat(): void {
    const { target, onSlow } = this.#options;
    if (this.#stuck.beat()) {
      onSlow();
      target.cutOff();
    } else if (++this.#silentBeats >= COMMENT_AFTER_S && target.pendingBytes === 0) {
      this.#push(COMMENT);
    }
  }

  /** See {@link Session.close}. */
  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#options.live.leave(this);
    this.#options.onClose();
  }

  #push(bytes: Uint8Array): void {
    const { target } = this.#options;
    this.#stuck.noteProgress();
    this.#silentBeats = 0;
    target.writer.copy(bytes);
    target.wake();
  }
}

/** Ends the connection behind the head of a reply that has no body. */
export class NoStreamSession implements Session {
  /** See {@link Session.midRequest}. */
  readonly midRequest = false;
  /** See {@link Session.midBody}. */
  readonly midBody = false;

  /** See {@link Session.process}. */
  process(): SessionStep {
    return SessionStep.CLOSE;
  }

  /** See {@link Session.close}. */
  close(): void {}
}
