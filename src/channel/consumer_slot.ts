/**
 * An in-flight slot as its owner sees it; the memory is drawn in slot_layout.ts.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import type { Int64 } from "../base/int64.ts";
import {
  ASLEEP,
  type ConsumerSlotsMemory,
  EPOCH_MASK,
  EPOCH_SHIFT,
  KIND_MASK,
  SLEEP_SLICE_MS,
  SlotKind,
  SlotRequest,
  SlotView,
  SlotWord,
} from "./slot_layout.ts";

/**
 * A slot in the hands of its owner.
 *
 * Every method that returns a boolean returns false when the owner has been fenced: it must then
 * stop at once and touch nothing shared any more, not even to unlock or to clean up.
 *
 * Thread: the consumer.
 */
export class ConsumerSlot extends SlotView {
  /** The epoch of this owner. */
  readonly epoch: number;
  /** The state this owner put there last. */
  #state: number;
  #fenced = false;
  #textBytes = 0;

  /** Made by `ConsumerSlots.own`. */
  constructor(memory: ConsumerSlotsMemory, index: number, slotOffset: number, epoch: number) {
    super(memory, index, slotOffset);
    this.epoch = epoch & EPOCH_MASK;
    const state = Atomics.load(this.words, this.at + SlotWord.STATE);
    this.#state = (this.epoch << EPOCH_SHIFT) | (state & (KIND_MASK | ASLEEP));
    this.#fenced = (state >>> EPOCH_SHIFT) !== this.epoch;
  }

  /** True once a swap was lost. */
  get fenced(): boolean {
    return this.#fenced;
  }

  /** What this owner put there last. */
  get kind(): SlotKind {
    return (this.#state & KIND_MASK) as SlotKind;
  }

  /** Whether this owner has fallen asleep, or has never woken up. */
  get asleep(): boolean {
    return (this.#state & ASLEEP) !== 0;
  }

  /** Whether the supervisor asked this consumer to stop. */
  get stopRequested(): boolean {
    return Atomics.load(this.words, this.at + SlotWord.REQUEST) === SlotRequest.STOP;
  }

  /** Says that this consumer has stopped as asked, and not died. The slot is EMPTY. */
  leave(): void {
    Atomics.store(this.words, this.at + SlotWord.REQUEST, SlotRequest.LEFT);
  }

  /** Tells the supervisor that this consumer runs. Unit: milliseconds since the epoch. */
  beat(nowMs: number): void {
    this.doubles[(this.at >> 1) + SlotWord.HEARTBEAT_DOUBLE] = nowMs;
  }

  /** Copies a job into the slot; {@link claim} makes it count. The slot is EMPTY. */
  fill(source: Uint8Array, start: number, end: number, ticket: number): void {
    const length = end - start;
    if (length <= 48) {
      let target = this.jobStart;
      for (let i = start; i < end; i++) this.bytes[target++] = source[i]!;
    } else {
      this.bytes.set(source.subarray(start, end), this.jobStart);
    }
    this.words[this.at + SlotWord.JOB_LENGTH] = length;
    this.words[this.at + SlotWord.DEATHS] = 0;
    this.words[this.at + SlotWord.TICKET] = ticket;
  }

  /** EMPTY → CLAIMED: from here on the job is this slot's. */
  claim(): boolean {
    return this.#move(SlotKind.EMPTY, SlotKind.CLAIMED);
  }

  /**
   * CLAIMED → APPLIED: the last step before the effect, which then cannot fail (C3).
   *
   * @param outcome what the job's end will be counted as
   * @param counterValue value of that counter after this job, so that whoever finishes the job
   *   writes the same number
   * @param result what the job comes to, for whoever tells those that wait for it
   */
  apply(outcome: number, counterValue: number, result: Int64): boolean {
    this.words[this.at + SlotWord.RESULT_LENGTH] = this.#textBytes;
    this.words[this.at + SlotWord.OUTCOME] = outcome;
    this.words[this.at + SlotWord.RESULT] = result.lo;
    this.words[this.at + SlotWord.RESULT + 1] = result.hi;
    this.doubles[(this.at >> 1) + SlotWord.COUNTER_DOUBLE] = counterValue;
    return this.#move(SlotKind.CLAIMED, SlotKind.APPLIED);
  }

  /**
   * Puts down the text that the job comes to, for {@link apply}.
   *
   * @param text at most as many bytes as the slots have room for
   */
  putResult(text: Uint8Array): void {
    assert(text.length <= this.resultRoom, `a result of ${text.length} bytes fits`);
    this.bytes.set(text, this.resultStart);
    this.#textBytes = text.length;
  }

  /** Says that the job comes to no text. */
  putNoResult(): void {
    this.#textBytes = 0;
  }

  /** Says which lane's code runs from now on; -1: that is not known. In a consumer's first slot. */
  markRunning(lane: number): void {
    Atomics.store(this.words, this.at + SlotWord.RUNNING, lane + 1);
  }

  /** APPLIED → SETTLED: the effect is complete and visible. */
  settle(): boolean {
    return this.#move(SlotKind.APPLIED, SlotKind.SETTLED);
  }

  /** SETTLED (or CLAIMED, when a consumer has no effects) → EMPTY. */
  clear(): boolean {
    return this.#move(this.kind, SlotKind.EMPTY);
  }

  /**
   * Announces that this thread is about to sleep; until {@link wakeUp} it may be fenced.
   *
   * Between the two calls the thread touches nothing but the word it waits on.
   */
  fallAsleep(): boolean {
    return this.#swap(this.#state, this.#state | ASLEEP);
  }

  /** Takes back {@link fallAsleep}. */
  wakeUp(): boolean {
    return this.#swap(this.#state, this.#state & ~ASLEEP);
  }

  /**
   * Sleeps for `durationMs`, in slices, with a heartbeat after each.
   *
   * Thread: the consumer, which must be allowed to block.
   */
  nap(durationMs: number): boolean {
    const endMs = performance.now() + durationMs;
    for (let leftMs = durationMs; leftMs > 0; leftMs = endMs - performance.now()) {
      if (!this.#wait(Math.min(leftMs, SLEEP_SLICE_MS))) return false;
      this.beat(Date.now());
    }
    return true;
  }

  /**
   * Sleeps until somebody calls `SlotSupervision.rouse`, however long that takes.
   *
   * For fault injection: this is the sleeper that `terminate()` does not end.
   */
  stall(): boolean {
    return this.#wait(Infinity);
  }

  /** Counts this consumer as asleep on the channel, for `SlotSupervision.takeAsleepCount`. */
  markCountedAsleep(): void {
    Atomics.store(this.words, this.at + SlotWord.COUNTED_ASLEEP, 1);
  }

  /** Takes the mark back; false when the supervisor did already. */
  takeAsleepCount(): boolean {
    return Atomics.exchange(this.words, this.at + SlotWord.COUNTED_ASLEEP, 0) === 1;
  }

  #wait(durationMs: number): boolean {
    if (!this.fallAsleep()) return false;
    Atomics.wait(this.words, this.at + SlotWord.NAP, 0, durationMs);
    return this.wakeUp();
  }

  #move(from: SlotKind, to: SlotKind): boolean {
    // The text is made only when it is needed: this is on the way of every event.
    if (this.kind !== from) assert(false, this.#describe(from, to));
    return this.#swap(this.#state, (this.#state & ~KIND_MASK) | to);
  }

  #describe(from: SlotKind, to: SlotKind): string {
    return `slot ${this.index} goes from ${from} to ${to}, not ${this.kind}`;
  }

  #swap(from: number, to: number): boolean {
    if (this.#fenced) return false;
    if (Atomics.compareExchange(this.words, this.at + SlotWord.STATE, from, to) !== from) {
      this.#fenced = true;
      return false;
    }
    this.#state = to;
    return true;
  }
}
