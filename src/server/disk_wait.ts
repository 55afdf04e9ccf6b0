/**
 * A connection that waits for the disk, which may take as long as the disk is broken.
 *
 * Meanwhile the client's end is looked out for, so that who leaves takes up no room. (Who only says that
 * it will send no more is taken for gone, too.)
 *
 * @module
 */

import { newTold, type Told } from "../durability/told.ts";
import type { ReplyGate, TurnWriter } from "./write_turns.ts";

/** What a {@link DiskWait} asks of its connection. */
export interface DiskWaiter {
  /** Whether it is closed. */
  isOver(): boolean;
  /** Has the client's end looked out for, and `leave` called then; undefined: no more. */
  waiting(leave: (() => void) | undefined): void;
  /**
   * The client has left: it is closed, unless the server has told it to end. That waits for the disk,
   * though not for long.
   */
  left(): void;
}

/** Thread: belongs to one connection. */
export class DiskWait {
  readonly #gate: ReplyGate;
  readonly #waiter: DiskWaiter;
  /** Pushes that wait. */
  #pushCount = 0;

  /** Waits for nothing yet. */
  constructor(gate: ReplyGate, waiter: DiskWaiter) {
    this.#gate = gate;
    this.#waiter = waiter;
  }

  /**
   * Begins to write a reply when what it tells is on the disk.
   *
   * @returns false when the connection was closed meanwhile
   */
  async write(writer: TurnWriter): Promise<boolean> {
    await this.#watched(this.#until(writer.told));
    if (this.#waiter.isOver()) return false;
    writer.writeNow();
    return true;
  }

  /** Resolves when all that can be seen now is on the disk, or the connection is closed. */
  async untilAllSafe(): Promise<void> {
    const told = newTold();
    this.#gate.touchAll(told);
    this.#pushCount++;
    await this.#until(told);
    this.#pushCount--;
  }

  /** Waits with a reply until what is pushed is written. */
  watch(pushing: Promise<void>): Promise<void> {
    return this.#pushCount > 0 ? this.#watched(pushing) : pushing;
  }

  async #watched(waiting: Promise<void>): Promise<void> {
    this.#waiter.waiting(() => this.#waiter.left());
    await waiting;
    this.#waiter.waiting(undefined);
  }

  async #until(told: Told): Promise<void> {
    while (!this.#waiter.isOver() && !this.#gate.isSafe(told)) await this.#gate.nextChange();
  }
}
