/**
 * Counts of a load under way.
 *
 * @module
 */

import type { LoadSample } from "./plan.ts";

/** Most different texts of errors that are told apart. */
const ERROR_TEXTS_MAX = 20;
/** What all further ones are counted under. */
const OTHER_ERRORS = "other errors";

/** Counts requests and what became of them. Thread: belongs to one load. */
export class Tally {
  /** Requests sent. */
  sent = 0;
  /** Answered `accepted`. */
  accepted = 0;
  /** Answered that there is no room. */
  refused = 0;
  /** Everything else. */
  errors = 0;

  readonly #errorCounts = new Map<string, number>();

  /** Requests that are over, however they ended. */
  get done(): number {
    return this.accepted + this.refused + this.errors;
  }

  /** Errors by text; the last text of many stands for several. */
  get errorTexts(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#errorCounts);
  }

  /** Counts an error. */
  countError(text: string): void {
    this.errors++;
    const counts = this.#errorCounts;
    const isKnown = counts.has(text) || counts.size < ERROR_TEXTS_MAX - 1;
    const key = isKnown ? text : OTHER_ERRORS;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }

  /** The counts at one time. */
  sample(atMs: number): LoadSample {
    const { sent, accepted, refused, errors } = this;
    return { atMs, sent, accepted, refused, errors };
  }
}
