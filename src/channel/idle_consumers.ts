/**
 * The consumers of a channel that sleep, and how they are woken without a wake-up more than needed.
 *
 * ```text
 * u32  signal   sleepers sleep on it; it counts up with every call
 * u32  idle     bits 0–15 consumers that are counted in, bit 30 CALLED: one of them was called, and
 *               none has left since; bits 29 and 31 are of waiting_senders.ts
 * ```
 *
 * Waking a thread costs the caller some microseconds, and the woken one stays counted in until it
 * really runs, which may take as long as a hundred sends. So a call is noted in the word that counts
 * them, and while the note is there nobody else calls: who leaves takes it away.
 *
 * ```text
 * consumer                                  caller
 * C1  s = signal                            P1  publishes a job
 * C2  looks for a job; there is none        P2  w = idle; nobody in, or CALLED: done
 * C3  enter: idle + 1                       P3  no job at the head: done
 * C4  looks again; if there is one, C6      P4  idle: w → w | CALLED, by swap; if it fails, P2
 * C5  sleeps on signal while it is s        P5  signal + 1
 * C6  leave: idle - 1, without CALLED       P6  wakes one sleeper
 * C7  looks for a job, or goes on at C1
 * ```
 *
 * **No lost wake-up.** All of this is in the single order of atomics. That P3 finds no job means that
 * it was taken, or that the job in front of it is not there yet, whose sender has its own P2 to P6
 * to come. Otherwise a call ends in one of three ways.
 *
 * 1. P2 finds nobody in. Who enters later looks later (C4), and finds the job.
 * 2. P4 succeeds. Some consumer is in, and had read the signal before it came in, so before P5. So it
 *    is not on its way into a sleep that lasts: it does not sleep (C5 finds another signal), or P6
 *    finds it asleep, or finds another one asleep. Whichever wakes leaves, and looks after that.
 * 3. P2 finds CALLED. Then another call has passed its P4, and nobody has left since, for C6 would
 *    have taken the note away. So those who were in at that P4 are still in, and what is said under
 *    2 of one of them is still to come: it leaves behind this P2, and looks behind this P1.
 *
 * Who takes a job and sees another one makes a call itself, so that one call is enough for any number
 * of jobs: as many consumers wake as there are jobs for, one after the other.
 *
 * **Death.** A consumer that dies while it is counted in leaves by the hand of its supervisor, who
 * knows from its slot that it was in, and calls all others: the dead one may have been the called
 * one, or have been about to call. Until its death is noticed, CALLED may keep others from calling;
 * no longer than a sleeper's slice (`SLEEP_SLICE_MS`), because whoever wakes by the clock leaves too. A fenced one that is woken passes the wake-up on ({@link IdleConsumers.passOn}).
 *
 * @module
 */

import { assert } from "../base/assert.ts";

const CALLED = 1 << 30;
const COUNT_MASK = 0xffff;
/** Without what waiting senders say in the same word. */
const IDLE_MASK = 0x5fffffff;

/**
 * Those who sleep on one channel.
 *
 * Thread: any; see the methods.
 */
export class IdleConsumers {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #signalAt: number;
  readonly #idleAt: number;

  /** Uses the words at index `at` and behind it. */
  constructor(words: Int32Array<SharedArrayBuffer>, at: number) {
    this.#words = words;
    this.#signalAt = at;
    this.#idleAt = at + 1;
  }

  /** How many are counted in. A snapshot. */
  get count(): number {
    return Atomics.load(this.#words, this.#idleAt) & COUNT_MASK;
  }

  /**
   * Whether somebody is in, and nobody was called. A snapshot; also true while senders wait for room, so
   * that one comparison tells both.
   */
  get isCallNeeded(): boolean {
    const idle = Atomics.load(this.#words, this.#idleAt);
    return idle !== 0 && idle < CALLED;
  }

  /** What a consumer reads first of all, to sleep on it later. */
  get signal(): number {
    return Atomics.load(this.#words, this.#signalAt);
  }

  /** Counts the calling consumer in; it looks for jobs once more before it sleeps. */
  enter(): void {
    Atomics.add(this.#words, this.#idleAt, 1);
  }

  /** Counts one out, which looks for jobs afterwards, or is dead. */
  leave(): void {
    const words = this.#words;
    const at = this.#idleAt;
    for (let idle = Atomics.load(words, at);;) {
      const seen = Atomics.compareExchange(words, at, idle, (idle & ~CALLED) - 1);
      if (seen === idle) return;
      idle = seen;
    }
  }

  /**
   * Sleeps until there is a call, unless there was one since `signal` was read.
   *
   * Thread: one that may block.
   */
  sleep(signal: number, timeoutMs: number): void {
    Atomics.wait(this.#words, this.#signalAt, signal, timeoutMs);
  }

  /** Like {@link IdleConsumers.sleep}, for threads that must not block. */
  async sleepAsync(signal: number, timeoutMs: number): Promise<void> {
    const wait = Atomics.waitAsync(this.#words, this.#signalAt, signal, timeoutMs);
    if (wait.async) await wait.value;
  }

  /** Like {@link IdleConsumers.sleepAsync}, until there is a call, however long that takes. */
  async hearCall(signal: number): Promise<void> {
    const wait = Atomics.waitAsync(this.#words, this.#signalAt, signal);
    if (wait.async) await wait.value;
  }

  /** Wakes one, unless none is in or one was called already. Not before the job is published. */
  callOne(): void {
    const words = this.#words;
    const at = this.#idleAt;
    for (let idle = Atomics.load(words, at); (idle & CALLED) === 0 && (idle & COUNT_MASK) > 0;) {
      const seen = Atomics.compareExchange(words, at, idle, idle | CALLED);
      if (seen === idle) return this.passOn();
      idle = seen;
    }
  }

  /** Wakes one more, in place of a fenced consumer that was woken. */
  passOn(): void {
    Atomics.add(this.#words, this.#signalAt, 1);
    Atomics.notify(this.#words, this.#signalAt, 1);
  }

  /**
   * Checks what must hold between operations.
   *
   * Thread: any, only with no other thread active.
   *
   * @throws {AssertionFault} when the word cannot be what it says
   */
  assertInvariants(): void {
    const idle = this.#words[this.#idleAt]! & IDLE_MASK;
    assert((idle & ~CALLED) <= COUNT_MASK, `${idle} counts the idle`);
    assert(idle !== CALLED, "who was called is counted in");
  }

  /** Wakes everybody. */
  callAll(): void {
    Atomics.add(this.#words, this.#signalAt, 1);
    Atomics.notify(this.#words, this.#signalAt);
  }
}
