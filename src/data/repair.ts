/**
 * Repairs a data directory so that a server starts from it, and says before what is lost with that.
 *
 * The log is cut at the first place that cannot be read: what is behind it may depend on what is lost
 * there. What a plan says was tried: it is made on a view of the directory with its changes
 * (overlay_storage.ts), from which everything was read as a start does. And nothing is destroyed: what
 * is cut off is kept beside.
 *
 * @module
 */

import { crc32c } from "../base/crc32c.ts";
import { encodeFileHeader, HISTORY_BYTES } from "../durability/file_header.ts";
import { filesOf, type NamedFile, UNFINISHED } from "../durability/file_names.ts";
import { FILE_HEADER_BYTES, FORMAT_VERSION } from "../durability/layout.ts";
import { appendAll, readFully, type Storage } from "../durability/storage.ts";
import { DamageError } from "../durability/damage.ts";
import { recoverStore, type RoomOptions } from "./data_store.ts";
import { countFrames } from "./frame_census.ts";
import {
  type Damage,
  damageOf,
  type Forecast,
  forecastOf,
  headerOf,
  readFront,
} from "./inspect.ts";
import { OverlayStorage } from "./overlay_storage.ts";

/** Behind the names of what is kept. */
const KEPT = ".cut";
const COPY_BYTES = 2 ** 20;

/** One change. */
export type RepairStep =
  /** The file ends there afterwards. */
  | { readonly kind: "cut"; readonly file: string; readonly offset: number }
  /** The file has another name afterwards, under which nobody reads it. */
  | { readonly kind: "set aside"; readonly file: string }
  /** The header is made anew: all that belongs into it is known. */
  | { readonly kind: "restore header"; readonly file: string; readonly header: Uint8Array };

/** What is lost of a log that is cut. */
export interface Loss {
  /** Of the log. Unit: bytes. */
  readonly byteCount: number;
  /** Of these, those that cannot be read. */
  readonly unreadableBytes: number;
  /** Of the log, that is not there at all. Unit: bytes. */
  readonly missingBytes: number;
  /** Records that can be read in what is lost. */
  readonly recordCount: number;
  /** Events among them. */
  readonly eventCount: number;
  /** Where the log ends afterwards. */
  readonly fromPosition: number;
  /** Where it has ended. */
  readonly toPosition: number;
  /** What is lost was written no earlier, ms since the epoch; undefined: nobody knows. */
  readonly fromMs: number | undefined;
  /** And no later than soon after this. */
  readonly toMs: number | undefined;
}

/** What can be done about a directory from which no server starts. */
export type RepairPlan =
  | { readonly kind: "nothing to do" }
  | {
    /** This much. */
    readonly kind: "possible";
    /** What is to be done. */
    readonly steps: readonly RepairStep[];
    /** What is lost with that. */
    readonly loss: Loss;
    /** What a start does then. */
    readonly after: Extract<Forecast, { kind: "starts" }>;
  }
  | {
    /** Nothing. */
    readonly kind: "impossible";
    /** Why, in words without a full stop. */
    readonly reason: string;
  };

/**
 * Finds out how a directory can be repaired.
 *
 * @throws {DataError} when there is too little memory to try
 * @throws what the system says when a file cannot be read
 */
export function planRepair(storage: Storage, room: RoomOptions = {}): RepairPlan {
  return new Planner(storage, room).plan();
}

/** Finds steps, one damage after the other, until a start would succeed. */
class Planner {
  readonly #storage: Storage;
  readonly #overlay: OverlayStorage;
  readonly #room: RoomOptions;
  #steps: RepairStep[] = [];
  /** Why a snapshot is not used. */
  #snapshotDamage: Damage | undefined;

  constructor(storage: Storage, room: RoomOptions) {
    this.#storage = storage;
    this.#overlay = new OverlayStorage(storage);
    this.#room = room;
  }

  plan(): RepairPlan {
    // Each step leaves less to read.
    const most = 2 * this.#storage.list().length + 1;
    for (let attempt = 0; attempt <= most; attempt++) {
      const error = this.#tryStart();
      if (error === undefined) return this.#done();
      const reason = this.#answer(damageOf(this.#storage, error), error);
      if (reason !== undefined) return { kind: "impossible", reason };
    }
    return { kind: "impossible", reason: "what is left cannot be read either" };
  }

  #tryStart(): DamageError | undefined {
    try {
      recoverStore(this.#overlay, this.#room);
      return undefined;
    } catch (error) {
      if (error instanceof DamageError) return error;
      throw error;
    }
  }

  /** Adds the steps that a damage asks for; why there are none. */
  #answer(damage: Damage, { kind }: DamageError): string | undefined {
    const segments = filesOf(this.#overlay.list(), "log");
    if (kind === "snapshot without log") return this.#leaveSnapshot(damage);
    const index = segments.findIndex(({ name }) => name === damage.file);
    if (index < 0) {
      // The log may have everything, up to damage of its own.
      this.#snapshotDamage ??= damage;
      this.#setAside(damage.file);
      return undefined;
    }
    const segment = segments[index]!;
    const header = headerOf(this.#overlay, segment.name, "log");
    if (typeof header === "string") return this.#answerHeader(segments, index, header);
    if (kind === "missing") {
      if (index === 0) return this.#beginIsMissing(damage);
      this.#leaveFrom(segments, index);
      return undefined;
    }
    if (header.position !== segment.position) {
      this.#setAside(segment.name);
      return undefined;
    }
    // Of another directory: it has nothing to do with what is here.
    if (damage.offset > 0 && damage.offset < FILE_HEADER_BYTES) this.#setAside(segment.name);
    else {
      this.#cut(segment.name, damage.offset);
      this.#leaveFrom(segments, index + 1);
    }
    return undefined;
  }

  #beginIsMissing(damage: Damage): string {
    const snapshot = this.#snapshotDamage;
    return snapshot === undefined
      ? textOf(damage)
      : `${textOf(snapshot)}; without it, ${damage.reason}`;
  }

  /** A header can be made anew when frames tell that the file is what its name says. */
  #answerHeader(
    segments: readonly NamedFile[],
    index: number,
    problem: string,
  ): string | undefined {
    const { name, position } = segments[index]!;
    const front = readFront(this.#overlay, name);
    if (isOfOtherVersion(front)) return `${name}: ${problem}`;
    const { frameCount, problem: broken } = countFrames(this.#overlay, name, position);
    if (frameCount === 0 || broken?.offset === FILE_HEADER_BYTES) {
      this.#leaveFrom(segments, index);
      return undefined;
    }
    // Where no file says it, there is none that it could differ from.
    const history = this.#history() ?? front.slice(32, 32 + HISTORY_BYTES);
    const header = encodeFileHeader({ kind: "log", flags: 0, position, createdAtMs: 0, history });
    this.#overlay.replaceFront(name, header);
    this.#steps.push({ kind: "restore header", file: name, header });
    return undefined;
  }

  /** Of which history the directory is, by any file that says it. */
  #history(): Uint8Array | undefined {
    const names = this.#overlay.list();
    for (const kind of ["snapshot", "log"] as const) {
      for (const { name } of filesOf(names, kind)) {
        const header = headerOf(this.#overlay, name, kind);
        if (typeof header !== "string") return header.history;
      }
    }
    return undefined;
  }

  /** What is behind the end of the log cannot be used; where there is a log, it may have everything. */
  #leaveSnapshot(damage: Damage): string | undefined {
    const names = this.#overlay.list();
    const newest = filesOf(names, "snapshot").at(-1);
    if (newest === undefined || filesOf(names, "log").length === 0) return textOf(damage);
    this.#setAside(newest.name);
    return undefined;
  }

  #leaveFrom(segments: readonly NamedFile[], index: number): void {
    for (const { name } of segments.slice(index)) this.#setAside(name);
  }

  #setAside(file: string): void {
    this.#overlay.remove(file);
    // Whatever else was to be done to it is done to nobody's use.
    this.#steps = this.#steps.filter((step) => step.file !== file);
    this.#steps.push({ kind: "set aside", file });
  }

  #cut(file: string, offset: number): void {
    this.#overlay.cut(file, offset);
    this.#steps = this.#steps.filter((step) => step.kind !== "cut" || step.file !== file);
    this.#steps.push({ kind: "cut", file, offset });
  }

  #done(): RepairPlan {
    if (this.#steps.length === 0) return { kind: "nothing to do" };
    const names = this.#overlay.list();
    if (filesOf(names, "snapshot").length === 0 && filesOf(names, "log").length === 0) {
      const reason = this.#snapshotDamage === undefined ? "" : `${textOf(this.#snapshotDamage)}; `;
      return { kind: "impossible", reason: `${reason}nothing is left that could be read` };
    }
    const before = forecastOf(this.#overlay, this.#room);
    if (before.kind !== "starts") throw new Error("a start that succeeded does so again");
    // Positions behind the end come again; a snapshot from there would be taken for one of them.
    for (const { name, position } of filesOf(this.#overlay.list(), "snapshot")) {
      if (position > before.position) this.#setAside(name);
    }
    const after = forecastOf(this.#overlay, this.#room);
    if (after.kind !== "starts") throw new Error("a start that succeeded does so again");
    return { kind: "possible", steps: this.#steps, loss: this.#loss(after.position), after };
  }

  #loss(fromPosition: number): Loss {
    const positions = new Map(
      filesOf(this.#storage.list(), "log").map(({ name, position }) => [name, position]),
    );
    const loss = { byteCount: 0, unreadableBytes: 0, recordCount: 0, eventCount: 0 };
    let toPosition = fromPosition;
    let toMs: number | undefined;
    for (const step of this.#steps) {
      const position = positions.get(step.file);
      if (step.kind === "restore header" || position === undefined) continue;
      const from = step.kind === "cut" ? step.offset : FILE_HEADER_BYTES;
      const census = countFrames(this.#storage, step.file, position, from);
      const byteCount = census.readableBytes + census.unreadableBytes;
      loss.byteCount += byteCount;
      loss.unreadableBytes += census.unreadableBytes;
      loss.recordCount += census.recordCount;
      loss.eventCount += census.eventCount;
      toPosition = Math.max(toPosition, position + from - FILE_HEADER_BYTES + byteCount);
      toMs = census.lastMark?.writtenAtMs ?? toMs;
    }
    const missingBytes = Math.max(0, toPosition - fromPosition - loss.byteCount);
    return { ...loss, missingBytes, fromPosition, toPosition, fromMs: this.#lastMarkMs(), toMs };
  }

  /** When the last piece was written that stays. */
  #lastMarkMs(): number | undefined {
    for (const { name, position } of filesOf(this.#overlay.list(), "log").toReversed()) {
      const { lastMark } = countFrames(this.#overlay, name, position);
      if (lastMark !== undefined) return lastMark.writtenAtMs;
    }
    return undefined;
  }
}

/**
 * Does what a plan says, the last file first: when it is interrupted, the damage is still the first that
 * there is, and it can be repaired again.
 *
 * @returns names of what is kept
 * @throws what the system says; then some of it is done
 */
export function executeRepair(storage: Storage, steps: readonly RepairStep[]): string[] {
  const kept: string[] = [];
  for (const step of steps.toReversed()) {
    if (step.kind === "set aside") kept.push(setAside(storage, step.file));
    else if (step.kind === "cut") kept.push(cut(storage, step.file, step.offset));
    else kept.push(restoreHeader(storage, step.file, step.header));
    storage.syncDirectory();
  }
  return kept.toReversed();
}

function setAside(storage: Storage, name: string): string {
  const kept = freeName(storage, name);
  storage.rename(name, kept);
  return kept;
}

function cut(storage: Storage, name: string, offset: number): string {
  const kept = copy(storage, name, offset, freeName(storage, `${name}.from-${offset}`));
  const file = storage.open(name, "update");
  try {
    file.truncate(offset);
    file.sync();
  } finally {
    file.close();
  }
  return kept;
}

function restoreHeader(storage: Storage, name: string, header: Uint8Array): string {
  const kept = freeName(storage, name);
  const unfinished = copy(storage, name, FILE_HEADER_BYTES, name + UNFINISHED, header);
  storage.rename(name, kept);
  storage.rename(unfinished, name);
  return kept;
}

/** Copies a file from an offset on, behind other bytes, and syncs the copy. */
function copy(
  storage: Storage,
  name: string,
  offset: number,
  target: string,
  front: Uint8Array = new Uint8Array(0),
): string {
  if (storage.list().includes(target)) storage.remove(target);
  const from = storage.open(name, "read");
  const to = storage.open(target, "create");
  try {
    appendAll(to, front);
    const bytes = new Uint8Array(COPY_BYTES);
    for (let at = offset;;) {
      const count = readFully(from, at, bytes);
      if (count === 0) break;
      appendAll(to, bytes.subarray(0, count));
      at += count;
    }
    to.sync();
  } finally {
    from.close();
    to.close();
  }
  storage.syncDirectory();
  return target;
}

/** A name for what is kept that nothing has yet. */
function freeName(storage: Storage, name: string): string {
  const names = new Set(storage.list());
  for (let number = 1;; number++) {
    const candidate = number === 1 ? `${name}${KEPT}` : `${name}${KEPT}-${number}`;
    if (!names.has(candidate)) return candidate;
  }
}

/** Whether a header is whole, and was made by a program with another version of the format. */
function isOfOtherVersion(front: Uint8Array): boolean {
  if (front.length < FILE_HEADER_BYTES) return false;
  const view = new DataView(front.buffer, front.byteOffset, front.byteLength);
  const isWhole = view.getUint32(FILE_HEADER_BYTES - 4, true) ===
    crc32c(front, 0, FILE_HEADER_BYTES - 4);
  return isWhole && view.getUint16(8, true) !== FORMAT_VERSION;
}

function textOf({ file, offset, reason }: Damage): string {
  return `${file} is damaged at byte ${offset}: ${reason}`;
}
