/**
 * The senders that wait for room in a full channel, and how they are woken at no cost for the others.
 *
 * ```text
 * u32  idle     the word of idle_consumers.ts: bit 31 ROOM_WANTED: a sender waits; bit 29 ANY_ROOM: it
 *               wants to know of any room, and not only of a batch of it
 * u32  room     senders sleep on it; it counts up with every call
 * ```
 *
 * Who takes a job reads the word of the idle consumers anyway, to call the next one. With bit 31 the
 * word is negative, so that the same comparison finds a waiting sender as well: where none waits, a
 * receive does nothing for this that it did not do before.
 *
 * Waking a thread for each place that becomes free would make fast receivers slow. So a sender asks for
 * a batch of room at first, half of the channel at most; if there is none within a millisecond, the
 * receivers are slow, and it asks for any room.
 *
 * ```text
 * sender                                    receiver
 * S1  c = room                              R1  moves the head: there is room
 * S2  tries to send; it is full             R2  w = idle; not negative: done
 * S3  idle: w → w | ROOM_WANTED             R3  neither ANY_ROOM nor a batch free: done
 * S4  tries again; if it is sent: done      R4  idle: w → w without both bits; nobody waits: done
 * S5  sleeps on room while it is c          R5  room + 1
 *                                           R6  wakes all senders
 * ```
 *
 * **No lost wake-up.** All of this is in the single order of atomics. Either R2 comes before S3, then so
 * does R1, and S4 finds the room. Or R2 finds the bit. Then R4 of this or another receiver comes to R5
 * behind S1, so that S5 does not sleep or is woken; or the call is left out at R3. A sender that
 * asked for a batch then sleeps until its millisecond is over, and asks for any. For one that asked for
 * any, R3 goes on unless another sender has taken the place meanwhile; what that one sends is taken some
 * time, with an R1 of its own. Whoever gives back a place that it has not used does the same as a receiver.
 *
 * **Death.** A sender that dies leaves its bits, which cost one call in vain. A receiver that dies before
 * R6 is replaced by its supervisor, who calls all; until then senders look after their slice
 * (`SLEEP_SLICE_MS`).
 *
 * @module
 */

/** A sender waits. The sign of the word. */
const ROOM_WANTED = 1 << 31;
/** One of them takes any room. Below the bit of the consumers, which tells them apart by size. */
const ANY_ROOM = 1 << 29;
/** Room that is worth a wake-up while receivers are fast, at most. Unit: jobs. */
const BATCH_JOBS_MAX = 256;

/**
 * Those who wait for room in one channel.
 *
 * Thread: any; see the methods.
 */
export class WaitingSenders {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #idleAt: number;
  readonly #roomAt: number;
  readonly #batchJobs: number;

  /** Uses the word of the idle consumers at `idleAt` and one of its own at `roomAt`. */
  constructor(
    words: Int32Array<SharedArrayBuffer>,
    idleAt: number,
    roomAt: number,
    capacity: number,
  ) {
    this.#words = words;
    this.#idleAt = idleAt;
    this.#roomAt = roomAt;
    this.#batchJobs = Math.min(BATCH_JOBS_MAX, Math.ceil(capacity / 2));
  }

  /** What a sender reads first of all, to sleep on it later. */
  get signal(): number {
    return Atomics.load(this.#words, this.#roomAt);
  }

  /** Whether anybody waits. A snapshot. */
  get isRoomWanted(): boolean {
    return Atomics.load(this.#words, this.#idleAt) < 0;
  }

  /** Asks to be called; the caller tries to send once more before it sleeps. */
  want(anyRoom: boolean): void {
    Atomics.or(this.#words, this.#idleAt, anyRoom ? ROOM_WANTED | ANY_ROOM : ROOM_WANTED);
  }

  /** Behind a place that became free: wakes who waits, if `freeJobs` places are worth it. */
  callFor(freeJobs: number): void {
    const idle = Atomics.load(this.#words, this.#idleAt);
    if (idle >= 0 || freeJobs <= 0) return;
    if ((idle & ANY_ROOM) === 0 && freeJobs < this.#batchJobs) return;
    const wanted = Atomics.and(this.#words, this.#idleAt, ~(ROOM_WANTED | ANY_ROOM));
    if (wanted < 0) this.callAll();
  }

  /** Wakes all. */
  callAll(): void {
    Atomics.add(this.#words, this.#roomAt, 1);
    Atomics.notify(this.#words, this.#roomAt);
  }

  /**
   * Sleeps until there is a call, unless there was one since `signal` was read.
   *
   * Thread: one that may block.
   *
   * @returns false when the time was over
   */
  sleep(signal: number, timeoutMs: number): boolean {
    return Atomics.wait(this.#words, this.#roomAt, signal, timeoutMs) !== "timed-out";
  }

  /** Resolves when there was a call since `signal` was read, however long that takes. */
  async hearCall(signal: number): Promise<void> {
    const wait = Atomics.waitAsync(this.#words, this.#roomAt, signal);
    if (wait.async) await wait.value;
  }
}
