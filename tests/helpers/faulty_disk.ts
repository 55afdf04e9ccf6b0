/**
 * A directory that fails, hangs, or has the process killed, as a file says that may change at any time.
 *
 * @module
 */

import { type OpenMode, type Storage, type StorageFile } from "../../src/durability/storage.ts";
import { systemError } from "./memory_storage.ts";

/** What is asked of a disk that changes something on it. */
export type DiskCall =
  | "append log"
  | "append snapshot"
  | "reserve log"
  | "reserve snapshot"
  | "sync log"
  | "sync snapshot"
  | "truncate"
  | "rename"
  | "remove"
  | "create log"
  | "create snapshot"
  | "syncDirectory";

/** What the file says. */
export interface DiskPlan {
  /** These fail, with this code; with `times`, each of them the first so many times. */
  readonly fail?: {
    readonly calls: readonly DiskCall[];
    readonly code: string;
    readonly times?: number;
  };
  /** These do not return while the plan is so. */
  readonly hang?: readonly DiskCall[];
  /**
   * The process is killed at the n-th of these calls since the plan is so, from 1 on: before it, half-way,
   * or behind it.
   */
  readonly kill?: {
    readonly call: DiskCall;
    readonly count: number;
    readonly when: "before" | "half-way" | "after";
  };
}

const HANG_SLICE_MS = 20;
const sleeper = new Int32Array(new SharedArrayBuffer(4));

/** Kills this process as `kill -9` does. */
export function killSelf(): never {
  Deno.kill(Deno.pid, "SIGKILL");
  for (;;) Atomics.wait(sleeper, 0, 0);
}

/** Thread: belongs to one thread. */
export class FaultyDisk implements Storage {
  readonly path: string;
  readonly #disk: Storage;
  readonly #planPath: string;
  readonly #counts = new Map<DiskCall, number>();
  #planText = "";

  constructor(disk: Storage, planPath: string) {
    this.path = disk.path;
    this.#disk = disk;
    this.#planPath = planPath;
  }

  list(): string[] {
    return this.#disk.list();
  }

  open(name: string, mode: OpenMode): StorageFile {
    const open = (): StorageFile => new FaultyFile(this, this.#disk.open(name, mode), kindOf(name));
    return mode === "create" ? this.call(`create ${kindOf(name)}`, open) : open();
  }

  rename(from: string, to: string): void {
    this.call("rename", () => this.#disk.rename(from, to));
  }

  remove(name: string): void {
    this.call("remove", () => this.#disk.remove(name));
  }

  syncDirectory(): void {
    this.call("syncDirectory", () => this.#disk.syncDirectory());
  }

  /** Makes a call, or what the plan says instead; `half` does a part of it. */
  call<Result>(call: DiskCall, action: () => Result, half: () => void = () => {}): Result {
    while (this.#plan().hang?.includes(call)) Atomics.wait(sleeper, 0, 0, HANG_SLICE_MS);
    const { fail, kill } = this.#plan();
    const count = (this.#counts.get(call) ?? 0) + 1;
    this.#counts.set(call, count);
    const failure = fail?.calls.includes(call) && count <= (fail.times ?? Infinity)
      ? systemError(fail.code)
      : undefined;
    const isLast = kill?.call === call && kill.count === count;
    if (isLast && kill.when === "half-way") half();
    if (isLast && kill.when !== "after") killSelf();
    if (failure !== undefined) throw failure;
    const result = action();
    if (isLast) killSelf();
    return result;
  }

  #plan(): DiskPlan {
    const text = Deno.readTextFileSync(this.#planPath);
    if (text !== this.#planText) this.#counts.clear();
    this.#planText = text;
    return JSON.parse(text);
  }
}

function kindOf(name: string): "log" | "snapshot" {
  return name.startsWith("log-") ? "log" : "snapshot";
}

class FaultyFile implements StorageFile {
  readonly #disk: FaultyDisk;
  readonly #file: StorageFile;
  readonly #kind: "log" | "snapshot";

  constructor(disk: FaultyDisk, file: StorageFile, kind: "log" | "snapshot") {
    this.#disk = disk;
    this.#file = file;
    this.#kind = kind;
  }

  size(): number {
    return this.#file.size();
  }

  readAt(offset: number, target: Uint8Array): number {
    return this.#file.readAt(offset, target);
  }

  append(bytes: Uint8Array): number {
    const half = (): number => this.#file.append(bytes.subarray(0, bytes.length >> 1));
    return this.#disk.call(`append ${this.#kind}`, () => this.#file.append(bytes), half);
  }

  reserve(byteCount: number): void {
    const half = (): void => this.#file.reserve(byteCount >> 1);
    this.#disk.call(`reserve ${this.#kind}`, () => this.#file.reserve(byteCount), half);
  }

  truncate(byteCount: number): void {
    this.#disk.call("truncate", () => this.#file.truncate(byteCount));
  }

  sync(): void {
    this.#disk.call(`sync ${this.#kind}`, () => this.#file.sync());
  }

  close(): void {
    this.#file.close();
  }
}
