/**
 * Reads what can be read of a directory from which no server starts.
 *
 * Of a damaged snapshot, the keys in its frames that are whole, and of a collection that is cut in two
 * by what is not, the part in front of it; then the log behind it, up to the first place that cannot be
 * read. That is not what the server had at any moment. It is what there is to save.
 *
 * @module
 */

import { AssertionFault } from "../base/assert.ts";
import { JobView } from "../base/job.ts";
import { ElementReader } from "../durability/elements.ts";
import { filesOf, isSegmentName } from "../durability/file_names.ts";
import { FrameReader } from "../durability/frame_reader.ts";
import { ALIGNMENT_BYTES, FILE_HEADER_BYTES, FRAME_HEADER_BYTES } from "../durability/layout.ts";
import { PendingEvents } from "../durability/pending_events.ts";
import { RecordFlag, RecordReader, RecordType, RecordWriter } from "../durability/record.ts";
import { NoRoomError, Replayer } from "../durability/replayer.ts";
import type { Storage } from "../durability/storage.ts";
import { DATABASE_COUNT } from "../store/control.ts";
import type { EntryType, Store } from "../store/store.ts";
import { makeStore, noRoom, type RoomOptions } from "./data_store.ts";
import { countFrames } from "./frame_census.ts";

const NO_KEY = new Uint8Array(0);
/** Progress is told after so many frames. */
const FRAMES_PER_REPORT = 64;

/** Something that could not be read. */
export interface PassedOver {
  /** Name of the file. */
  readonly file: string;
  /** Where in it. Unit: bytes. */
  readonly offset: number;
  /** Why. */
  readonly reason: string;
}

/** What could be read. */
export interface Salvaged {
  /** Has the keys. */
  readonly store: Store;
  /** Events that were accepted and not settled, as far as is known. */
  readonly pending: PendingEvents;
  /** Records that could be read. */
  readonly recordCount: number;
  /** Collections of which only the front is there. */
  readonly partialCount: number;
  /** What could not be read. */
  readonly passedOver: readonly PassedOver[];
}

/**
 * Reads what can be read. Changes nothing.
 *
 * @throws {DataError} when there is too little memory
 * @throws what the system says when a file cannot be read
 */
export function salvage(
  storage: Storage,
  room: RoomOptions = {},
  onProgress: (recordCount: number) => void = () => {},
): Salvaged {
  try {
    return new Salvager(storage, room, onProgress).run();
  } catch (error) {
    if (error instanceof NoRoomError) throw noRoom(room, error.message);
    throw error;
  }
}

/** A collection whose elements are still to come. */
interface Coming {
  readonly database: number;
  readonly key: Uint8Array;
  readonly seq: number;
  readonly type: number;
  readonly expireAtMs: number;
  readonly flags: number;
  /** How many elements it has, and how many were seen. */
  readonly count: number;
  found: number;
  readonly parts: Uint8Array[];
}

class Salvager {
  readonly #storage: Storage;
  readonly #store: Store;
  readonly #replayer: Replayer;
  readonly #onProgress: (recordCount: number) => void;
  readonly #pending = new PendingEvents();
  readonly #record = new RecordReader();
  readonly #own = new RecordReader();
  readonly #elements = new ElementReader();
  readonly #job = new JobView();
  readonly #passedOver: PassedOver[] = [];
  #coming: Coming | undefined;
  #recordCount = 0;
  #partialCount = 0;
  #frameCount = 0;

  constructor(storage: Storage, room: RoomOptions, onProgress: (recordCount: number) => void) {
    this.#storage = storage;
    this.#store = makeStore(room);
    this.#replayer = new Replayer(this.#store);
    this.#onProgress = onProgress;
  }

  run(): Salvaged {
    const position = this.#readSnapshot();
    this.#readLog(position);
    this.#replayer.finish();
    return {
      store: this.#store,
      pending: this.#pending,
      recordCount: this.#recordCount,
      partialCount: this.#partialCount,
      passedOver: this.#passedOver,
    };
  }

  /** Reads the newest snapshot of which anything can be read; returns from where on the log counts. */
  #readSnapshot(): number {
    const snapshots = filesOf(this.#storage.list(), "snapshot").toReversed();
    const found = snapshots.find(({ name }) => countFrames(this.#storage, name, 0).frameCount > 0);
    if (found === undefined) return 0;
    this.#readFrames(found.name, 0, 0, true);
    return found.position;
  }

  #readLog(fromPosition: number): void {
    const all = filesOf(this.#storage.list(), "log");
    const first = Math.max(0, all.findLastIndex(({ position }) => position <= fromPosition));
    let end = all[first]?.position ?? 0;
    for (const { name, position } of all.slice(first)) {
      if (position !== end) {
        const reason = `the log from position ${end} to ${position} is missing`;
        this.#passedOver.push({ file: name, offset: 0, reason });
        return;
      }
      const next = this.#readFrames(name, position, fromPosition, false);
      if (next === undefined) return;
      end = next;
    }
  }

  /**
   * Reads the frames of a file.
   *
   * @param goesOn whether also those behind what cannot be read; keys of a snapshot do not depend on
   *   each other
   * @returns position behind the last one; undefined: something cannot be read
   */
  #readFrames(
    name: string,
    firstPosition: number,
    fromPosition: number,
    goesOn: boolean,
  ): number | undefined {
    const file = this.#storage.open(name, "read");
    try {
      if (file.size() < FILE_HEADER_BYTES) {
        const reason = `it ends after ${file.size()} bytes`;
        this.#passedOver.push({ file: name, offset: 0, reason });
        return undefined;
      }
      const frames = new FrameReader(file, firstPosition, isSegmentName(name));
      let isWhole = true;
      let isInGap = false;
      for (let outcome = frames.next(); outcome !== "end"; outcome = frames.next()) {
        if (outcome === "frame") {
          isInGap = false;
          if (frames.position >= fromPosition) this.#takeFrame(frames, name);
          continue;
        }
        if (!isInGap) {
          this.#passedOver.push({ file: name, offset: frames.offset, reason: frames.problem });
          // Its other elements may be what cannot be read.
          this.#endCollection();
        }
        isWhole = false;
        isInGap = true;
        if (!goesOn) return undefined;
        frames.seek(frames.offset + ALIGNMENT_BYTES);
      }
      if (goesOn) this.#endCollection();
      return isWhole ? frames.position : undefined;
    } finally {
      file.close();
    }
  }

  #takeFrame({ bytes, bodyStart, bodyEnd, offset }: FrameReader, file: string): void {
    const record = this.#record.open(bytes, bodyStart, bodyEnd);
    for (let found = record.next(); found !== false; found = record.next()) {
      const problem = found === true ? this.#tryTake(record) : found;
      if (problem === undefined) continue;
      this.#passedOver.push({ file, offset, reason: problem });
      if (found !== true) break;
    }
    if (++this.#frameCount % FRAMES_PER_REPORT === 0) this.#onProgress(this.#recordCount);
  }

  /** As {@link Salvager.#take}, of what nobody may have written, although its frame is whole. */
  #tryTake(record: RecordReader): string | undefined {
    if (record.database >= DATABASE_COUNT) return `there is no database ${record.database}`;
    try {
      if (record.type === RecordType.EVENT_ACCEPTED) {
        this.#job.attach(record.bytes, record.payloadStart + 8, record.payloadBytes - 8);
      }
      return this.#take(record);
    } catch (error) {
      if (error instanceof AssertionFault) return error.message;
      throw error;
    }
  }

  /** Takes note of a record; what is wrong with it, if anything. */
  #take(record: RecordReader): string | undefined {
    const { type } = record;
    if (type === RecordType.MARK || type === RecordType.SNAPSHOT_END) return undefined;
    this.#recordCount++;
    if (this.#pending.note(record)) return undefined;
    if (type === RecordType.COLLECTION) return this.#beginCollection(record);
    if (type === RecordType.ELEMENTS) return this.#takeElements(record);
    return this.#replayer.apply(record);
  }

  #beginCollection(record: RecordReader): string | undefined {
    const problem = this.#endCollection();
    const { bytes, keyStart, keyEnd, database, seq, valueType: type, expireAtMs } = record;
    this.#coming = {
      ...{ database, seq, type, expireAtMs },
      key: bytes.slice(keyStart, keyEnd),
      flags: record.flags & RecordFlag.PINNED,
      count: record.uint64At(0),
      found: 0,
      parts: [],
    };
    return problem;
  }

  #takeElements({ bytes, payloadStart, payloadEnd }: RecordReader): string | undefined {
    const coming = this.#coming;
    // Its front could not be read.
    if (coming === undefined) return undefined;
    const elements = this.#elements.open(bytes, payloadStart, payloadEnd);
    while (elements.at < elements.end && elements.read(coming.type as EntryType)) coming.found++;
    coming.parts.push(bytes.slice(payloadStart, payloadEnd));
    return coming.found >= coming.count ? this.#endCollection() : undefined;
  }

  /** Puts the collection into the store, with the elements that it has. */
  #endCollection(): string | undefined {
    const coming = this.#coming;
    this.#coming = undefined;
    if (coming === undefined || coming.found === 0) return undefined;
    const { database, key, seq, type, expireAtMs, flags, found, parts } = coming;
    if (found < coming.count) this.#partialCount++;
    const records = new RecordWriter();
    records.begin(
      RecordType.COLLECTION,
      database,
      key,
      0,
      key.length,
      seq,
      type,
      expireAtMs,
      flags,
    ).appendUint64(found).end();
    for (const part of parts) {
      records.begin(RecordType.ELEMENTS, database, NO_KEY, 0, 0, 0, type);
      records.append(part, 0, part.length).end();
    }
    const own = this.#own.open(records.bytes, FRAME_HEADER_BYTES, records.length);
    while (own.next() === true) {
      const problem = this.#replayer.apply(own);
      if (problem !== undefined) return problem;
    }
    return undefined;
  }
}
