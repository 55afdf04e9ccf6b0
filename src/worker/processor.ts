/**
 * What an event does, decided by code that can be replaced.
 *
 * @module
 */

import type { EventSchema } from "../base/event_schema.ts";
import type { Int64 } from "../base/int64.ts";
import type { TransactionReads, TransactionWrites } from "../store/transaction.ts";

/**
 * What somebody's own module says of events: its default export, given with `--processor`.
 *
 * Thread: each worker has its own, and each I/O thread one for {@link Processor.validate}: what a
 * module keeps in variables is not shared.
 */
export interface Processor {
  /**
   * What logs and metrics call it: a small letter, then at most 31 small letters, digits and `_`.
   * Default: made from the name of the file.
   */
  readonly name?: string;
  /** How many events a worker has in hand at once while they are waited for, 1 to 64; default 1. */
  readonly concurrency?: number;
  /** How long one try of an event may take. Unit: ms, 1 to 3,600,000; default 30,000. */
  readonly timeoutMs?: number;
  /**
   * Counters of its own, at most 32, named like the processor but with up to 64 characters. They are
   * in `/metrics` as `sluice_processor_<counter>_total`.
   */
  readonly counters?: readonly string[];
  /** The further fields of events; left out: there are none. */
  readonly schema?: EventSchema;
  /**
   * Looks at an event before it is accepted: must be quick and change nothing.
   *
   * Thread: the I/O thread that was offered the event.
   *
   * @returns why it is refused, as the client is to read it; nothing when it is good
   */
  validate?(event: ProcessorEvent): string | undefined | void;
  /**
   * Does what the event asks for. What it changes by `ctx` happens at once when it has returned, or its
   * promise is fulfilled, together with the settlement of the event; a throw changes nothing, and the
   * event fails as `processor_error`.
   *
   * It may run again for the same event, after a conflict or the death of a worker, so what it does
   * besides `ctx` is its own business.
   *
   * @returns the result: what JSON can say in 16 KiB, or nothing
   */
  process(event: ProcessorEvent, ctx: ProcessorContext): unknown | Promise<unknown>;
}

/** An event as a processor sees it. Valid until `process` or `validate` has ended. */
export interface ProcessorEvent {
  /** Who. */
  readonly user: string;
  /** What. */
  readonly action: string;
  /** How much. */
  readonly amount: bigint;
  /** What the client calls it, if it does. */
  readonly id: string | undefined;
  /** Its further fields, those of the schema; empty without one. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** Who, in UTF-8. Must not be kept nor changed. */
  readonly userBytes: Uint8Array;
  /** How much, without a `bigint`. Must not be kept nor changed. */
  readonly amountInt64: Int64;
  /** When it was accepted; in `validate`, the time of day. Unit: ms since the epoch. */
  readonly acceptedAtMs: number;
}

/** Where what a processor says goes: into the server's log, with the processor's name. */
export interface ProcessorLogger {
  /** Details for understanding one run. */
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** What an operator wants to know. */
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** Something is wrong and was coped with. */
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** Something is wrong and was not coped with. */
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** What `process` works with, for one try of one event. */
export interface ProcessorContext extends TransactionReads, TransactionWrites {
  /** Aborted when the time for this try is over, and when the server stops for good. */
  readonly signal: AbortSignal;
  /** Which try this is, from 1. */
  readonly attempt: number;
  /** The server's log. */
  readonly log: ProcessorLogger;
  /** Adds `by`, or 1, to one of its own counters, once the event is settled as processed. */
  count(counter: string, by?: number): void;
  /**
   * Publishes a value once the event is settled as processed: bytes and text as they are, everything
   * else as JSON. Default channel: `results`.
   */
  emit(value: unknown, channel?: string): void;
}
