/**
 * The bounded channel: a multi-producer, multi-consumer queue of jobs (byte strings) in one
 * SharedArrayBuffer.
 *
 * ```text
 * 0     line 0: what the channel is. u32 magic, capacity, cells (power of two >= capacity and
 *       >= 2), job bytes, cell bytes, closed (0 or 1)
 * 64    line 1: producers. u32 reserved, u32 tail, u32 high-water mark
 * 128   line 2: consumers. u32 head
 * 192   line 3: u32 consumer lock (see consumer_lock.ts)
 * 256   line 4: consumers that sleep. two words (see idle_consumers.ts); senders that wait for room:
 *       one (see waiting_senders.ts)
 * 320   cells, each a whole number of cache lines:
 *         u32 sequence, u32 job length, job
 * ```
 *
 * `reserved`, `tail` and `head` are tickets: uint32 counters that wrap. Always
 * `head <= tail <= reserved <= head + capacity` (in the wrapped order).
 *
 * - A producer reserves (compare-and-swap of `reserved`, refused when `reserved - head` is the
 *   capacity: this makes the capacity exact), draws its ticket from `tail`, copies the job into
 *   cell `ticket mod cells` and publishes it by storing `ticket + 1` in the cell's sequence.
 *   That store pairs with the consumer's load: who sees the sequence sees the job. A cell whose
 *   ticket was drawn is always free, because no more than `capacity` tickets are ever at large.
 * - A consumer takes the consumer lock, looks at the cell of `head`, copies the job into its own
 *   in-flight slot, claims it there, sets the cell free (`sequence = ticket + cells`) and moves
 *   `head`. Producers never take that lock. A job is taken in ticket order, hence first in, first
 *   out per producer.
 *
 * Moving `head` is at the same time what gives the place back to producers. So the steps under
 * the lock leave no doubt when their consumer dies among them: the lock word names it, nobody else
 * can have moved `head`, and the slot says whether the job with ticket `head` was claimed
 * ({@link BoundedChannel.recoverDeadConsumer}).
 *
 * A producer that has published calls a sleeping consumer; {@link BoundedChannel.publish} does both,
 * {@link BoundedChannel.put} leaves the call to the producer, who may have more to publish first. Who
 * takes a job calls the next one if more are waiting. idle_consumers.ts says why no wake-up is lost.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { MAX_JOB_BYTES } from "../base/job.ts";
import { CHANNEL_CAPACITY_MAX, CHANNEL_MESSAGE_MAX_BYTES } from "../base/limits.ts";
import { copyBytes } from "../base/shared_copy.ts";
import type { ChannelMemory, ChannelOptions, ConsumerRecovery } from "./channel_types.ts";
import { ConsumerLock } from "./consumer_lock.ts";
import type { ConsumerSlot } from "./consumer_slot.ts";
import { IdleConsumers } from "./idle_consumers.ts";
import { RecvStatus, RecvStep } from "./recv_status.ts";
import { SLEEP_SLICE_MS, SlotKind } from "./slot_layout.ts";
import type { SlotSupervision } from "./slot_supervision.ts";
import { WaitingSenders } from "./waiting_senders.ts";

export type { ChannelMemory, ChannelOptions, ConsumerRecovery } from "./channel_types.ts";
export { RecvStatus, RecvStep } from "./recv_status.ts";

const MAGIC = 0x53434831;
const LINE_BYTES = 64;
const HEADER_BYTES = 320;
const CELL_HEADER_BYTES = 8;

/** Word offsets in the header. */
const Header = {
  MAGIC: 0,
  CAPACITY: 1,
  CELL_COUNT: 2,
  JOB_BYTES: 3,
  CELL_BYTES: 4,
  CLOSED: 5,
  RESERVED: 16,
  TAIL: 17,
  HIGH_WATER: 18,
  HEAD: 32,
  LOCK: 48,
  IDLE: 64,
  IDLE_COUNT: 65,
  ROOM: 66,
} as const;

const IDLE_SPIN_ROUNDS = 20;

/**
 * The channel, as seen by one thread.
 *
 * Thread: one instance per thread; {@link trySend} and the counters from any, {@link recv} from
 * threads that may block, {@link recvAsync} from the others.
 *
 * @example
 * ```ts
 * import { BoundedChannel, RecvStatus } from "./bounded_channel.ts";
 * import { ConsumerSlots } from "./consumer_slots.ts";
 * const channel = BoundedChannel.create({ capacity: 1 });
 * const slot = ConsumerSlots.create({ slotCount: 1 }).own(0, 0);
 * console.assert(channel.trySend(Uint8Array.of(1, 2, 3), 0, 3));
 * console.assert(!channel.trySend(Uint8Array.of(4), 0, 1), "it is full");
 * console.assert(channel.recv(slot, 0) === RecvStatus.JOB && slot.jobLength === 3);
 * ```
 */
export class BoundedChannel {
  /** To hand to another thread for {@link BoundedChannel.attach}. */
  readonly memory: ChannelMemory;
  /** Jobs that may wait. */
  readonly capacity: number;
  /** Longest job in bytes. */
  readonly jobBytes: number;
  /** Called at every step of a receive; undefined except in tests that end a consumer there. */
  onStep: ((step: RecvStep) => void) | undefined = undefined;

  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #bytes: Uint8Array<SharedArrayBuffer>;
  readonly #lock: ConsumerLock;
  readonly #idle: IdleConsumers;
  readonly #senders: WaitingSenders;
  readonly #cellMask: number;
  readonly #cellBytes: number;

  private constructor(memory: ChannelMemory) {
    this.memory = memory;
    this.#words = new Int32Array(memory.buffer);
    this.#bytes = new Uint8Array(memory.buffer);
    this.#lock = new ConsumerLock(this.#words, Header.LOCK);
    this.#idle = new IdleConsumers(this.#words, Header.IDLE);
    assert(this.#words[Header.MAGIC] === MAGIC, "the buffer is a channel of this version");
    this.capacity = this.#words[Header.CAPACITY]!;
    this.jobBytes = this.#words[Header.JOB_BYTES]!;
    this.#senders = new WaitingSenders(
      this.#words,
      Header.IDLE_COUNT,
      Header.ROOM,
      this.capacity,
    );
    this.#cellMask = this.#words[Header.CELL_COUNT]! - 1;
    this.#cellBytes = this.#words[Header.CELL_BYTES]!;
  }

  /** Makes an empty channel. Thread: any, before others attach. */
  static create(options: ChannelOptions): BoundedChannel {
    const { capacity, jobBytes = MAX_JOB_BYTES, firstTicket = 0 } = options;
    assert(
      Number.isInteger(capacity) && capacity >= 1 && capacity <= CHANNEL_CAPACITY_MAX,
      `a channel of ${capacity} jobs is possible`,
    );
    assert(
      jobBytes >= 1 && jobBytes <= CHANNEL_MESSAGE_MAX_BYTES,
      `jobs of ${jobBytes} bytes are possible`,
    );
    let cellCount = 2;
    while (cellCount < capacity) cellCount *= 2;
    const cellBytes = Math.ceil((CELL_HEADER_BYTES + jobBytes) / LINE_BYTES) * LINE_BYTES;
    const buffer = new SharedArrayBuffer(HEADER_BYTES + cellCount * cellBytes);
    const words = new Int32Array(buffer);
    words[Header.MAGIC] = MAGIC;
    words[Header.CAPACITY] = capacity;
    words[Header.CELL_COUNT] = cellCount;
    words[Header.JOB_BYTES] = jobBytes;
    words[Header.CELL_BYTES] = cellBytes;
    words[Header.RESERVED] = firstTicket;
    words[Header.TAIL] = firstTicket;
    words[Header.HEAD] = firstTicket;
    for (let i = 0; i < cellCount; i++) {
      const ticket = (firstTicket + i) | 0;
      words[(HEADER_BYTES + (ticket & (cellCount - 1)) * cellBytes) / 4] = ticket;
    }
    return new BoundedChannel({ buffer });
  }

  /** Opens a channel made by {@link BoundedChannel.create}, possibly in another thread. */
  static attach(memory: ChannelMemory): BoundedChannel {
    return new BoundedChannel(memory);
  }

  /**
   * Sends the job `bytes[start, end)` if there is room.
   *
   * Thread: any; never blocks.
   *
   * @returns false when the channel is full or closed
   */
  trySend(bytes: Uint8Array, start: number, end: number): boolean {
    if (!this.tryReserve()) return false;
    this.publish(bytes, start, end);
    return true;
  }

  /**
   * Takes one place of the capacity; {@link publish}, {@link put} or {@link cancelReservation} must
   * follow.
   *
   * Thread: any; never blocks.
   *
   * @returns false when the channel is full or closed
   */
  tryReserve(): boolean {
    const words = this.#words;
    let reserved = Atomics.load(words, Header.RESERVED);
    for (;;) {
      const waiting = (reserved - Atomics.load(words, Header.HEAD)) | 0;
      if (waiting >= this.capacity) {
        // Full, unless a reservation was cancelled between the two loads.
        const again = Atomics.load(words, Header.RESERVED);
        if (again === reserved) return false;
        reserved = again;
        continue;
      }
      const seen = Atomics.compareExchange(
        words,
        Header.RESERVED,
        reserved,
        (reserved + 1) | 0,
      );
      if (seen !== reserved) {
        reserved = seen;
        continue;
      }
      // Closed is looked at after the reservation: a consumer that saw the channel closed and
      // without reservations may then rely on it (see #isDrained).
      if (Atomics.load(words, Header.CLOSED) !== 0) {
        this.cancelReservation();
        return false;
      }
      if (waiting >= Atomics.load(words, Header.HIGH_WATER)) this.#raiseHighWater(waiting + 1);
      return true;
    }
  }

  /**
   * Sends a job in a place taken by {@link tryReserve}; works on a closed channel too.
   *
   * Thread: the one that reserved; never blocks.
   */
  publish(bytes: Uint8Array, start: number, end: number): void {
    if (this.put(bytes, start, end)) this.callConsumer();
  }

  /**
   * Like {@link publish}, but wakes nobody.
   *
   * @returns whether somebody must: then {@link callConsumer} has to follow, behind any number of
   *   others, but soon
   */
  put(bytes: Uint8Array, start: number, end: number): boolean {
    const length = end - start;
    // Checked before a ticket is drawn: a ticket without a job would stop the consumers for good.
    assert(length >= 1 && length <= this.jobBytes, `a job of ${length} bytes fits`);
    assert(start >= 0 && end <= bytes.length, "the job lies inside its buffer");
    const words = this.#words;
    const ticket = Atomics.add(words, Header.TAIL, 1);
    const cellAt = HEADER_BYTES + (ticket & this.#cellMask) * this.#cellBytes;
    words[(cellAt >> 2) + 1] = length;
    copyBytes(bytes, start, end, this.#bytes, cellAt + CELL_HEADER_BYTES);
    Atomics.store(words, cellAt >> 2, (ticket + 1) | 0);
    return this.#idle.isCallNeeded;
  }

  /** Wakes a consumer if one sleeps and a job waits. Thread: any; never blocks. */
  callConsumer(): void {
    if (this.#idle.isCallNeeded && this.#isPublished()) this.#idle.callOne();
  }

  /** Gives back a place taken by {@link tryReserve}. Thread: the one that reserved. */
  cancelReservation(): void {
    Atomics.sub(this.#words, Header.RESERVED, 1);
    this.#callSenders();
    // Consumers of a closed channel wait for the last reservation.
    if (Atomics.load(this.#words, Header.CLOSED) !== 0) this.wakeAll();
  }

  /**
   * Takes the oldest job into `slot`, which is EMPTY, waiting up to `timeoutMs` for one.
   *
   * Thread: the owner of `slot`; blocks, so not a thread that serves connections.
   *
   * @param timeoutMs 0 = look once; the wait may end late by a fraction of a millisecond
   */
  recv(slot: ConsumerSlot, timeoutMs: number): RecvStatus {
    // The text is made only when it is needed: this is on the way of every event.
    if (slot.kind !== SlotKind.EMPTY) assert(false, `slot ${slot.index} has room for a job`);
    let deadlineMs = -1;
    for (;;) {
      const signal = this.#idle.signal;
      while (this.#isPublished()) {
        this.onStep?.(RecvStep.SEEN);
        this.#lock.acquire(slot.index);
        const status = this.#takeLocked(slot);
        if (status !== RecvStatus.TIMEOUT) return status;
      }
      if (this.#isDrained()) return RecvStatus.CLOSED;
      if (timeoutMs <= 0) return RecvStatus.TIMEOUT;
      const nowMs = performance.now();
      if (deadlineMs < 0) deadlineMs = nowMs + timeoutMs;
      if (nowMs >= deadlineMs) return RecvStatus.TIMEOUT;
      if (this.#spin(signal)) continue;
      this.onStep?.(RecvStep.SLEEPY);
      this.#idle.enter();
      slot.markCountedAsleep();
      if (!this.#isPublished() && !this.#isDrained()) {
        const sliceMs = Math.min(deadlineMs - nowMs, SLEEP_SLICE_MS);
        if (!slot.fallAsleep()) return RecvStatus.FENCED;
        this.#idle.sleep(signal, sliceMs);
        if (!slot.wakeUp()) {
          // The wake-up may have been meant for a job: a living consumer must get it.
          this.#idle.passOn();
          return RecvStatus.FENCED;
        }
      }
      this.#countAwake(slot);
    }
  }

  /**
   * Like {@link recv}, for threads that must not block.
   *
   * Thread: the owner of `slot`.
   *
   * @param timeoutMs longest wait in milliseconds; default: until a job comes or the channel closes
   * @param signal ends the wait early, with TIMEOUT
   */
  async recvAsync(
    slot: ConsumerSlot,
    timeoutMs = Infinity,
    signal?: AbortSignal,
  ): Promise<RecvStatus> {
    assert(slot.kind === SlotKind.EMPTY, `slot ${slot.index} has room for a job`);
    const deadlineMs = performance.now() + timeoutMs;
    for (;;) {
      const seenSignal = this.#idle.signal;
      while (this.#isPublished()) {
        await this.#lock.acquireAsync(slot.index);
        const status = this.#takeLocked(slot);
        if (status !== RecvStatus.TIMEOUT) return status;
      }
      if (this.#isDrained()) return RecvStatus.CLOSED;
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0 || signal?.aborted) return RecvStatus.TIMEOUT;
      this.#idle.enter();
      slot.markCountedAsleep();
      if (!this.#isPublished() && !this.#isDrained()) {
        const sliceMs = Math.min(leftMs, SLEEP_SLICE_MS);
        await this.#idle.sleepAsync(seenSignal, sliceMs);
      }
      this.#countAwake(slot);
    }
  }

  /**
   * Counts a consumer with several slots in among those that wait, who looks for jobs again when it is
   * called. {@link endWait} has to follow, at the latest after 100 ms.
   *
   * Thread: the owner of `slot`, its first; it says itself when it sleeps.
   *
   * @param isCallAwaited whether the call that {@link call} promised before is still to come
   * @returns false: there is something to look at already, and it is not counted in
   */
  beginWait(slot: ConsumerSlot, signal: number, isCallAwaited: boolean): boolean {
    if (!isCallAwaited && signal !== this.#idle.signal) return false;
    if (this.#isPublished() || this.#isDrained()) return false;
    this.#idle.enter();
    slot.markCountedAsleep();
    if (!this.#isPublished() && !this.#isDrained()) return true;
    this.#countAwake(slot);
    return false;
  }

  /** What {@link call} wants to know; read before the last look for a job. */
  get signal(): number {
    return this.#idle.signal;
  }

  /**
   * Resolves when there was a call since `signal` was read.
   *
   * There is no timeout: a runtime may end with an isolate, and with a wait that has one, and then wait
   * for itself (seen: Deno 2.9.6).
   */
  call(signal: number): Promise<void> {
    return this.#idle.hearCall(signal);
  }

  /** Behind a {@link beginWait}: it looks for jobs now. Who has no room for one calls another one. */
  endWait(slot: ConsumerSlot): void {
    this.#countAwake(slot);
  }

  /** Behind a {@link call} of a thread that was fenced meanwhile: it may have been for a job. */
  passOnWait(): void {
    this.#idle.passOn();
  }

  /**
   * What a sender does that waits for room: it reads `senders.signal`, tries, says `senders.want`, tries
   * again, and sleeps.
   */
  get senders(): WaitingSenders {
    return this.#senders;
  }

  /**
   * Refuses all further sends; what was sent or reserved before can still be received.
   *
   * Thread: any; once closed, closed for good.
   */
  close(): void {
    Atomics.store(this.#words, Header.CLOSED, 1);
    this.wakeAll();
    this.#senders.callAll();
  }

  /** Wakes every idle consumer, so that it looks at its orders. Thread: any. */
  wakeAll(): void {
    this.#idle.callAll();
  }

  /** Whether {@link close} was called. */
  get closed(): boolean {
    return Atomics.load(this.#words, Header.CLOSED) !== 0;
  }

  /** Whether it is closed and nothing is left in it. */
  get drained(): boolean {
    return this.#isDrained();
  }

  /** Jobs that wait, reservations included; 0 to the capacity. Thread: any; a snapshot. */
  get depth(): number {
    // Head first: it only grows, so the difference is never negative by reading it early.
    const head = Atomics.load(this.#words, Header.HEAD);
    const depth = (Atomics.load(this.#words, Header.RESERVED) - head) | 0;
    return Math.max(0, Math.min(depth, this.capacity));
  }

  /** Largest depth so far. */
  get highWaterMark(): number {
    return Atomics.load(this.#words, Header.HIGH_WATER);
  }

  /** Tickets drawn so far, uint32: how many jobs were sent, modulo 2^32, from the first ticket. */
  get tail(): number {
    return Atomics.load(this.#words, Header.TAIL) >>> 0;
  }

  /**
   * Finishes or undoes what a dead consumer left in the middle of a receive.
   *
   * Thread: the supervisor, after that consumer's isolate ended or was fenced while asleep.
   */
  recoverDeadConsumer(slot: SlotSupervision): ConsumerRecovery {
    const words = this.#words;
    if (slot.takeAsleepCount()) this.#idle.leave();
    let recovery: ConsumerRecovery = { kind: "none" };
    if (this.#lock.owner === slot.index) {
      const head = Atomics.load(words, Header.HEAD);
      if (slot.kind === SlotKind.CLAIMED && slot.ticket === head) {
        this.#advance(head);
        recovery = { kind: "completed", ticket: head >>> 0 };
      } else {
        recovery = { kind: "released" };
      }
      this.#lock.release();
    }
    // It may have been woken for a job that it will never take, or have been about to call.
    this.wakeAll();
    this.#senders.callAll();
    return recovery;
  }

  /**
   * Checks everything that must hold between operations.
   *
   * Thread: any, only with no other thread active.
   *
   * @throws {AssertionFault} naming what is wrong
   */
  assertInvariants(): void {
    const words = this.#words;
    const head = words[Header.HEAD]!;
    const sent = (words[Header.TAIL]! - head) | 0;
    const reserved = (words[Header.RESERVED]! - head) | 0;
    assert(words[Header.LOCK] === 0, "nobody holds the consumer lock");
    assert(sent >= 0 && sent <= reserved, `${sent} jobs in ${reserved} places`);
    assert(reserved <= this.capacity, `${reserved} places of ${this.capacity}`);
    assert(words[Header.HIGH_WATER]! >= reserved, "the high-water mark covers the depth");
    assert(words[Header.HIGH_WATER]! <= this.capacity, "the high-water mark is within capacity");
    this.#idle.assertInvariants();
    for (let i = 0; i <= this.#cellMask; i++) {
      const ticket = (head + i) | 0;
      const at = this.#cellAt(ticket) >> 2;
      const expected = i < sent ? (ticket + 1) | 0 : ticket;
      assert(words[at] === expected, `cell of ticket ${ticket} has sequence ${words[at]}`);
      if (i < sent) {
        const length = words[at + 1]!;
        assert(length >= 1 && length <= this.jobBytes, `a job has ${length} bytes`);
      }
    }
  }

  #takeLocked(slot: ConsumerSlot): RecvStatus {
    const words = this.#words;
    this.onStep?.(RecvStep.LOCKED);
    const head = Atomics.load(words, Header.HEAD);
    const cellAt = this.#cellAt(head);
    if (Atomics.load(words, cellAt >> 2) !== ((head + 1) | 0)) {
      this.#lock.release();
      this.onStep?.(RecvStep.UNLOCKED);
      return RecvStatus.TIMEOUT;
    }
    const jobAt = cellAt + CELL_HEADER_BYTES;
    slot.fill(this.#bytes, jobAt, jobAt + words[(cellAt >> 2) + 1]!, head);
    this.onStep?.(RecvStep.COPIED);
    if (!slot.claim()) {
      this.#lock.release();
      this.onStep?.(RecvStep.UNLOCKED);
      return RecvStatus.FENCED;
    }
    this.onStep?.(RecvStep.CLAIMED);
    this.#advance(head);
    this.#lock.release();
    this.onStep?.(RecvStep.UNLOCKED);
    this.#callOthers();
    return RecvStatus.JOB;
  }

  /** Behind a job that was taken: calls who waits for the next one, or for the place. */
  #callOthers(): void {
    if (!this.#idle.isCallNeeded) return;
    if (this.#isPublished()) this.#idle.callOne();
    this.#callSenders();
  }

  #callSenders(): void {
    if (this.#senders.isRoomWanted) this.#senders.callFor(this.capacity - this.depth);
  }

  #advance(head: number): void {
    Atomics.store(this.#words, this.#cellAt(head) >> 2, (head + this.#cellMask + 1) | 0);
    this.onStep?.(RecvStep.CELL_FREED);
    Atomics.store(this.#words, Header.HEAD, (head + 1) | 0);
    this.onStep?.(RecvStep.HEAD_MOVED);
  }

  #cellAt(ticket: number): number {
    return HEADER_BYTES + (ticket & this.#cellMask) * this.#cellBytes;
  }

  /** Whether the job at the head can be taken; exact at the moment of the loads. */
  #isPublished(): boolean {
    const words = this.#words;
    for (let head = Atomics.load(words, Header.HEAD);;) {
      const sequence = Atomics.load(words, this.#cellAt(head) >> 2);
      if (sequence === ((head + 1) | 0)) return true;
      const again = Atomics.load(words, Header.HEAD);
      if (again === head) return false;
      head = again;
    }
  }

  /**
   * Closed, and every reservation made before that was published and taken.
   *
   * The order of the loads matters: a reservation made after `closed` was read is cancelled by its
   * maker, and head only grows towards `reserved`.
   */
  #isDrained(): boolean {
    const words = this.#words;
    if (Atomics.load(words, Header.CLOSED) === 0) return false;
    const reserved = Atomics.load(words, Header.RESERVED);
    return reserved === Atomics.load(words, Header.HEAD);
  }

  #raiseHighWater(depth: number): void {
    const words = this.#words;
    for (let seen = Atomics.load(words, Header.HIGH_WATER); seen < depth;) {
      const before = Atomics.compareExchange(words, Header.HIGH_WATER, seen, depth);
      if (before === seen) return;
      seen = before;
    }
  }

  #countAwake(slot: ConsumerSlot): void {
    if (slot.takeAsleepCount()) this.#idle.leave();
  }

  /** Waits a moment for a job before the costly sleep. */
  #spin(signal: number): boolean {
    for (let round = 0; round < IDLE_SPIN_ROUNDS; round++) {
      Atomics.pause?.();
      if (this.#isPublished() || this.#idle.signal !== signal) return true;
    }
    return false;
  }
}
