/**
 * Transactions of embedding programs: a function that reads and writes, run again when others were
 * faster, and single operations on collections, which are transactions of one step.
 *
 * @module
 */

import type { Store as Engine } from "../store/store.ts";
import {
  CommitStatus,
  StoreTransaction,
  type TransactionReads,
  type TransactionWrites,
} from "../store/transaction.ts";
import { sleep } from "./runtime.ts";
import {
  closedError,
  StoreError,
  type StoreErrorCode,
  toSingleError,
  toStoreError,
} from "./store_error.ts";

/** What a function that is run as a transaction is given. */
export interface Transaction extends TransactionReads, TransactionWrites {
  /** 1, then 2 … after conflicts. */
  readonly attempt: number;
}

/** How a transaction is tried. */
export interface TransactionRunOptions {
  /** How often it is run at most before it is given up with `CONFLICT`. Default: 100. */
  maxAttempts?: number;
}

const DEFAULT_MAX_ATTEMPTS = 100;
/** Attempts that follow each other at once. */
const EAGER_ATTEMPTS = 3;
/** Longest wait before an attempt. Unit: ms. */
const LONGEST_WAIT_MS = 8;

/** How the text begins of one that has ended and is used. */
const ENDED_TEXT = /^Cannot use a transaction: /;

/** Why a commit changed nothing. */
const REFUSALS: Readonly<Partial<Record<CommitStatus, readonly [StoreErrorCode, string]>>> = {
  [CommitStatus.WRONG_TYPE]: ["WRONG_TYPE", "a key holds another type"],
  [CommitStatus.NOT_AN_INTEGER]: ["NOT_AN_INTEGER", "what is added to is no integer"],
  [CommitStatus.OVERFLOW]: ["OVERFLOW", "a sum does not fit"],
  [CommitStatus.OUT_OF_MEMORY]: ["OUT_OF_MEMORY", "the store is full"],
};

/** A transaction that knows how often it was begun. */
class Attempt extends StoreTransaction implements Transaction {
  attempt = 1;
}

/**
 * The transactions of one thread.
 *
 * Thread: that of the store, which may sleep.
 */
export class Transactions {
  readonly #engine: Engine;
  /** For single operations. */
  readonly #single: StoreTransaction;
  readonly #idle: Attempt[] = [];
  readonly #running = new Set<Attempt>();
  #isClosed = false;

  /** Works on a store. */
  constructor(engine: Engine) {
    this.#engine = engine;
    this.#single = new StoreTransaction(engine);
  }

  /** Reads once. */
  read<T>(look: (reads: TransactionReads) => T): T {
    this.#single.begin();
    try {
      return look(this.#single);
    } catch (error) {
      throw toSingleError(error);
    } finally {
      this.#single.abandon();
    }
  }

  /** Makes one change. */
  write(change: (writes: TransactionWrites) => void): void {
    const single = this.#single;
    single.begin();
    try {
      change(single);
    } catch (error) {
      single.abandon();
      throw toSingleError(error);
    }
    this.#commit(single);
  }

  /** Runs a function as a transaction. */
  run<T>(body: (transaction: Transaction) => T, options: TransactionRunOptions): T {
    checkAttempts(options);
    const transaction = this.#take(this.#idle.pop());
    let mayBeReused = true;
    try {
      for (let attempt = 1;; attempt++) {
        this.#begin(transaction, attempt);
        const result = body(transaction);
        if (result instanceof Promise) {
          mayBeReused = false;
          // Whatever it comes to is nobody's.
          result.catch(() => {});
          throw new TypeError("Cannot commit: the function is async; use transactionAsync()");
        }
        if (this.#commit(transaction)) return result;
        const waitMs = this.#nextWaitMs(attempt, options);
        if (waitMs > 0) sleep(waitMs);
      }
    } catch (error) {
      throw this.#reasonOf(error);
    } finally {
      this.#end(transaction);
      if (mayBeReused) this.#idle.push(transaction);
    }
  }

  /** Runs an async function as a transaction; nothing is locked while it waits. */
  async runAsync<T>(
    body: (transaction: Transaction) => Promise<T>,
    options: TransactionRunOptions,
  ): Promise<T> {
    checkAttempts(options);
    // One of its own: what the function did not wait for may come when another transaction runs.
    const transaction = this.#take(undefined);
    try {
      for (let attempt = 1;; attempt++) {
        this.#begin(transaction, attempt);
        const result = await body(transaction);
        if (this.#commit(transaction)) return result;
        const waitMs = this.#nextWaitMs(attempt, options);
        if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      }
    } catch (error) {
      throw this.#reasonOf(error);
    } finally {
      this.#end(transaction);
    }
  }

  /** Ends transactions that run; they and all later ones are refused. Their thread id is given back. */
  close(): void {
    this.#isClosed = true;
    for (const transaction of this.#running) transaction.abandon();
  }

  #take(idle: Attempt | undefined): Attempt {
    const transaction = idle ?? new Attempt(this.#engine);
    this.#running.add(transaction);
    return transaction;
  }

  #begin(transaction: Attempt, attempt: number): void {
    if (this.#isClosed) throw closedError();
    transaction.attempt = attempt;
    transaction.begin();
  }

  /** What a transaction that was ended by {@link Transactions.close} throws is that. */
  #reasonOf(error: unknown): unknown {
    const isEnded = this.#isClosed && error instanceof Error && ENDED_TEXT.test(error.message);
    return isEnded ? closedError() : toStoreError(error);
  }

  #end(transaction: Attempt): void {
    this.#running.delete(transaction);
    transaction.abandon();
  }

  /** Returns false on a conflict. */
  #commit(transaction: StoreTransaction): boolean {
    if (this.#isClosed) throw closedError();
    let status: CommitStatus;
    try {
      status = transaction.commit();
    } catch (error) {
      throw toStoreError(error);
    }
    const refusal = REFUSALS[status];
    if (refusal === undefined) return status === CommitStatus.OK;
    const [code, why] = refusal;
    throw new StoreError(code, `Cannot commit: ${why}`);
  }

  #nextWaitMs(attempt: number, options: TransactionRunOptions): number {
    const { maxAttempts = DEFAULT_MAX_ATTEMPTS } = options;
    if (attempt >= maxAttempts) {
      throw new StoreError("CONFLICT", `Cannot commit: others were faster ${attempt} times`);
    }
    if (attempt < EAGER_ATTEMPTS) return 0;
    return Math.random() * Math.min(LONGEST_WAIT_MS, 2 ** (attempt - EAGER_ATTEMPTS) / 4);
  }
}

function checkAttempts({ maxAttempts = DEFAULT_MAX_ATTEMPTS }: TransactionRunOptions): void {
  // Infinity is for those who would rather wait than give up.
  if (maxAttempts === Infinity || (Number.isInteger(maxAttempts) && maxAttempts >= 1)) return;
  throw new RangeError(
    `Cannot run a transaction with maxAttempts ${maxAttempts}: it takes a whole number from 1`,
  );
}
