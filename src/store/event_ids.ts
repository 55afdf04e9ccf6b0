/**
 * The ids of events that were accepted lately, so that an event that a client sends again is accepted
 * again and applied once.
 *
 * ```text
 * byte 0       header, 64 bytes
 *   0   magic 0x534c4944     4   stripes (2^k)     8   slots per stripe    12  buckets per stripe (2^k)
 *   16  key of the hash, 16 bytes                  32  window, ms (float64)
 * byte 64      stripes, 64 bytes each
 *   0   lock: 0 free, 1 taken                      4   slots that were ever used
 *   8   oldest id        12  youngest id           16  first free slot      20  last ticket
 *   24  ids that are remembered
 * then         buckets of all stripes, 4 bytes each: the first of a chain
 * then         slots of all stripes, 48 bytes each
 *   0   hash of user and id, 16 bytes              16  next in the chain
 *   20  next younger id; of a free slot, the next free one
 *   24  when the event was accepted, µs since the epoch (float64)
 *   32  balance after it, int64                    40  check of the balance
 *   44  ticket (28 bits) │ state (4 bits)
 * ```
 *
 * Links are a slot's number + 1, over all stripes; 0 = none.
 *
 * **An id belongs to its user**: two users may both use the id `1`. What is kept of both is a hash under
 * a secret key, so that nobody can choose an id that is taken for somebody else's.
 *
 * **Stripes.** The hash says which one; they share nothing. A stripe's lock is held for the few steps of
 * one look-up, below a microsecond, and only by threads whose end stops the server; so waiting for it is
 * spinning. It is none of the store's locks, which an event worker may hold for long.
 *
 * **Oldest first.** Ids are in a queue in the order in which they came; as the window is the same for
 * all, that is the order in which it ends for them. A stripe that is full forgets its oldest id.
 *
 * **Settlement takes no lock**, because event workers may die anywhere. A job carries the slot of its id,
 * and the ticket that it was given with it. Who settles it writes the balance and then swaps the state;
 * where the slot is somebody else's by now, the ticket differs and nothing happens. Should the slot be
 * given away between a look at the ticket and the balance, the check of the balance, which includes the
 * ticket, tells readers that the balance is not the one that belongs to it.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { Int64 } from "../base/int64.ts";
import { type ByteSlice, MAX_ID_BYTES, MAX_USER_BYTES } from "../base/job.ts";
import { SipHash128, SIPHASH_KEY_BYTES } from "../base/siphash.ts";

const MAGIC = 0x534c4944;
const HEADER_BYTES = 64;
const MAGIC_WORD = 0;
const STRIPE_COUNT_WORD = 1;
const STRIPE_SLOTS_WORD = 2;
const STRIPE_BUCKETS_WORD = 3;
const KEY_BYTE = 16;
/** As an index of float64. */
const WINDOW = 4;

const STRIPE_WORDS = 16;
const LOCK = 0;
const USED = 1;
const OLDEST = 2;
const YOUNGEST = 3;
const FREE = 4;
const LAST_TICKET = 5;
const SIZE = 6;

const SLOT_WORDS = 12;
const NEXT = 4;
const YOUNGER = 5;
/** As words; half of it as an index of float64. */
const ACCEPTED = 6;
const BALANCE_LOW = 8;
const BALANCE_HIGH = 9;
const CHECK = 10;
const STATE = 11;

/** Stripes at most. Reason: more than threads that could meet in them. */
const STRIPES_MAX = 64;
/** A stripe has at least so many slots: hashes fill small ones unevenly. */
const STRIPE_SLOTS_MIN = 1024;
/** Ids whose time is over that go at most with one that comes, so that it takes its time, and no more. */
const EXPIRED_PER_INSERTION = 2;
/** Slots that are copied under one lock. Reason: 1.5 KiB, some 0.1 µs. */
const COPY_SLOTS = 32;

const STATE_BITS = 4;
const TICKET_MAX = 2 ** (32 - STATE_BITS) - 1;

assert(ACCEPTED % 2 === 0 && SLOT_WORDS % 2 === 0, "a time is aligned");

/** How far the event with an id is. */
export const IdState = {
  /** No such id is known. */
  ABSENT: 0,
  /** It is being offered just now, and may not be in the log yet. */
  ENTERING: 1,
  /** It was accepted. */
  PENDING: 2,
  /** It was settled. */
  SETTLED: 3,
} as const;
/** One of {@link IdState}. */
export type IdState = typeof IdState[keyof typeof IdState];

/** Outcomes are below this: state and outcome are one number. */
const OUTCOMES = 2 ** STATE_BITS - IdState.SETTLED;

/** What {@link EventIds.create} needs. */
export interface EventIdsOptions {
  /** Ids that are remembered; rounded up to a multiple of the stripes. */
  readonly maxIds: number;
  /** How long. Unit: ms. */
  readonly windowMs: number;
  /** Key of the hash; drawn when left out. */
  readonly key?: Uint8Array;
}

/** What another thread needs to attach; can be sent with `postMessage`. */
export interface EventIdsMemory {
  /** The region drawn above. */
  readonly buffer: SharedArrayBuffer;
}

/** One id as {@link EventIds.copyPart} shows it; valid until the next one. */
export class RememberedId {
  /** Hash of user and id. */
  readonly hash: Int32Array<ArrayBuffer> = new Int32Array(4);
  /** When the event was accepted. Unit: µs since the epoch. */
  acceptedAtUs = 0;
  /** How it ended, as workers number outcomes; 0 = it has not, or nobody knows. */
  outcome = 0;
  /** The balance after it, where the outcome is known. */
  readonly balance: Int64 = new Int64();
}

/**
 * Remembers ids for a while.
 *
 * First the id is chosen ({@link EventIds.choose}); what follows is about it.
 *
 * Thread: any; make one per thread. Only {@link EventIds.settle} and {@link EventIds.look} may be
 * called by a thread that can end without the server.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { ByteSlice } from "../base/job.ts";
 * import { EventIds, IdState } from "./event_ids.ts";
 * const ids = EventIds.create({ maxIds: 1000, windowMs: 60_000 });
 * const text = new TextEncoder().encode("ann7");
 * const [ann, seven] = [new ByteSlice().set(text, 0, 3), new ByteSlice().set(text, 3, 4)];
 * ids.choose(ann, seven);
 * assert.equal(ids.find(1000), IdState.ABSENT);
 * assert.ok(ids.remember(1000, IdState.PENDING));
 * assert.equal(ids.find(60_999), IdState.PENDING);
 * assert.equal(ids.find(61_000), IdState.ABSENT);
 * ```
 */
export class EventIds {
  /** Hand this to another thread for {@link EventIds.attach}. */
  readonly memory: EventIdsMemory;
  /** How long an id is remembered. Unit: ms. */
  readonly windowMs: number;
  /** Where the id is that was found or remembered last. */
  slot = 0;
  /** Its ticket; never 0. */
  ticket = 0;
  /** How its event ended, as workers number outcomes; 0 = it has not, or nobody knows. */
  outcome = 0;
  /** The balance after it, where the outcome is known. */
  readonly balance: Int64 = new Int64();
  /** Ids that this instance had forgotten for others before their time. */
  forgottenCount = 0;

  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #times: Float64Array<SharedArrayBuffer>;
  readonly #stripeCount: number;
  readonly #stripeSlots: number;
  readonly #bucketMask: number;
  readonly #buckets: number;
  readonly #slots: number;
  readonly #text = new Uint8Array(MAX_USER_BYTES + 1 + MAX_ID_BYTES);
  #hash: SipHash128;
  /** The id that was chosen. */
  #chosen: Int32Array<ArrayBuffer>;
  #copy: Int32Array | undefined;

  private constructor(buffer: SharedArrayBuffer) {
    this.memory = { buffer };
    const words = this.#words = new Int32Array(buffer);
    this.#times = new Float64Array(buffer);
    assert(words[MAGIC_WORD] === MAGIC, "these are the ids of events");
    this.windowMs = this.#times[WINDOW]!;
    this.#stripeCount = words[STRIPE_COUNT_WORD]!;
    this.#stripeSlots = words[STRIPE_SLOTS_WORD]!;
    const bucketCount = words[STRIPE_BUCKETS_WORD]!;
    this.#bucketMask = bucketCount - 1;
    this.#buckets = HEADER_BYTES / 4 + this.#stripeCount * STRIPE_WORDS;
    this.#slots = this.#buckets + this.#stripeCount * bucketCount;
    assert(this.#slots % 2 === 0, "times are aligned");
    this.#hash = this.#readKey();
    this.#chosen = this.#hash.words;
  }

  /** Makes a memory without ids. */
  static create({ maxIds, windowMs, key }: EventIdsOptions): EventIds {
    const wanted = 2 ** Math.floor(Math.log2(Math.max(1, maxIds / STRIPE_SLOTS_MIN)));
    const stripeCount = Math.min(STRIPES_MAX, wanted);
    const stripeSlots = Math.ceil(maxIds / stripeCount);
    const bucketCount = 2 ** Math.ceil(Math.log2(Math.max(2, stripeSlots)));
    const slotBytes = stripeSlots * SLOT_WORDS * 4;
    const stripeBytes = STRIPE_WORDS * 4 + bucketCount * 4 + slotBytes;
    const buffer = new SharedArrayBuffer(HEADER_BYTES + stripeCount * stripeBytes);
    const words = new Int32Array(buffer);
    words[MAGIC_WORD] = MAGIC;
    words[STRIPE_COUNT_WORD] = stripeCount;
    words[STRIPE_SLOTS_WORD] = stripeSlots;
    words[STRIPE_BUCKETS_WORD] = bucketCount;
    new Float64Array(buffer)[WINDOW] = windowMs;
    const ids = new EventIds(buffer);
    ids.useKey(key ?? crypto.getRandomValues(new Uint8Array(SIPHASH_KEY_BYTES)));
    return ids;
  }

  /** Looks at a memory that another thread made. */
  static attach(memory: EventIdsMemory): EventIds {
    return new EventIds(memory.buffer);
  }

  /** Has all ids hashed with this key, before there are any, or other threads. */
  useKey(key: Uint8Array): void {
    new Uint8Array(this.memory.buffer).set(key, KEY_BYTE);
    this.#hash = this.#readKey();
    this.#chosen = this.#hash.words;
  }

  #readKey(): SipHash128 {
    return new SipHash128(new Uint8Array(this.memory.buffer, KEY_BYTE, SIPHASH_KEY_BYTES));
  }

  /** Ids that are remembered, those included whose time is over and whose place nobody needed. */
  get size(): number {
    let size = 0;
    for (let i = 0; i < this.#stripeCount; i++) size += this.#words[this.#stripeAt(i) + SIZE]!;
    return size;
  }

  /** Chooses the id of a user's event. Neither contains a byte 0. */
  choose(user: ByteSlice, id: ByteSlice): void {
    const text = this.#text;
    let at = 0;
    for (let i = user.start; i < user.end; i++) text[at++] = user.bytes[i]!;
    text[at++] = 0;
    for (let i = id.start; i < id.end; i++) text[at++] = id.bytes[i]!;
    this.#hash.compute(text, 0, at);
    this.#chosen = this.#hash.words;
  }

  /** Chooses an id by its hash. */
  chooseHash(hash: Int32Array<ArrayBuffer>): void {
    this.#chosen = hash;
  }

  /**
   * Looks for the chosen id. Sets {@link EventIds.slot}, {@link EventIds.ticket} and, when its event is
   * settled, {@link EventIds.outcome} and {@link EventIds.balance}.
   *
   * @param nowMs the time. Unit: ms since the epoch
   */
  find(nowMs: number): IdState {
    const stripe = this.#lock();
    const at = this.#findLocked();
    const state = at < 0 || this.#isOver(at, nowMs) ? IdState.ABSENT : this.#read(at);
    this.#unlock(stripe);
    return state;
  }

  /**
   * Remembers the chosen id. Sets {@link EventIds.slot} and {@link EventIds.ticket}; counts in
   * {@link EventIds.forgottenCount}.
   *
   * @param acceptedAtMs when its event is accepted. Unit: ms since the epoch
   * @returns false: it is remembered already, from less than the window before; nothing was changed
   */
  remember(
    acceptedAtMs: number,
    state: typeof IdState.ENTERING | typeof IdState.PENDING,
  ): boolean {
    const stripe = this.#lock();
    const known = this.#findLocked();
    const isNew = known < 0 || this.#isOver(known, acceptedAtMs);
    if (isNew) this.#insert(stripe, Math.round(acceptedAtMs * 1000), state);
    this.#unlock(stripe);
    return isNew;
  }

  /**
   * Remembers the chosen id as it was before a restart, unless it is known from then or from later.
   *
   * Thread: the one that starts the server, before there are others.
   *
   * @returns whether {@link EventIds.slot} and {@link EventIds.ticket} are of the event of that time
   */
  restore(acceptedAtUs: number): boolean {
    const stripe = this.#lock();
    const known = this.#findLocked();
    const knownAtUs = known < 0 ? -Infinity : this.#times[(known + ACCEPTED) >> 1]!;
    if (knownAtUs === acceptedAtUs) this.#read(known);
    else if (knownAtUs < acceptedAtUs) this.#insert(stripe, acceptedAtUs, IdState.PENDING);
    this.#unlock(stripe);
    return knownAtUs <= acceptedAtUs;
  }

  /** The event whose id was remembered as entering is accepted, and in the log. */
  confirm(slot: number, ticket: number): void {
    const at = this.#slotAt(slot) + STATE;
    Atomics.compareExchange(
      this.#words,
      at,
      stateWord(ticket, IdState.ENTERING),
      stateWord(ticket, IdState.PENDING),
    );
  }

  /**
   * The event with this ticket was settled. Where its id was forgotten, nothing happens.
   *
   * @param outcome as workers number outcomes
   * @param balance after it
   */
  settle(slot: number, ticket: number, outcome: number, balance: Int64): void {
    assert(outcome >= 0 && outcome < OUTCOMES, `outcome ${outcome} fits the state`);
    const words = this.#words;
    const at = this.#slotAt(slot);
    const pending = stateWord(ticket, IdState.PENDING);
    if (Atomics.load(words, at + STATE) !== pending) return;
    words[at + BALANCE_LOW] = balance.lo;
    words[at + BALANCE_HIGH] = balance.hi;
    words[at + CHECK] = checkOf(ticket, balance.lo, balance.hi);
    // Pairs with the loads of `#read`: who sees the state sees the balance.
    const settled = stateWord(ticket, IdState.SETTLED + outcome);
    Atomics.compareExchange(words, at + STATE, pending, settled);
  }

  /**
   * Looks at an id that was found before; sets {@link EventIds.outcome} and {@link EventIds.balance}
   * when its event is settled.
   *
   * @returns `ABSENT` when it was forgotten meanwhile
   */
  look(slot: number, ticket: number): IdState {
    const at = this.#slotAt(slot);
    const state = this.#read(at);
    // Read again: without the lock, the slot may have been given away in between.
    const word = Atomics.load(this.#words, at + STATE);
    return this.ticket === ticket && word >>> STATE_BITS === ticket ? state : IdState.ABSENT;
  }

  /**
   * Shows some of the ids that are within the window and were accepted for sure, in no order.
   *
   * @param from 0 at first, then what was returned
   * @param nowMs the time. Unit: ms since the epoch
   * @returns where to go on; -1 = that was all
   */
  copyPart(from: number, nowMs: number, each: (id: RememberedId) => void): number {
    const words = this.#words;
    const stripe = Math.floor(from / this.#stripeSlots);
    const stripeAt = this.#stripeAt(stripe);
    const copy = this.#copy ??= new Int32Array(COPY_SLOTS * SLOT_WORDS);
    this.#lockAt(stripeAt);
    const end = stripe * this.#stripeSlots + words[stripeAt + USED]!;
    const count = Math.max(0, Math.min(COPY_SLOTS, end - from));
    const at = this.#slotAt(from);
    copy.set(words.subarray(at, at + count * SLOT_WORDS));
    this.#unlock(stripeAt);
    this.#show(copy, count, nowMs, each);
    if (from + count < end) return from + count;
    return stripe + 1 < this.#stripeCount ? (stripe + 1) * this.#stripeSlots : -1;
  }

  #show(copy: Int32Array, count: number, nowMs: number, each: (id: RememberedId) => void): void {
    const times = new Float64Array(copy.buffer);
    const id = new RememberedId();
    for (let at = 0; at < count * SLOT_WORDS; at += SLOT_WORDS) {
      const state = copy[at + STATE]! & OUTCOME_MASK;
      id.acceptedAtUs = times[(at + ACCEPTED) >> 1]!;
      if (state < IdState.PENDING || nowMs - id.acceptedAtUs / 1000 >= this.windowMs) continue;
      for (let i = 0; i < 4; i++) id.hash[i] = copy[at + i]!;
      id.balance.lo = copy[at + BALANCE_LOW]! >>> 0;
      id.balance.hi = copy[at + BALANCE_HIGH]!;
      const check = checkOf(copy[at + STATE]! >>> STATE_BITS, id.balance.lo, id.balance.hi);
      id.outcome = copy[at + CHECK] === check ? Math.max(0, state - IdState.SETTLED) : 0;
      each(id);
    }
  }

  /**
   * Checks what always holds; takes its time.
   *
   * Thread: any, while no other thread changes anything.
   *
   * @throws {AssertionFault} when it does not hold
   */
  assertInvariants(): void {
    const words = this.#words;
    for (let stripe = 0; stripe < this.#stripeCount; stripe++) {
      const at = this.#stripeAt(stripe);
      assert(words[at + LOCK] === 0, "no lock is held");
      let queued = 0;
      let youngest = 0;
      for (
        let link = words[at + OLDEST]!;
        link !== 0;
        link = words[this.#linked(link) + YOUNGER]!
      ) {
        queued++;
        youngest = link;
      }
      assert(words[at + YOUNGEST] === youngest, "the queue ends with the youngest");
      let chained = 0;
      for (let bucket = 0; bucket <= this.#bucketMask; bucket++) {
        const head = words[this.#buckets + stripe * (this.#bucketMask + 1) + bucket]!;
        for (let link = head; link !== 0; link = words[this.#linked(link) + NEXT]!) chained++;
      }
      let free = 0;
      for (let link = words[at + FREE]!; link !== 0; link = words[this.#linked(link) + YOUNGER]!) {
        free++;
      }
      assert(queued === words[at + SIZE] && chained === queued, "every id is in queue and chain");
      assert(queued + free === words[at + USED], "a slot is free or has an id");
      assert(words[at + USED]! <= this.#stripeSlots, "no slot is used twice");
    }
  }

  #stripeAt(stripe: number): number {
    return HEADER_BYTES / 4 + stripe * STRIPE_WORDS;
  }

  #slotAt(slot: number): number {
    return this.#slots + slot * SLOT_WORDS;
  }

  /** First word of the slot that a link names. */
  #linked(link: number): number {
    return this.#slots + (link - 1) * SLOT_WORDS;
  }

  /** Takes the lock of the chosen id's stripe; returns the stripe's first word. */
  #lock(): number {
    const stripe = this.#stripeAt(this.#chosen[3]! & this.#stripeCount - 1);
    this.#lockAt(stripe);
    return stripe;
  }

  #lockAt(stripe: number): void {
    // Pairs with the store of `#unlock`: what the last owner wrote is seen.
    while (Atomics.compareExchange(this.#words, stripe + LOCK, 0, 1) !== 0) Atomics.pause?.();
  }

  #unlock(stripe: number): void {
    Atomics.store(this.#words, stripe + LOCK, 0);
  }

  /** Index of the bucket's word that a hash belongs to, whose first word is at `hashAt`. */
  #bucketAt(words: Int32Array, hashAt: number): number {
    const stripe = words[hashAt + 3]! & this.#stripeCount - 1;
    return this.#buckets + stripe * (this.#bucketMask + 1) + (words[hashAt]! & this.#bucketMask);
  }

  /** First word of the chosen id's youngest slot, or -1. */
  #findLocked(): number {
    const words = this.#words;
    const chosen = this.#chosen;
    let link = words[this.#bucketAt(chosen, 0)]!;
    while (link !== 0) {
      const at = this.#linked(link);
      if (
        words[at] === chosen[0] && words[at + 1] === chosen[1] && words[at + 2] === chosen[2] &&
        words[at + 3] === chosen[3]
      ) return at;
      link = words[at + NEXT]!;
    }
    return -1;
  }

  #isOver(at: number, nowMs: number): boolean {
    return nowMs - this.#times[(at + ACCEPTED) >> 1]! / 1000 >= this.windowMs;
  }

  /** Sets what there is to know of a slot. */
  #read(at: number): IdState {
    const words = this.#words;
    const word = Atomics.load(words, at + STATE);
    const state = word & OUTCOME_MASK;
    this.slot = (at - this.#slots) / SLOT_WORDS;
    this.ticket = word >>> STATE_BITS;
    this.outcome = 0;
    if (state < IdState.SETTLED) return state as IdState;
    const low = words[at + BALANCE_LOW]! >>> 0;
    const high = words[at + BALANCE_HIGH]!;
    if (words[at + CHECK] === checkOf(this.ticket, low, high)) {
      this.outcome = state - IdState.SETTLED;
      this.balance.lo = low;
      this.balance.hi = high;
    }
    return IdState.SETTLED;
  }

  #insert(stripe: number, acceptedAtUs: number, state: IdState): void {
    const words = this.#words;
    const link = this.#takeSlot(stripe, acceptedAtUs / 1000);
    const at = this.#linked(link);
    for (let i = 0; i < 4; i++) words[at + i] = this.#chosen[i]!;
    const bucket = this.#bucketAt(words, at);
    words[at + NEXT] = words[bucket]!;
    words[bucket] = link;
    words[at + YOUNGER] = 0;
    const youngest = words[stripe + YOUNGEST]!;
    words[youngest === 0 ? stripe + OLDEST : this.#linked(youngest) + YOUNGER] = link;
    words[stripe + YOUNGEST] = link;
    words[stripe + SIZE]!++;
    this.#times[(at + ACCEPTED) >> 1] = acceptedAtUs;
    const ticket = words[stripe + LAST_TICKET]! % TICKET_MAX + 1;
    words[stripe + LAST_TICKET] = ticket;
    Atomics.store(words, at + STATE, stateWord(ticket, state));
    this.slot = link - 1;
    this.ticket = ticket;
    this.outcome = 0;
  }

  /** A slot that no id has; the oldest one's where there is no other. */
  #takeSlot(stripe: number, nowMs: number): number {
    const words = this.#words;
    for (let i = 0; i < EXPIRED_PER_INSERTION; i++) {
      const oldest = words[stripe + OLDEST]!;
      if (oldest === 0 || !this.#isOver(this.#linked(oldest), nowMs)) break;
      this.#forgetOldest(stripe);
    }
    if (words[stripe + FREE] === 0) {
      const used = words[stripe + USED]!;
      if (used < this.#stripeSlots) {
        words[stripe + USED] = used + 1;
        const index = (stripe - HEADER_BYTES / 4) / STRIPE_WORDS;
        return index * this.#stripeSlots + used + 1;
      }
      this.#forgetOldest(stripe);
      this.forgottenCount++;
    }
    const free = words[stripe + FREE]!;
    words[stripe + FREE] = words[this.#linked(free) + YOUNGER]!;
    return free;
  }

  #forgetOldest(stripe: number): void {
    const words = this.#words;
    const link = words[stripe + OLDEST]!;
    const at = this.#linked(link);
    Atomics.store(words, at + STATE, 0);
    let before = this.#bucketAt(words, at);
    // The oldest of a chain is its last one, and chains are short.
    while (words[before] !== link) before = this.#linked(words[before]!) + NEXT;
    words[before] = words[at + NEXT]!;
    const younger = words[at + YOUNGER]!;
    words[stripe + OLDEST] = younger;
    if (younger === 0) words[stripe + YOUNGEST] = 0;
    words[at + YOUNGER] = words[stripe + FREE]!;
    words[stripe + FREE] = link;
    words[stripe + SIZE]!--;
  }
}

const OUTCOME_MASK = 2 ** STATE_BITS - 1;

function stateWord(ticket: number, state: number): number {
  return (ticket << STATE_BITS) | state;
}

/** A number that says to which ticket a balance belongs. */
function checkOf(ticket: number, low: number, high: number): number {
  return Math.imul(Math.imul(ticket, 0x9e3779b1) ^ low, 0x85ebca6b) ^
      Math.imul(high, 0xc2b2ae35) | 0;
}
