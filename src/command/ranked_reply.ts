/**
 * Records of collections as replies, by their ranks: those that a command has picked or found.
 *
 * As in collection_reply.ts, whoever uses it writes the head of the array or set, and a
 * {@link RecordWriter} writes the parts.
 *
 * @module
 */

import type { RecordCursor } from "../store/collection/cursor.ts";
import { PartMode, type RecordWriter, STEP_BYTES } from "./collection_reply.ts";
import { type Random, randomRank, type RankRanges } from "./random_ranks.ts";
import type { ReplySink } from "./reply_sink.ts";
import type { ReplySource } from "./reply_source.ts";

/** What a part takes besides its bytes. */
const PART_OVERHEAD_BYTES = 12;

/** What going to a rank costs, in bytes that could be copied in that time. */
const SEEK_BYTES = 150;

/** A collection or a lease of one. */
export interface RankedInput {
  /** Walks it. */
  readonly cursor: RecordCursor;
  /** Its elements. */
  readonly count: number;
  /** Ends the lease; a collection has none to end. */
  release?(): void;
}

/**
 * Records one after the other: which ones, a subclass says.
 *
 * Thread: one I/O thread.
 */
export abstract class Records implements ReplySource {
  readonly #writer: RecordWriter;
  /** The next part of the current record; none is current at first. */
  #part: number;
  #cursor: RecordCursor | undefined;

  /** Parts of the records are written by `writer`. */
  constructor(writer: RecordWriter) {
    this.#writer = writer;
    this.#part = writer.partCount;
  }

  /** Puts a cursor on the next record; undefined when there is none. */
  abstract next(): RecordCursor | undefined;
  /** What finding a record costs, in bytes that could be copied in that time. */
  protected abstract readonly seekBytes: number;
  /** How many come after the current one. */
  protected abstract get left(): number;
  /** See {@link ReplySource.release}. */
  abstract release(): void;

  /** See {@link ReplySource.writeNext}. */
  writeNext(sink: ReplySink, mostBytes: number): boolean {
    const writer = this.#writer;
    const mode = mostBytes === Infinity ? PartMode.WHOLE : PartMode.LEASED;
    const most = Math.min(mostBytes, STEP_BYTES);
    for (let room = mode === PartMode.WHOLE ? Infinity : most; room > 0;) {
      if (this.#part === writer.partCount) {
        // A source of bytes looks at the element that the cursor stands on: it moves on afterwards.
        this.#cursor = this.next();
        if (this.#cursor === undefined) return true;
        this.#part = 0;
        room -= this.seekBytes;
      }
      room -= writer.write(sink, this.#cursor!, this.#part++, mode) + PART_OVERHEAD_BYTES;
    }
    return this.#part === writer.partCount && this.left === 0;
  }
}

/**
 * The records of collections that have certain ranks, one collection after the other.
 *
 * Thread: one I/O thread. The collections are leased and the source ends the leases; or their locks
 * are held, and the source is written at once.
 */
export class RankedRecords extends Records {
  readonly #inputs: readonly RankedInput[];
  readonly #ranges: readonly RankRanges[];
  #input = 0;
  #range = 0;
  #inRange = 0;
  #hasSought = false;
  #left = 0;

  /**
   * Replies with the records of `inputs[i]` whose ranks are in `ranges[i]`.
   *
   * @param inputs belong to the source from now on
   */
  constructor(
    inputs: readonly RankedInput[],
    ranges: readonly RankRanges[],
    writer: RecordWriter,
  ) {
    super(writer);
    this.#inputs = inputs;
    this.#ranges = ranges;
    for (const each of ranges) this.#left += each.total;
  }

  /** See {@link Records}. */
  protected get left(): number {
    return this.#left;
  }

  /** See {@link Records}. */
  protected get seekBytes(): number {
    return this.#hasSought ? SEEK_BYTES : 0;
  }

  /** See {@link Records.next}. */
  next(): RecordCursor | undefined {
    if (this.#left === 0) return undefined;
    this.#left--;
    while (this.#range === this.#ranges[this.#input]!.rangeCount) {
      this.#input++;
      this.#range = 0;
    }
    const ranges = this.#ranges[this.#input]!;
    const { cursor } = this.#inputs[this.#input]!;
    this.#hasSought = this.#inRange === 0;
    if (this.#hasSought) cursor.seekRank(ranges.startOf(this.#range));
    else cursor.next();
    if (++this.#inRange === ranges.countOf(this.#range)) {
      this.#inRange = 0;
      this.#range++;
    }
    return cursor;
  }

  /** See {@link ReplySource.release}. */
  release(): void {
    this.#left = 0;
    for (const input of this.#inputs) input.release?.();
  }
}

/** Random records of a collection, the same one perhaps again. Thread: as {@link RankedRecords}. */
export class RandomRecords extends Records {
  readonly #input: RankedInput;
  readonly #random: Random;
  #left: number;

  /**
   * Replies with `count` records of a collection that is not empty.
   *
   * @param input belongs to the source from now on
   */
  constructor(input: RankedInput, count: number, random: Random, writer: RecordWriter) {
    super(writer);
    this.#input = input;
    this.#left = count;
    this.#random = random;
  }

  /** See {@link Records}. */
  protected get left(): number {
    return this.#left;
  }

  /** See {@link Records}. */
  protected readonly seekBytes: number = SEEK_BYTES;

  /** See {@link Records.next}. */
  next(): RecordCursor | undefined {
    if (this.#left === 0) return undefined;
    this.#left--;
    const { cursor, count } = this.#input;
    cursor.seekRank(randomRank(count, this.#random));
    return cursor;
  }

  /** See {@link ReplySource.release}. */
  release(): void {
    this.#left = 0;
    this.#input.release?.();
  }
}
