/**
 * The inbox of an I/O thread: how other threads reach it while it serves sockets. It carries bytes
 * and knows nothing of what they mean.
 *
 * One SharedArrayBuffer per inbox, with a ring of its own for every thread that may send:
 *
 * ```text
 * 0     line 0: what the inbox is. u32 magic, producers, ring bytes (power of two)
 * 64    line 1: doorbell. u32 bell (counts up; the consumer waits on it), u32 armed (0 or 1)
 * 128   dirty words: one bit per producer, set while its ring may hold something new;
 *       ⌈producers / 32⌉ words, padded to whole lines
 * …     per producer:
 *         0    u32 tail, position behind its last message; only the producer writes it
 *         64   u32 head, position of the oldest message; only the consumer writes it
 *         128  ring: records, each at a multiple of 8:
 *                u32 length of the message in bytes, message, padding to 8
 *              a length of 0xffffffff says that the rest of the ring is skipped, because the next
 *              message would not fit before its end
 * ```
 *
 * Positions are bytes counted since the start, uint32, and wrap. Per ring always (wrapped)
 * `head <= tail <= head + ring bytes`; both are multiples of 8, and the records from `head` on end
 * exactly at `tail`.
 *
 * **A producer that dies leaves nothing behind.** A message exists from the store of `tail` on,
 * which comes after its bytes and is the only word by which others see it. A death before that
 * store leaves bytes that nobody looks at; the next thread with that number writes over them. A
 * death behind it leaves a message that is whole and, at worst, not announced: the next
 * announcement of anybody with that number, or {@link Inbox.ring}, brings it along. There is no
 * reservation that could be left open and no lock that could be left held, which is why each
 * producer has a ring instead of all of them sharing one.
 *
 * **No lost wake-up.** The consumer reads the bell, sets `armed`, begins to wait for the bell to
 * move and only then drains. A producer stores `tail`, sets its dirty bit and then looks at
 * `armed`. In the single order of atomics either the producer sees `armed` and moves the bell,
 * which ends the wait, or the drain comes after the dirty bit and sees the message. The same holds
 * for the dirty bit: the consumer clears it before it reads `tail`. `armed` is cleared by the
 * consumer alone, so that a producer that dies before it rings takes no ring away from the others.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { INBOX_RING_BYTES, THREADS_MAX } from "../base/limits.ts";
import { copyBytes } from "../base/shared_copy.ts";

/** Shared memory of an inbox; structured-cloneable. */
export interface InboxMemory {
  /** The region. */
  readonly buffer: SharedArrayBuffer;
}

/** What an inbox is created with. */
export interface InboxOptions {
  /** Threads that may send; each has a number below this. */
  readonly producerCount: number;
  /** Room per producer in bytes, a power of two from 64 on. Default {@link INBOX_RING_BYTES}. */
  readonly ringBytes?: number;
  /** Where positions start, a multiple of 8; tests start just below the wraps. Default 0. */
  readonly firstPosition?: number;
}

/** Points inside a send where a test can end the producer; see {@link InboxSender.onStep}. */
export const SendStep = {
  /** The message is in the ring and nobody can see it. */
  COPIED: 0,
  /** It exists, and its dirty bit is not set. */
  PUBLISHED: 1,
  /** The dirty bit is set, the bell was not rung. */
  MARKED: 2,
} as const;

/** One of the values of {@link SendStep}. */
export type SendStep = (typeof SendStep)[keyof typeof SendStep];

/** Is given each message: `bytes[start, end)`, valid until it returns. */
export type InboxHandler = (
  bytes: Uint8Array<SharedArrayBuffer>,
  start: number,
  end: number,
  producer: number,
) => void;

const MAGIC = 0x53494e31;
const LINE_BYTES = 64;
const RECORD_HEADER_BYTES = 4;
const RECORD_ALIGNMENT = 8;
const SKIP = -1;

/** Word offsets in the header. */
const Header = { MAGIC: 0, PRODUCERS: 1, RING_BYTES: 2, BELL: 16, ARMED: 17, DIRTY: 32 } as const;

/** Where things are in one inbox. Thread: any. */
export class InboxLayout {
  /** The region as words. */
  readonly words: Int32Array<SharedArrayBuffer>;
  /** The region as bytes. */
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  /** Threads that may send. */
  readonly producerCount: number;
  /** Room per producer in bytes. */
  readonly ringBytes: number;
  /** Words that hold the dirty bits. */
  readonly dirtyWords: number;
  readonly #ringsAt: number;

  /** Reads the header of an inbox. */
  constructor({ buffer }: InboxMemory) {
    this.words = new Int32Array(buffer);
    this.bytes = new Uint8Array(buffer);
    assert(this.words[Header.MAGIC] === MAGIC, "the buffer is an inbox of this version");
    this.producerCount = this.words[Header.PRODUCERS]!;
    this.ringBytes = this.words[Header.RING_BYTES]!;
    this.dirtyWords = Math.ceil(this.producerCount / 32);
    this.#ringsAt = ringsAt(this.producerCount);
  }

  /** Word index of a producer's tail. */
  tailAt(producer: number): number {
    return (this.#ringsAt + producer * (2 * LINE_BYTES + this.ringBytes)) / 4;
  }

  /** Word index of a producer's head. */
  headAt(producer: number): number {
    return this.tailAt(producer) + LINE_BYTES / 4;
  }

  /** Byte offset of a producer's ring. */
  ringAt(producer: number): number {
    return this.tailAt(producer) * 4 + 2 * LINE_BYTES;
  }

  /** Longest message: two of them fit, so that one always fits an empty ring wherever it starts. */
  get maxMessageBytes(): number {
    return this.ringBytes / 2 - RECORD_HEADER_BYTES;
  }

  /** Moves the bell. */
  ring(): void {
    Atomics.add(this.words, Header.BELL, 1);
    Atomics.notify(this.words, Header.BELL);
  }
}

/**
 * An inbox, as seen by one thread; {@link Inbox.sender} and {@link Inbox.receiver} do the work.
 *
 * Thread: any.
 *
 * @example
 * ```ts
 * import { Inbox } from "./inbox.ts";
 * const inbox = Inbox.create({ producerCount: 1 });
 * console.assert(inbox.sender(0).trySend(Uint8Array.of(1, 2, 3), 0, 3));
 * let sum = 0;
 * inbox.receiver().drain((bytes, start, end) => {
 *   for (let at = start; at < end; at++) sum += bytes[at]!;
 * });
 * console.assert(sum === 6);
 * ```
 */
export class Inbox {
  /** To hand to another thread for {@link Inbox.attach}. */
  readonly memory: InboxMemory;
  readonly #layout: InboxLayout;

  private constructor(memory: InboxMemory) {
    this.memory = memory;
    this.#layout = new InboxLayout(memory);
  }

  /** Makes an empty inbox. Thread: any, before others attach. */
  static create(options: InboxOptions): Inbox {
    const { producerCount, ringBytes = INBOX_RING_BYTES, firstPosition = 0 } = options;
    assert(
      producerCount >= 1 && producerCount <= THREADS_MAX,
      `an inbox for ${producerCount} threads is possible`,
    );
    assert(
      ringBytes >= LINE_BYTES && Number.isInteger(Math.log2(ringBytes)),
      `a ring of ${ringBytes} bytes is possible`,
    );
    assert(firstPosition % RECORD_ALIGNMENT === 0, `position ${firstPosition} starts a record`);
    const rings = producerCount * (2 * LINE_BYTES + ringBytes);
    const buffer = new SharedArrayBuffer(ringsAt(producerCount) + rings);
    const words = new Int32Array(buffer);
    words[Header.MAGIC] = MAGIC;
    words[Header.PRODUCERS] = producerCount;
    words[Header.RING_BYTES] = ringBytes;
    const inbox = new Inbox({ buffer });
    for (let producer = 0; producer < producerCount; producer++) {
      words[inbox.#layout.tailAt(producer)] = firstPosition;
      words[inbox.#layout.headAt(producer)] = firstPosition;
    }
    return inbox;
  }

  /** Opens an inbox made by {@link Inbox.create}, possibly in another thread. */
  static attach(memory: InboxMemory): Inbox {
    return new Inbox(memory);
  }

  /** Threads that may send. */
  get producerCount(): number {
    return this.#layout.producerCount;
  }

  /** Longest message in bytes. */
  get maxMessageBytes(): number {
    return this.#layout.maxMessageBytes;
  }

  /**
   * The sending end of one producer.
   *
   * @param producer its number; no two living threads may send with the same one
   */
  sender(producer: number): InboxSender {
    return new InboxSender(this.#layout, producer);
  }

  /** The receiving end. Thread: the one that owns the inbox; make one. */
  receiver(): InboxReceiver {
    return new InboxReceiver(this.#layout);
  }

  /**
   * Announces whatever a dead producer did not come to announce.
   *
   * Thread: any, after that thread has ended.
   */
  ring(producer: number): void {
    const { words } = this.#layout;
    Atomics.or(words, Header.DIRTY + (producer >> 5), 1 << (producer & 31));
    this.#layout.ring();
  }

  /**
   * Checks everything that must hold between operations.
   *
   * Thread: any, only with no other thread active.
   *
   * @throws {AssertionFault} naming what is wrong
   */
  assertInvariants(): void {
    const layout = this.#layout;
    const { words, ringBytes } = layout;
    for (let producer = 0; producer < layout.producerCount; producer++) {
      const tail = words[layout.tailAt(producer)]!;
      let at = words[layout.headAt(producer)]!;
      const used = (tail - at) >>> 0;
      assert(used <= ringBytes, `${used} bytes of producer ${producer} wait in ${ringBytes}`);
      assert((tail | at) % RECORD_ALIGNMENT === 0, `positions of ${producer} start records`);
      const isDirty = (words[Header.DIRTY + (producer >> 5)]! & (1 << (producer & 31))) !== 0;
      assert(used === 0 || isDirty, `the messages of producer ${producer} are announced`);
      while (at !== tail) {
        const offset = at & (ringBytes - 1);
        const length = words[(layout.ringAt(producer) + offset) >> 2]!;
        const step = length === SKIP ? ringBytes - offset : recordBytes(length);
        assert(
          length === SKIP || (length >= 1 && length <= layout.maxMessageBytes),
          `a message of producer ${producer} has ${length} bytes`,
        );
        assert(step <= ((tail - at) >>> 0), `the last record of ${producer} ends at its tail`);
        at = (at + step) | 0;
      }
    }
  }
}

/**
 * The sending end of one producer.
 *
 * Thread: the producer.
 */
export class InboxSender {
  /** Called at every step of a send; undefined except in tests that end a producer there. */
  onStep: ((step: SendStep) => void) | undefined = undefined;

  readonly #layout: InboxLayout;
  readonly #tailAt: number;
  readonly #headAt: number;
  readonly #ringAt: number;
  readonly #dirtyAt: number;
  readonly #dirtyBit: number;

  /** Made by {@link Inbox.sender}. */
  constructor(layout: InboxLayout, producer: number) {
    assert(producer >= 0 && producer < layout.producerCount, `there is a producer ${producer}`);
    this.#layout = layout;
    this.#tailAt = layout.tailAt(producer);
    this.#headAt = layout.headAt(producer);
    this.#ringAt = layout.ringAt(producer);
    this.#dirtyAt = Header.DIRTY + (producer >> 5);
    this.#dirtyBit = 1 << (producer & 31);
  }

  /**
   * Sends the message `bytes[start, end)` if there is room; never waits.
   *
   * @returns false when the ring is full: the caller counts it
   */
  trySend(bytes: Uint8Array, start: number, end: number): boolean {
    if (!this.put(bytes, start, end)) return false;
    this.ring();
    return true;
  }

  /** Wakes the receiver if it sleeps. */
  ring(): void {
    if (Atomics.load(this.#layout.words, Header.ARMED) !== 0) this.#layout.ring();
  }

  /**
   * Like {@link InboxSender.trySend}, but wakes nobody: {@link InboxSender.ring} has to follow, behind
   * any number of others, but soon.
   */
  put(bytes: Uint8Array, start: number, end: number): boolean {
    const { words, bytes: target, ringBytes, maxMessageBytes } = this.#layout;
    const length = end - start;
    assert(length >= 1 && length <= maxMessageBytes, `a message of ${length} bytes is possible`);
    const tail = words[this.#tailAt]!;
    const offset = tail & (ringBytes - 1);
    const needed = recordBytes(length);
    const skipped = ringBytes - offset < needed ? ringBytes - offset : 0;
    // Pairs with the consumer's store of head: what is overwritten below was read.
    const used = (tail - Atomics.load(words, this.#headAt)) >>> 0;
    if (used + skipped + needed > ringBytes) return false;
    if (skipped > 0) words[(this.#ringAt + offset) >> 2] = SKIP;
    const at = this.#ringAt + (skipped > 0 ? 0 : offset);
    words[at >> 2] = length;
    copyBytes(bytes, start, end, target, at + RECORD_HEADER_BYTES);
    this.onStep?.(SendStep.COPIED);
    // Pairs with the consumer's load of tail: who sees it sees the message.
    Atomics.store(words, this.#tailAt, (tail + skipped + needed) | 0);
    this.onStep?.(SendStep.PUBLISHED);
    Atomics.or(words, this.#dirtyAt, this.#dirtyBit);
    this.onStep?.(SendStep.MARKED);
    return true;
  }
}

/**
 * The receiving end.
 *
 * Thread: the one that owns the inbox.
 */
export class InboxReceiver implements Disposable {
  readonly #layout: InboxLayout;
  #over = false;

  /** Made by {@link Inbox.receiver}. */
  constructor(layout: InboxLayout) {
    this.#layout = layout;
  }

  /**
   * Hands over every message as it comes, until disposed. The wait for the bell has no timeout and
   * does not keep the process alive.
   *
   * @param onBell called each time the bell was rung, behind what was there
   * @returns a promise of the end; rejects when `handle` throws, which does not lose messages
   */
  async serve(handle: InboxHandler, onBell?: () => void): Promise<void> {
    const { words } = this.#layout;
    while (!this.#over) {
      const bell = Atomics.load(words, Header.BELL);
      Atomics.store(words, Header.ARMED, 1);
      const wait = Atomics.waitAsync(words, Header.BELL, bell);
      this.drain(handle);
      onBell?.();
      if (wait.async) await wait.value;
      Atomics.store(words, Header.ARMED, 0);
    }
  }

  /**
   * Hands over the messages that are there, in the order of each producer.
   *
   * What arrives while a producer's ring is being emptied is left for the next time, so that nobody
   * can keep this thread here.
   *
   * @returns how many there were
   */
  drain(handle: InboxHandler): number {
    const { words, dirtyWords } = this.#layout;
    let count = 0;
    for (let word = 0; word < dirtyWords; word++) {
      // Cleared before the tails are read: who publishes later sets it again.
      let bits = Atomics.exchange(words, Header.DIRTY + word, 0);
      while (bits !== 0) {
        const bit = 31 - Math.clz32(bits & -bits);
        bits &= bits - 1;
        count += this.#drainRing(word * 32 + bit, handle);
      }
    }
    return count;
  }

  /** Ends {@link InboxReceiver.serve}. */
  [Symbol.dispose](): void {
    this.#over = true;
    this.#layout.ring();
  }

  #drainRing(producer: number, handle: InboxHandler): number {
    const { words, bytes, ringBytes, maxMessageBytes } = this.#layout;
    const ringAt = this.#layout.ringAt(producer);
    const headAt = this.#layout.headAt(producer);
    const tail = Atomics.load(words, this.#layout.tailAt(producer));
    let head = words[headAt]!;
    let count = 0;
    try {
      while (head !== tail) {
        const offset = head & (ringBytes - 1);
        const at = ringAt + offset;
        const length = words[at >> 2]!;
        if (length === SKIP) {
          head = (head + ringBytes - offset) | 0;
          continue;
        }
        assert(length >= 1 && length <= maxMessageBytes, `a message has ${length} bytes`);
        head = (head + recordBytes(length)) | 0;
        count++;
        handle(bytes, at + RECORD_HEADER_BYTES, at + RECORD_HEADER_BYTES + length, producer);
      }
    } finally {
      // Pairs with the producer's load of head: the room is free from here on.
      Atomics.store(words, headAt, head);
      if (head !== tail) Atomics.or(words, Header.DIRTY + (producer >> 5), 1 << (producer & 31));
    }
    return count;
  }
}

function ringsAt(producerCount: number): number {
  const dirtyBytes = Math.ceil(producerCount / 32) * 4;
  return Header.DIRTY * 4 + Math.ceil(dirtyBytes / LINE_BYTES) * LINE_BYTES;
}

function recordBytes(length: number): number {
  return (RECORD_HEADER_BYTES + length + RECORD_ALIGNMENT - 1) & -RECORD_ALIGNMENT;
}
