/**
 * The messages of one thread that wait for room in a channel, in order.
 *
 * However many they are, they wait for one call (`src/channel/waiting_senders.ts`), and keep the thread
 * alive meanwhile.
 *
 * @module
 */

import type { WaitingSenders } from "../channel/waiting_senders.ts";
import { LONGEST_TIMER_MS, WAIT_TICK_MS } from "./runtime.ts";

/** Before it asks for any room, and not for much of it. Unit: ms. */
export const BATCH_WAIT_MS = 1;
/** Longest sleep: a receiver may have died before it called. Unit: ms. */
export const ROOM_WAIT_MS = 100;

/** Where the messages go. */
export interface SendTarget {
  /** Whether nothing is taken any more. */
  readonly closed: boolean;
  /** Tries; false when it is full or closed. */
  trySend(message: string | Uint8Array): boolean;
}

/** A message that waits. */
interface Waiting {
  readonly message: string | Uint8Array;
  /** Takes it out of the queue. */
  end(isSent: boolean): void;
  /** The same, when it cannot be sent. */
  fail(error: unknown): void;
}

/**
 * Messages that wait for room.
 *
 * Thread: that of its channel's instance.
 */
export class SendQueue {
  readonly #target: SendTarget;
  readonly #senders: WaitingSenders;
  readonly #waiting = new Set<Waiting>();
  /** The signal whose call is listened to, if one is. */
  #heardSignal: number | undefined;
  #endSleep: ((isCalled: boolean) => void) | undefined;
  #isRunning = false;

  /** Waits for room in a channel. */
  constructor(target: SendTarget, senders: WaitingSenders) {
    this.#target = target;
    this.#senders = senders;
  }

  /** Whether nothing waits. */
  get isEmpty(): boolean {
    return this.#waiting.size === 0;
  }

  /**
   * Puts a message behind the others.
   *
   * @returns false when the channel was closed, the time ran out or the signal came
   */
  add(
    message: string | Uint8Array,
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    const leave = (): boolean => {
      if (!this.#waiting.delete(waiting)) return false;
      clearTimeout(timer);
      signal?.removeEventListener("abort", giveUp);
      if (this.isEmpty) this.#endSleep?.(false);
      return true;
    };
    const waiting: Waiting = {
      message,
      end: (isSent) => {
        if (leave()) resolve(isSent);
      },
      fail: (error) => {
        if (leave()) reject(error);
      },
    };
    const giveUp = (): void => waiting.end(false);
    const timer = timeoutMs === Infinity
      ? undefined
      : setTimeout(giveUp, Math.min(timeoutMs, LONGEST_TIMER_MS));
    signal?.addEventListener("abort", giveUp);
    this.#waiting.add(waiting);
    if (!this.#isRunning) void this.#run();
    return promise;
  }

  /** Sends what waits, until nothing does. */
  async #run(): Promise<void> {
    this.#isRunning = true;
    let takesAnyRoom = false;
    while (!this.isEmpty) {
      const call = this.#senders.signal;
      this.#sendThose();
      if (this.isEmpty) break;
      this.#senders.want(takesAnyRoom);
      const isSent = this.#sendThose();
      if (this.#target.closed) { for (const waiting of this.#waiting) waiting.end(false); }
      if (isSent || this.isEmpty) continue;
      const isCalled = await this.#sleep(call, takesAnyRoom ? ROOM_WAIT_MS : BATCH_WAIT_MS);
      takesAnyRoom = !isCalled;
    }
    this.#isRunning = false;
  }

  /** Sends as many as there is room for; returns whether there was any. */
  #sendThose(): boolean {
    let isAnySent = false;
    for (const waiting of this.#waiting) {
      try {
        if (!this.#target.trySend(waiting.message)) break;
        isAnySent = true;
        waiting.end(true);
      } catch (error) {
        // Its bytes were given away meanwhile.
        waiting.fail(error);
      }
    }
    return isAnySent;
  }

  /** Sleeps until there is a call; false when it ends before. */
  #sleep(call: number, durationMs: number): Promise<boolean> {
    if (this.#heardSignal !== call) {
      this.#heardSignal = call;
      void this.#senders.hearCall(call).then(() => {
        if (this.#heardSignal === call) this.#heardSignal = undefined;
        this.#endSleep?.(true);
      });
    }
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => this.#endSleep?.(false), Math.min(durationMs, WAIT_TICK_MS));
    this.#endSleep = (isCalled) => {
      clearTimeout(timer);
      this.#endSleep = undefined;
      resolve(isCalled);
    };
    return promise;
  }
}
