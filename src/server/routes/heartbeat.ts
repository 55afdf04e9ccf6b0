/**
 * One clock of seconds for all connections that live long.
 *
 * @module
 */

/** Unit: ms. */
const BEAT_MS = 1000;

/** Beats that are done before others have their turn. Reason: each may be a write, some 10 µs. */
const BEATS_PER_TURN = 64;

/** What has something to do once a second. */
export interface Beating {
  /** Called once a second. */
  beat(): void;
}

/**
 * Lets its members beat; the timer runs only while there are some.
 *
 * Thread: one I/O thread.
 */
export class Heartbeat {
  readonly #members = new Set<Beating>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Adds a member. */
  join(member: Beating): void {
    this.#members.add(member);
    this.#timer ??= setTimeout(() => void this.#round(), BEAT_MS);
  }

  /** Takes a member away. */
  leave(member: Beating): void {
    this.#members.delete(member);
    if (this.#members.size > 0) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Lets every member beat once. */
  async beat(): Promise<void> {
    let count = 0;
    for (const member of [...this.#members]) {
      if (++count % BEATS_PER_TURN === 0) await new Promise((resolve) => setTimeout(resolve));
      if (this.#members.has(member)) member.beat();
    }
  }

  async #round(): Promise<void> {
    try {
      await this.beat();
    } finally {
      this.#timer = this.#members.size === 0
        ? undefined
        : setTimeout(() => void this.#round(), BEAT_MS);
    }
  }
}
