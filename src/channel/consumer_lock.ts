/**
 * The lock that consumers of a channel take in turn to move its head: one word that names its
 * owner, so that a supervisor can tell who died with it.
 *
 * ```text
 * u32  0 free, else bits 0–15 slot index of the owner + 1, bit 30 others may be waiting
 * ```
 *
 * @module
 */

import { SLEEP_SLICE_MS } from "./slot_layout.ts";

const WAITERS = 1 << 30;
const SPIN_ROUNDS = 40;

/**
 * The consumer lock, as seen by one thread.
 *
 * It is held for less than a microsecond at a time, so waiters spin first. Those that sleep
 * look again every {@link SLEEP_SLICE_MS}: their notification may have gone to a consumer that
 * died. It is not reentrant.
 *
 * Thread: any; see the methods.
 */
export class ConsumerLock {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #at: number;

  /** Uses the word at index `at`. */
  constructor(words: Int32Array<SharedArrayBuffer>, at: number) {
    this.#words = words;
    this.#at = at;
  }

  /** Slot index of the owner, or -1. A snapshot. */
  get owner(): number {
    return (Atomics.load(this.#words, this.#at) & ~WAITERS) - 1;
  }

  /** Takes the lock for the consumer of slot `slotIndex`. Thread: one that may block. */
  acquire(slotIndex: number): void {
    // Who has waited takes the lock with the bit set: others may still be asleep on it.
    for (let own = slotIndex + 1; !this.#tryAcquire(own); own |= WAITERS) {
      const word = this.#announceWaiter();
      if (word !== 0) Atomics.wait(this.#words, this.#at, word, SLEEP_SLICE_MS);
    }
  }

  /** Takes the lock for the consumer of slot `slotIndex`, without blocking. Thread: any. */
  async acquireAsync(slotIndex: number): Promise<void> {
    for (let own = slotIndex + 1; !this.#tryAcquire(own); own |= WAITERS) {
      const word = this.#announceWaiter();
      if (word === 0) continue;
      const wait = Atomics.waitAsync(this.#words, this.#at, word, SLEEP_SLICE_MS);
      if (wait.async) await wait.value;
    }
  }

  /** Gives the lock back. Thread: its owner, or the supervisor in a dead owner's place. */
  release(): void {
    const before = Atomics.exchange(this.#words, this.#at, 0);
    if ((before & WAITERS) !== 0) Atomics.notify(this.#words, this.#at, 1);
  }

  #tryAcquire(own: number): boolean {
    for (let round = 0; round < SPIN_ROUNDS; round++) {
      if (Atomics.compareExchange(this.#words, this.#at, 0, own) === 0) return true;
      Atomics.pause?.();
    }
    return false;
  }

  /** Marks the lock as waited for; returns the word to sleep on, or 0 when it is free. */
  #announceWaiter(): number {
    const word = Atomics.load(this.#words, this.#at);
    if (word === 0 || (word & WAITERS) !== 0) return word;
    const marked = word | WAITERS;
    return Atomics.compareExchange(this.#words, this.#at, word, marked) === word ? marked : 0;
  }
}
