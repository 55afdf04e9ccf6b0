/**
 * An in-flight slot as the supervisor sees it; the memory is drawn in slot_layout.ts.
 *
 * @module
 */

import {
  ASLEEP,
  EPOCH_MASK,
  EPOCH_SHIFT,
  KIND_MASK,
  SlotKind,
  SlotRequest,
  SlotView,
  SlotWord,
} from "./slot_layout.ts";

/**
 * A slot in the hands of the supervisor.
 *
 * Thread: the supervisor. Methods marked "after the end" need proof that the owner's isolate has
 * ended or was fenced by {@link fenceSleeper}.
 */
export class SlotSupervision extends SlotView {
  /** What the slot holds. */
  get kind(): SlotKind {
    return (Atomics.load(this.words, this.at + SlotWord.STATE) & KIND_MASK) as SlotKind;
  }

  /** Epoch of the owner. */
  get epoch(): number {
    return Atomics.load(this.words, this.at + SlotWord.STATE) >>> EPOCH_SHIFT;
  }

  /** Whether the owner sleeps, or has not started yet. */
  get asleep(): boolean {
    return (Atomics.load(this.words, this.at + SlotWord.STATE) & ASLEEP) !== 0;
  }

  /** When the owner last said that it runs, in milliseconds since the epoch. */
  get heartbeatMs(): number {
    return this.doubles[(this.at >> 1) + SlotWord.HEARTBEAT_DOUBLE]!;
  }

  /** How many consumers died with this job. */
  get deaths(): number {
    return this.words[this.at + SlotWord.DEATHS]!;
  }

  /**
   * Makes the slot ready for a new owner, keeping its job: epoch + 1, ASLEEP until the owner's
   * first `ConsumerSlot.wakeUp`, no stop request.
   *
   * After the end of the previous owner.
   *
   * @returns the new epoch
   */
  prepare(nowMs: number): number {
    this.doubles[(this.at >> 1) + SlotWord.HEARTBEAT_DOUBLE] = nowMs;
    Atomics.store(this.words, this.at + SlotWord.REQUEST, SlotRequest.RUN);
    Atomics.store(this.words, this.at + SlotWord.RUNNING, 0);
    const state = Atomics.load(this.words, this.at + SlotWord.STATE);
    const epoch = ((state >>> EPOCH_SHIFT) + 1) & EPOCH_MASK;
    const kind = state & KIND_MASK;
    Atomics.store(this.words, this.at + SlotWord.STATE, (epoch << EPOCH_SHIFT) | ASLEEP | kind);
    return epoch;
  }

  /** Makes a further lane of a consumer ready, in the epoch that its first slot was given. */
  prepareLane(epoch: number): void {
    const kind = Atomics.load(this.words, this.at + SlotWord.STATE) & KIND_MASK;
    Atomics.store(this.words, this.at + SlotWord.STATE, (epoch << EPOCH_SHIFT) | kind);
  }

  /** The lane whose code ran last, as far as the owner knew; -1: it is not known. */
  get runningLane(): number {
    return Atomics.load(this.words, this.at + SlotWord.RUNNING) - 1;
  }

  /**
   * Fences the owner if it sleeps: the epoch moves on and the sleeper can never act again.
   *
   * @returns false when the owner is awake; ask again later
   */
  fenceSleeper(): boolean {
    const state = Atomics.load(this.words, this.at + SlotWord.STATE);
    if ((state & ASLEEP) === 0) return false;
    const epoch = ((state >>> EPOCH_SHIFT) + 1) & EPOCH_MASK;
    const next = (epoch << EPOCH_SHIFT) | (state & KIND_MASK);
    return Atomics.compareExchange(this.words, this.at + SlotWord.STATE, state, next) === state;
  }

  /** Asks the owner to stop after its job. */
  requestStop(): void {
    const { RUN, STOP } = SlotRequest;
    Atomics.compareExchange(this.words, this.at + SlotWord.REQUEST, RUN, STOP);
  }

  /** Whether the owner has stopped by itself; see `ConsumerSlot.leave`. */
  get left(): boolean {
    return Atomics.load(this.words, this.at + SlotWord.REQUEST) === SlotRequest.LEFT;
  }

  /** Wakes an owner that naps or stalls; returns how many slept, zombies included. */
  rouse(): number {
    return Atomics.notify(this.words, this.at + SlotWord.NAP);
  }

  /** Whether the dead owner was counted as a sleeper; true once. After the end. */
  takeAsleepCount(): boolean {
    return Atomics.exchange(this.words, this.at + SlotWord.COUNTED_ASLEEP, 0) === 1;
  }

  /** Counts one more death with this job. After the end. */
  countDeath(): number {
    return ++this.words[this.at + SlotWord.DEATHS]!;
  }

  /** Moves the job to another kind, in place of the dead owner. After the end. */
  become(kind: SlotKind): void {
    const state = Atomics.load(this.words, this.at + SlotWord.STATE);
    Atomics.store(this.words, this.at + SlotWord.STATE, (state & ~KIND_MASK) | kind);
  }
}
