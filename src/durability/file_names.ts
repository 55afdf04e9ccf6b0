/**
 * Names of the files of a data directory.
 *
 * ```text
 * log-00000000000000000000.sluice        a segment: position of its first frame
 * snapshot-00000000000000000000.sluice   a snapshot: position from which on the log is replayed
 * *.tmp                                  not complete: removed at the next start
 * *.cut                                  cut off by a repair: nobody reads it
 * LOCK                                   locked by the process that uses the directory
 * ```
 *
 * @module
 */

import type { FileKind } from "./file_header.ts";

/** What is locked by who uses the directory. */
export const LOCK_NAME = "LOCK";
/** Behind the name of a file that is not complete yet. */
export const UNFINISHED = ".tmp";

const POSITION_DIGITS = 20;
const NAME = /^(log|snapshot)-(\d{20})\.sluice$/;

/** Name of the segment or snapshot of a position. */
export function fileName(kind: FileKind, position: number): string {
  return `${kind}-${String(position).padStart(POSITION_DIGITS, "0")}.sluice`;
}

/** Whether it is the name of a segment. */
export function isSegmentName(name: string): boolean {
  return NAME.exec(name)?.[1] === "log";
}

/** A segment or snapshot by its name. */
export interface NamedFile {
  /** Its name. */
  readonly name: string;
  /** Position that the name tells. */
  readonly position: number;
}

/** The segments or the snapshots among these names, by position. */
export function filesOf(names: readonly string[], kind: FileKind): NamedFile[] {
  const files: NamedFile[] = [];
  for (const name of names) {
    const match = NAME.exec(name);
    if (match?.[1] !== kind) continue;
    const position = Number(match[2]);
    if (Number.isSafeInteger(position)) files.push({ name, position });
  }
  return files.sort((a, b) => a.position - b.position);
}
