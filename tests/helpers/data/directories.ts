/**
 * Data directories to work on: filled, dumped, looked at.
 */

import { dump } from "../../../src/data/dump.ts";
import { recoverStore } from "../../../src/data/data_store.ts";
import { load, type LoadOptions, type LoadSummary } from "../../../src/data/load.ts";
import { DenoStorage } from "../../../src/durability/deno_storage.ts";
import type { Storage } from "../../../src/durability/storage.ts";
import { contentsOf } from "../store_contents.ts";

/** Enough for what tests have. */
export const ROOM = { maxMemoryBytes: 64 * 2 ** 20, maxValueBytes: 16 * 2 ** 20 };

/** A moment at which nothing of a test has expired. */
export const NOW_MS = 1_700_000_000_000;

/** Has an empty folder, which goes when it is disposed. */
export class TestFolder implements Disposable {
  readonly path = Deno.makeTempDirSync({ prefix: "sluice-data-" });
  #count = 0;

  /** Another directory in it. */
  directory(): DenoStorage {
    const path = `${this.path}/directory-${this.#count++}`;
    Deno.mkdirSync(path);
    return new DenoStorage(path);
  }

  /** A file in it. */
  file(content: string | Uint8Array): string {
    const path = `${this.path}/file-${this.#count++}`;
    if (typeof content === "string") Deno.writeTextFileSync(path, content);
    else Deno.writeFileSync(path, content);
    return path;
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

/** Loads files into a directory. */
export function loadInto(
  storage: Storage,
  files: readonly string[],
  options: Partial<LoadOptions> = {},
): Promise<LoadSummary> {
  return load({
    storage,
    files,
    standardInput: () => 0,
    isAdded: false,
    skipsUnsupported: false,
    nowMs: NOW_MS,
    ...ROOM,
    ...options,
  });
}

/** Dumps a directory. */
export function dumpOf(
  storage: Storage,
  options: { database?: number; pattern?: Uint8Array } = {},
): string {
  const { store, recovered } = recoverStore(storage, ROOM);
  let text = "";
  const decoder = new TextDecoder("utf-8", { fatal: true });
  dump({
    store,
    events: recovered.pending.jobs.values(),
    nowMs: NOW_MS,
    take: (bytes) => void (text += decoder.decode(bytes)),
    ...options,
  });
  return text;
}

/** All that can be seen of a directory's keys, by database and key. */
export function keysOf(storage: Storage): Map<string, string> {
  return contentsOf(recoverStore(storage, ROOM).store);
}

/** Lines of a dump in which somebody else may have put them. */
export function linesOf(lines: readonly unknown[]): string {
  return lines.map((line) => `${JSON.stringify(line)}\n`).join("");
}
