/**
 * Events of one batch that are accepted together.
 *
 * @module
 */

import { ByteWriter } from "../base/bytes.ts";
import type { EventFields } from "../base/job.ts";

/** A batch of events on its way into the log. */
export interface LogBatch {
  /** Adds the event with the job `bytes[start, end)`. */
  add(number: number, bytes: Uint8Array, start: number, end: number): void;
  /** Says that all of them were accepted, in one frame: after a crash all are there, or none. */
  publish(): void;
}

/** Puts the job `jobs[start, end)` into the channel; slot and ticket of its id, ticket 0 = it has none. */
export type PutStaged = (
  jobs: Uint8Array,
  start: number,
  end: number,
  idSlot: number,
  idTicket: number,
) => void;

/**
 * Events that have a place in the channel and are not in it yet, because the log is told of all of
 * them at once.
 *
 * Thread: belongs to one thread.
 */
export class StagedEvents {
  readonly #log: LogBatch;
  readonly #put: PutStaged;
  /** Jobs, one behind the other. */
  readonly #jobs = new ByteWriter(4096);
  readonly #ends: number[] = [];
  /** Where ids are remembered, and the tickets that they have there; 0 = an event without an id. */
  readonly #idSlots: number[] = [];
  readonly #idTickets: number[] = [];
  /** The same by slot. */
  readonly #ticketOf = new Map<number, number>();
  #nextIndex = 0;
  #nextStart = 0;

  /**
   * Begins a batch.
   *
   * @param put puts an event into the channel
   */
  constructor(log: LogBatch, put: PutStaged) {
    this.#log = log;
    this.#put = put;
  }

  /** Adds an event; its job is copied. */
  add(event: EventFields, job: Uint8Array, jobBytes: number, hasId: boolean): void {
    this.#log.add(event.number, job, 0, jobBytes);
    this.#jobs.copy(job, 0, jobBytes);
    this.#ends.push(this.#jobs.length);
    this.#idSlots.push(hasId ? event.idSlot : 0);
    this.#idTickets.push(hasId ? event.idTicket : 0);
    if (hasId) this.#ticketOf.set(event.idSlot, event.idTicket);
  }

  /** Whether the id that is remembered there is that of one of these events. */
  hasId(slot: number, ticket: number): boolean {
    return this.#ticketOf.get(slot) === ticket;
  }

  /** Accepts all of them: they are in the log, and are to be put into the channel. */
  publish(): void {
    if (this.#ends.length > 0) this.#log.publish();
  }

  /**
   * Puts the next ones into the channel.
   *
   * @param most how many
   * @returns whether there are more
   */
  putSome(most: number): boolean {
    const count = this.#ends.length;
    const end = Math.min(count, this.#nextIndex + most);
    for (; this.#nextIndex < end; this.#nextIndex++) {
      const i = this.#nextIndex;
      const start = this.#nextStart;
      this.#nextStart = this.#ends[i]!;
      this.#put(this.#jobs.bytes, start, this.#nextStart, this.#idSlots[i]!, this.#idTickets[i]!);
    }
    return end < count;
  }
}
