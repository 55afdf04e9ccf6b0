/**
 * An event that was offered and not accepted yet, as a processor's `validate` sees it.
 *
 * @module
 */

import type { FieldValues } from "../base/event_schema.ts";
import type { Int64 } from "../base/int64.ts";
import type { ByteSlice, EventFields } from "../base/job.ts";
import type { ProcessorEvent } from "./processor.ts";

/**
 * A view of an event; nothing is made from it that is not asked for.
 *
 * Thread: one per I/O thread, which reuses it.
 */
export class OfferedEvent implements ProcessorEvent {
  readonly #decoder = new TextDecoder();
  #event: EventFields;
  #fields: FieldValues = {};

  /** Shows `event` until it shows another one. */
  constructor(event: EventFields) {
    this.#event = event;
  }

  /** Shows another event. */
  show(event: EventFields, fields: FieldValues): this {
    this.#event = event;
    this.#fields = fields;
    return this;
  }

  /** See {@link ProcessorEvent.user}. */
  get user(): string {
    return this.#text(this.#event.user);
  }

  /** See {@link ProcessorEvent.action}. */
  get action(): string {
    return this.#text(this.#event.action);
  }

  /** See {@link ProcessorEvent.amount}. */
  get amount(): bigint {
    return this.#event.amount.toBigInt();
  }

  /** See {@link ProcessorEvent.id}. */
  get id(): string | undefined {
    return this.#event.id.length === 0 ? undefined : this.#text(this.#event.id);
  }

  /** See {@link ProcessorEvent.fields}. */
  get fields(): Readonly<Record<string, unknown>> {
    return this.#fields;
  }

  /** See {@link ProcessorEvent.userBytes}. */
  get userBytes(): Uint8Array {
    const { bytes, start, end } = this.#event.user;
    return bytes.subarray(start, end);
  }

  /** See {@link ProcessorEvent.amountInt64}. */
  get amountInt64(): Int64 {
    return this.#event.amount;
  }

  /** See {@link ProcessorEvent.acceptedAtMs}. */
  get acceptedAtMs(): number {
    return this.#event.acceptedAtMs || Date.now();
  }

  #text({ bytes, start, end }: ByteSlice): string {
    return this.#decoder.decode(bytes.subarray(start, end));
  }
}
