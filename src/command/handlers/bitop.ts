/**
 * `BITOP`.
 *
 * @module
 */

import { BitOperation, combineWords } from "../../base/bits.ts";
import { NotifyClass } from "../../pubsub/keyspace_events.ts";
import { WriteStatus } from "../../store/store.ts";
import type { CommandCall } from "../call.ts";
import { withLocksAgain } from "../relock.ts";
import { ReplyCode } from "../reply_code.ts";
import { CommandRow, HandlerStatus } from "../row.ts";
import { SourceStrings } from "./source_strings.ts";
import { PIECE_BYTES } from "./string_pieces.ts";
import { refuseWrite } from "./write_failure.ts";

const DESTINATION = 2;
const FIRST_SOURCE = 3;

/**
 * Less work is done at once.
 *
 * Unit: bytes of all strings together. Reason: some 0.3 ms.
 */
const AT_ONCE_BYTES = 8 * PIECE_BYTES;

/**
 * So often the result is worked out without locks, and thrown away because one of the strings has
 * changed meanwhile; then with them, however long it takes.
 */
const MAX_FREE_ATTEMPTS = 4;

function handleBitOp(call: CommandCall): HandlerStatus {
  const { sink, store } = call;
  const operation = readOperation(call);
  if (operation === undefined) return HandlerStatus.DONE;
  const sources = new SourceStrings(store);
  if (!sources.capture(call, FIRST_SOURCE)) {
    sink.error(ReplyCode.WRONG_TYPE);
    return HandlerStatus.DONE;
  }
  if (sources.longest * sources.count > AT_ONCE_BYTES && !call.inTransaction) {
    call.later = combineLater(call.detach(), operation, sources);
    return HandlerStatus.LATER;
  }
  return combineNow(call, operation, sources);
}

/** With the locks held; gives up the sources. */
function combineNow(
  call: CommandCall,
  operation: BitOperation,
  sources: SourceStrings,
): HandlerStatus {
  const combination = new Combination(operation, sources);
  while (combination.advance());
  sources.release();
  return store(call, combination.result, combination.byteCount);
}

/**
 * Without the locks; takes them again to store the result, if the strings are still the same. So the
 * command happens at one moment, as if it had held them throughout.
 */
async function combineLater(
  call: CommandCall,
  operation: BitOperation,
  sources: SourceStrings,
): Promise<HandlerStatus> {
  const slices = call.slices();
  await slices.next();
  try {
    for (let attempt = 1;; attempt++) {
      const combination = new Combination(operation, sources);
      while (combination.advance()) if (slices.isOver(1024)) await slices.next();
      const { result, byteCount } = combination;
      const status = await withLocksAgain(call, () => {
        if (sources.areUnchanged(call, FIRST_SOURCE)) return store(call, result, byteCount);
        sources.release();
        if (!sources.capture(call, FIRST_SOURCE)) {
          call.sink.error(ReplyCode.WRONG_TYPE);
          return HandlerStatus.DONE;
        }
        if (attempt >= MAX_FREE_ATTEMPTS) return combineNow(call, operation, sources);
        return HandlerStatus.LATER;
      });
      if (status !== HandlerStatus.LATER) return status;
    }
  } finally {
    sources.release();
  }
}

/** Stores the result and replies; an empty one deletes the key. */
function store(call: CommandCall, result: Uint8Array, byteCount: number): HandlerStatus {
  const key = call.keyAt(DESTINATION);
  if (byteCount === 0) {
    if (call.store.remove(call.database, key)) call.notify(NotifyClass.GENERIC, "del", key);
  } else {
    const status = call.store.setString(call.database, key, result, 0, byteCount, 0);
    if (status !== WriteStatus.OK) return refuseWrite(call, status);
    call.notify(NotifyClass.STRING, "set", key);
  }
  call.sink.integer(byteCount);
  return HandlerStatus.DONE;
}

/** The result, worked out piece by piece. */
class Combination {
  readonly result: Uint8Array;
  readonly byteCount: number;
  readonly #operation: BitOperation;
  readonly #sources: SourceStrings;
  readonly #piece = new Uint8Array(PIECE_BYTES);
  readonly #words = new Uint32Array(this.#piece.buffer);
  #at = 0;

  constructor(operation: BitOperation, sources: SourceStrings) {
    this.#operation = operation;
    this.#sources = sources;
    this.byteCount = sources.longest;
    this.result = new Uint8Array((this.byteCount + 3) & ~3);
  }

  /** Does one piece of all strings; whether there are more. */
  advance(): boolean {
    const at = this.#at;
    const length = Math.min(PIECE_BYTES, this.byteCount - at);
    if (length <= 0) return false;
    const wordCount = (length + 3) >>> 2;
    const target = new Uint32Array(this.result.buffer, at, wordCount);
    this.#sources.read(0, at, this.result.subarray(at), length);
    if (this.#operation === BitOperation.NOT) {
      combineWords(BitOperation.NOT, target, this.#words, wordCount);
    }
    for (let i = 1; i < this.#sources.count; i++) {
      const read = this.#sources.read(i, at, this.#piece, length);
      this.#piece.fill(0, read, wordCount * 4);
      combineWords(this.#operation, target, this.#words, wordCount);
    }
    this.#at = at + length;
    return this.#at < this.byteCount;
  }
}

function readOperation(call: CommandCall): BitOperation | undefined {
  const { args, sink } = call;
  if (args.is(1, "AND")) return BitOperation.AND;
  if (args.is(1, "OR")) return BitOperation.OR;
  if (args.is(1, "XOR")) return BitOperation.XOR;
  if (!args.is(1, "NOT")) {
    sink.error(ReplyCode.SYNTAX);
    return undefined;
  }
  if (args.count === FIRST_SOURCE + 1) return BitOperation.NOT;
  sink.error(ReplyCode.BAD_ARGUMENT, "BITOP NOT must be called with a single source key.");
  return undefined;
}

/** The row of BITOP. Thread: any; a thread makes its own at start. */
export function bitOpRow(): CommandRow {
  return new CommandRow({
    name: "bitop",
    arity: -4,
    syntax: "AND | OR | XOR | NOT destination key [key ...]",
    summary: "Combines strings bit by bit, stores the result and returns its length.",
    group: "bitmap",
    since: "2.6.0",
    flags: ["write", "denyoom"],
    access: "write",
    firstKey: 2,
    lastKey: -1,
    cost: "per-key",
    complexity: "O(N) with N bytes of all strings together",
    reply: "integer",
    handler: handleBitOp,
  });
}
