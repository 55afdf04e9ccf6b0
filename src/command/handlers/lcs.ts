/**
 * `LCS`: the longest common subsequence of two strings.
 *
 * The table of the algorithm has a cell for each pair of bytes. Of a cell that no match goes through
 * one bit is kept, which way its length came from, and of the lengths one line; so the work, and not
 * the memory, is what the cap is for.
 *
 * @module
 */

import { Int64 } from "../../base/int64.ts";
import type { CommandCall } from "../call.ts";
import { ReplyCode } from "../reply_code.ts";
import type { ReplySink } from "../reply_sink.ts";
import { CommandRow, HandlerStatus } from "../row.ts";
import type { Slices } from "../slices.ts";
import { SourceStrings } from "./source_strings.ts";

/**
 * More cells are refused.
 *
 * Unit: cells, the product of the lengths. Reason: two strings of 16 KiB take half a second of the
 * thread's time, in slices, and 32 MiB for the ways.
 */
const MAX_CELLS = 2 ** 28;

/**
 * The same in a transaction, where it is done at once.
 *
 * Unit: cells. Reason: some 5 ms.
 */
const MAX_TRANSACTION_CELLS = 2 ** 21;

/** So many are done at once. Unit: cells. Reason: some 0.3 ms. */
const AT_ONCE_CELLS = 2 ** 17;

/** They are worth a look at the clock; see {@link Slices.isOver}. */
const PART_WEIGHT = 1024;

const TOO_MUCH = "Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len";
const NOTHING = new Uint8Array(0);

/** What the options ask for. */
interface LcsWishes {
  onlyLength: boolean;
  indexes: boolean;
  minMatchLength: number;
  withMatchLength: boolean;
}

/** Handler of LCS; long ones of a thread are done one after the other. */
function handleLcs(call: CommandCall, queue: LcsQueue): HandlerStatus {
  const { sink, store } = call;
  const sources = new SourceStrings(store);
  if (!sources.capture(call, 1, 2)) {
    sink.error(ReplyCode.BAD_ARGUMENT, "The specified keys must contain string values");
    return HandlerStatus.DONE;
  }
  const wishes = readWishes(call);
  const cellCount = sources.byteCount(0) * sources.byteCount(1);
  const mostCells = call.inTransaction ? MAX_TRANSACTION_CELLS : MAX_CELLS;
  if (wishes === undefined || cellCount > mostCells) {
    sources.release();
    if (wishes !== undefined) sink.error(ReplyCode.BAD_ARGUMENT, TOO_MUCH);
    return HandlerStatus.DONE;
  }
  if (cellCount > AT_ONCE_CELLS && !call.inTransaction) {
    call.later = queue.run(call.slices(), sources, wishes, sink).finally(() => sources.release());
    return HandlerStatus.LATER;
  }
  const table = cellCount === 0
    ? new LcsTable(NOTHING, NOTHING, true)
    : new LcsTable(sources.whole(0), sources.whole(1), !wishes.onlyLength);
  sources.release();
  table.advance(cellCount);
  replyTable(sink, table, wishes);
  return HandlerStatus.DONE;
}

/** Does one at a time, so that their tables take memory once. Thread: one I/O thread. */
class LcsQueue {
  #last: Promise<unknown> = Promise.resolve();

  /** Until it is their turn, large strings are leased and not copied. */
  run(
    slices: Slices,
    sources: SourceStrings,
    wishes: LcsWishes,
    sink: ReplySink,
  ): Promise<HandlerStatus> {
    const own = this.#last.then(async () => {
      await slices.next();
      const table = new LcsTable(sources.whole(0), sources.whole(1), !wishes.onlyLength);
      while (!table.advance(AT_ONCE_CELLS)) if (slices.isOver(PART_WEIGHT)) await slices.next();
      replyTable(sink, table, wishes);
      return HandlerStatus.DONE;
    });
    // The next one goes on whatever became of this one, whose caller hears of it.
    this.#last = own.catch(() => {});
    return own;
  }
}

/** The algorithm, a few cells at a time. */
class LcsTable {
  readonly #a: Uint8Array;
  readonly #b: Uint8Array;
  /** The shorter string runs along a line, the other one down the lines. */
  readonly #across: Uint8Array;
  readonly #down: Uint8Array;
  readonly #isSwapped: boolean;
  /** Lengths of the line before, up to the column; of this line, behind it. */
  readonly #line: Int32Array;
  /** Bit per cell: the length without the last byte of `a` is the greater one. */
  readonly #ways: Uint32Array | undefined;
  #row = 0;
  #column = 0;
  #left = 0;
  #diagonal = 0;

  constructor(a: Uint8Array, b: Uint8Array, keepsWays: boolean) {
    this.#a = a;
    this.#b = b;
    this.#isSwapped = a.length < b.length;
    this.#across = this.#isSwapped ? a : b;
    this.#down = this.#isSwapped ? b : a;
    this.#line = new Int32Array(this.#across.length + 1);
    if (keepsWays) this.#ways = new Uint32Array(Math.ceil(a.length * b.length / 32));
  }

  /** Length of the subsequence, once all is done. */
  get length(): number {
    return this.#line[this.#across.length]!;
  }

  /** Fills at most `cellCount` more cells; whether all are filled. */
  advance(cellCount: number): boolean {
    const width = this.#across.length;
    while (this.#row < this.#down.length && width > 0 && cellCount > 0) {
      const end = Math.min(width, this.#column + cellCount);
      cellCount -= end - this.#column;
      this.#fill(end);
      if (end < width) break;
      this.#row++;
      this.#column = 0;
      this.#left = 0;
      this.#diagonal = 0;
    }
    return width === 0 || this.#row >= this.#down.length;
  }

  #fill(end: number): void {
    const across = this.#across;
    const line = this.#line;
    const ways = this.#ways;
    const byte = this.#down[this.#row]!;
    const isSwapped = this.#isSwapped;
    const rowAt = this.#row * across.length;
    let left = this.#left;
    let diagonal = this.#diagonal;
    for (let column = this.#column; column < end; column++) {
      const above = line[column + 1]!;
      let length: number;
      if (across[column] === byte) {
        length = diagonal + 1;
      } else {
        length = above > left ? above : left;
        if (ways !== undefined && (isSwapped ? left > above : above > left)) {
          const cell = rowAt + column;
          ways[cell >>> 5]! |= 1 << (cell & 31);
        }
      }
      line[column + 1] = length;
      diagonal = above;
      left = length;
    }
    this.#column = end;
    this.#left = left;
    this.#diagonal = diagonal;
  }

  /** Goes back from the ends, calling `visit` for each common run of bytes, the last one first. */
  walk(visit: (aStart: number, bStart: number, byteCount: number) => void): void {
    let i = this.#a.length;
    let j = this.#b.length;
    let run = 0;
    while (i > 0 && j > 0) {
      if (this.#a[i - 1] === this.#b[j - 1]) {
        run++;
        i--;
        j--;
        continue;
      }
      if (run > 0) visit(i, j, run);
      run = 0;
      if (this.#isWithoutA(i - 1, j - 1)) i--;
      else j--;
    }
    if (run > 0) visit(i, j, run);
  }

  #isWithoutA(i: number, j: number): boolean {
    const cell = this.#isSwapped ? j * this.#a.length + i : i * this.#b.length + j;
    return (this.#ways![cell >>> 5]! >>> (cell & 31) & 1) === 1;
  }

  /** The subsequence itself. */
  subsequence(): Uint8Array {
    const bytes = new Uint8Array(this.length);
    let end = bytes.length;
    this.walk((aStart, _bStart, byteCount) => {
      end -= byteCount;
      bytes.set(this.#a.subarray(aStart, aStart + byteCount), end);
    });
    return bytes;
  }
}

function replyTable(sink: ReplySink, table: LcsTable, wishes: LcsWishes): void {
  if (wishes.onlyLength) {
    sink.integer(table.length);
  } else if (wishes.indexes) {
    replyIndexes(sink, table, wishes);
  } else {
    const bytes = table.subsequence();
    sink.bulk(bytes, 0, bytes.length);
  }
}

function replyIndexes(sink: ReplySink, table: LcsTable, wishes: LcsWishes): void {
  const runs: [number, number, number][] = [];
  table.walk((aStart, bStart, byteCount) => {
    if (byteCount >= wishes.minMatchLength) runs.push([aStart, bStart, byteCount]);
  });
  sink.mapStart(2);
  sink.bulkText("matches");
  sink.arrayStart(runs.length);
  for (const [aStart, bStart, byteCount] of runs) {
    sink.arrayStart(wishes.withMatchLength ? 3 : 2);
    for (const start of [aStart, bStart]) {
      sink.arrayStart(2);
      sink.integer(start);
      sink.integer(start + byteCount - 1);
    }
    if (wishes.withMatchLength) sink.integer(byteCount);
  }
  sink.bulkText("len");
  sink.integer(table.length);
}

/** Reads the options; undefined when an error was replied. */
function readWishes(call: CommandCall): LcsWishes | undefined {
  const { args, sink } = call;
  const wishes: LcsWishes = {
    onlyLength: false,
    indexes: false,
    minMatchLength: 0,
    withMatchLength: false,
  };
  const number = new Int64();
  for (let i = 3; i < args.count; i++) {
    if (args.is(i, "IDX")) {
      wishes.indexes = true;
    } else if (args.is(i, "LEN")) {
      wishes.onlyLength = true;
    } else if (args.is(i, "WITHMATCHLEN")) {
      wishes.withMatchLength = true;
    } else if (args.is(i, "MINMATCHLEN") && i + 1 < args.count) {
      if (!args.int64(++i, number)) {
        sink.error(ReplyCode.NOT_AN_INTEGER);
        return undefined;
      }
      wishes.minMatchLength = number.toNumber();
    } else {
      sink.error(ReplyCode.SYNTAX);
      return undefined;
    }
  }
  if (wishes.indexes && wishes.onlyLength) {
    const text = "If you want both the length and indexes, please just use IDX.";
    sink.error(ReplyCode.BAD_ARGUMENT, text);
    return undefined;
  }
  return wishes;
}

/** The row of LCS. Thread: any; a thread makes its own at start. */
export function lcsRow(): CommandRow {
  const queue = new LcsQueue();
  return new CommandRow({
    name: "lcs",
    arity: -3,
    syntax: "key1 key2 [LEN] [IDX] [MINMATCHLEN length] [WITHMATCHLEN]",
    summary: "Returns the longest common subsequence of two strings.",
    group: "string",
    since: "7.0.0",
    flags: ["readonly"],
    access: "read",
    firstKey: 1,
    lastKey: 2,
    cost: "per-argument",
    complexity: "O(N*M) with N and M bytes; their product is at most 268,435,456",
    reply: ["bulk", "integer", "map"],
    handler: (call) => handleLcs(call, queue),
  });
}
