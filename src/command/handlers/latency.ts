/**
 * `LATENCY`: when commands took longer than a threshold, and how long they take usually.
 *
 * @module
 */

import type { CommandCall } from "../call.ts";
import type { CommandNumbers } from "../command_stats.ts";
import type { LatencySample, LatencySeries } from "../latency_log.ts";
import { ReplyCode } from "../reply_code.ts";
import type { ReplySink } from "../reply_sink.ts";
import { type CommandDefinition, CommandRow, HandlerStatus } from "../row.ts";
import { SettingIndex } from "../runtime_settings.ts";
import { containerRow } from "./container.ts";
import { replyLater } from "./refuse.ts";

/** Most names that one command may list. */
const MAX_NAMES = 128;

/** Columns of a graph. Source: Redis. */
const GRAPH_COLUMNS = 80;

/** Rows of a graph. */
const GRAPH_ROWS = 4;

function names(call: CommandCall): string[] {
  const words: string[] = [];
  for (let i = 2; i < call.args.count; i++) words.push(call.args.text(i).toLowerCase());
  return words;
}

/** `LATENCY LATEST` */
function handleLatest(call: CommandCall): HandlerStatus {
  const { sink, services } = call;
  return replyLater(call, () => services.operations.latency(), (all) => {
    sink.arrayStart(all.length);
    for (const { event, samples, maxMs } of all) {
      const latest = samples.at(-1)!;
      sink.arrayStart(4);
      sink.bulkText(event);
      sink.integer(latest.atSeconds);
      sink.integer(latest.latencyMs);
      sink.integer(maxMs);
    }
  });
}

/** `LATENCY HISTORY event` */
function handleHistory(call: CommandCall): HandlerStatus {
  const { sink, services } = call;
  const [event] = names(call);
  return replyLater(call, () => services.operations.latency(), (all) => {
    const samples = samplesOf(all, event!);
    sink.arrayStart(samples.length);
    for (const { atSeconds, latencyMs } of samples) {
      sink.arrayStart(2);
      sink.integer(atSeconds);
      sink.integer(latencyMs);
    }
  });
}

/** `LATENCY RESET [event ...]` */
function handleReset(call: CommandCall): HandlerStatus {
  const { sink, services } = call;
  const events = names(call);
  return replyLater(
    call,
    () => services.operations.resetLatency(events),
    (count) => sink.integer(count),
  );
}

/** `LATENCY GRAPH event` */
function handleGraph(call: CommandCall): HandlerStatus {
  const { sink, services } = call;
  const [event] = names(call);
  const printable = call.args.text(2).slice(0, 128).replace(/[^\x20-\x7e]/g, "?");
  return replyLater(call, () => services.operations.latency(), (all) => {
    const series = all.find((one) => one.event === event);
    if (series === undefined) {
      sink.error(ReplyCode.BAD_ARGUMENT, `No samples available for event '${printable}'`);
    } else {
      sink.verbatimText(graphOf(series, Math.floor(services.clock() / 1000)));
    }
  });
}

/** Bars of the samples, oldest on the left; below each, how long ago it was. */
function graphOf({ event, samples, maxMs }: LatencySeries, nowSeconds: number): string {
  const shown = samples.slice(-GRAPH_COLUMNS);
  const high = Math.max(...shown.map(({ latencyMs }) => latencyMs));
  const low = Math.min(...shown.map(({ latencyMs }) => latencyMs));
  const heights = shown.map(({ latencyMs }) =>
    1 + Math.round((latencyMs - low) / Math.max(1, high - low) * (GRAPH_ROWS - 1))
  );
  const lines = [`${event} - high ${high} ms, low ${low} ms (all time high ${maxMs} ms)`];
  lines.push("-".repeat(GRAPH_COLUMNS));
  for (let row = GRAPH_ROWS; row >= 1; row--) {
    lines.push(heights.map((height) => height >= row ? "#" : " ").join("").trimEnd());
  }
  lines.push("");
  const ages = shown.map(({ atSeconds }) => ageText(nowSeconds - atSeconds));
  const depth = Math.max(...ages.map((age) => age.length));
  for (let i = 0; i < depth; i++) lines.push(ages.map((age) => age[i] ?? " ").join("").trimEnd());
  return `${lines.join("\n")}\n`;
}

/** `45s`, `12m`, `3h`, `2d` */
function ageText(seconds: number): string {
  if (seconds < 60) return `${Math.max(0, seconds)}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86400)}d`;
}

/** `LATENCY DOCTOR` */
function handleDoctor(call: CommandCall): HandlerStatus {
  const { sink, services } = call;
  const { operations } = services;
  const thresholdMs = operations.settings.values[SettingIndex.LATENCY_THRESHOLD]!;
  return replyLater(call, () => operations.latency(), (all) => {
    sink.verbatimText(diagnosis(thresholdMs, all));
  });
}

function diagnosis(thresholdMs: number, all: readonly LatencySeries[]): string {
  if (thresholdMs === 0) {
    return "Latency is not watched: turn it on with CONFIG SET latency-monitor-threshold " +
      "<milliseconds>.\n";
  }
  if (all.length === 0) return `Nothing took ${thresholdMs} ms or longer so far.\n`;
  const lines = [`Events that took ${thresholdMs} ms or longer:`];
  for (const { event, samples, maxMs } of all) {
    const sum = samples.reduce((total, { latencyMs }) => total + latencyMs, 0);
    const mean = Math.round(sum / samples.length);
    lines.push(
      `- ${event}: ${samples.length} samples, ${mean} ms on average, ${maxMs} ms at worst`,
    );
  }
  lines.push(
    "SLOWLOG GET shows which commands these were. Commands that walk over many elements take long " +
      "in proportion; a machine with more threads than cores makes all of them wait.",
  );
  return `${lines.join("\n")}\n`;
}

/** `LATENCY HISTOGRAM [command ...]` */
function handleHistogram(call: CommandCall): HandlerStatus {
  const wanted = names(call);
  const shown = call.services.operations.stats.numbers().filter(({ row, buckets }) =>
    isWanted(row, wanted) && buckets.some((count) => count > 0)
  );
  call.sink.mapStart(shown.length);
  for (const numbers of shown) writeHistogram(call.sink, numbers);
  return HandlerStatus.DONE;
}

/** A container's name stands for its subcommands, too. */
function isWanted({ name }: CommandRow, wanted: readonly string[]): boolean {
  return wanted.length === 0 ||
    wanted.some((word) => name === word || name.startsWith(`${word}|`));
}

function writeHistogram(sink: ReplySink, { row, calls, buckets }: CommandNumbers): void {
  sink.bulkText(row.name);
  sink.mapStart(2);
  sink.bulkText("calls");
  sink.integer(calls);
  sink.bulkText("histogram_usec");
  const filled = [...buckets.entries()].filter(([, count]) => count > 0);
  sink.mapStart(filled.length);
  let total = 0;
  for (const [index, count] of filled) {
    total += count;
    sink.integer(2 ** index);
    sink.integer(total);
  }
}

function samplesOf(all: readonly LatencySeries[], event: string): readonly LatencySample[] {
  return all.find((series) => series.event === event)?.samples ?? [];
}

/** The row of LATENCY. Thread: any; a thread makes its own at start. */
export function latencyRow(): CommandRow {
  const base = {
    group: "server",
    since: "2.8.13",
    flags: ["admin", "noscript", "loading", "stale"],
  } as const satisfies Partial<CommandDefinition>;
  return containerRow("latency", "Tells how long commands took.", "2.8.13", "server", [
    new CommandRow({
      ...base,
      name: "latency|doctor",
      arity: 2,
      summary: "Describes what took long, in words.",
      reply: "text",
      handler: handleDoctor,
    }),
    new CommandRow({
      ...base,
      name: "latency|graph",
      arity: 3,
      syntax: "event",
      summary: "Draws the samples of an event.",
      reply: "text",
      handler: handleGraph,
    }),
    new CommandRow({
      ...base,
      name: "latency|histogram",
      arity: -2,
      maxArguments: MAX_NAMES + 2,
      syntax: "[command ...]",
      summary: "Counts measured calls by how long they took, in powers of two microseconds.",
      since: "7.0.0",
      cost: "per-client",
      complexity: "O(N) with N commands",
      reply: "map",
      handler: handleHistogram,
    }),
    new CommandRow({
      ...base,
      name: "latency|history",
      arity: 3,
      syntax: "event",
      summary: "Returns the samples of an event: time in seconds, duration in milliseconds.",
      reply: "array",
      handler: handleHistory,
    }),
    new CommandRow({
      ...base,
      name: "latency|latest",
      arity: 2,
      summary: "Returns the newest and the worst sample of each event.",
      reply: "array",
      handler: handleLatest,
    }),
    new CommandRow({
      ...base,
      name: "latency|reset",
      arity: -2,
      maxArguments: MAX_NAMES + 2,
      syntax: "[event ...]",
      summary: "Forgets samples; returns of how many events there were any.",
      reply: "integer",
      handler: handleReset,
    }),
  ]);
}
