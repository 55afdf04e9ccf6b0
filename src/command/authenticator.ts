/**
 * The password check of one thread, the same for every protocol.
 *
 * @module
 */

import type { CounterSink } from "./counters.ts";
import { SharedPassword } from "./shared_password.ts";

/**
 * How long the answer to a wrong password is held back, by a random time between half of it and all.
 *
 * Unit: ms. Reason: a connection that guesses gets no further than a few tries a second, and how
 * long a check took cannot be told from its answer.
 */
export const FAILURE_DELAY_MS = 500;

/**
 * Wrong passwords after which a connection is closed.
 *
 * Reason: requests can be sent ahead, thousands in a megabyte, and each is answered late; without a
 * bound they would keep the connection for hours.
 */
export const MAX_WRONG_PASSWORDS = 10;

/** What an {@link Authenticator} is made from. */
export interface AuthenticatorOptions {
  /** What clients must present, UTF-8; empty = nothing. One that is shared may change. */
  readonly password: Uint8Array | SharedPassword;
  /** This thread's counters. */
  readonly counters: CounterSink;
  /** Where wrong passwords are counted. */
  readonly failures: number;
  /** Waits so many ms; timers when left out. */
  readonly pause?: (durationMs: number) => Promise<void>;
}

/**
 * Knows the password.
 *
 * Thread: one per I/O thread.
 */
export class Authenticator {
  readonly #options: AuthenticatorOptions;
  readonly #password: SharedPassword;

  /** Makes a check against one password. */
  constructor(options: AuthenticatorOptions) {
    this.#options = options;
    const { password } = options;
    this.#password = password instanceof SharedPassword ? password : new SharedPassword();
    if (password instanceof Uint8Array) this.#password.set(password);
  }

  /** Whether clients have to present a password. */
  get required(): boolean {
    return this.#password.bytes.length > 0;
  }

  /**
   * Has clients present another password, on all threads that share it. Who has presented the one
   * before goes on.
   *
   * @param password UTF-8; empty = nothing
   */
  change(password: Uint8Array): void {
    this.#password.set(password);
  }

  /**
   * Compares `bytes[start, end)` with the password, in a time that depends on the candidate's length
   * only. Always false when none is required.
   */
  matches(bytes: Uint8Array, start: number, end: number): boolean {
    const password = this.#password.bytes;
    if (password.length === 0) return false;
    let difference = (end - start) ^ password.length;
    for (let i = start, j = 0; i < end; i++) {
      difference |= bytes[i]! ^ password[j]!;
      if (++j === password.length) j = 0;
    }
    return difference === 0;
  }

  /** Counts a wrong password; resolves when the client may be told. Never rejects. */
  refuse(): Promise<void> {
    const { counters, failures, pause = pauseMs } = this.#options;
    counters.add(failures);
    return pause(FAILURE_DELAY_MS * (1 + Math.random()) / 2);
  }
}

function pauseMs(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}
