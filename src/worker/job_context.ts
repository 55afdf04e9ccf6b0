/**
 * What `process` is given beside the event: the store, and what else belongs to the event's one step.
 *
 * @module
 */

import { bytesOfText } from "../base/short_text.ts";
import type { ThreadProcessorCounters } from "../metrics/processor_counters.ts";
import { CHANNEL_MAX_BYTES } from "../pubsub/region.ts";
import type { Store } from "../store/store.ts";
import { StoreTransaction } from "../store/transaction.ts";
import type { ProcessorContext, ProcessorLogger } from "./processor.ts";

/** Most values that one event publishes. */
const EMISSIONS_MAX = 64;
/** Most bytes of them. */
const EMISSION_BYTES_MAX = 256 * 1024;
const DEFAULT_CHANNEL = "results";

/** Something to be published. */
export interface Emission {
  /** Where. */
  readonly channel: Uint8Array;
  /** What. */
  readonly payload: Uint8Array;
}

/** What the contexts of one worker have in common. */
export interface ContextParts {
  /** The worker's store. */
  readonly store: Store;
  /** Where the processor's lines go. */
  readonly log: ProcessorLogger;
  /** Names of the processor's counters; default: none. */
  readonly counterNames?: readonly string[] | undefined;
  /** The worker's counters of those names; left out: there are none. */
  readonly counters?: ThreadProcessorCounters | undefined;
}

/**
 * The context of one job after the other: for code that is known to keep nothing of it. Others get a
 * `ForeignContext`.
 *
 * Thread: a worker; one for each of its slots.
 */
export class JobContext extends StoreTransaction implements ProcessorContext {
  /** See {@link ProcessorContext.log}. */
  readonly log: ProcessorLogger;
  /** See {@link ProcessorContext.attempt}. */
  attempt = 0;
  /** What is published when the job is settled. */
  emissions: Emission[] = [];

  readonly #counterNames: readonly string[];
  readonly #counters: ThreadProcessorCounters | undefined;
  readonly #sums: Float64Array;
  #hasCounted = false;
  #emissionBytes = 0;
  #signal: AbortSignal | undefined;

  /** Prepares for jobs. */
  constructor({ store, log, counterNames = [], counters }: ContextParts) {
    super(store, { forEvents: true });
    this.log = log;
    this.#counterNames = counterNames;
    this.#counters = counters;
    this.#sums = new Float64Array(counterNames.length);
  }

  /** See {@link ProcessorContext.signal}; nothing aborts what ends by itself at once. */
  get signal(): AbortSignal {
    return this.#signal ??= new AbortController().signal;
  }

  /** Begins try number `attempt` of a job. */
  beginTry(attempt: number): void {
    this.attempt = attempt;
    this.begin();
    if (this.#hasCounted) {
      this.#sums.fill(0);
      this.#hasCounted = false;
    }
    if (this.emissions.length > 0) {
      this.emissions = [];
      this.#emissionBytes = 0;
    }
  }

  /** See {@link ProcessorContext.count}. */
  count(counter: string, by = 1): void {
    const index = this.#counterNames.indexOf(counter);
    if (index < 0) {
      throw new TypeError(`Cannot count ${counter}: it is none of the processor's counters`);
    }
    if (typeof by !== "number" || !Number.isFinite(by) || by < 0) {
      throw new RangeError(`Cannot add ${by} to a counter: it must be a number from 0`);
    }
    this.#sums[index]! += by;
    this.#hasCounted = true;
  }

  /** See {@link ProcessorContext.emit}. */
  emit(value: unknown, channel: string = DEFAULT_CHANNEL): void {
    const channelBytes = bytesOfText(channel);
    if (channelBytes.length > CHANNEL_MAX_BYTES) {
      throw new RangeError(`Cannot publish: a channel has at most ${CHANNEL_MAX_BYTES} bytes`);
    }
    const payload = payloadOf(value);
    const byteCount = this.#emissionBytes + channelBytes.length + payload.length;
    if (this.emissions.length >= EMISSIONS_MAX || byteCount > EMISSION_BYTES_MAX) {
      throw new RangeError(
        `Cannot publish more: an event has at most ${EMISSIONS_MAX} values of ` +
          `${EMISSION_BYTES_MAX} bytes together`,
      );
    }
    this.#emissionBytes = byteCount;
    this.emissions.push({ channel: channelBytes, payload });
  }

  /** Puts down what the job counts, before it is applied. */
  prepareCounts(): void {
    if (this.#hasCounted) this.#counters?.prepare(this.#sums);
    else this.#counters?.prepareNothing();
  }

  /** Counts it: the job is settled. */
  settleCounts(): void {
    if (this.#hasCounted) this.#counters?.settle();
  }
}

/** Bytes and text as they are, everything else as JSON; throws for what that cannot say. */
function payloadOf(value: unknown): Uint8Array {
  // Not `slice`, which makes views of a `Buffer`: a copy.
  if (value instanceof Uint8Array) return new Uint8Array(value);
  if (typeof value === "string") return bytesOfText(value);
  return jsonOf(value);
}

/**
 * The JSON text of a value.
 *
 * @throws {TypeError} when there is none
 */
export function jsonOf(value: unknown): Uint8Array {
  const text = JSON.stringify(value);
  if (text === undefined) throw new TypeError(`Cannot say a ${typeof value} in JSON`);
  return bytesOfText(text);
}
