/**
 * `MEMORY`: what the memory is used for.
 *
 * @module
 */

import type { CommandCall } from "../call.ts";
import { memoryUsageRow } from "./object.ts";
import { CommandRow, HandlerStatus } from "../row.ts";
import { containerRow } from "./container.ts";
import { fragmentationRatio } from "./info_memory.ts";

/** Less than this in use, and there is nothing to diagnose. Unit: bytes. */
const SMALL_BYTES = 5 * 2 ** 20;
/** More pages than blocks fill by this factor is worth telling. */
const HIGH_FRAGMENTATION = 1.4;
/** A peak this much above what is used now is worth telling. */
const HIGH_PEAK = 1.5;

/** `MEMORY STATS`: those of Redis's fields that mean something here, with its names. */
function handleStats(call: CommandCall): HandlerStatus {
  const { sink } = call;
  const stats = call.store.stats();
  const { residentBytes } = call.services.snapshot();
  const keyBytes = stats.keyCount === 0 ? 0 : Math.floor(stats.blockBytes / stats.keyCount);
  const fields: readonly (readonly [string, number, "integer" | "double"])[] = [
    ["peak.allocated", stats.peakBytes, "integer"],
    ["total.allocated", stats.usedBytes, "integer"],
    ["keys.count", stats.keyCount, "integer"],
    ["keys.bytes-per-key", keyBytes, "integer"],
    ["dataset.bytes", stats.blockBytes, "integer"],
    ["dataset.percentage", percentOf(stats.blockBytes, stats.usedBytes), "double"],
    ["peak.percentage", percentOf(stats.usedBytes, stats.peakBytes), "double"],
    ["allocator.allocated", stats.blockBytes, "integer"],
    ["allocator.active", stats.usedBytes, "integer"],
    ["allocator.resident", residentBytes, "integer"],
    ["allocator-fragmentation.ratio", fragmentationRatio(stats), "double"],
    ["allocator-fragmentation.bytes", stats.usedBytes - stats.blockBytes, "integer"],
    ["fragmentation", fragmentationRatio(stats), "double"],
    ["fragmentation.bytes", stats.usedBytes - stats.blockBytes, "integer"],
    ["pages.total", stats.pagesTotal, "integer"],
    ["pages.free", stats.pagesFree, "integer"],
    ["orphans.bytes", stats.orphanBytes, "integer"],
  ];
  sink.mapStart(fields.length);
  for (const [name, value, kind] of fields) {
    sink.bulkText(name);
    if (kind === "integer") sink.integer(value);
    else sink.double(value);
  }
  return HandlerStatus.DONE;
}

/** `MEMORY DOCTOR` */
function handleDoctor(call: CommandCall): HandlerStatus {
  const stats = call.store.stats();
  const findings: string[] = [];
  if (stats.usedBytes >= SMALL_BYTES) {
    if (fragmentationRatio(stats) > HIGH_FRAGMENTATION) {
      findings.push(
        ` * High fragmentation: the pages in use are ${
          fragmentationRatio(stats).toFixed(2)
        } times ` +
          "as large as what is in them. That is normal after many deletions; pages are put " +
          "together when a write needs the memory, or at once with MEMORY PURGE.",
      );
    }
    if (stats.peakBytes > stats.usedBytes * HIGH_PEAK) {
      findings.push(
        " * Peak memory: more was in use once. The process keeps that memory, and new keys use it.",
      );
    }
    if (stats.pagesFree * 20 < stats.pagesTotal) {
      findings.push(
        " * Nearly full: less than a twentieth of --max-memory is free. Writes will be " +
          "refused or evict keys, as --eviction says.",
      );
    }
    if (stats.orphanBytes * 10 > stats.usedBytes) {
      findings.push(
        " * Slow readers: more than a tenth is values without a key that are still being sent.",
      );
    }
  }
  const text = findings.length === 0
    ? "No memory problems were found."
    : `${findings.length} found:\n\n${findings.join("\n\n")}\n`;
  call.sink.verbatimText(text);
  return HandlerStatus.DONE;
}

/** `MEMORY MALLOC-STATS` */
function handleMallocStats(call: CommandCall): HandlerStatus {
  const stats = call.store.stats();
  const { residentBytes } = call.services.snapshot();
  call.sink.verbatimText(
    "Memory of keys and values: one arena of 64 KiB pages, cut into blocks.\n" +
      `pages: ${stats.pagesTotal}, free: ${stats.pagesFree}\n` +
      `bytes in pages in use: ${stats.usedBytes}, most ever: ${stats.peakBytes}\n` +
      `bytes in blocks in use: ${stats.blockBytes}\n` +
      `bytes of values that only readers have: ${stats.orphanBytes}\n` +
      `resident bytes of the process: ${residentBytes}\n`,
  );
  return HandlerStatus.DONE;
}

/** `MEMORY PURGE`: puts sparse pages together, so that they are free for other sizes. */
function handlePurge(call: CommandCall): HandlerStatus {
  // One page now; the rest is put together when it is needed.
  call.store.compact();
  call.sink.ok();
  return HandlerStatus.DONE;
}

function memorySubcommand(name: string, summary: string, handler: typeof handleStats): CommandRow {
  return new CommandRow({
    name: `memory|${name}`,
    arity: 2,
    summary,
    group: "server",
    since: "4.0.0",
    flags: [],
    reply: name === "stats" ? "map" : name === "purge" ? "ok" : "text",
    handler,
  });
}

/** The row of MEMORY. Thread: any; a thread makes its own at start. */
export function memoryRow(): CommandRow {
  return containerRow("memory", "Tells what the memory is used for.", "4.0.0", "server", [
    memorySubcommand("doctor", "Looks for problems with the memory.", handleDoctor),
    memorySubcommand("malloc-stats", "Describes the allocator's state.", handleMallocStats),
    memorySubcommand("purge", "Puts memory together that is in pieces.", handlePurge),
    memorySubcommand("stats", "Describes the use of memory in numbers.", handleStats),
    memoryUsageRow(),
  ]);
}

function percentOf(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole * 100;
}
