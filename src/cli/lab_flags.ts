/**
 * The arguments of `sluice lab`.
 *
 * @module
 */

import type { FlagTexts, UsageError } from "./settings.ts";

/** Stages that there are: 1 to so many. */
const STAGE_COUNT = 10;

/** The word for what runs behind the stages. */
const SWEEP = "sweep";

/** What the lab is to run, and what to write. */
export interface LabOrder {
  /** Numbers of stages, ascending. */
  readonly stages: readonly number[];
  /** Whether throughput is measured by workers, shards and lock. */
  readonly hasSweep: boolean;
  /** File for the findings as JSON; `-` is standard output, null none. */
  readonly jsonPath: string | null;
  /** Directory for the report, null for none. */
  readonly reportDirectory: string | null;
}

/** An order, or what is wrong with the arguments. */
export type LabOrderResult = { readonly kind: "order"; readonly order: LabOrder } | UsageError;

/** Options of `sluice lab`: syntax and summary. */
export const LAB_OPTIONS: readonly (readonly [syntax: string, summary: string])[] = [
  ["--json <file>", "write what was found as JSON; - means standard output"],
  ["--report <dir>", "write a report with plots: index.html in that directory"],
];

/** Behind the flags in the help. */
export const LAB_HELP_FOOTER = `
Stages are numbers from 1 to ${STAGE_COUNT}; "sweep" measures throughput by workers, shards and
kind of lock. Without any, everything is run, which takes some minutes.

   1  one connection at a time
   2  a task for each connection
   3  garbage in, a clear answer out
   4  work inside the request, under one lock
   5  a bounded channel and one worker
   6  four workers
   7  one lock for all
   8  a lock for each shard
   9  ways to count
  10  SIGTERM in the middle of it

Exit codes: 0 every stage showed what it must, 1 one did not, or nothing could
start, 2 wrong usage, 130 and 143 ended by SIGINT or SIGTERM.`;

/**
 * Reads what is to be run.
 *
 * @param words the arguments that are no flags
 * @param texts the flags
 */
export function resolveLabOrder(words: readonly string[], texts: FlagTexts): LabOrderResult {
  const stages = new Set<number>();
  let hasSweep = words.length === 0;
  for (const word of words) {
    if (word === SWEEP) {
      hasSweep = true;
      continue;
    }
    const stage = /^\d{1,3}$/.test(word) ? Number(word) : 0;
    if (stage < 1 || stage > STAGE_COUNT) {
      return usageError(
        `${JSON.stringify(word)} must be a stage from 1 to ${STAGE_COUNT}, or ${SWEEP}`,
      );
    }
    stages.add(stage);
  }
  if (words.length === 0) { for (let stage = 1; stage <= STAGE_COUNT; stage++) stages.add(stage); }
  const { json: jsonPath = null, report: reportDirectory = null } = texts;
  if (jsonPath === "") return usageError("--json must name a file, or be -");
  if (reportDirectory === "") return usageError("--report must name a directory");
  return {
    kind: "order",
    order: {
      stages: [...stages].toSorted((a, b) => a - b),
      hasSweep,
      jsonPath,
      reportDirectory,
    },
  };
}

function usageError(message: string): UsageError {
  return { kind: "usage_error", message };
}
