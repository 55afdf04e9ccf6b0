/**
 * The bounded channel for programs that embed it: messages from any thread to any other, first in,
 * first out, in memory that all of them share.
 *
 * What is beneath is the server's own channel (`src/channel/bounded_channel.ts`), whose receivers need
 * a slot each in a region of shared memory and an epoch. Here a receiver takes a slot when it first
 * receives, and each method does one whole operation.
 *
 * @module
 */

import { CHANNEL_CAPACITY_MAX, CHANNEL_MESSAGE_MAX_BYTES } from "../base/limits.ts";
import { BoundedChannel as Engine, RecvStatus } from "../channel/bounded_channel.ts";
import type { ConsumerSlot } from "../channel/consumer_slot.ts";
import { ConsumerSlots, MAX_CONSUMER_SLOTS } from "../channel/consumer_slots.ts";
import { SlotKind } from "../channel/slot_layout.ts";
import { checkDurationMs } from "./argument_checks.ts";
import { WAIT_TICK_MS } from "./runtime.ts";
import { type Seat, Seats } from "./seats.ts";
import { BATCH_WAIT_MS, ROOM_WAIT_MS, SendQueue } from "./send_queue.ts";
import { isShared } from "./store_settings.ts";
import { TextBytes } from "./text_bytes.ts";

const DEFAULT_CAPACITY = 1000;
const DEFAULT_MESSAGE_BYTES = 1024;
const DEFAULT_RECEIVERS = 64;
/** The ring is one buffer, of which numbers below this are fast. */
const RING_MAX_BYTES = 2 ** 30;
/** What a cell needs beside its message, at most. */
const CELL_SLACK_BYTES = 72;

/** What a channel is made with; everything has a default. */
export interface ChannelOptions {
  /** Messages that may wait, 1 to 1,048,576. Default: 1,000. */
  capacity?: number;
  /** Longest message in bytes, 1 to 65,536. Default: 1,024. */
  maxMessageBytes?: number;
  /** Most receives under way at one time, over all threads, 1 to 4,096. Default: 64. */
  maxReceivers?: number;
}

/**
 * A channel's memory, for {@link BoundedChannel.attach} in another thread. It can be sent there, any
 * number of times, by `postMessage` or `workerData`; nothing is copied.
 */
export interface ChannelMemory {
  /** Tells it from other things. */
  readonly kind: "sluice-channel";
  /** The memory, in an order that only the channel knows. */
  readonly buffers: readonly SharedArrayBuffer[];
}

/** How long something is waited for. */
export interface WaitOptions {
  /** Longest wait, 0 and up. Default: for ever. Unit: ms. */
  timeoutMs?: number;
  /** Ends the wait early, within 100 ms. */
  signal?: AbortSignal;
}

/** A seat, and the slot that belongs to it. */
interface Receiver {
  readonly seat: Seat;
  readonly slot: ConsumerSlot;
}

/**
 * A queue of messages that holds so many and no more, between any number of threads.
 *
 * One thread makes it with {@link BoundedChannel.create} and sends {@link BoundedChannel.memory} to
 * others, which open it with {@link BoundedChannel.attach}. Each message goes to one receiver. When
 * the channel is full, the sender is told at once (`trySend`) or waits (`send`): that is the
 * back-pressure which `postMessage` does not have.
 *
 * A message belongs to its receiver from the moment it is received: what a thread had received when it
 * ended is not given to another one.
 *
 * Thread: an instance belongs to the thread that made it.
 *
 * @example Full means told
 * ```ts
 * import { BoundedChannel } from "./portable.ts";
 *
 * using channel = BoundedChannel.create({ capacity: 2 });
 * console.assert(channel.trySend("one") && channel.trySend("two"));
 * console.assert(!channel.trySend("three"), "it is full");
 * console.assert(new TextDecoder().decode(channel.recv()) === "one");
 * console.assert(channel.trySend(JSON.stringify({ n: 3 })));
 * channel.close();
 * for await (const message of channel) console.assert(message.length > 0);
 * ```
 *
 * @example A worker that sleeps until there is something to do
 * ```ts
 * import { BoundedChannel } from "./portable.ts";
 *
 * using requests = BoundedChannel.create();
 * using replies = BoundedChannel.create();
 * const module = new URL("./portable.ts", import.meta.url).href;
 * const code = `
 *   import { BoundedChannel } from ${JSON.stringify(module)};
 *   self.onmessage = ({ data }) => {
 *     using requests = BoundedChannel.attach(data.requests);
 *     using replies = BoundedChannel.attach(data.replies);
 *     for (const request of requests.messages()) replies.sendBlocking(request.toReversed());
 *     self.close();
 *   };`;
 * const worker = new Worker(`data:text/javascript,${encodeURIComponent(code)}`, { type: "module" });
 * worker.postMessage({ requests: requests.memory, replies: replies.memory });
 * await requests.send(Uint8Array.of(1, 2, 3));
 * console.assert((await replies.recvAsync())?.join() === "3,2,1");
 * requests.close();
 * ```
 */
export class BoundedChannel implements Disposable {
  /** To send to another thread, which gives it to {@link BoundedChannel.attach}. */
  readonly memory: ChannelMemory;
  /** Messages that may wait. */
  readonly capacity: number;
  /** Longest message in bytes. */
  readonly maxMessageBytes: number;

  readonly #engine: Engine;
  readonly #slots: ConsumerSlots;
  readonly #seats: Seats;
  readonly #text = new TextBytes();
  readonly #queue: SendQueue;
  /** Of the message that is being sent. */
  #length = 0;
  readonly #watching = new AbortController();
  /** Receivers of this thread that receive nothing just now. */
  readonly #idle: Receiver[] = [];
  readonly #receivers = new Set<Receiver>();
  #isDisposed = false;
  #waitCount = 0;
  #keepAlive: ReturnType<typeof setInterval> | undefined;

  private constructor(memory: ChannelMemory) {
    // It came from elsewhere, whatever its type says.
    if (memory?.kind !== "sluice-channel" || !isShared(memory.buffers)) {
      throw new TypeError("Cannot attach: this is not the memory of a channel");
    }
    const [ring, slots, seats] = memory.buffers;
    this.memory = memory;
    // First: it tells what is of another version.
    this.#seats = Seats.attach(seats!);
    this.#engine = Engine.attach({ buffer: ring! });
    this.#queue = new SendQueue(this, this.#engine.senders);
    this.#slots = ConsumerSlots.attach({ buffer: slots! });
    this.capacity = this.#engine.capacity;
    this.maxMessageBytes = this.#engine.jobBytes;
  }

  /**
   * Makes an empty channel.
   *
   * @throws {RangeError} when an option is out of range, or the system does not give so much memory
   */
  static create(options: ChannelOptions = {}): BoundedChannel {
    const {
      capacity = DEFAULT_CAPACITY,
      maxMessageBytes = DEFAULT_MESSAGE_BYTES,
      maxReceivers = DEFAULT_RECEIVERS,
    } = options;
    check("capacity", capacity, CHANNEL_CAPACITY_MAX);
    check("maxMessageBytes", maxMessageBytes, CHANNEL_MESSAGE_MAX_BYTES);
    check("maxReceivers", maxReceivers, MAX_CONSUMER_SLOTS);
    const cellCount = 2 ** Math.ceil(Math.log2(Math.max(2, capacity)));
    if (cellCount * (maxMessageBytes + CELL_SLACK_BYTES) > RING_MAX_BYTES) {
      throw new RangeError(
        `Cannot make a channel of ${capacity} messages of ${maxMessageBytes} bytes: together they ` +
          "may take 1 GiB",
      );
    }
    const ring = Engine.create({ capacity, jobBytes: maxMessageBytes }).memory.buffer;
    const slots = ConsumerSlots.create({ slotCount: maxReceivers, jobBytes: maxMessageBytes });
    const channel = new BoundedChannel({
      kind: "sluice-channel",
      buffers: [ring, slots.memory.buffer, Seats.create(maxReceivers).buffer],
    });
    channel.#seats.watch((index) => channel.recover(index), channel.#watching.signal);
    return channel;
  }

  /**
   * Opens a channel that another thread made.
   *
   * @param memory the other's {@link BoundedChannel.memory}, as it came by `postMessage` or `workerData`
   * @throws {TypeError} when it is something else
   */
  static attach(memory: ChannelMemory): BoundedChannel {
    return new BoundedChannel(memory);
  }

  /**
   * Sends a message if there is room. Never waits.
   *
   * @param message bytes, which are copied, or a text, which is sent as UTF-8; not empty
   * @returns false when the channel is full or closed
   * @throws {RangeError} when the message is empty or too long
   */
  trySend(message: string | Uint8Array): boolean {
    return this.#engine.trySend(this.#load(message), 0, this.#length);
  }

  /**
   * Sends a message, waiting for room, behind those of this thread that wait already.
   *
   * @returns false when the channel was closed, the time ran out or the signal came
   * @throws {RangeError} when the message is empty or too long
   */
  async send(message: string | Uint8Array, options: WaitOptions = {}): Promise<boolean> {
    const { timeoutMs = Infinity, signal } = options;
    checkDurationMs("send", "timeoutMs", timeoutMs);
    if (this.#queue.isEmpty) {
      if (this.trySend(message)) return true;
    } else this.#load(message);
    if (this.closed || signal?.aborted || timeoutMs === 0) return false;
    return await this.#queue.add(message, timeoutMs, signal);
  }

  /**
   * Like {@link BoundedChannel.send}, but blocks the thread, its event loop with it.
   *
   * @returns false when the channel was closed or the time ran out
   * @throws {RangeError} when the message is empty or too long
   */
  sendBlocking(message: string | Uint8Array, timeoutMs = Infinity): boolean {
    checkDurationMs("send", "timeoutMs", timeoutMs);
    if (this.trySend(message)) return true;
    const { senders } = this.#engine;
    const deadlineMs = performance.now() + timeoutMs;
    for (let takesAnyRoom = false;;) {
      const call = senders.signal;
      if (this.trySend(message)) return true;
      senders.want(takesAnyRoom);
      if (this.trySend(message)) return true;
      const leftMs = deadlineMs - performance.now();
      if (this.closed || leftMs <= 0) return false;
      const waitMs: number = takesAnyRoom ? ROOM_WAIT_MS : BATCH_WAIT_MS;
      takesAnyRoom = !senders.sleep(call, Math.min(waitMs, leftMs));
    }
  }

  /**
   * Receives the oldest message, sleeping until there is one; the thread's event loop stands still
   * meanwhile. In a worker, as a rule: on the main thread nothing else would go on.
   *
   * @param timeoutMs longest wait; 0 = look once
   * @returns the message as bytes of one's own; undefined when the time ran out, or when the channel is
   *   closed and everything in it was received ({@link BoundedChannel.drained} tells which)
   */
  recv(timeoutMs = Infinity): Uint8Array<ArrayBuffer> | undefined {
    checkDurationMs("receive", "timeoutMs", timeoutMs);
    const receiver = this.#takeReceiver();
    const status = this.#engine.recv(receiver.slot, timeoutMs);
    return this.#finish(receiver, status);
  }

  /**
   * Receives the oldest message, while the event loop goes on. It keeps the thread alive.
   *
   * @returns as {@link BoundedChannel.recv}; undefined also when the signal came
   */
  async recvAsync(options: WaitOptions = {}): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const { timeoutMs = Infinity, signal } = options;
    checkDurationMs("receive", "timeoutMs", timeoutMs);
    const receiver = this.#takeReceiver();
    this.#waitCount++;
    this.#keepAlive ??= setInterval(() => {}, WAIT_TICK_MS);
    try {
      return this.#finish(receiver, await this.#engine.recvAsync(receiver.slot, timeoutMs, signal));
    } finally {
      if (--this.#waitCount === 0) {
        clearInterval(this.#keepAlive);
        this.#keepAlive = undefined;
      }
    }
  }

  /** All messages until the channel is closed and empty; blocks as {@link BoundedChannel.recv} does. */
  *messages(): Generator<Uint8Array<ArrayBuffer>, void, undefined> {
    for (;;) {
      const message = this.recv();
      if (message !== undefined) yield message;
      else if (this.drained) return;
    }
  }

  /** All messages until the channel is closed and empty, while the event loop goes on. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
    for (;;) {
      const message = await this.recvAsync();
      if (message !== undefined) yield message;
      else if (this.drained) return;
    }
  }

  /** Refuses all further messages, of every thread; those that wait can still be received. */
  close(): void {
    this.#engine.close();
  }

  /** Whether any thread has closed it. */
  get closed(): boolean {
    return this.#engine.closed;
  }

  /** Whether it is closed, and everything in it was received. */
  get drained(): boolean {
    return this.#engine.drained;
  }

  /** Messages that wait. A snapshot. */
  get depth(): number {
    return this.#engine.depth;
  }

  /** Most messages that have ever waited. */
  get highWaterMark(): number {
    return this.#engine.highWaterMark;
  }

  /** The receivers of this thread, for {@link BoundedChannel.recover} elsewhere. */
  get receiverIds(): number[] {
    return [...this.#receivers].map(({ seat }) => seat.index);
  }

  /**
   * Settles what a receiver left behind whose thread has ended without disposing of its channel. A
   * message that it had not quite received is sent again, behind the others.
   *
   * Needed in two cases only: the thread that made the channel is gone or blocked, or the runtime has no
   * Web Locks (Node.js before 24, Deno before 2.9). Elsewhere the maker does it by itself.
   *
   * @param receiverId one of the other's {@link BoundedChannel.receiverIds}; it must really have ended
   * @returns false when a message is lost, because the channel was full or closed
   */
  recover(receiverId: number): boolean {
    if (!Number.isInteger(receiverId) || receiverId < 0 || receiverId >= this.#seats.count) {
      throw new RangeError(`Cannot recover receiver ${receiverId}: there is none`);
    }
    if (!this.#seats.isTaken(receiverId)) return true;
    const slot = this.#slots.supervise(receiverId);
    // A thread ended by force may have been asleep; what it said before is void now.
    slot.fenceSleeper();
    this.#engine.recoverDeadConsumer(slot);
    let isSaved = true;
    if (slot.kind === SlotKind.CLAIMED) {
      const { bytes, jobStart, jobLength } = slot;
      isSaved = this.#engine.trySend(bytes, jobStart, jobStart + jobLength);
      slot.become(SlotKind.EMPTY);
    }
    this.#seats.free(receiverId);
    return isSaved;
  }

  /**
   * Gives back what this thread needs to receive; the instance must not be used any more, and
   * receives that are under way go on to their end. The channel stays as it is for the others.
   */
  detach(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.#watching.abort();
    for (const receiver of this.#idle.splice(0)) this.#dismiss(receiver);
  }

  /** As {@link BoundedChannel.detach}. */
  [Symbol.dispose](): void {
    this.detach();
  }

  /** The bytes of a message, which are `#length`; throws when it is none. */
  #load(message: string | Uint8Array): Uint8Array {
    if (typeof message !== "string" && !(message instanceof Uint8Array)) {
      throw new TypeError("Cannot send a message: it takes a string or a Uint8Array");
    }
    const text = this.#text;
    if (typeof message === "string") text.put(message);
    const length = typeof message === "string" ? text.length : message.length;
    if (length < 1 || length > this.maxMessageBytes) {
      throw new RangeError(
        `Cannot send a message of ${length} bytes: it takes 1 to ${this.maxMessageBytes}`,
      );
    }
    this.#length = length;
    return typeof message === "string" ? text.bytes : message;
  }

  #takeReceiver(): Receiver {
    if (this.#isDisposed) {
      throw new Error("Cannot receive: this thread has disposed of the channel");
    }
    const idle = this.#idle.pop();
    if (idle !== undefined) return idle;
    const seat = this.#seats.take();
    if (seat === undefined) {
      throw new RangeError(
        `Cannot receive: ${this.#seats.count} receives are under way; make the channel with more ` +
          "maxReceivers",
      );
    }
    const epoch = this.#slots.supervise(seat.index).prepare(Date.now());
    const slot = this.#slots.own(seat.index, epoch);
    slot.wakeUp();
    const receiver = { seat, slot };
    this.#receivers.add(receiver);
    return receiver;
  }

  /** Takes what a receive has got, and makes the receiver ready for the next one. */
  #finish(receiver: Receiver, status: RecvStatus): Uint8Array<ArrayBuffer> | undefined {
    const { slot } = receiver;
    let message: Uint8Array<ArrayBuffer> | undefined;
    if (status === RecvStatus.JOB) {
      message = new Uint8Array(slot.jobLength);
      message.set(slot.bytes.subarray(slot.jobStart, slot.jobStart + slot.jobLength));
      slot.clear();
    }
    if (status === RecvStatus.FENCED) {
      this.#receivers.delete(receiver);
      throw new Error("Cannot receive: another thread has taken this one for dead");
    }
    if (this.#isDisposed) this.#dismiss(receiver);
    else this.#idle.push(receiver);
    return message;
  }

  #dismiss(receiver: Receiver): void {
    this.#receivers.delete(receiver);
    receiver.seat.giveBack();
  }
}

function check(name: string, value: number, max: number): void {
  if (Number.isInteger(value) && value >= 1 && value <= max) return;
  throw new RangeError(
    `Cannot make a channel with ${name} ${value}: it takes a whole number from 1 to ${max}`,
  );
}
