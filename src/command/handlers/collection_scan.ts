/**
 * `HSCAN`, `SSCAN` and `ZSCAN`: a large collection, a few elements at a time.
 *
 * A packed collection is returned as a whole. In a tree a cursor is a place in the order of hashes,
 * so what is present throughout a scan is returned, whatever grows, shrinks, splits or is packed
 * meanwhile.
 *
 * A call ends after a slice, however few elements it has found. Elements that are too long to be
 * compared with the pattern under the lock are compared without it, in a lease.
 *
 * @module
 */

import { ByteWriter } from "../../base/bytes.ts";
import { formatDouble } from "../../base/double.ts";
import type { Collection } from "../../store/collection/collection.ts";
import type { RecordCursor } from "../../store/collection/cursor.ts";
import type { ElementView } from "../../store/collection/element.ts";
import { EntryType, type Store } from "../../store/store.ts";
import type { ByteSource } from "../byte_source.ts";
import type { CommandCall } from "../call.ts";
import { matchesGlobBytes } from "../../base/glob.ts";
import { LongGlobMatch } from "../glob_match.ts";
import { ReplyCode } from "../reply_code.ts";
import type { ReplySink } from "../reply_sink.ts";
import { streamBytes } from "../reply_source.ts";
import { HandlerStatus } from "../row.ts";
import type { Slices } from "../slices.ts";
import { openCollection } from "./open_collection.ts";
import { readScanOptions, type ScanOptions } from "./scan_options.ts";

/** Elements that a call returns at least, if there are that many, unless its time is up. */
const DEFAULT_COUNT = 10;
/** A call that has copied so much ends. Unit: bytes. */
const MOST_BYTES = 65_536;
/** Longer parts are not copied but leased. Unit: bytes. */
const LEASED_PART_BYTES = 8192;
/** Up to this product of the lengths, an element is compared with the pattern under the lock. */
const MATCH_AT_ONCE = 2 ** 18;
/** The clock is looked at behind so many elements, which take some 0.3 ms, */
const UNTIMED_COUNT = 1024;
/** or behind so much comparing. */
const UNTIMED_WORK = 2 ** 20;
/** Bytes of a long element that are compared between two looks at the clock. */
const MATCH_STEP_BYTES = 4096;
/** A cursor from here on is behind every hash. */
const BEHIND_ALL = 2 ** 32;

/** What the arguments ask for. */
interface ScanWishes extends ScanOptions {
  readonly position: number;
}

/**
 * Runs `HSCAN key cursor [MATCH pattern] [COUNT count]`, or `SSCAN`, which has no values, or `ZSCAN`,
 * which has scores instead.
 *
 * Thread: the connection's I/O thread, with the key's lock, shared is enough.
 */
export function handleCollectionScan(call: CommandCall, type: EntryType): HandlerStatus {
  const { sink, store } = call;
  const position = readCursor(call.args.bytes, call.args.starts[2]!, call.args.ends[2]!);
  if (position === undefined) {
    sink.error(ReplyCode.BAD_ARGUMENT, "invalid cursor");
    return HandlerStatus.DONE;
  }
  const c = openCollection(call, 1, type);
  if (c === undefined) return HandlerStatus.DONE;
  if (!c.exists) {
    // As in Redis, whatever the options are.
    replyHead(sink, 0, 0);
    return HandlerStatus.DONE;
  }
  const wishes: ScanWishes = { position, count: DEFAULT_COUNT, pattern: undefined };
  if (!readScanOptions(call, 3, wishes)) return HandlerStatus.DONE;
  const slices = call.slices();
  const scan = new CollectionScan(store, c, wishes);
  if (scan.advance(slices)) {
    scan.reply(sink);
    return HandlerStatus.DONE;
  }
  const lease = store.collectionLeases.takeMembers(c);
  scan.goOnWith(lease.cursor);
  call.later = goOnLater(scan, slices, sink, () => lease.release());
  return HandlerStatus.LATER;
}

/** Compares long elements without the lock. */
async function goOnLater(
  scan: CollectionScan,
  slices: Slices,
  sink: ReplySink,
  release: () => void,
): Promise<HandlerStatus> {
  try {
    do {
      while (!scan.matchLong(MATCH_STEP_BYTES)) {
        if (slices.isOver(MATCH_STEP_BYTES)) await slices.next();
      }
      if (slices.isOver(MATCH_STEP_BYTES)) await slices.next();
    } while (!scan.advance(slices));
    scan.reply(sink);
  } finally {
    release();
  }
  return HandlerStatus.DONE;
}

/** One call's way through a collection. */
class CollectionScan {
  readonly #store: Store;
  readonly #type: EntryType;
  readonly #wishes: ScanWishes;
  #cursor: RecordCursor;
  #visited = 0;
  /** Hash of the element that was visited last. */
  #lastOrder = -1;
  readonly #copies = new ByteWriter(256);
  /** What is replied: where a copy ends, or what is leased. */
  readonly #parts: (number | ByteSource)[] = [];
  #match: LongGlobMatch | undefined;
  /** Products of the lengths of what was compared. */
  #work = 0;

  constructor(store: Store, c: Collection, wishes: ScanWishes) {
    const { hashes, sortedSets } = store.collections;
    this.#store = store;
    this.#type = c.type;
    this.#wishes = wishes;
    const family = c.type === EntryType.SORTED_SET ? sortedSets : hashes;
    this.#cursor = family.scanFrom(c, wishes.position);
  }

  /**
   * Goes on until there are enough elements or the slice is over.
   *
   * @returns false when a long element is to be compared first, see {@link CollectionScan.matchLong};
   *   never so in a transaction
   */
  advance(slices: Slices): boolean {
    const cursor = this.#cursor;
    const { count } = this.#wishes;
    while (cursor.isValid) {
      const mayPause = cursor.top !== 0 && cursor.order !== this.#lastOrder;
      if (this.#visited > 0 && mayPause) {
        if (this.#visited >= count || this.#copies.length >= MOST_BYTES) break;
        if (this.#mayBeLate() && slices.isOver()) break;
      }
      const element = cursor.element();
      const matches = this.#matches(element, slices);
      if (matches === undefined) return false;
      this.#visit(matches);
    }
    return true;
  }

  /** What is asked for usually is done without a look at the clock, however slow the machine is. */
  #mayBeLate(): boolean {
    return this.#visited >= UNTIMED_COUNT || this.#work >= UNTIMED_WORK;
  }

  /** Goes on with another view of the same collection. */
  goOnWith(cursor: RecordCursor): void {
    const rank = this.#cursor.rank();
    this.#cursor = cursor;
    cursor.seekRank(rank);
    this.#match = new LongGlobMatch(this.#wishes.pattern!, cursor.element());
  }

  /** Compares some bytes of the long element; whether it is done. */
  matchLong(byteCount: number): boolean {
    this.#match ??= new LongGlobMatch(this.#wishes.pattern!, this.#cursor.element());
    const matches = this.#match.advance(byteCount);
    if (matches === undefined) return false;
    this.#match = undefined;
    this.#visit(matches);
    return true;
  }

  reply(sink: ReplySink): void {
    const isDone = !this.#cursor.isValid;
    replyHead(sink, isDone ? 0 : this.#cursor.order, this.#parts.length);
    let start = 0;
    for (const part of this.#parts) {
      if (typeof part !== "number") {
        streamBytes(sink, part);
      } else {
        sink.bulk(this.#copies.bytes, start, part);
        start = part;
      }
    }
  }

  /** Takes or leaves the element at the cursor, and goes to the next one. */
  #visit(isWanted: boolean): void {
    const cursor = this.#cursor;
    if (isWanted) {
      this.#take(cursor.element());
      if (this.#type === EntryType.HASH) this.#take(cursor.value());
      // Text in version 3, too.
      else if (this.#type === EntryType.SORTED_SET) this.#takeText(formatDouble(cursor.score()));
    }
    this.#visited++;
    this.#lastOrder = cursor.order;
    cursor.next();
  }

  #take(part: ElementView): void {
    if (part.longRoot !== 0 && part.byteCount > LEASED_PART_BYTES) {
      this.#parts.push(this.#store.leaseElement(part));
      return;
    }
    const at = this.#copies.reserve(part.byteCount);
    part.copyTo(this.#copies.bytes, at);
    this.#copies.length = at + part.byteCount;
    this.#parts.push(this.#copies.length);
  }

  #takeText(text: string): void {
    this.#copies.ascii(text);
    this.#parts.push(this.#copies.length);
  }

  /** Whether an element matches; undefined when it is too long to say so at once. */
  #matches(element: ElementView, slices: Slices): boolean | undefined {
    const { pattern } = this.#wishes;
    if (pattern === undefined) return true;
    const work = element.byteCount * pattern.length;
    if (element.longRoot === 0 && work <= MATCH_AT_ONCE) {
      this.#work += work;
      return matchesGlobBytes(pattern, element.bytes, element.start, element.end);
    }
    if (!slices.isAtomic) return undefined;
    return new LongGlobMatch(pattern, element).advance(Infinity);
  }
}

function replyHead(sink: ReplySink, position: number, partCount: number): void {
  sink.arrayStart(2);
  sink.bulkText(String(position));
  sink.arrayStart(partCount);
}

/**
 * Reads a cursor as Redis does: a sign is taken, no text is 0, spaces and other characters are not.
 *
 * @returns undefined when it is none
 */
function readCursor(bytes: Uint8Array, start: number, end: number): number | undefined {
  let text = "";
  for (let i = start; i < end && text.length <= 40; i++) text += String.fromCharCode(bytes[i]!);
  if (text === "") return 0;
  if (!/^[+-]?\d+$/.test(text)) return undefined;
  const isNegative = text[0] === "-";
  const value = BigInt(text[0] === "+" ? text.slice(1) : text);
  if (value >= 2n ** 64n || value <= -(2n ** 64n)) return undefined;
  // Negative ones wrap around, so they are large.
  if (isNegative && value !== 0n) return BEHIND_ALL;
  return Number(value < BigInt(BEHIND_ALL) ? value : BigInt(BEHIND_ALL));
}
