/**
 * The ids of events in the files: a snapshot has those that are remembered, the log those of the
 * events that it has.
 *
 * The memory of ids (store/event_ids.ts) keeps hashes, and not the ids, so a data directory always has
 * them hashed with the same key: its history.
 *
 * @module
 */

import { ByteSlice, JobView, placeId } from "../base/job.ts";
import { Int64 } from "../base/int64.ts";
import type { EventIds, RememberedId } from "../store/event_ids.ts";
import { readUint64 } from "./layout.ts";
import { type RecordReader, RecordType, type RecordWriter } from "./record.ts";

/** Length of one id in `EVENT_IDS`. Unit: bytes. */
export const EVENT_ID_BYTES = 40;

const NO_KEY = new Uint8Array(0);

/** Writes down all ids that are remembered, part by part. Thread: belongs to one thread. */
export class EventIdSnapshot {
  readonly #ids: EventIds;
  readonly #nowMs: number;
  /** Where to go on; negative = all are written. */
  #from = 0;

  /**
   * Begins.
   *
   * @param nowMs the time: older ones than the window are left out. Unit: ms since the epoch
   */
  constructor(ids: EventIds, nowMs: number) {
    this.#ids = ids;
    this.#nowMs = nowMs;
  }

  /**
   * Appends some more, in some microseconds.
   *
   * @returns whether there were any left to look at
   */
  step(records: RecordWriter): boolean {
    if (this.#from < 0) return false;
    let isBegun = false;
    this.#from = this.#ids.copyPart(this.#from, this.#nowMs, (id) => {
      if (!isBegun) records.begin(RecordType.EVENT_IDS, 0, NO_KEY, 0, 0, 0);
      isBegun = true;
      append(records, id);
    });
    if (isBegun) records.end();
    return true;
  }
}

function append(records: RecordWriter, id: RememberedId): void {
  const at = records.extend(16);
  for (let i = 0; i < 4; i++) records.view.setInt32(at + i * 4, id.hash[i]!, true);
  records.appendUint64(id.acceptedAtUs).appendUint64(id.outcome);
  records.appendInt64(id.balance.hi, id.balance.lo);
}

/**
 * Follows the records of a snapshot, and then of the log behind it, and remembers the ids of their
 * events.
 *
 * Thread: the one that starts the server, before there are others.
 */
export class EventIdRecovery {
  readonly #ids: EventIds | undefined;
  readonly #nowMs: number;
  /** Payloads of a snapshot's `EVENT_IDS`, in a row; grows. */
  #found = new Uint8Array(0);
  #foundBytes = 0;
  readonly #job = new JobView();
  readonly #user = new ByteSlice();
  readonly #id = new ByteSlice();
  readonly #balance = new Int64();

  /**
   * Begins.
   *
   * @param ids empty; absent: nothing is remembered
   * @param nowMs the time. Unit: ms since the epoch
   */
  constructor(ids: EventIds | undefined, nowMs: number) {
    this.#ids = ids;
    this.#nowMs = nowMs;
  }

  /** Says by which key ids are hashed; comes before everything else. */
  useHistory(history: Uint8Array): void {
    this.#ids?.useKey(history);
  }

  /**
   * Takes note of a record; comes before the {@link PendingEvents} do.
   *
   * @param pending events that were accepted and not settled so far
   * @returns whether it is one of ids, and of nothing else; or what is wrong with it
   */
  note(record: RecordReader, pending: ReadonlyMap<number, Uint8Array>): boolean | string {
    const { type } = record;
    if (type === RecordType.EVENT_IDS) {
      if (record.payloadBytes % EVENT_ID_BYTES !== 0) return "a record of ids has a wrong length";
      if (this.#ids !== undefined) this.#keep(record);
      return true;
    }
    if (this.#ids === undefined) return false;
    if (type === RecordType.EVENT_ACCEPTED) {
      this.#attach(record.bytes, record.payloadStart + 8, record.payloadEnd);
      this.#restore(this.#ids);
    } else if (type === RecordType.EVENT_SETTLED) {
      const job = pending.get(record.uint64At(0));
      if (job !== undefined) this.#settle(this.#ids, job, record);
    }
    return false;
  }

  /**
   * Remembers the ids of the snapshot, oldest first: they are forgotten in the order in which they
   * come.
   */
  endSnapshot(): void {
    const ids = this.#ids;
    const view = new DataView(this.#found.buffer, 0, this.#foundBytes);
    this.#found = new Uint8Array(0);
    this.#foundBytes = 0;
    if (ids === undefined) return;
    const hash = new Int32Array(4);
    for (const at of oldestFirst(view)) {
      for (let i = 0; i < 4; i++) hash[i] = view.getInt32(at + i * 4, true);
      ids.chooseHash(hash);
      const acceptedAtUs = readUint64(view, at + 16);
      if (this.#isOver(ids, acceptedAtUs) || !ids.restore(acceptedAtUs)) continue;
      const outcome = readUint64(view, at + 24);
      if (outcome === 0) continue;
      this.#balance.lo = view.getUint32(at + 32, true);
      this.#balance.hi = view.getInt32(at + 36, true);
      ids.settle(ids.slot, ids.ticket, outcome, this.#balance);
    }
  }

  #keep({ bytes, payloadStart, payloadEnd, payloadBytes }: RecordReader): void {
    const needed = this.#foundBytes + payloadBytes;
    if (needed > this.#found.length) {
      const grown = new Uint8Array(Math.max(needed, this.#found.length * 2, 65_536));
      grown.set(this.#found.subarray(0, this.#foundBytes));
      this.#found = grown;
    }
    this.#found.set(bytes.subarray(payloadStart, payloadEnd), this.#foundBytes);
    this.#foundBytes = needed;
  }

  /**
   * Says in the jobs that go on where their ids are remembered; comes last.
   *
   * @param jobs are changed
   */
  placeIds(jobs: Iterable<Uint8Array>): void {
    const ids = this.#ids;
    // Then nobody looks at the places, either.
    if (ids === undefined) return;
    for (const job of jobs) {
      this.#attach(job, 0, job.length);
      if (this.#job.idStart === this.#job.idEnd) continue;
      const isKnown = this.#restore(ids);
      placeId(job, isKnown ? ids.slot : 0, isKnown ? ids.ticket : 0);
    }
  }

  #settle(ids: EventIds, job: Uint8Array, record: RecordReader): void {
    this.#attach(job, 0, job.length);
    if (!this.#restore(ids)) return;
    const outcome = record.uint64At(8);
    // A balance that is missing is that of an event without id.
    if (record.payloadBytes < 24) return;
    this.#balance.lo = record.wordAt(16) >>> 0;
    this.#balance.hi = record.wordAt(20);
    ids.settle(ids.slot, ids.ticket, outcome, this.#balance);
  }

  #attach(bytes: Uint8Array, start: number, end: number): void {
    const job = this.#job.attach(bytes, start, end - start);
    this.#user.set(job.bytes, job.userStart, job.userEnd);
    this.#id.set(job.bytes, job.idStart, job.idEnd);
  }

  /** Remembers the id of the job that is attached; whether it is the one that is known now. */
  #restore(ids: EventIds): boolean {
    const acceptedAtUs = Math.round(this.#job.acceptedAtMs * 1000);
    if (this.#id.length === 0 || this.#isOver(ids, acceptedAtUs)) return false;
    ids.choose(this.#user, this.#id);
    return ids.restore(acceptedAtUs);
  }

  #isOver(ids: EventIds, acceptedAtUs: number): boolean {
    return this.#nowMs - acceptedAtUs / 1000 >= ids.windowMs;
  }
}

/**
 * Where the ids begin, by age. Time and index are sorted as one number of 53 bits, which is many times as
 * fast as comparing them.
 *
 * @param view ids in a row
 */
function* oldestFirst(view: DataView): Generator<number> {
  const count = view.byteLength / EVENT_ID_BYTES;
  const timeAt = (index: number): number => readUint64(view, index * EVENT_ID_BYTES + 16);
  let oldestUs = Infinity;
  let newestUs = 0;
  for (let i = 0; i < count; i++) {
    oldestUs = Math.min(oldestUs, timeAt(i));
    newestUs = Math.max(newestUs, timeAt(i));
  }
  const indexes = 2 ** Math.ceil(Math.log2(count + 1));
  // One µs, or of a million ids over a whole day 16.
  const unitUs = Math.max(1, (newestUs - oldestUs + 1) / (2 ** 53 / indexes));
  const keys = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    keys[i] = Math.floor((timeAt(i) - oldestUs) / unitUs) * indexes + i;
  }
  for (const key of keys.sort()) yield key % indexes * EVENT_ID_BYTES;
}
