/**
 * Loads files into a data directory: dumps, and those of Redis.
 *
 * Everything is put into a store first. Only when all of it was read a snapshot of that is written, which
 * has its name once it is complete: so a directory has all of it or none.
 *
 * @module
 */

import { JobView } from "../base/job.ts";
import { AofReader } from "../migration/aof_reader.ts";
import { BytesSource, DiskSource, type FileSource, messageOf } from "../migration/file_source.ts";
import { RedisFiles } from "../migration/redis_files.ts";
import { RedisFileError } from "../migration/redis_file_error.ts";
import type { Recovered } from "../durability/recovery.ts";
import type { Storage } from "../durability/storage.ts";
import { DATABASE_COUNT } from "../store/control.ts";
import type { EventIds } from "../store/event_ids.ts";
import type { Store } from "../store/store.ts";
import { CommandRunner } from "./command_runner.ts";
import { DataError } from "./data_error.ts";
import { makeEventIds, makeStore, recoverStore, type RoomOptions } from "./data_store.ts";
import { Filler } from "./filler.ts";
import { type ByteGiver, LineReader } from "./line_reader.ts";
import { LineLoader, type LoadedEvents } from "./load_lines.ts";
import { RedisLoader } from "./load_redis.ts";
import { hasData, publish, type Published } from "./publish.ts";
import { Skipped, type SkippedKind } from "./skipped.ts";

/** So many bytes tell what a file is. */
const FRONT_BYTES = 64;
/** What an RDB file ends with, and a checksum. Unit: bytes. */
const RDB_END_BYTES = 9;
const RDB_END = 0xff;
/** What Redis marks the end with of a file that it sends. Unit: bytes. */
const MARK_BYTES = 40;
/** Progress is told after so many keys or commands. */
const STEPS_PER_REPORT = 1024;

/** What to load, and where. */
export interface LoadOptions extends RoomOptions {
  /** The directory, which nobody else uses. */
  readonly storage: Storage;
  /** Names of files; `-` is standard input. */
  readonly files: readonly string[];
  /** Reads standard input. */
  readonly standardInput: ByteGiver;
  /** Whether what the directory has already stays, where it is not written over. */
  readonly isAdded: boolean;
  /** Whether what has no place here is left out; else nothing is written where there is any. */
  readonly skipsUnsupported: boolean;
  /** The time. Unit: ms since the epoch. */
  readonly nowMs: number;
  /** Told now and then which part is done, 0 to 1, and what is going on. */
  readonly onProgress?: ((share: number, note: string) => void) | undefined;
}

/** What a file is. */
export type LoadedKind = "NDJSON" | "RDB" | "AOF";

/** What was loaded of one file. */
export interface LoadedFile {
  /** As it was named. */
  readonly name: string;
  /** What it is. */
  readonly kind: LoadedKind;
  /** Its length. Unit: bytes. */
  readonly byteCount: number;
  /** Keys that it has as such. */
  readonly keyCount: number;
  /** Commands that were executed. */
  readonly commandCount: number;
  /** Its end, which is not there as a whole and was passed over. Unit: bytes. */
  readonly tornBytes: number;
}

/** What came of a load. */
export interface LoadSummary {
  /** The files. */
  readonly files: readonly LoadedFile[];
  /** Keys that the directory has now, by database. */
  readonly databases: { readonly database: number; readonly keyCount: number }[];
  /** Keys that the directory has now. */
  readonly keyCount: number;
  /** Events that the directory has now, which will be settled by the server that starts from it. */
  readonly eventCount: number;
  /** Keys that were left out because they have expired. */
  readonly expiredCount: number;
  /** Snapshots of the directory that are damaged, and that it could do without. */
  readonly passedOver: readonly string[];
  /** What has no place here. */
  readonly skipped: readonly SkippedKind[];
  /** What a server needs for the keys at least. Unit: bytes. */
  readonly memoryBytes: number;
  /** What was written; undefined: nothing, because of what was skipped. */
  readonly published: Published | undefined;
}

/**
 * Loads.
 *
 * Thread: one that serves nobody meanwhile.
 *
 * @throws {DataError} when something is wrong with the files or the directory
 * @throws {DamageError} when what the directory has is damaged
 * @throws {RedisFileError} when a file of Redis is damaged or cannot be read
 */
export async function load(options: LoadOptions): Promise<LoadSummary> {
  const { storage, isAdded, nowMs } = options;
  if (hasData(storage) && !isAdded) {
    throw new DataError(
      `Cannot load into ${storage.path}: it has data already; --add puts the keys to those`,
    );
  }
  const { store, recovered, eventIds } = openStore(options);
  const events: LoadedEvents = { jobs: [...recovered?.pending.jobs.values() ?? []].map(copyJob) };
  const skipped = new Skipped();
  const loading = new Loading(options, store, skipped, events);
  const files: LoadedFile[] = [];
  for (const name of options.files) files.push(await loading.loadFile(name));
  const expiredCount = loading.filler.removeExpired(nowMs);
  const published = skipped.count > 0 && !options.skipsUnsupported ? undefined : publish({
    storage,
    recovered,
    store,
    events: events.jobs.map(numbered),
    eventIds,
    nowMs,
    onProgress: (keyCount) =>
      options.onProgress?.(keyCount / Math.max(store.stats().keyCount, 1), "writing"),
  });
  const databases = Array.from({ length: DATABASE_COUNT }, (_, database) => ({
    database,
    keyCount: store.keyCount(database),
  })).filter(({ keyCount }) => keyCount > 0);
  return {
    files,
    databases,
    keyCount: store.stats().keyCount,
    eventCount: events.jobs.length,
    expiredCount,
    passedOver: recovered?.damaged.map(({ message }) => message) ?? [],
    skipped: skipped.kinds,
    memoryBytes: store.stats().usedBytes,
    published,
  };
}

function openStore(
  options: LoadOptions,
): { store: Store; recovered?: Recovered; eventIds?: EventIds } {
  const { storage } = options;
  if (!hasData(storage)) return { store: makeStore(options) };
  const eventIds = makeEventIds(storage);
  return { ...recoverStore(storage, options, undefined, eventIds), eventIds };
}

/** Loads file after file into one store. */
class Loading {
  readonly filler: Filler;
  readonly #options: LoadOptions;
  readonly #store: Store;
  readonly #skipped: Skipped;
  readonly #events: LoadedEvents;

  constructor(options: LoadOptions, store: Store, skipped: Skipped, events: LoadedEvents) {
    this.#options = options;
    this.#store = store;
    this.#skipped = skipped;
    this.#events = events;
    this.filler = new Filler(store, options, skipped);
  }

  async loadFile(name: string): Promise<LoadedFile> {
    if (name === "-") return await this.#loadInput();
    if (isSeveral(name)) return await this.#loadRedis(name);
    using source = DiskSource.open(name);
    const front = new Uint8Array(FRONT_BYTES);
    const kind = kindOf(name, front.subarray(0, source.readAt(0, front)));
    if (kind !== "NDJSON") return await this.#loadRedis(name);
    let offset = 0;
    const give = (target: Uint8Array): number => {
      const count = source.readAt(offset, target);
      offset += count;
      return count;
    };
    return this.#loadLines(name, new LineReader(give), source.byteCount);
  }

  async #loadInput(): Promise<LoadedFile> {
    const name = "standard input";
    const give = this.#options.standardInput;
    const front = new Uint8Array(FRONT_BYTES);
    let count = 0;
    while (count < FRONT_BYTES) {
      const more = give(front.subarray(count));
      if (more === 0) break;
      count += more;
    }
    const begun = front.subarray(0, count);
    const kind = kindOf(name, begun);
    if (kind === "NDJSON") return this.#loadLines(name, new LineReader(give, begun), 0);
    // Files of Redis are read back and forth.
    const source = new BytesSource(readAll(give, begun), name);
    return await this.#runRedis(
      name,
      new AofReader([withoutMark(source, kind)]),
      source.byteCount,
      kind,
    );
  }

  #loadLines(name: string, reader: LineReader, byteCount: number): LoadedFile {
    const before = this.filler.keyCount;
    const lines = new LineLoader(reader, name, this.filler, this.#events);
    for (let step = 1; lines.step(); step++) {
      if (step % STEPS_PER_REPORT === 0) this.#report(name, reader.bytesRead, byteCount);
    }
    const keyCount = this.filler.keyCount - before;
    const { bytesRead } = reader;
    return { name, kind: "NDJSON", byteCount: bytesRead, keyCount, commandCount: 0, tornBytes: 0 };
  }

  async #loadRedis(name: string): Promise<LoadedFile> {
    using files = RedisFiles.open(name);
    const first = files.sources[0]!;
    const front = new Uint8Array(FRONT_BYTES);
    const kind = files.sources.length > 1
      ? "AOF"
      : kindOf(name, front.subarray(0, first.readAt(0, front)));
    const reader = kind === "RDB" ? new AofReader([withoutMark(first, kind)]) : files.read();
    return await this.#runRedis(name, reader, files.byteCount, kind);
  }

  async #runRedis(
    name: string,
    reader: AofReader,
    byteCount: number,
    kind: LoadedKind,
  ): Promise<LoadedFile> {
    const before = this.filler.keyCount;
    const runner = new CommandRunner(this.#store, this.#options, this.#skipped);
    const loader = new RedisLoader(reader, this.filler, runner);
    for (let step = 1;; step++) {
      const hasMore = loader.step();
      if (!(typeof hasMore === "boolean" ? hasMore : await hasMore)) break;
      if (step % STEPS_PER_REPORT === 0) this.#report(name, reader.bytesRead, byteCount);
    }
    const keyCount = this.filler.keyCount - before;
    const { commandCount, torn } = loader;
    return {
      name,
      kind: commandCount > 0 ? "AOF" : kind,
      byteCount,
      keyCount,
      commandCount,
      tornBytes: torn?.byteCount ?? 0,
    };
  }

  #report(name: string, bytesRead: number, byteCount: number): void {
    const keyCount = this.#store.stats().keyCount.toLocaleString("en-US");
    this.#options.onProgress?.(
      byteCount === 0 ? 0 : bytesRead / byteCount,
      `${name}: ${keyCount} keys`,
    );
  }
}

/** Whether a name is that of files that belong together. */
function isSeveral(name: string): boolean {
  try {
    return name.endsWith(".manifest") || Deno.statSync(name).isDirectory;
  } catch (cause) {
    throw new RedisFileError(name, 0, "a file or directory", messageOf(cause), { cause });
  }
}

/** What a file is, by its first bytes. */
function kindOf(name: string, front: Uint8Array): LoadedKind {
  const text = new TextDecoder("latin1").decode(front);
  if (text.startsWith("REDIS")) return "RDB";
  // The commands of an AOF, or a line that says when they were written.
  if (text.startsWith("*") || text.startsWith("#")) return "AOF";
  if (/^(?:\xef\xbb\xbf)?\s*(?:\{|$)/.test(text)) return "NDJSON";
  throw new DataError(
    `Cannot load ${name}: it is no dump (NDJSON), and no RDB or AOF of Redis: it begins with ` +
      JSON.stringify(text.slice(0, 16)),
  );
}

/**
 * `redis-cli --rdb -` writes behind the file what Redis has marked its end with, 40 digits; where it
 * writes a file itself it cuts them off.
 */
function withoutMark(source: FileSource, kind: LoadedKind): FileSource {
  const { name, byteCount } = source;
  const from = byteCount - MARK_BYTES - RDB_END_BYTES;
  if (kind !== "RDB" || from < 0) return source;
  const end = new Uint8Array(MARK_BYTES + RDB_END_BYTES);
  for (let at = 0; at < end.length;) {
    const count = source.readAt(from + at, end.subarray(at));
    if (count === 0) return source;
    at += count;
  }
  const mark = new TextDecoder("latin1").decode(end.subarray(RDB_END_BYTES));
  if (end[0] !== RDB_END || !/^[0-9a-f]+$/.test(mark)) return source;
  return {
    name,
    byteCount: byteCount - MARK_BYTES,
    readAt: (offset, target) => source.readAt(offset, target),
  };
}

function readAll(give: ByteGiver, front: Uint8Array): Uint8Array {
  let bytes = new Uint8Array(2 ** 20);
  bytes.set(front);
  let count = front.length;
  for (;;) {
    if (count === bytes.length) {
      const grown = new Uint8Array(count * 2);
      grown.set(bytes);
      bytes = grown;
    }
    const more = give(bytes.subarray(count));
    if (more === 0) return bytes.subarray(0, count);
    count += more;
  }
}

function copyJob(job: Uint8Array): Uint8Array {
  return job.slice();
}

/** The log knows events by numbers, and begins anew with them. */
function numbered(job: Uint8Array, index: number): Uint8Array {
  const view = new JobView().attach(job, 0, job.length);
  if (view.number === index + 1) return job;
  const copy = job.slice();
  new DataView(copy.buffer).setBigUint64(32, BigInt(index + 1), true);
  return copy;
}
