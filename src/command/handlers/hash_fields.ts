/**
 * The values of several fields as one reply.
 *
 * @module
 */

import type { Collection } from "../../store/collection/collection.ts";
import type { CollectionLease } from "../../store/collection/collection_lease.ts";
import type { CommandCall } from "../call.ts";
import type { Lookups } from "../long_lookup.ts";
import { PART_TOO_LONG, PartMode, writeElement } from "../collection_reply.ts";
import type { ReplySink } from "../reply_sink.ts";
import { type ReplySource, streamReplies } from "../reply_source.ts";

/** Copied at once, under the lock. Unit: bytes. Reason: well below a millisecond. */
const AT_ONCE_BYTES = 65_536;
/** What a value takes besides its bytes. */
const VALUE_OVERHEAD_BYTES = 12;
const MISSING = -1;
/** Values written in a step at most. */
const VALUES_PER_STEP = 1024;

/**
 * Replies with the values of the fields that the arguments from `first` on name: at once as long as
 * they are not many bytes, the rest from a lease of the hash. Needs its lock, shared is enough.
 *
 * Thread: the connection's I/O thread.
 */
export function replyFields(call: CommandCall, c: Collection, first: number): void {
  const { args, sink, store } = call;
  const { hashes } = store.collections;
  const mode = sink.replySource === undefined ? PartMode.WHOLE : PartMode.SHORT;
  let room = mode === PartMode.WHOLE ? Infinity : AT_ONCE_BYTES;
  if (mode === PartMode.SHORT && c.root !== 0 && sink.isFull) room = 0;
  sink.arrayStart(args.count - first);
  for (let i = first; i < args.count; i++) {
    let byteCount = 0;
    if (!hashes.find(c, args.bytes, args.starts[i]!, args.ends[i]!)) sink.nil();
    else if (room <= 0) byteCount = PART_TOO_LONG;
    else byteCount = writeElement(sink, c.cursor.value(), mode);
    if (byteCount === PART_TOO_LONG) {
      const ranks = ranksOf(call, c, i);
      streamReplies(sink, new LeasedValues(store.collectionLeases.take(c), ranks));
      return;
    }
    room -= byteCount + VALUE_OVERHEAD_BYTES;
  }
}

/** Where the fields are that the arguments from `first` on name. */
function ranksOf(call: CommandCall, c: Collection, first: number): Float64Array {
  const { args, store } = call;
  const { hashes } = store.collections;
  const ranks = new Float64Array(args.count - first);
  for (let i = first; i < args.count; i++) {
    const isFound = hashes.find(c, args.bytes, args.starts[i]!, args.ends[i]!);
    ranks[i - first] = isFound ? c.cursor.rank() : MISSING;
  }
  return ranks;
}

/** HMGET of very many fields. */
export const FIELDS: Lookups = {
  found: (cursor) => cursor.rank(),
  missing: MISSING,
  reply(sink, kept, lease) {
    sink.arrayStart(kept.length);
    streamReplies(sink, new LeasedValues(lease, kept));
  },
};

/** Values of a leased hash, by the ranks of their fields. */
class LeasedValues implements ReplySource {
  readonly #lease: CollectionLease;
  readonly #ranks: Float64Array;
  #index = 0;

  constructor(lease: CollectionLease, ranks: Float64Array) {
    this.#lease = lease;
    this.#ranks = ranks;
  }

  writeNext(sink: ReplySink, mostBytes: number): boolean {
    const { cursor } = this.#lease;
    const ranks = this.#ranks;
    const mode = mostBytes === Infinity ? PartMode.WHOLE : PartMode.LEASED;
    // Each takes some 0.5 µs, however short it is.
    const end = Math.min(ranks.length, this.#index + VALUES_PER_STEP);
    for (let room = mostBytes; room > 0 && this.#index < end;) {
      const rank = ranks[this.#index++]!;
      room -= VALUE_OVERHEAD_BYTES;
      if (rank === MISSING) {
        sink.nil();
      } else {
        cursor.seekRank(rank);
        room -= writeElement(sink, cursor.value(), mode);
      }
    }
    return this.#index === ranks.length;
  }

  release(): void {
    this.#lease.release();
  }
}
