/**
 * A report of the lab with made-up numbers that look like those of a real run.
 *
 * @module
 */

import { row } from "../../src/lab/stages/findings.ts";
import type {
  LabReport,
  ServerSample,
  ShardSample,
  StageReport,
  StageRow,
  SweepPoint,
  WorkerSample,
} from "../../src/lab/model.ts";
import type { LatencySummary, LoadSample } from "../../src/lab/load/plan.ts";

/** Numbers from 0 to 1, the same for the same seed. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = state + 0x6d2b79f5 >>> 0;
    let mixed = Math.imul(state ^ state >>> 15, state | 1);
    mixed ^= mixed + Math.imul(mixed ^ mixed >>> 7, mixed | 61);
    return ((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32;
  };
}

/** Latencies around a median. */
function latency(p50Ms: number, count: number): LatencySummary {
  return {
    count,
    averageMs: p50Ms * 1.1,
    p50Ms,
    p90Ms: p50Ms * 1.7,
    p99Ms: p50Ms * 2.6,
    p999Ms: p50Ms * 4,
    maxMs: p50Ms * 6,
  };
}

/** What is special about a stage with a channel. */
interface ChannelStage {
  readonly requests: number;
  readonly accepted: number;
  readonly capacity: number;
  readonly jobsPerSecond: number;
  readonly loadMs: number;
}

function channelRow(name: string, plan: ChannelStage, lock?: [number, number]): StageRow {
  return {
    ...row(name, {}),
    accepted: plan.accepted,
    refused: plan.requests - plan.accepted,
    errors: 0,
    answersPerSecond: plan.requests * 1000 / plan.loadMs,
    latency: latency(1.4, plan.requests),
    lockWait: lock === undefined ? null : latency(lock[0], plan.accepted),
    lockHold: lock === undefined ? null : latency(lock[1], plan.accepted),
    jobsPerSecond: plan.jobsPerSecond,
  };
}

function loadSamples(plan: ChannelStage, random: () => number): LoadSample[] {
  const samples: LoadSample[] = [];
  const fillMs = plan.capacity * plan.loadMs / plan.requests;
  for (let atMs = Math.min(100, plan.loadMs); atMs <= plan.loadMs; atMs += 100) {
    const sent = Math.round(plan.requests * atMs / plan.loadMs);
    const filled = plan.capacity * Math.min(1, atMs / fillMs);
    const rest = (plan.accepted - plan.capacity) * atMs / plan.loadMs;
    const accepted = Math.min(sent, Math.round(filled + rest * (0.96 + random() * 0.04)));
    samples.push({ atMs: atMs + random(), sent, accepted, refused: sent - accepted, errors: 0 });
  }
  const refused = plan.requests - plan.accepted;
  samples.push({
    atMs: plan.loadMs + 4.2,
    sent: plan.requests,
    accepted: plan.accepted,
    refused,
    errors: 0,
  });
  return samples;
}

function serverSamples(plan: ChannelStage, random: () => number): ServerSample[] {
  const samples: ServerSample[] = [];
  const endMs = plan.accepted * 1000 / plan.jobsPerSecond;
  const stepMs = endMs > 10_000 ? 250 : 50;
  for (let atMs = 0; atMs <= endMs + 6 * stepMs; atMs += stepMs) {
    const settled = Math.min(plan.accepted, Math.round(plan.jobsPerSecond * atMs / 1000));
    const offered = Math.min(1, atMs / plan.loadMs) * plan.requests;
    const wobble = Math.round(random() * plan.capacity * 0.015);
    const room = atMs < plan.loadMs ? plan.capacity - wobble : plan.capacity;
    const depth = Math.max(0, Math.min(room, offered - settled, plan.accepted - settled));
    samples.push({
      atMs: atMs + random(),
      depth: isFirstFull(samples, offered - settled, plan) ? plan.capacity : depth,
      capacity: plan.capacity,
      settled,
    });
  }
  return samples;
}

/** The sample in which the channel is seen full for the first time; it wobbles afterwards. */
function isFirstFull(
  samples: readonly ServerSample[],
  waiting: number,
  { capacity, accepted }: ChannelStage,
): boolean {
  return accepted > capacity && waiting >= capacity &&
    samples.every(({ depth }) => depth < capacity);
}

function workerSamples(count: number, waitMs: number, holdMs: number, random: () => number) {
  return Array.from({ length: count }, (_, worker): WorkerSample => ({
    worker,
    waitMs: waitMs * (0.85 + random() * 0.3),
    holdMs: holdMs * (0.9 + random() * 0.2),
    acquisitions: Math.round(12 + random() * 2),
  }));
}

function shardSamples(shards: number, waiting: number, endMs: number, random: () => number) {
  const samples: ShardSample[] = [];
  for (let atMs = 100; atMs <= endMs; atMs += 100) {
    for (let shard = 0; shard < shards; shard++) {
      const isBusy = shards === 1 || random() < 0.35;
      const heat = isBusy ? waiting * (shards === 1 ? 0.9 + random() * 0.2 : random() ** 3 * 4) : 0;
      samples.push({
        atMs,
        shard,
        acquisitions: Math.round(100 / shards),
        contended: heat > 0 ? 1 : 0,
        waitMs: heat * 100,
      });
    }
  }
  return samples;
}

function counterPoints() {
  const costs: [string, number[]][] = [
    ["one lock", [41, 118, 164, 210]],
    ["padded atomics, one per thread", [11.4, 5.9, 5.8, 5.9]],
    ["one shared atomic", [11.2, 24.5, 27.1, 29.3]],
  ];
  return costs.flatMap(([kind, values]) =>
    values.map((nsPerIncrement, i) => ({ kind, threads: i + 1, nsPerIncrement }))
  );
}

/** Two processors are busy with two workers already; a lock that is fought for costs some of it. */
function barePoints(random: () => number): SweepPoint[] {
  return sweepPoints(random).map((point) => {
    const share = point.contendedShare;
    const rate = 410_000 * Math.min(2, point.workers) * (1 - share * 0.75);
    return { ...point, operationsPerSecond: rate * (0.95 + random() * 0.05) };
  });
}

function sweepPoints(random: () => number): SweepPoint[] {
  const points: SweepPoint[] = [];
  for (const lock of ["mutex", "rwlock"] as const) {
    for (const shards of [1, 4, 16, 64, 256]) {
      for (const workers of [1, 2, 4, 8, 16]) {
        // Shards that are busy when each worker takes one at random.
        const busy = shards * (1 - (1 - 1 / shards) ** workers);
        const readers = lock === "rwlock" ? 1 + (workers - busy) / workers * 0.55 : 1;
        points.push({
          lock,
          shards,
          workers,
          operationsPerSecond: 905 * busy * readers * (0.96 + random() * 0.04),
          contendedShare: workers === 1 ? 0 : 1 - busy / workers,
        });
      }
    }
  }
  return points;
}

interface StageWords {
  readonly title: string;
  readonly lesson: string;
  readonly server: string;
  readonly load: string;
}

const WORDS: Readonly<Record<number, StageWords>> = {
  1: {
    title: "one at a time",
    lesson: "A server that finishes one connection before it accepts the next belongs to whoever " +
      "connects and says nothing.",
    server: "accepts and finishes one connection at a time",
    load: "20 silent clients, then one real request",
  },
  2: {
    title: "a task per connection",
    lesson: "One task per connection costs little, and silent clients harm nobody but themselves.",
    server: "an async task per connection, echoes the body",
    load: "20 silent clients, then one real request",
  },
  3: {
    title: "input that is wrong",
    lesson: "What cannot be an event gets an answer that says why; the server goes on.",
    server: "validates events",
    load: "garbage, partial, wrong types, valid",
  },
  4: {
    title: "work inside the request",
    lesson:
      "Half a second of work under one lock is two requests a second, however many clients ask.",
    server: "500 ms of work inside the request under one lock",
    load: "10 clients",
  },
  5: {
    title: "a bounded channel",
    lesson:
      "A channel with a fixed length lets clients go on at once, and says no as soon as it is full.",
    server: "channel of 100, 1 worker, 500 ms a job",
    load: "200 requests at once",
  },
  6: {
    title: "four workers",
    lesson:
      "Jobs that do not need each other are done side by side: four workers, four times the jobs.",
    server: "channel of 100, 4 workers, 500 ms a job",
    load: "100 requests at once",
  },
  7: {
    title: "one lock for all",
    lesson: "Sixteen workers do the work of one when each must pass the same lock.",
    server: "16 workers, channel 100, 100 ms work + 10 ms holding one single lock",
    load: "5,000 requests over 200 connections at 5,000 a second, 1,000 users",
  },
  8: {
    title: "sharded",
    lesson:
      "A lock per shard, shorter jobs and a longer channel: each gives its part, and the row " +
      "beside it shows how much of it is sharding alone.",
    server: "16 workers, channel 1,000, 10 ms work + 1 ms under one of 64 locks",
    load: "5,000 requests over 200 connections at 5,000 a second, 1,000 users",
  },
  9: {
    title: "counters",
    lesson: "Threads that write to one place wait for each other, with a lock or without.",
    server: "none: threads that count",
    load: "increments from 1 to 4 threads",
  },
  10: {
    title: "a stop in the middle",
    lesson:
      "What was accepted is processed, and the parts stop in the reverse order of their start.",
    server: "channel of 100, 4 workers, 500 ms a job",
    load: "100 requests at once, then SIGTERM",
  },
};

const PLANS: Readonly<Record<string, ChannelStage>> = {
  "5": { requests: 200, accepted: 101, capacity: 100, jobsPerSecond: 2, loadMs: 62 },
  "6": { requests: 100, accepted: 100, capacity: 100, jobsPerSecond: 7.97, loadMs: 48 },
  "7": { requests: 5000, accepted: 213, capacity: 100, jobsPerSecond: 97.4, loadMs: 1003 },
  "8": { requests: 5000, accepted: 2431, capacity: 1000, jobsPerSecond: 1443, loadMs: 1002 },
  "8b": { requests: 5000, accepted: 258, capacity: 100, jobsPerSecond: 144.1, loadMs: 1004 },
};

/** The parts of a stage that are its own. */
type StageParts = Pick<StageReport, "rows" | "checks" | "series">;

function check(what: string, expected: string, seen: string) {
  return { what, expected, seen, passed: true };
}

function channelSeries(names: readonly (readonly [string, string])[], random: () => number) {
  return {
    load: names.map(([name, plan]) => ({ name, points: loadSamples(PLANS[plan]!, random) })),
    server: names.map(([name, plan]) => ({ name, points: serverSamples(PLANS[plan]!, random) })),
  };
}

function stageParts(stage: number, random: () => number): StageParts {
  const beside = "8, stage 7 with 64 shards";
  const figure = (name: string, value: number, unit: string) => [{ name, value, unit }];
  switch (stage) {
    case 1:
      return {
        rows: [{
          ...row("1", {}),
          accepted: 0,
          refused: 0,
          errors: 1,
          figures: figure("answered within", 0, "ms"),
        }],
        checks: [check("the real request", "no answer in 2 s", "no answer in 2 s")],
        series: {},
      };
    case 2:
      return {
        rows: [{
          ...row("2", {}),
          accepted: 1,
          refused: 0,
          errors: 0,
          latency: latency(1.31, 1),
        }],
        checks: [check("the real request", "answered in under 100 ms", "1.31 ms")],
        series: {},
      };
    case 3:
      return {
        rows: [{
          ...row("3", {}),
          accepted: 25,
          refused: 0,
          errors: 75,
          latency: latency(0.62, 100),
        }],
        checks: [
          check("replies", "each its own", "12 of 12"),
          check("the server", "still answers", "still answers"),
        ],
        series: {},
      };
    case 4:
      return {
        rows: [{
          ...row("4", {}),
          accepted: 20,
          refused: 0,
          errors: 0,
          answersPerSecond: 1.98,
          latency: latency(4_870, 20),
          lockWait: latency(4_370, 20),
          lockHold: latency(501.2, 20),
        }],
        checks: [check("requests a second", "1.8 to 2.2", "1.98")],
        series: {},
      };
    case 5:
    case 6:
      return {
        rows: [channelRow(String(stage), PLANS[stage]!)],
        checks: [
          check("jobs a second", stage === 5 ? "about 2" : "about 8", stage === 5 ? "2.0" : "7.97"),
        ],
        series: channelSeries([[String(stage), String(stage)]], random),
      };
    case 7:
      return {
        rows: [channelRow("7", PLANS["7"]!, [151.2, 10.08])],
        checks: [
          check("refused", "94 to 98 %", "95.7 %"),
          check("jobs a second", "about 100", "97.4"),
          check("lock wait p50 over hold p50", "at least 5 ×", "15 ×"),
        ],
        series: {
          ...channelSeries([["7", "7"]], random),
          workers: [{ name: "7", points: workerSamples(16, 1_870, 134, random) }],
          shards: [{ name: "7", points: shardSamples(1, 13.6, 2_200, random) }],
        },
      };
    case 8:
      return {
        rows: [
          channelRow("8", PLANS["8"]!, [0.021, 1.06]),
          channelRow(beside, PLANS["8b"]!, [0.35, 10.09]),
        ],
        checks: [
          check("accepted, against stage 7", "at least 11 ×", "11.4 ×"),
          check("jobs a second", "about 1,450", "1,443"),
        ],
        series: {
          ...channelSeries([["8", "8"], [beside, "8b"]], random),
          workers: [
            { name: "8", points: workerSamples(16, 19, 160, random) },
            { name: beside, points: workerSamples(16, 21, 162, random) },
          ],
          shards: [
            { name: "8", points: shardSamples(64, 0.02, 1_700, random) },
            { name: beside, points: shardSamples(64, 0.12, 1_800, random) },
          ],
        },
      };
    case 9:
      return {
        rows: [
          { ...row("9, one lock", {}), figures: figure("ns per increment, 4 threads", 210, "ns") },
          {
            ...row("9, padded atomics", {}),
            figures: figure("ns per increment, 4 threads", 5.9, "ns"),
          },
          {
            ...row("9, one shared atomic", {}),
            figures: figure("ns per increment, 4 threads", 29.3, "ns"),
          },
        ],
        checks: [check("padded against shared", "at least 2 × as fast", "5 ×")],
        series: { counters: counterPoints() },
      };
    default:
      return {
        rows: [{
          ...channelRow("10", PLANS["6"]!),
          figures: [...figure("accepted", 100, ""), ...figure("processed", 100, "")],
        }],
        checks: [check("processed", "all accepted (100)", "100")],
        series: {
          events: [
            { atMs: 0, what: "SIGTERM" },
            { atMs: 2.4, what: "listeners closed" },
            { atMs: 3.1, what: "channel closed for new jobs" },
            { atMs: 9_870, what: "channel empty" },
            { atMs: 10_362, what: "workers done" },
            { atMs: 10_391, what: "connections closed" },
            { atMs: 10_402, what: "process ended, exit code 0" },
          ],
        },
      };
  }
}

/**
 * A whole report.
 *
 * @param seed the same seed makes the same report
 * @param stages which ones ran
 */
export function sampleReport(
  seed = 1,
  stages: readonly number[] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
): LabReport {
  const random = seeded(seed);
  return {
    version: 1,
    startedAt: "2026-03-14T09:26:53.000Z",
    durationMs: 318_400,
    machine: {
      sluice: "0.1.0",
      deno: "2.9.6",
      v8: "14.9.207.2",
      target: "x86_64-unknown-linux-gnu",
      processor: "A Processor With a Name 3.20GHz",
      processorCount: 2,
    },
    stages: stages.map((stage) => ({
      stage,
      ...WORDS[stage]!,
      ...stageParts(stage, random),
      durationMs: 4_000 + Math.round(random() * 20_000),
    })),
    sweep: {
      operation: "1 ms under the lock of a shard, half of them reads",
      durationMs: 1_000,
      points: sweepPoints(random),
      barePoints: barePoints(random),
    },
  };
}

/**
 * The same report with other texts; kinds of lock are no texts.
 *
 * @param value a report, or a part of one
 * @param change what becomes of each text
 */
export function withTexts<Value>(value: Value, change: (text: string) => string): Value {
  if (typeof value === "string") {
    return (value === "mutex" || value === "rwlock" ? value : change(value)) as Value;
  }
  if (Array.isArray(value)) return value.map((item) => withTexts(item, change)) as Value;
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, withTexts(item, change)]),
  ) as Value;
}
