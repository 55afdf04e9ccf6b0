/**
 * An accepted event, as `process` sees it.
 *
 * @module
 */

import { Int64 } from "../base/int64.ts";
import type { JobView } from "../base/job.ts";
import { copyOfBytes, textOfBytes } from "../base/short_text.ts";
import type { ProcessorEvent } from "./processor.ts";

const NO_FIELDS: Readonly<Record<string, unknown>> = Object.freeze({});

/**
 * Views of the names of users, made once for each length: the users of most jobs begin at the same place
 * of a slot.
 *
 * Thread: one for each slot.
 */
export class UserViews {
  #bytes: Uint8Array = new Uint8Array(0);
  #start = -1;
  readonly #views: (Uint8Array | undefined)[] = [];

  /** `bytes[start, end)` as an array of its own. */
  of(bytes: Uint8Array, start: number, end: number): Uint8Array {
    if (start !== this.#start || bytes !== this.#bytes) {
      this.#start = start;
      this.#bytes = bytes;
      this.#views.length = 0;
    }
    return this.#views[end - start] ??= bytes.subarray(start, end);
  }
}

/**
 * A view of a job; nothing is made from it that is not asked for.
 *
 * Thread: a worker.
 */
export class JobEvent implements ProcessorEvent {
  #job: JobView | undefined;
  readonly #views: UserViews | undefined;
  #amount: Int64 | undefined;
  #fields: Readonly<Record<string, unknown>> | undefined;

  /**
   * Shows `job`.
   *
   * @param views for who is known to keep and change nothing; without, everything is a copy
   */
  constructor(job: JobView, views?: UserViews) {
    this.#job = job;
    this.#views = views;
  }

  /** Shows nothing from now on: its job has ended, and the bytes may be another one's. */
  end(): void {
    this.#job = undefined;
  }

  /** See {@link ProcessorEvent.user}. */
  get user(): string {
    const { bytes, userStart, userEnd } = this.#open();
    return textOfBytes(bytes, userStart, userEnd);
  }

  /** See {@link ProcessorEvent.action}. */
  get action(): string {
    const { bytes, actionStart, actionEnd } = this.#open();
    return textOfBytes(bytes, actionStart, actionEnd);
  }

  /** See {@link ProcessorEvent.amount}. */
  get amount(): bigint {
    return this.#open().amount.toBigInt();
  }

  /** See {@link ProcessorEvent.id}. */
  get id(): string | undefined {
    const { bytes, idStart, idEnd } = this.#open();
    return idStart === idEnd ? undefined : textOfBytes(bytes, idStart, idEnd);
  }

  /** See {@link ProcessorEvent.fields}. */
  get fields(): Readonly<Record<string, unknown>> {
    const { bytes, fieldsStart, fieldsEnd } = this.#open();
    if (fieldsStart === fieldsEnd) return NO_FIELDS;
    return this.#fields ??= JSON.parse(textOfBytes(bytes, fieldsStart, fieldsEnd));
  }

  /** See {@link ProcessorEvent.userBytes}. */
  get userBytes(): Uint8Array {
    const { bytes, userStart, userEnd } = this.#open();
    if (this.#views !== undefined) return this.#views.of(bytes, userStart, userEnd);
    // Not a view of the slot: its next job is somebody else's.
    return copyOfBytes(bytes, userStart, userEnd);
  }

  /** See {@link ProcessorEvent.amountInt64}. */
  get amountInt64(): Int64 {
    const { amount } = this.#open();
    if (this.#views !== undefined) return amount;
    return this.#amount ??= new Int64(amount.hi, amount.lo);
  }

  /** See {@link ProcessorEvent.acceptedAtMs}. */
  get acceptedAtMs(): number {
    return this.#open().acceptedAtMs;
  }

  #open(): JobView {
    if (this.#job === undefined) throw new Error("Cannot use an event: its processing has ended");
    return this.#job;
  }
}
