/**
 * Writes what a store has as lines of JSON.
 *
 * Nothing is ever as a whole in memory but one element: a long string and a large collection are
 * several lines, of which all but the last say that there are more.
 *
 * @module
 */

import { matchesGlobBytes } from "../base/glob.ts";
import { JobView } from "../base/job.ts";
import type { Collection } from "../store/collection/collection.ts";
import type { ElementView } from "../store/collection/element.ts";
import { DATABASE_COUNT } from "../store/control.ts";
import { Key } from "../store/key.ts";
import { EntryType, type Store } from "../store/store.ts";
import { DUMP_VERSION, scoreToJson, TYPE_NAMES } from "./dump_format.ts";
import { bytesToJson, endOfText } from "./json_bytes.ts";
import { entriesInOrder } from "./key_order.ts";
import { type ByteTaker, LineOutput } from "./line_output.ts";

/** A string is cut into pieces of this length. Unit: bytes. */
const STRING_PIECE_BYTES = 2 ** 20;
/** A line of a collection ends when its elements are as long as this. Unit: characters. */
const ELEMENTS_CHARACTERS = 2 ** 18;
/** Progress is told after so many keys. */
const KEYS_PER_REPORT = 1024;

/** What to dump. */
export interface DumpOptions {
  /** Where the keys are; nothing changes it meanwhile. */
  readonly store: Store;
  /** Events that were accepted and not settled: jobs (base/job.ts), in order. */
  readonly events: Iterable<Uint8Array>;
  /** Keys that expire no later are passed over. Unit: ms since the epoch. */
  readonly nowMs: number;
  /** Only this one; left out: all, and the events. */
  readonly database?: number | undefined;
  /** Only keys that match; left out: all, and the events. */
  readonly pattern?: Uint8Array | undefined;
  /** Where the lines go. */
  readonly take: ByteTaker;
  /** Told now and then how many keys are written, and how many there are. */
  readonly onProgress?: ((keyCount: number, keyTotal: number) => void) | undefined;
}

/** What was dumped. */
export interface DumpSummary {
  /** Keys by database; those without any are left out. */
  readonly databases: { readonly database: number; readonly keyCount: number }[];
  /** Keys in all. */
  readonly keyCount: number;
  /** Keys that have expired. */
  readonly expiredCount: number;
  /** Events that are pending. */
  readonly eventCount: number;
  /** Length of all lines. Unit: bytes. */
  readonly byteCount: number;
}

/**
 * Dumps a store.
 *
 * Thread: the only one that uses the store.
 */
export function dump(options: DumpOptions): DumpSummary {
  return new Dumper(options).run();
}

class Dumper {
  readonly #options: DumpOptions;
  readonly #output: LineOutput;
  readonly #collection: Collection;
  readonly #key = new Key();
  #piece = new Uint8Array(1024);
  #keyCount = 0;
  #expiredCount = 0;

  constructor(options: DumpOptions) {
    this.#options = options;
    this.#output = new LineOutput(options.take);
    this.#collection = options.store.collections.newHandle();
  }

  run(): DumpSummary {
    this.#output.write(`{"sluice_dump":${DUMP_VERSION}}\n`);
    const databases: { database: number; keyCount: number }[] = [];
    for (let database = 0; database < DATABASE_COUNT; database++) {
      const before = this.#keyCount;
      this.#writeDatabase(database);
      const keyCount = this.#keyCount - before;
      if (keyCount > 0) databases.push({ database, keyCount });
    }
    const eventCount = this.#writeEvents();
    this.#output.write(`{"end":{"keys":${this.#keyCount},"events":${eventCount}}}\n`);
    this.#output.flush();
    return {
      databases,
      keyCount: this.#keyCount,
      expiredCount: this.#expiredCount,
      eventCount,
      byteCount: this.#output.byteCount,
    };
  }

  #writeDatabase(database: number): void {
    const { store, onProgress, database: only } = this.#options;
    if (only !== undefined && only !== database) return;
    const total = store.stats().keyCount;
    const wants = (key: Key, entry: number): boolean => this.#wants(key, entry);
    for (const entry of entriesInOrder(store, database, wants)) {
      this.#writeKey(database, entry);
      if (++this.#keyCount % KEYS_PER_REPORT === 0) onProgress?.(this.#keyCount, total);
    }
  }

  #wants({ bytes, start, end }: Key, entry: number): boolean {
    const { store, nowMs, pattern } = this.#options;
    if (pattern !== undefined && !matchesGlobBytes(pattern, bytes, start, end)) return false;
    const expireAtMs = store.expireAtMs(entry);
    if (expireAtMs === 0 || expireAtMs > nowMs) return true;
    this.#expiredCount++;
    return false;
  }

  #writeKey(database: number, entry: number): void {
    const { store } = this.#options;
    const type = store.entryType(entry);
    const { bytes, start, end } = store.showKey(entry, this.#key);
    const front = `{"db":${database},"key":${bytesToJson(bytes, start, end)}` +
      `,"type":"${TYPE_NAMES[type]}","value":`;
    const expireAtMs = store.expireAtMs(entry);
    const facts = (expireAtMs === 0 ? "" : `,"expire_at_ms":${expireAtMs}`) +
      (store.isPinned(entry) ? `,"balance":true` : "");
    if (type === EntryType.STRING) this.#writeString(entry, front, facts);
    else this.#writeCollection(entry, front, facts);
  }

  #writeString(entry: number, front: string, facts: string): void {
    const { store } = this.#options;
    const byteCount = store.stringLength(entry);
    const most = Math.min(byteCount, STRING_PIECE_BYTES);
    if (most > this.#piece.length) this.#piece = new Uint8Array(STRING_PIECE_BYTES);
    const piece = this.#piece;
    for (let at = 0;;) {
      const whole = Math.min(byteCount - at, STRING_PIECE_BYTES);
      if (byteCount <= piece.length) store.copyString(entry, piece, 0);
      else store.copyStringRange(entry, at, at + whole, piece, 0);
      const length = at + whole === byteCount ? whole : endOfText(piece, 0, whole);
      const isLast = at + length === byteCount;
      this.#writeLine(front, bytesToJson(piece, 0, length), facts, at > 0, isLast);
      if (isLast) return;
      at += length;
    }
  }

  #writeCollection(entry: number, front: string, facts: string): void {
    const c = this.#collection;
    this.#options.store.collections.openEntry(c, entry);
    let elements = "";
    let isContinued = false;
    for (let hasMore = c.cursor.seekFirst(); hasMore;) {
      elements += elements === "" ? this.#element(c) : `,${this.#element(c)}`;
      hasMore = c.cursor.next();
      if (hasMore && elements.length < ELEMENTS_CHARACTERS) continue;
      this.#writeLine(front, `[${elements}]`, facts, isContinued, !hasMore);
      isContinued = true;
      elements = "";
    }
  }

  #element({ type, cursor }: Collection): string {
    const element = viewToJson(cursor.element());
    if (type === EntryType.HASH) return `[${element},${viewToJson(cursor.value())}]`;
    if (type === EntryType.SORTED_SET) return `[${element},${scoreToJson(cursor.score())}]`;
    return element;
  }

  /** What a key has besides its value is said once. */
  #writeLine(
    front: string,
    value: string,
    facts: string,
    isContinued: boolean,
    isLast: boolean,
  ): void {
    const output = this.#output;
    output.write(front);
    output.write(value);
    output.write(
      (isContinued ? `,"continued":true` : facts) + (isLast ? "}\n" : `,"more":true}\n`),
    );
  }

  /** Events belong to the whole: whoever wants a part of the keys does not want them. */
  #writeEvents(): number {
    const { database, events, pattern } = this.#options;
    if (database !== undefined || pattern !== undefined) return 0;
    const view = new JobView();
    let count = 0;
    for (const job of events) {
      const { bytes, amount, acceptedAtMs } = view.attach(job, 0, job.length);
      const { userStart, userEnd, actionStart, actionEnd, idStart, idEnd } = view;
      const { fieldsStart, fieldsEnd } = view;
      this.#output.write(
        `{"event":{"user":${bytesToJson(bytes, userStart, userEnd)}` +
          `,"action":${bytesToJson(bytes, actionStart, actionEnd)},"amount":"${amount}"` +
          (idStart === idEnd ? "" : `,"id":${bytesToJson(bytes, idStart, idEnd)}`) +
          // JSON as it is.
          (fieldsStart === fieldsEnd
            ? ""
            : `,"fields":${new TextDecoder().decode(bytes.subarray(fieldsStart, fieldsEnd))}`) +
          `,"accepted_at_ms":${acceptedAtMs}}}\n`,
      );
      count++;
    }
    return count;
  }
}

function viewToJson(view: ElementView): string {
  if (view.longRoot === 0) return bytesToJson(view.bytes, view.start, view.end);
  return bytesToJson(view.toBytes());
}
