/**
 * Events that were accepted and not settled, as the log tells it.
 *
 * @module
 */

import { type RecordReader, RecordType, type RecordWriter } from "./record.ts";

const NO_KEY = new Uint8Array(0);

/**
 * Follows the records of a log.
 *
 * Thread: belongs to one thread.
 */
export class PendingEvents {
  readonly #jobs: Map<number, Uint8Array>;

  /**
   * Begins.
   *
   * @param jobs what is pending already
   */
  constructor(jobs: ReadonlyMap<number, Uint8Array> = new Map()) {
    this.#jobs = new Map(jobs);
  }

  /** The highest number of an event so far, settled ones included. */
  highestNumber = 0;

  /** How many there are. */
  get size(): number {
    return this.#jobs.size;
  }

  /** The events by number: jobs (base/job.ts), in the order in which they were accepted. */
  get jobs(): ReadonlyMap<number, Uint8Array> {
    return this.#jobs;
  }

  /**
   * Takes note of a record.
   *
   * @returns whether it is one of events
   */
  note(record: RecordReader): boolean {
    if (record.type === RecordType.EVENT_ACCEPTED) {
      const { bytes, payloadStart, payloadEnd } = record;
      const number = record.uint64At(0);
      this.highestNumber = Math.max(this.highestNumber, number);
      this.#jobs.set(number, bytes.slice(payloadStart + 8, payloadEnd));
      return true;
    }
    if (record.type !== RecordType.EVENT_SETTLED) return false;
    this.#jobs.delete(record.uint64At(0));
    return true;
  }

  /** Appends the records of all: where a log begins anew, what was accepted before comes again. */
  appendTo(records: RecordWriter): void {
    for (const [number, job] of this.#jobs) {
      records.begin(RecordType.EVENT_ACCEPTED, 0, NO_KEY, 0, 0, 0);
      records.appendUint64(number).append(job, 0, job.length).end();
    }
  }
}
