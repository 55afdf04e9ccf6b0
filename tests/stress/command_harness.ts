/**
 * Runs threads that send commands of all types to the same keys of one store, each with a
 * dispatcher of its own, and compares the end with what the threads say they did.
 *
 * @module
 */

import { testedWorker } from "../helpers/tested_worker.ts";
import type { LockKind } from "../../src/store/locks.ts";
import { Store } from "../../src/store/store.ts";
import { Harness, latin1, request, settled } from "../unit/command/harness.ts";
import { type Frame, parseFrames } from "../vectors/format.ts";
import {
  type CommandDefect,
  CommandEvidence,
  type CommandOrders,
  type CommandReport,
} from "./command_evidence.ts";
import { enlist, sumOf } from "./crew.ts";

/** What to run. */
export interface CommandStressOptions {
  kind: LockKind;
  shardCount: number;
  threads: number;
  operationsPerThread: number;
  keys: number;
  maxMemoryBytes: number;
  seed: number;
  defect?: CommandDefect;
}

/** What came out. */
export interface CommandStressResult {
  /** What must not be; "" when all is well. */
  violation: string;
  overlaps: number;
  contended: number;
  /** Deeds by name. */
  calls: Record<string, number>;
  keyCount: number;
  elapsedMs: number;
}

/** Runs one stress to its end or first violation. */
export async function runCommandStress(
  options: CommandStressOptions,
): Promise<CommandStressResult> {
  const store = Store.create({
    shardCount: options.shardCount,
    lockKind: options.kind,
    maxMemoryBytes: options.maxMemoryBytes,
    maxValueBytes: 2 ** 20,
    threadCount: options.threads + 1,
  });
  const evidence = new Int32Array(new SharedArrayBuffer(CommandEvidence.WORDS * 4));
  const crew = Array.from({ length: options.threads }, (_, i) =>
    enlist<CommandReport>(
      testedWorker(new URL("./command_worker.ts", import.meta.url)),
      `command stress ${i + 1}`,
      {
        threadId: i + 1,
        operations: options.operationsPerThread,
        keys: options.keys,
        defect: options.defect ?? "none",
        seed: options.seed,
        memory: store.memory,
        evidence: evidence.buffer,
      } satisfies CommandOrders,
    ));
  await Promise.all(crew.map((thread) => thread.ready));
  const startedAtMs = performance.now();
  Atomics.store(evidence, CommandEvidence.START, 1);
  Atomics.notify(evidence, CommandEvidence.START);
  const reports = await Promise.all(crew.map((thread) => thread.report));
  const elapsedMs = performance.now() - startedAtMs;
  let contended = 0;
  for (let shard = 0; shard < options.shardCount; shard++) {
    contended += store.locks.counters(shard).contended;
  }
  let violation = reports.map((report) => report.violation).find((text) => text !== "") ?? "";
  try {
    violation ||= await checkEnd(store, reports);
  } catch (error) {
    violation ||= String(error);
  }
  const calls: Record<string, number> = {};
  for (const report of reports) {
    for (const [name, count] of Object.entries(report.calls)) {
      calls[name] = (calls[name] ?? 0) + count;
    }
  }
  return {
    violation,
    overlaps: sumOf(reports, (report) => report.overlaps),
    contended,
    calls,
    keyCount: store.keyCount(0),
    elapsedMs,
  };
}

/** How the end of each kind of key is asked for, by the first letter of its name. */
const QUESTIONS: Readonly<Record<string, (key: string, part: string) => string[]>> = {
  n: (key) => ["GET", key],
  l: (key) => ["LLEN", key],
  h: (key, field) => ["HGET", key, field],
  y: (key, member) => ["ZSCORE", key, member],
  o: (key) => ["HKEYS", key],
  e: (key) => ["SMEMBERS", key],
  z: (key) => ["ZRANGE", key, "0", "-1"],
};

/** Compares what is in the store with what the threads say they did; "" when all is explained. */
async function checkEnd(store: Store, reports: readonly CommandReport[]): Promise<string> {
  const client = new Harness({ store }).connect(1 << 16);
  const ask = async (words: string[]): Promise<Frame> =>
    parseFrames(await settled(client.send(latin1(request(...words)))))[0]!;
  const names = new Set(reports.flatMap((report) => Object.keys(report.sums)));
  for (const name of names) {
    const sum = reports.reduce((total, report) => total + (report.sums[name] ?? 0), 0);
    const [key, part = ""] = name.split(" ");
    const { text } = await ask(QUESTIONS[key![0]!]!(key!, part));
    if (Number(text === "-1" && key![0] === "l" ? "0" : text) !== sum) {
      return `${name} is ${text} instead of ${sum}`;
    }
  }
  for (const key of new Set(reports.flatMap((report) => Object.keys(report.members)))) {
    const { parts } = await ask(QUESTIONS[key[0]!]!(key, ""));
    const there = parts.map(({ text }) => text).toSorted().join(" ");
    const left = reports.flatMap((report) => report.members[key] ?? []).toSorted().join(" ");
    if (there !== left) return `${key} has ${there} instead of ${left}`;
  }
  store.assertInvariants();
  return await removeAll(store, ask);
}

/** Deletes every key; what then is in use must be reachable, so nothing was left behind. */
async function removeAll(store: Store, ask: (words: string[]) => Promise<Frame>): Promise<string> {
  let cursor = "0";
  do {
    const [next, keys] = (await ask(["SCAN", cursor, "COUNT", "500"])).parts;
    cursor = next!.text;
    if (keys!.parts.length > 0) await ask(["DEL", ...keys!.parts.map(({ text }) => text)]);
  } while (cursor !== "0" || store.keyCount(0) > 0);
  store.assertInvariants();
  return "";
}
