/**
 * Says what is in a data directory and what a start would do with it. Changes nothing.
 *
 * @module
 */

import { DamageError } from "../durability/damage.ts";
import { decodeFileHeader, type FileHeader, HeaderFlag } from "../durability/file_header.ts";
import { filesOf, LOCK_NAME, UNFINISHED } from "../durability/file_names.ts";
import { FILE_HEADER_BYTES } from "../durability/layout.ts";
import { readSnapshot } from "../durability/snapshot_file.ts";
import { readFully, type Storage } from "../durability/storage.ts";
import { DATABASE_COUNT } from "../store/control.ts";
import { recoverStore, type RoomOptions } from "./data_store.ts";
import { countFrames, type FrameCensus } from "./frame_census.ts";

/** Where something is wrong. */
export interface Damage {
  /** Name of the file. */
  readonly file: string;
  /** Where in the file. Unit: bytes. */
  readonly offset: number;
  /** What is wrong: what was found, and what should be there. */
  readonly reason: string;
}

/** A file of a directory. */
export interface FileReport {
  /** Its name. */
  readonly name: string;
  /** What it is, by its name. */
  readonly kind: "segment" | "snapshot" | "cut off" | "unfinished" | "lock" | "other";
  /** Its length. Unit: bytes. */
  readonly byteCount: number;
  /** When it was made, ms since the epoch; undefined: it does not say. */
  readonly createdAtMs?: number | undefined;
  /** Position that the name tells. */
  readonly position?: number | undefined;
  /** Position behind what was written, of a segment; up to which a snapshot needs the log. */
  readonly endPosition?: number | undefined;
  /** Frames that are whole. */
  readonly frameCount?: number | undefined;
  /** Records in them. */
  readonly recordCount?: number | undefined;
  /** Keys that a snapshot says it has. */
  readonly keyCount?: number | undefined;
  /** The segment was begun after one that could not be written. */
  readonly isAfterFailure?: boolean | undefined;
  /** The segment ends with a stop of the server. */
  readonly endsWithStop?: boolean | undefined;
  /** When the last piece of it was written, ms since the epoch. */
  readonly writtenAtMs?: number | undefined;
  /** What cannot be read; undefined: it is whole. */
  readonly problem?: { readonly offset: number; readonly reason: string } | undefined;
}

/** What a start would do. */
export type Forecast =
  | {
    /** The server starts. */
    readonly kind: "starts";
    /** Keys that it has then, by database. */
    readonly databases: { readonly database: number; readonly keyCount: number }[];
    /** Keys that it has then. */
    readonly keyCount: number;
    /** Events that it settles then. */
    readonly eventCount: number;
    /** Where the log ends. */
    readonly position: number;
    /** The log ends with a stop of the server; if not, with a crash, or its end was cut off. */
    readonly isAfterStop: boolean;
    /** Name of the snapshot that it begins with; undefined: with the log alone. */
    readonly snapshot: string | undefined;
    /** Snapshots that are damaged, and that it can do without. */
    readonly passedOver: readonly Damage[];
    /** End of the log that a crash left unfinished, and that it cuts off. */
    readonly torn: (Damage & { readonly byteCount: number }) | undefined;
    /** Segments that were never confirmed, and that it removes. */
    readonly removed: readonly string[];
    /** Memory that the keys take at least. Unit: bytes. */
    readonly memoryBytes: number;
  }
  | { readonly kind: "refuses"; readonly damage: Damage };

/** What is in a directory. */
export interface Inspection {
  /** Its files, by kind and position. */
  readonly files: readonly FileReport[];
  /** What a start would do. */
  readonly forecast: Forecast;
}

/**
 * Looks at a directory, which nobody else uses.
 *
 * @throws {DataError} when there is too little memory to see what a start would do
 * @throws what the system says when a file cannot be read
 */
export function inspect(storage: Storage, room: RoomOptions = {}): Inspection {
  return { files: reportFiles(storage), forecast: forecastOf(storage, room) };
}

/**
 * Does what a start does, but for changes on the disk.
 *
 * @throws as {@link inspect}
 */
export function forecastOf(storage: Storage, room: RoomOptions = {}): Forecast {
  try {
    const { store, recovered } = recoverStore(storage, room);
    const { torn, position, unconfirmedSegments } = recovered.log;
    const databases = Array.from({ length: DATABASE_COUNT }, (_, database) => ({
      database,
      keyCount: store.keyCount(database),
    })).filter(({ keyCount }) => keyCount > 0);
    const { snapshot } = recovered;
    return {
      kind: "starts",
      databases,
      keyCount: databases.reduce((sum, { keyCount }) => sum + keyCount, 0),
      eventCount: recovered.pending.size,
      position,
      isAfterStop: recovered.log.segment === undefined || recovered.log.lastMark?.isStop === true,
      snapshot: snapshot && nameOfSnapshot(storage, snapshot.position),
      passedOver: recovered.damaged.map((error) => damageOf(storage, error)),
      torn: torn && { ...torn, file: torn.name },
      removed: unconfirmedSegments,
      memoryBytes: store.stats().usedBytes,
    };
  } catch (error) {
    if (!(error instanceof DamageError)) throw error;
    return { kind: "refuses", damage: damageOf(storage, error) };
  }
}

/** Damage with the name of its file instead of its path. */
export function damageOf(storage: Storage, { path, offset, reason }: DamageError): Damage {
  const front = `${storage.path}/`;
  return { file: path.startsWith(front) ? path.slice(front.length) : path, offset, reason };
}

/** The header of a file, or what is wrong with it. */
export function headerOf(
  storage: Storage,
  name: string,
  kind: "log" | "snapshot",
): FileHeader | string {
  return decodeFileHeader(readFront(storage, name), kind);
}

/** The first bytes of a file, as many as a header has if there are so many. */
export function readFront(storage: Storage, name: string): Uint8Array {
  const file = storage.open(name, "read");
  try {
    const bytes = new Uint8Array(FILE_HEADER_BYTES);
    return bytes.subarray(0, readFully(file, 0, bytes));
  } finally {
    file.close();
  }
}

function nameOfSnapshot(storage: Storage, position: number): string | undefined {
  return filesOf(storage.list(), "snapshot").find((file) => file.position === position)?.name;
}

function reportFiles(storage: Storage): FileReport[] {
  const names = storage.list();
  const snapshots = filesOf(names, "snapshot");
  const segments = filesOf(names, "log");
  const known = new Set([...snapshots, ...segments].map(({ name }) => name));
  return [
    ...snapshots.map(({ name, position }) => reportSnapshot(storage, name, position)),
    ...segments.map(({ name, position }) => reportSegment(storage, name, position)),
    ...names.filter((name) => !known.has(name)).toSorted().map((name): FileReport => ({
      name,
      kind: name === LOCK_NAME
        ? "lock"
        : name.endsWith(UNFINISHED)
        ? "unfinished"
        : name.includes(".cut")
        ? "cut off"
        : "other",
      byteCount: sizeOf(storage, name),
    })),
  ];
}

function reportSegment(storage: Storage, name: string, position: number): FileReport {
  const header = headerOf(storage, name, "log");
  const isHeader = typeof header !== "string";
  const byteCount = sizeOf(storage, name);
  const census = countFrames(storage, name, position);
  const wrong = isHeader
    ? header.position === position
      ? undefined
      : `the header says position ${header.position}, the name ${position}`
    : header;
  return {
    name,
    kind: "segment",
    byteCount,
    createdAtMs: isHeader ? header.createdAtMs : undefined,
    position,
    // Without the zeros that were reserved.
    endPosition: position + census.readableBytes + census.unreadableBytes,
    frameCount: census.frameCount,
    recordCount: census.recordCount,
    isAfterFailure: isHeader && (header.flags & HeaderFlag.AFTER_FAILURE) !== 0,
    endsWithStop: census.endsWithStop,
    writtenAtMs: census.lastMark?.writtenAtMs,
    problem: wrong === undefined ? census.problem : { offset: 0, reason: wrong },
  };
}

function reportSnapshot(storage: Storage, name: string, position: number): FileReport {
  const header = headerOf(storage, name, "snapshot");
  // Its frames are counted from its own front.
  const census: FrameCensus = countFrames(storage, name, 0);
  const common = {
    name,
    kind: "snapshot",
    byteCount: sizeOf(storage, name),
    createdAtMs: typeof header === "string" ? undefined : header.createdAtMs,
    position,
    frameCount: census.frameCount,
    recordCount: census.recordCount,
  } as const;
  try {
    const { keyCount, replayUntil } = readSnapshot(storage, name, () => {});
    return { ...common, keyCount, endPosition: replayUntil };
  } catch (error) {
    if (!(error instanceof DamageError)) throw error;
    return { ...common, problem: { offset: error.offset, reason: error.reason } };
  }
}

function sizeOf(storage: Storage, name: string): number {
  const file = storage.open(name, "read");
  try {
    return file.size();
  } finally {
    file.close();
  }
}
