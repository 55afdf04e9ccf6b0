/**
 * What an I/O thread does with the messages that other threads put into its inbox.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { InboxKind, SettledMessage, WaiterMessage } from "../base/inbox_message.ts";
import { Int64 } from "../base/int64.ts";
import type { Inbox, InboxReceiver } from "../channel/inbox.ts";
import type { BlockedClients } from "../command/blocking/blocked_clients.ts";
import type { WaitNews } from "../command/blocking/wait_server.ts";
import type { EventWaits, Settlement } from "../command/event_waits.ts";
import type { Monitors } from "../command/monitors.ts";
import type { PubSubHub } from "../command/pubsub/hub.ts";
import { Publication } from "../pubsub/publication.ts";
import { Outcome, reasonOf } from "../worker/outcome.ts";

/** How long to wait after a message that could not be handled. Unit: ms. */
const FAILURE_PAUSE_MS = 10;

/**
 * Reads one inbox for the life of its thread.
 *
 * Thread: the I/O thread that owns the inbox.
 */
export class IoInbox implements Disposable {
  readonly #receiver: InboxReceiver;
  readonly #waits: EventWaits;
  readonly #monitors: Monitors | undefined;
  readonly #pubsub: PubSubHub | undefined;
  readonly #publication = new Publication();
  readonly #blocking: BlockedClients | undefined;
  readonly #news = new WaiterMessage();
  readonly #settled = new SettledMessage();
  readonly #settlementOf: SettlementMaker;
  #over = false;

  /**
   * Starts reading.
   *
   * @param waits the clients of this thread that wait for outcomes
   * @param onError told of a message that could not be handled, which is our bug; reading goes on
   * @param monitors those that are shown every command
   * @param pubsub the clients of this thread that subscribe; when left out, nobody publishes
   * @param blocking those that wait for keys
   * @param settle what clients are told of outcomes
   */
  constructor(
    inbox: Inbox,
    waits: EventWaits,
    onError: (error: unknown) => void,
    monitors?: Monitors,
    pubsub?: PubSubHub,
    blocking?: BlockedClients,
    settle: SettlementMaker = settlementOf,
  ) {
    this.#receiver = inbox.receiver();
    this.#waits = waits;
    this.#monitors = monitors;
    this.#pubsub = pubsub;
    this.#blocking = blocking;
    this.#settlementOf = settle;
    waits.lookWith(() => this.#takeUnrung(onError));
    void this.#serve(onError);
  }

  /** Stops reading. */
  [Symbol.dispose](): void {
    this.#over = true;
    this.#receiver[Symbol.dispose]();
  }

  async #serve(onError: (error: unknown) => void): Promise<void> {
    while (!this.#over) {
      try {
        await this.#receiver.serve(
          (bytes, start, end) => this.#take(bytes, start, end),
          () => this.#pubsub?.handleOverrun(),
        );
      } catch (error) {
        onError(error);
        await new Promise((resolve) => setTimeout(resolve, FAILURE_PAUSE_MS));
      }
    }
  }

  /** Takes what is there although nobody rang. */
  #takeUnrung(onError: (error: unknown) => void): void {
    if (this.#over) return;
    try {
      this.#receiver.drain((bytes, start, end) => this.#take(bytes, start, end));
    } catch (error) {
      onError(error);
    }
  }

  #take(bytes: Uint8Array, start: number, end: number): void {
    const kind = bytes[start];
    if (kind === InboxKind.PUBLISHED && this.#pubsub !== undefined) {
      this.#pubsub.receive(this.#publication.decode(bytes, start, end), bytes, start, end);
      return;
    }
    if (kind === InboxKind.WAITER) {
      const { waiter, generation, news } = this.#news.decode(bytes, start, end);
      this.#blocking?.hear(waiter, generation, news as WaitNews);
      return;
    }
    if (kind === InboxKind.MONITOR_LINE) {
      this.#monitors?.receive(bytes.slice(start + 1, end));
      return;
    }
    assert(bytes[start] === InboxKind.SETTLED, `kind ${bytes[start]} is known`);
    const { outcome, slot, generation, balance, resultBytes } = this.#settled.decode(
      bytes,
      start,
      end,
    );
    this.#waits.settle(slot, generation, this.#settlementOf(outcome, balance, resultBytes));
  }
}

/** Makes what a client is told from an outcome, the balance, and the JSON text of the result. */
export type SettlementMaker = (
  outcome: number,
  balance: Int64,
  resultBytes?: Uint8Array,
) => Settlement;

/**
 * What a client is told of an event that was settled.
 *
 * @param balance after it; is copied
 */
export function settlementOf(outcome: number, balance: Int64): Settlement {
  return outcome === Outcome.PROCESSED
    ? { kind: "processed", balance: new Int64().copyFrom(balance) }
    : { kind: "failed", reason: reasonOf(outcome) };
}
