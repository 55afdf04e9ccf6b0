/**
 * Finds the files that belong together, from the one name that somebody gives.
 *
 * @module
 */

import { dirname, join } from "node:path";
import { parseManifest } from "./aof_manifest.ts";
import { AofReader } from "./aof_reader.ts";
import { DiskSource, messageOf } from "./file_source.ts";
import type { RedisFileLimits } from "./rdb_strings.ts";
import { RedisFileError } from "./redis_file_error.ts";

const MANIFEST = ".manifest";

/** A longer one names more files than Redis would keep. Unit: bytes. */
const MAX_MANIFEST_BYTES = 1024 * 1024;

/** Files of Redis that were opened together; disposing closes them. */
export class RedisFiles implements Disposable {
  /** The files, in the order in which they are to be read. */
  readonly sources: readonly DiskSource[];

  private constructor(sources: readonly DiskSource[]) {
    this.sources = sources;
  }

  /**
   * Opens what `path` names: an RDB file, an AOF, the manifest of an AOF of several files, or the
   * directory that such a manifest is in (`appendonlydir`).
   *
   * @throws {RedisFileError} when one of them cannot be opened, or the manifest is none
   */
  static open(path: string): RedisFiles {
    const manifest = findManifest(path);
    const names = manifest === undefined
      ? [path]
      : readManifest(manifest).map((name) => join(dirname(manifest), name));
    const sources: DiskSource[] = [];
    try {
      for (const name of names) sources.push(DiskSource.open(name));
    } catch (error) {
      for (const source of sources) source[Symbol.dispose]();
      throw error;
    }
    return new RedisFiles(sources);
  }

  /** Length of all files. Unit: bytes. */
  get byteCount(): number {
    return this.sources.reduce((sum, { byteCount }) => sum + byteCount, 0);
  }

  /** Reads them from the start. */
  read(limits?: RedisFileLimits): AofReader {
    return new AofReader(this.sources, limits);
  }

  /** Closes the files. */
  [Symbol.dispose](): void {
    for (const source of this.sources) source[Symbol.dispose]();
  }
}

/** The manifest that `path` is or has in it; undefined when it is another file. */
function findManifest(path: string): string | undefined {
  let found: string[];
  try {
    if (!Deno.statSync(path).isDirectory) return path.endsWith(MANIFEST) ? path : undefined;
    found = Array.from(Deno.readDirSync(path), ({ name }) => name);
  } catch (cause) {
    throw new RedisFileError(path, 0, "a file or directory", messageOf(cause), { cause });
  }
  found = found.filter((name) => name.endsWith(MANIFEST));
  if (found.length === 1) return join(path, found[0]!);
  const names = found.length === 0 ? "none" : found.toSorted().join(", ");
  throw new RedisFileError(path, 0, `one file *${MANIFEST} in this directory`, names);
}

function readManifest(path: string): readonly string[] {
  using source = DiskSource.open(path);
  if (source.byteCount > MAX_MANIFEST_BYTES) {
    const expected = `a manifest of at most ${MAX_MANIFEST_BYTES} bytes`;
    throw new RedisFileError(path, 0, expected, `${source.byteCount} bytes`);
  }
  const bytes = new Uint8Array(source.byteCount);
  for (let at = 0; at < bytes.length;) {
    const read = source.readAt(at, bytes.subarray(at));
    if (read === 0) throw new RedisFileError(path, at, "more of a manifest", "the end of the file");
    at += read;
  }
  return parseManifest(bytes, path).files;
}
