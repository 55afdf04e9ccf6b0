/**
 * What `sluice repair` and `sluice load` print for people.
 *
 * @module
 */

import type { DumpSummary } from "../data/dump.ts";
import type { FileReport, Forecast, Inspection } from "../data/inspect.ts";
import type { LoadSummary } from "../data/load.ts";
import type { Loss, RepairPlan, RepairStep } from "../data/repair.ts";
import { formatSize } from "../base/units.ts";
import { tableText } from "../lab/terminal/table.ts";
import { countText } from "./stress_text.ts";

const MIB = 2 ** 20;

/** Everything that was found, and what can be done about it; ends with a line end. */
export function repairText(
  path: string,
  { files, forecast }: Inspection,
  plan: RepairPlan,
): string {
  const parts = [filesTable(files), ...problemList(files)];
  if (files.length === 0) parts[0] = `${path} is empty`;
  parts.push(`A start: ${forecastText(forecast)}`);
  if (plan.kind === "impossible") {
    parts.push(
      `This cannot be repaired by cutting something off: ${plan.reason}.\n` +
        `sluice dump ${path} --salvage writes what can be read.`,
    );
  }
  if (plan.kind === "possible") {
    parts.push(
      `sluice repair ${path} --truncate would\n${plan.steps.map(stepText).join("\n")}\n` +
        lossText(plan.loss),
      `Afterwards: ${forecastText(plan.after)}`,
    );
  }
  return `${parts.join("\n\n")}\n`;
}

/** What was done. */
export function repairedText(
  plan: Extract<RepairPlan, { kind: "possible" }>,
  kept: readonly string[],
): string {
  return `Done:\n${plan.steps.map(stepText).join("\n")}\n${lossText(plan.loss)}\n` +
    `What was there is kept in ${kept.join(", ")}.\n\n` +
    `A start now: ${forecastText(plan.after)}\n`;
}

/** What was loaded; ends with a line end. */
export function loadText(path: string, summary: LoadSummary): string {
  const { files, skipped, published } = summary;
  const parts = [tableText(
    ["file", "kind", "bytes", "keys", "commands", "cut off"],
    files.map(({ name, kind, byteCount, keyCount, commandCount, tornBytes }) => [
      ...[name, kind, countText(byteCount), countText(keyCount)],
      ...[countText(commandCount), tornBytes === 0 ? "-" : `${countText(tornBytes)} bytes`],
    ]),
  )];
  if (skipped.length > 0) {
    parts.push(tableText(
      ["no place here for", "count", "first key"],
      skipped.map(({ what, count, example }) => [what, countText(count), JSON.stringify(example)]),
    ));
  }
  if (published === undefined) {
    parts.push("Nothing was written: --skip-unsupported loads the rest.");
    return `${parts.join("\n\n")}\n`;
  }
  const more = [
    ...summary.passedOver.map((text) => `passed over: ${text}`),
    ...summary.eventCount > 0 ? [`${countOf(summary.eventCount, "event")} to settle`] : [],
    ...summary.expiredCount > 0 ? [`${countText(summary.expiredCount)} expired keys left out`] : [],
  ];
  parts.push(
    `${path} has ${keysText(summary)} now${more.length > 0 ? `; ${more.join("; ")}` : ""}.\n` +
      memoryText(summary.memoryBytes),
  );
  return `${parts.join("\n\n")}\n`;
}

/** What was dumped, in one line. */
export function dumpText(summary: DumpSummary): string {
  const { keyCount, eventCount, expiredCount, byteCount } = summary;
  return `dumped ${countOf(keyCount, "key")} and ${countOf(eventCount, "event")}, ` +
    `${countText(byteCount)} bytes` +
    (expiredCount > 0 ? `; ${countOf(expiredCount, "expired key")} left out` : "") + "\n";
}

function filesTable(files: readonly FileReport[]): string {
  return tableText(
    ["file", "bytes", "from", "to", "written", "frames", "records", "keys", "state"],
    files.map((file) => [
      file.name,
      countText(file.byteCount),
      numberText(file.position),
      numberText(file.endPosition),
      timeText(file.writtenAtMs ?? file.createdAtMs),
      numberText(file.frameCount),
      numberText(file.recordCount),
      numberText(file.keyCount),
      stateText(file),
    ]),
  );
}

function stateText({ kind, problem, isAfterFailure, endsWithStop }: FileReport): string {
  if (problem !== undefined) return `damaged at byte ${countText(problem.offset)}`;
  if (kind === "segment") {
    const facts = [
      "whole",
      ...isAfterFailure ? ["after a failure"] : [],
      ...endsWithStop ? ["stopped"] : [],
    ];
    return facts.join(", ");
  }
  if (kind === "snapshot") return "whole";
  if (kind === "cut off") return "kept by a repair";
  if (kind === "unfinished") return "not complete: goes at the next start";
  return kind === "lock" ? "lock" : "not ours: left alone";
}

function problemList(files: readonly FileReport[]): string[] {
  const lines = files.filter(({ problem }) => problem !== undefined)
    .map(({ name, problem }) => `${name}, byte ${problem!.offset}: ${problem!.reason}`);
  return lines.length === 0 ? [] : [`Cannot be read:\n${lines.join("\n")}`];
}

function forecastText(forecast: Forecast): string {
  if (forecast.kind === "refuses") {
    const { file, offset, reason } = forecast.damage;
    return `is refused: ${file} is damaged at byte ${offset}: ${reason}.`;
  }
  const { torn, passedOver, removed, snapshot, position, eventCount, isAfterStop } = forecast;
  const lines = [
    `succeeds with ${keysText(forecast)}` +
    (eventCount > 0 ? ` and ${countOf(eventCount, "event")} to settle` : "") +
    `, from ${snapshot ?? "the log alone"} and the log up to position ${countText(position)}.`,
    ...passedOver.map(({ file, offset, reason }) =>
      `${file} is passed over, which is damaged at byte ${offset}: ${reason}.`
    ),
    ...torn === undefined ? [] : [
      `${countText(torn.byteCount)} bytes of ${torn.file} are cut off, from byte ${torn.offset} ` +
      `on, which a crash left unfinished: ${torn.reason}.`,
    ],
    ...isAfterStop ? [] : ["The log does not end with a stop of the server, but as after a crash."],
    ...removed.map((name) => `${name} is removed, which was never confirmed.`),
    memoryText(forecast.memoryBytes),
  ];
  return lines.join("\n");
}

function stepText(step: RepairStep): string {
  if (step.kind === "cut") return `- cut off ${step.file} at byte ${step.offset}`;
  if (step.kind === "set aside") return `- set ${step.file} aside`;
  return `- make the header of ${step.file} anew`;
}

function lossText(loss: Loss): string {
  if (loss.byteCount + loss.missingBytes === 0) return "Nothing is lost with that.";
  const { fromPosition, toPosition, fromMs, toMs } = loss;
  const parts = [
    `${countOf(loss.recordCount, "record")} that can be read (${countText(loss.eventCount)} of ` +
    `them events) in ${countText(loss.byteCount)} bytes of log, of which ` +
    `${countText(loss.unreadableBytes)} cannot be read`,
    ...loss.missingBytes === 0 ? [] : [`${countText(loss.missingBytes)} bytes are missing`],
    `from position ${countText(fromPosition)} to ${countText(toPosition)}`,
    ...fromMs === undefined && toMs === undefined
      ? []
      : [`written between ${timeText(fromMs) || "?"} and ${timeText(toMs) || "?"}`],
  ];
  return `Lost with that: ${parts.join(", ")}.`;
}

function keysText(
  { keyCount, databases }: Pick<LoadSummary, "keyCount" | "databases">,
): string {
  const text = countOf(keyCount, "key");
  if (databases.length === 0 || (databases.length === 1 && databases[0]!.database === 0)) {
    return text;
  }
  const each = databases.map(({ database, keyCount }) => `${database}: ${countText(keyCount)}`);
  return `${text} (databases ${each.join(", ")})`;
}

function memoryText(bytes: number): string {
  return `The keys take ${formatSize(Math.ceil(bytes / MIB) * MIB)} of memory; ` +
    "a server needs that and some more (--max-memory).";
}

function countOf(count: number, what: string): string {
  return `${countText(count)} ${what}${count === 1 ? "" : "s"}`;
}

function numberText(value: number | undefined): string {
  return value === undefined ? "" : countText(value);
}

function timeText(ms: number | undefined): string {
  return ms === undefined || ms === 0 ? "" : new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}
