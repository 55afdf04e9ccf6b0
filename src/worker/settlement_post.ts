/**
 * Tells the I/O threads how events ended that their clients wait for.
 *
 * @module
 */

import { SETTLED_MESSAGE_MAX_BYTES, SettledMessage } from "../base/inbox_message.ts";
import type { Int64 } from "../base/int64.ts";
import type { JobView } from "../base/job.ts";
import { Inbox, type InboxMemory, type InboxSender } from "../channel/inbox.ts";
import { CounterIndex } from "../metrics/names.ts";
import type { ThreadCounters } from "../metrics/region.ts";
import { Outcome } from "./outcome.ts";

const NO_RESULT = new Uint8Array(0);

/** The inboxes of all I/O threads; structured-cloneable. */
export interface InboxesMemory {
  /** Thread id of the first I/O thread; the others follow. */
  readonly firstThreadId: number;
  /** One inbox per I/O thread; a thread sends with its thread id as its number. */
  readonly inboxes: readonly InboxMemory[];
}

/**
 * Posts outcomes to where they are waited for.
 *
 * Thread: one per thread that settles events.
 */
export class SettlementPost {
  /** Outcomes that were posted since the last {@link SettlementPost.ring}, and nobody was woken for. */
  quietCount = 0;

  readonly #firstThreadId: number;
  readonly #senders: readonly InboxSender[];
  readonly #counters: ThreadCounters;
  readonly #message = new SettledMessage();
  readonly #bytes = new Uint8Array(SETTLED_MESSAGE_MAX_BYTES);
  /** Those whose receivers were not woken for what was posted. */
  readonly #unrung = new Set<InboxSender>();

  /**
   * Opens the inboxes.
   *
   * @param threadId the calling thread's
   * @param counters of the calling thread, for what does not fit an inbox
   */
  constructor(memory: InboxesMemory, threadId: number, counters: ThreadCounters) {
    this.#firstThreadId = memory.firstThreadId;
    this.#senders = memory.inboxes.map((inbox) => Inbox.attach(inbox).sender(threadId));
    this.#counters = counters;
  }

  /**
   * Posts the outcome of a settled job to the thread that its client is on. Never waits: with a full
   * inbox the outcome is dropped and counted, and the client is told `accepted` when its time is up.
   *
   * @param job has `JobFlag.WANTS_REPLY`
   * @param balance after the event; looked at when it was processed
   * @param result JSON text of what its processor returned; looked at when it was processed
   */
  post(job: JobView, outcome: Outcome, balance: Int64, result: Uint8Array = NO_RESULT): void {
    this.#put(job, outcome, balance, result)?.ring();
  }

  /**
   * Like {@link SettlementPost.post}, but wakes nobody: {@link SettlementPost.ring} has to follow, behind
   * any number of others, but soon.
   *
   * Waking a thread costs more than settling an event does.
   */
  postQuietly(job: JobView, outcome: Outcome, balance: Int64, result: Uint8Array): void {
    const sender = this.#put(job, outcome, balance, result);
    if (sender === undefined) return;
    this.quietCount++;
    this.#unrung.add(sender);
  }

  /** Wakes those who sleep and have something to look at. */
  ring(): void {
    if (this.quietCount === 0) return;
    this.quietCount = 0;
    for (const sender of this.#unrung) sender.ring();
    this.#unrung.clear();
  }

  /** Returns whose receiver has something to look at. */
  #put(
    job: JobView,
    outcome: Outcome,
    balance: Int64,
    result: Uint8Array,
  ): InboxSender | undefined {
    const sender = this.#senders[job.replyThread - this.#firstThreadId];
    if (sender === undefined) return undefined;
    const message = this.#message;
    message.outcome = outcome;
    message.slot = job.replySlot;
    message.generation = job.replyGeneration;
    if (outcome === Outcome.PROCESSED) message.balance.copyFrom(balance);
    else message.balance.setNumber(0);
    message.resultBytes = outcome === Outcome.PROCESSED ? result : NO_RESULT;
    message.encode(this.#bytes);
    if (sender.put(this.#bytes, 0, message.byteLength)) return sender;
    this.#counters.add(CounterIndex.INBOX_OVERRUNS);
    return undefined;
  }
}
