/**
 * How far a thread's transaction has come, for who finds the thread dead.
 *
 * ```text
 * the thread's record in the control region (control.ts), words
 *   1  state    NONE, CHANGING, COMPLETE
 *   2  pages that are promised to it; counts while the state is NONE only
 * ```
 *
 * The phases of the shards (see `MutationPhase`) tell of one change each; a transaction has several, and
 * is torn when its thread dies between two of them. So what the mark says comes first: CHANGING
 * from before the first change to behind the last one, COMPLETE from then on until the last lock was given
 * back. One change alone, which has a phase, needs no mark.
 *
 * @module
 */

import type { ControlRegion } from "../control.ts";

/** Operation number of a transaction on the store, for the text of a fault. */
export const TRANSACTION_OPERATION = 12;

const STATE = 1;
const PROMISED_PAGES = 2;

/** How far a transaction has come. */
export const TransactionState = {
  /** It has changed nothing, or there is none. */
  NONE: 0,
  /** It is changing the store. */
  CHANGING: 1,
  /** It has made all changes, and may still hold locks. */
  COMPLETE: 2,
} as const;
/** One of {@link TransactionState}. */
export type TransactionState = typeof TransactionState[keyof typeof TransactionState];

/** The mark of one thread. Thread: its own; or the supervisor, when that one has ended. */
export class TransactionMark {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #at: number;

  /** The mark of a thread. */
  constructor(control: ControlRegion, threadId: number) {
    this.#words = control.words;
    this.#at = control.threadAt(threadId);
  }

  /** How far it has come. */
  get state(): TransactionState {
    return Atomics.load(this.#words, this.#at + STATE) as TransactionState;
  }

  set state(state: TransactionState) {
    Atomics.store(this.#words, this.#at + STATE, state);
  }

  /** Pages that were promised, of which none was used while the state is NONE. */
  get promisedPages(): number {
    return Atomics.load(this.#words, this.#at + PROMISED_PAGES);
  }

  set promisedPages(count: number) {
    Atomics.store(this.#words, this.#at + PROMISED_PAGES, count);
  }
}
