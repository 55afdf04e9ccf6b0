/**
 * Commands that ask for very many members of one collection: looked up in slices, in a lease of it,
 * so all of them as they were at one moment.
 *
 * @module
 */

import type { Collection } from "../store/collection/collection.ts";
import type { CollectionLease } from "../store/collection/collection_lease.ts";
import type { RecordCursor } from "../store/collection/cursor.ts";
import { EntryType } from "../store/store.ts";
import type { CommandCall } from "./call.ts";
import type { ReplySink } from "./reply_sink.ts";
import { type ReplySource, streamReplies } from "./reply_source.ts";
import { HandlerStatus } from "./row.ts";

/** So many members are looked up at once. Reason: some 0.8 µs each in a large collection. */
export const AT_ONCE_LOOKUPS = 1024;
/** Weight of a lookup; see `Slices.isOver`. */
const LOOKUP_WEIGHT = 8;

/** Room for the reply to one lookup. Unit: bytes. */
const REPLY_BYTES = 16;
/** Replies written per step. Reason: some 0.1 ms. */
const REPLIES_PER_STEP = 2048;

/** What is kept of each lookup: a number. */
export interface Lookups {
  /** What is kept of a member that is there; the cursor stands on it. */
  found(cursor: RecordCursor): number;
  /** What is kept of one that is not. */
  readonly missing: number;
  /** Replies with all of them; ends the lease. */
  reply(sink: ReplySink, kept: Float64Array, lease: CollectionLease): void;
}

/** Whether a command asks for more members than are looked up at once. */
export function isLongLookup({ args, inTransaction }: CommandCall): boolean {
  return args.count - 2 > AT_ONCE_LOOKUPS && !inTransaction;
}

/**
 * Looks up the members that the arguments from 2 on name, in a collection that was opened; needs its
 * lock, shared is enough.
 *
 * Thread: the connection's I/O thread.
 *
 * @returns LATER
 */
export function lookUpInSlices(call: CommandCall, c: Collection, lookups: Lookups): HandlerStatus {
  const { store } = call;
  const lease = c.type === EntryType.SORTED_SET
    ? store.collectionLeases.takeMembers(c)
    : store.collectionLeases.take(c);
  call.later = lookUpLater(call.detach(), c.type, lease, lookups);
  return HandlerStatus.LATER;
}

async function lookUpLater(
  call: CommandCall,
  type: EntryType,
  lease: CollectionLease,
  lookups: Lookups,
): Promise<HandlerStatus> {
  const { args, store } = call;
  const { cursor } = lease;
  const { bytes, starts, ends } = args;
  const slices = call.slices();
  const kept = new Float64Array(args.count - 2);
  try {
    await slices.next();
    for (let i = 0; i < kept.length; i++) {
      const start = starts[i + 2]!;
      const end = ends[i + 2]!;
      let isFound = false;
      if (lease.count > 0) {
        if (cursor.top !== 0) {
          isFound = cursor.seekOrder(
            store.collections.hashOf(bytes, start, end),
            bytes,
            start,
            end,
          );
        } else if (type === EntryType.SORTED_SET) {
          isFound = cursor.findMemberInRun(bytes, start, end);
        } else {
          isFound = cursor.findInRun(
            store.collections.hashOf(bytes, start, end),
            bytes,
            start,
            end,
          );
        }
      }
      kept[i] = isFound ? lookups.found(cursor) : lookups.missing;
      if (slices.isOver(LOOKUP_WEIGHT)) await slices.next();
    }
  } catch (error) {
    lease.release();
    throw error;
  }
  lookups.reply(call.sink, kept, lease);
  return HandlerStatus.DONE;
}

/** Replies with an array of one reply for each number. Thread: the connection's I/O thread. */
export function replyKept(
  sink: ReplySink,
  kept: Float64Array,
  write: (sink: ReplySink, number: number) => void,
): void {
  sink.arrayStart(kept.length);
  streamReplies(sink, new KeptReplies(kept, write));
}

class KeptReplies implements ReplySource {
  readonly #kept: Float64Array;
  readonly #write: (sink: ReplySink, number: number) => void;
  #done = 0;

  constructor(kept: Float64Array, write: (sink: ReplySink, number: number) => void) {
    this.#kept = kept;
    this.#write = write;
  }

  writeNext(sink: ReplySink, mostBytes: number): boolean {
    const most = Math.min(REPLIES_PER_STEP, Math.ceil(mostBytes / REPLY_BYTES));
    const end = Math.min(this.#kept.length, this.#done + most);
    while (this.#done < end) this.#write(sink, this.#kept[this.#done++]!);
    return this.#done === this.#kept.length;
  }

  release(): void {
    this.#done = this.#kept.length;
  }
}
