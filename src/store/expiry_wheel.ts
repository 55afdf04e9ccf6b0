/**
 * The expiry index: a hierarchical timing wheel per shard, over the link words of entries that have
 * a time to live.
 *
 * ```text
 * shard block, word offset from Shard.WHEEL (byte 1,280 of the block)
 *     0 … 159  list heads, 5 levels of 32 slots: head of slot s of level l is word 32 · l + s
 *   160        list head: what lies beyond level 4
 *   161        list head: what is being put in order again
 *   162 … 166  which slots of each level are occupied, one bit per slot
 *   167        entries in the wheel
 *   168        (float64) the current tick: the first one that is not done
 *   170        (float64) keys that have expired   172  (float64) keys that were evicted
 *
 * entry's TTL block (entry.ts)
 *   word 2  next entry of the list, 0 = last
 *   word 3  previous entry, or for the first one the list's number + 1: no entry has an address
 *           below that of page 1, so the two cannot be confused
 * ```
 *
 * Time is counted in ticks of {@link TICK_MS} ms since 1970. An entry that expires in tick `e` is
 * in the level of the highest of the 5-bit digits in which `e` differs from the current tick, in
 * the slot of that digit of `e`: level 0 covers the current 32 ticks (4 s), level 1 the current
 * 1,024 (131 s), level 2 70 minutes, level 3 37 hours, level 4 50 days. When the current tick comes
 * to a multiple of 32^l, the entries of level l's slot for it go to lower levels, one by one. A
 * tick's slot of level 0 is emptied once the tick has passed, so no key is removed before its time
 * and none later than a tick after it, if somebody asks. Linking and unlinking are O(1), and an
 * entry whose time is not changed is moved down at most five times in its life. One whose time is
 * put off stays where it is: it is met early, and then put in order.
 *
 * Nothing here trusts the clock. When it steps back, the current tick follows: every entry is then
 * met at its time or *earlier*, because its slot comes round again and again before that, and who
 * is met early is put in order. Only what was due already must not wait for that, and is put in
 * order at once. When it steps forward, what is due by the new time expires.
 *
 * @see G. Varghese, A. Lauck, "Hashed and Hierarchical Timing Wheels", SOSP 1987
 * @module
 */

import { assert } from "../base/assert.ts";
import type { Arena } from "./arena.ts";
import { type ControlRegion, Shard } from "./control.ts";
import { Entry, ENTRY_HEADER_BYTES, EntryFlag } from "./entry.ts";
import { PAGE_UNITS } from "./size_classes.ts";
import { Root } from "./table.ts";

/** Length of a tick. Unit: ms. Reason: expired keys are gone within 2 s, with time to spare. */
export const TICK_MS = 128;

const LEVELS = 5;
const DIGIT_BITS = 5;
const SLOTS = 32;
/** List of entries that expire beyond level 4. */
const BEYOND = LEVELS * SLOTS;
/** List of entries that are being put in order again. */
const REORDER = BEYOND + 1;
const LIST_COUNT = REORDER + 1;
/** Ticks that all levels cover. */
const REACH_TICKS = 2 ** (LEVELS * DIGIT_BITS);

/** Word offsets from {@link Shard.WHEEL}. */
const Wheel = {
  OCCUPIED: LIST_COUNT,
  COUNT: LIST_COUNT + LEVELS,
  /** Even, so that the doubles are aligned. */
  TICK: 168,
} as const;

/** Word offsets in an entry with a TTL block. */
const NEXT_WORD = ENTRY_HEADER_BYTES / 4 + 2;
const PREVIOUS_WORD = ENTRY_HEADER_BYTES / 4 + 3;
const EXPIRY_WORD = ENTRY_HEADER_BYTES / 4;

assert(Shard.WHEEL + Wheel.COUNT === Shard.TIMED_KEYS, "the count is where others read it");
assert(LIST_COUNT < PAGE_UNITS, "a list's number is no entry's address");
assert(Wheel.COUNT < Wheel.TICK && Shard.WHEEL % 2 === 0, "the wheel's words do not overlap");

/**
 * The wheels of all shards.
 *
 * Thread: one instance per thread; every call needs the shard's exclusive lock unless it says
 * otherwise. Nothing here can fail.
 */
export class ExpiryWheel {
  readonly #arena: Arena;
  readonly #control: ControlRegion;

  /** Wires the parts of one thread together. */
  constructor(arena: Arena, control: ControlRegion) {
    this.#arena = arena;
    this.#control = control;
  }

  /**
   * Puts an entry in if it has a TTL block; its links are overwritten.
   *
   * @param nowMs where an empty wheel begins
   */
  link(shard: number, entry: number, nowMs: number): void {
    if (!this.#hasTtl(entry)) return;
    const { words, doubles } = this.#control;
    const at = this.#at(shard);
    const tickAt = (at + Wheel.TICK) >> 1;
    if (words[at + Wheel.COUNT]!++ === 0) doubles[tickAt] = Math.floor(nowMs / TICK_MS);
    words[this.#tableCountAt(shard, entry)]!++;
    this.#push(at, this.#listFor(entry, doubles[tickAt]!), entry);
  }

  /** Takes an entry out if it has a TTL block. Its block is then free to be overwritten. */
  unlink(shard: number, entry: number): void {
    if (!this.#hasTtl(entry)) return;
    const at = this.#at(shard);
    this.#control.words[at + Wheel.COUNT]!--;
    this.#control.words[this.#tableCountAt(shard, entry)]!--;
    this.#cut(at, entry);
  }

  /** Tells that an entry that is in belongs to another table from now on. */
  changeTable(entry: number, fromRootAt: number, toRootAt: number): void {
    if (!this.#hasTtl(entry)) return;
    this.#control.words[fromRootAt + Root.TIMED]!--;
    this.#control.words[toRootAt + Root.TIMED]!++;
  }

  /** Word that counts the entries with a time to live of an entry's table. */
  #tableCountAt(shard: number, entry: number): number {
    const table = this.#arena.read(entry, Entry.TYPE) >>> 24;
    return this.#control.rootAt(table, shard) + Root.TIMED;
  }

  /**
   * Whether an entry that is in may stay where it is when its time is written anew: it is then met
   * early, and put in order. So a key whose time is put off again and again costs nothing here.
   */
  mayPostpone(entry: number, expireAtMs: number): boolean {
    return this.#hasTtl(entry) && Math.floor(expireAtMs / TICK_MS) >= this.#tickOf(entry);
  }

  /** Points the neighbours of an entry whose block has moved at its new address. */
  relocate(shard: number, to: number): void {
    if (!this.#hasTtl(to)) return;
    const next = this.#arena.read(to, NEXT_WORD);
    const previous = this.#arena.read(to, PREVIOUS_WORD);
    if (next !== 0) this.#arena.write(next, PREVIOUS_WORD, to);
    if (previous > LIST_COUNT) this.#arena.write(previous, NEXT_WORD, to);
    else this.#control.words[this.#at(shard) + previous - 1] = to;
  }

  /** Entries of a shard that have a time to live. Needs no lock: a snapshot. */
  count(shard: number): number {
    return this.#control.words[this.#at(shard) + Wheel.COUNT]!;
  }

  /**
   * Whether {@link ExpiryWheel.nextExpired} has anything to do. Needs no lock: a snapshot.
   *
   * @param nowMs ms since 1970
   */
  isDue(shard: number, nowMs: number): boolean {
    const at = this.#at(shard);
    if (this.#control.words[at + Wheel.COUNT]! === 0) return false;
    return this.#control.doubles[(at + Wheel.TICK) >> 1] !== Math.floor(nowMs / TICK_MS);
  }

  /**
   * Turns the wheel up to `nowMs`, or to the next expired entry if that comes first.
   *
   * @param steps[0] how many entries may be moved on the way; counted down
   * @returns an expired entry, still in the wheel: remove it, or this returns it again; 0 when there
   *   is none or the steps are used up
   */
  nextExpired(shard: number, nowMs: number, steps: Int32Array): number {
    const { words, doubles } = this.#control;
    const at = this.#at(shard);
    if (words[at + Wheel.COUNT]! === 0) return 0;
    const tickAt = (at + Wheel.TICK) >> 1;
    const nowTick = Math.floor(nowMs / TICK_MS);
    if (nowTick < doubles[tickAt]!) {
      if (!this.#empty(at, REORDER, doubles[tickAt]!, steps)) return 0;
      this.#stepBack(at, nowTick);
    }
    for (;;) {
      const tick = doubles[tickAt]!;
      if (!this.#reorder(at, tick, steps)) return 0;
      if (tick >= nowTick) return 0;
      const slot = tick % SLOTS;
      for (let entry; (entry = words[at + slot]! >>> 0) !== 0;) {
        if (this.#tickOf(entry) <= tick) return entry;
        // Met early, after the clock was set back.
        if (steps[0]! <= 0) return 0;
        steps[0]!--;
        this.#cut(at, entry);
        this.#push(at, this.#listFor(entry, tick), entry);
      }
      this.#advance(at, tick, nowTick);
    }
  }

  /**
   * Visits entries of a shard, those that expire soon first, as far as the wheel tells them apart.
   * The lock may be shared.
   *
   * @param visit returns false to end
   */
  forEachBySlot(shard: number, visit: (entry: number) => boolean): void {
    const { words, doubles } = this.#control;
    const at = this.#at(shard);
    if (words[at + Wheel.COUNT]! === 0) return;
    const tick = doubles[(at + Wheel.TICK) >> 1]!;
    if (!this.#forEachIn(at, REORDER, visit)) return;
    for (let level = 0; level < LEVELS; level++) {
      const first = digitOf(tick, level);
      for (let i = 0; i < SLOTS && words[at + Wheel.OCCUPIED + level] !== 0; i++) {
        if (!this.#forEachIn(at, level * SLOTS + (first + i) % SLOTS, visit)) return;
      }
    }
    this.#forEachIn(at, BEYOND, visit);
  }

  /**
   * Checks a shard's wheel: links, bits, the count, and that each entry is met at its time.
   *
   * Thread: only with no other thread active; for tests.
   *
   * @param timed the shard's entries that have a TTL block; those found are taken out
   * @throws {AssertionFault} naming what does not add up
   */
  assertInvariants(shard: number, timed: Set<number>): void {
    const { words, doubles } = this.#control;
    const at = this.#at(shard);
    const tick = doubles[(at + Wheel.TICK) >> 1]!;
    const where = `wheel of shard ${shard}`;
    const count = timed.size;
    assert(words[at + Wheel.COUNT] === count, `${where}: ${count} entries have a time to live`);
    for (let list = 0; list < LIST_COUNT; list++) {
      const head = words[at + list]! >>> 0;
      const level = list >>> DIGIT_BITS;
      if (level < LEVELS) {
        const bit = (words[at + Wheel.OCCUPIED + level]! >>> (list % SLOTS)) & 1;
        assert((head !== 0) === (bit === 1), `${where}: the bit of list ${list} is right`);
      }
      let previous = list + 1;
      for (let entry = head; entry !== 0; entry = this.#arena.read(entry, NEXT_WORD)) {
        assert(timed.delete(entry), `${where}: ${entry} is an entry and linked once`);
        assert(this.#arena.read(entry, PREVIOUS_WORD) === previous, `${where}: links back`);
        const metAt = nextVisit(list, tick);
        const dueAt = Math.max(this.#tickOf(entry), tick);
        assert(metAt <= dueAt, `${where}: in list ${list} an entry due at ${dueAt} is met in time`);
        previous = entry;
      }
    }
    assert(timed.size === 0, `${where}: ${timed.size} entries with a time to live are not linked`);
  }

  /** Follows a clock that was set back to `nowTick`; nothing is left to be put in order. */
  #stepBack(at: number, nowTick: number): void {
    const { doubles } = this.#control;
    const tickAt = (at + Wheel.TICK) >> 1;
    // What was due at the old time may have been put there whatever its own: look at it again.
    const slot = doubles[tickAt]! % SLOTS;
    doubles[tickAt] = nowTick;
    this.#moveList(at, slot, REORDER);
  }

  /** Puts in order what comes due in or after `tick`; false when the steps are used up. */
  #reorder(at: number, tick: number, steps: Int32Array): boolean {
    if (!this.#empty(at, REORDER, tick, steps)) return false;
    let unit = SLOTS;
    for (let level = 1; level < LEVELS && tick % unit === 0; level++, unit *= SLOTS) {
      const list = level * SLOTS + digitOf(tick, level);
      if (!this.#empty(at, list, tick, steps)) return false;
    }
    return true;
  }

  #empty(at: number, list: number, tick: number, steps: Int32Array): boolean {
    const { words } = this.#control;
    for (let entry; (entry = words[at + list]! >>> 0) !== 0;) {
      if (steps[0]! <= 0) return false;
      steps[0]!--;
      this.#cut(at, entry);
      this.#push(at, this.#listFor(entry, tick), entry);
    }
    return true;
  }

  /** Goes on to the next tick at which there may be something to do, at most to `nowTick`. */
  #advance(at: number, tick: number, nowTick: number): void {
    const { words, doubles } = this.#control;
    let next = tick + 1;
    let unit = 1;
    for (let level = 0; level < LEVELS && words[at + Wheel.OCCUPIED + level] === 0; level++) {
      unit *= SLOTS;
      next = (Math.floor(tick / unit) + 1) * unit;
    }
    next = Math.min(next, nowTick);
    doubles[(at + Wheel.TICK) >> 1] = next;
    if (next % REACH_TICKS === 0) this.#moveList(at, BEYOND, REORDER);
  }

  /** Makes a list the list `to`, which is empty. */
  #moveList(at: number, from: number, to: number): void {
    const { words } = this.#control;
    const head = words[at + from]! >>> 0;
    if (head === 0) return;
    assert(words[at + to] === 0, "a list is moved to where none is");
    words[at + from] = 0;
    this.#setOccupied(at, from, false);
    words[at + to] = head;
    this.#arena.write(head, PREVIOUS_WORD, to + 1);
  }

  #push(at: number, list: number, entry: number): void {
    const { words } = this.#control;
    const arena = this.#arena;
    const head = words[at + list]! >>> 0;
    words[at + list] = entry;
    arena.write(entry, NEXT_WORD, head);
    arena.write(entry, PREVIOUS_WORD, list + 1);
    if (head !== 0) arena.write(head, PREVIOUS_WORD, entry);
    else this.#setOccupied(at, list, true);
  }

  #cut(at: number, entry: number): void {
    const arena = this.#arena;
    const next = arena.read(entry, NEXT_WORD);
    const previous = arena.read(entry, PREVIOUS_WORD);
    if (next !== 0) arena.write(next, PREVIOUS_WORD, previous);
    if (previous > LIST_COUNT) {
      arena.write(previous, NEXT_WORD, next);
    } else {
      this.#control.words[at + previous - 1] = next;
      if (next === 0) this.#setOccupied(at, previous - 1, false);
    }
  }

  #setOccupied(at: number, list: number, isOccupied: boolean): void {
    const level = list >>> DIGIT_BITS;
    if (level >= LEVELS) return;
    const bit = 1 << (list % SLOTS);
    if (isOccupied) this.#control.words[at + Wheel.OCCUPIED + level]! |= bit;
    else this.#control.words[at + Wheel.OCCUPIED + level]! &= ~bit;
  }

  /** The list that an entry belongs to when the current tick is `tick`. */
  #listFor(entry: number, tick: number): number {
    const due = this.#tickOf(entry);
    if (due <= tick) return tick % SLOTS;
    // Bit operations see the lower 32 bits of a tick; those above differ only if bit 25 does, too.
    const difference = (due ^ tick) >>> 0;
    if (due - tick >= REACH_TICKS || difference >= REACH_TICKS) return BEYOND;
    const level = difference < SLOTS ? 0 : Math.floor((31 - Math.clz32(difference)) / DIGIT_BITS);
    return level * SLOTS + ((due >>> (level * DIGIT_BITS)) & (SLOTS - 1));
  }

  #tickOf(entry: number): number {
    const words = this.#arena.wordsOf(entry);
    const at = this.#arena.wordAt(entry) + EXPIRY_WORD;
    return Math.floor(((words[at + 1]! >>> 0) * 2 ** 32 + (words[at]! >>> 0)) / TICK_MS);
  }

  #hasTtl(entry: number): boolean {
    return (this.#arena.read(entry, Entry.TYPE) & (EntryFlag.HAS_TTL << 16)) !== 0;
  }

  #forEachIn(at: number, list: number, visit: (entry: number) => boolean): boolean {
    let entry = this.#control.words[at + list]! >>> 0;
    while (entry !== 0) {
      const next = this.#arena.read(entry, NEXT_WORD);
      if (!visit(entry)) return false;
      entry = next;
    }
    return true;
  }

  #at(shard: number): number {
    return this.#control.shardAt(shard) + Shard.WHEEL;
  }
}

/** The digit of a tick that level `level` goes by. */
function digitOf(tick: number, level: number): number {
  return Math.floor(tick / SLOTS ** level) % SLOTS;
}

/** The first tick from `tick` on at which the entries of a list are looked at. */
function nextVisit(list: number, tick: number): number {
  if (list === REORDER) return tick;
  if (list === BEYOND) return (Math.floor(tick / REACH_TICKS) + 1) * REACH_TICKS;
  const level = list >>> DIGIT_BITS;
  const unit = SLOTS ** level;
  let visit = Math.ceil(tick / unit) * unit;
  while (digitOf(visit, level) !== list % SLOTS) visit += unit;
  return visit;
}
