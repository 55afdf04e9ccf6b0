/**
 * What the lab found, as data: the table, the JSON file and the report are all made from it.
 *
 * @module
 */

import type { LatencySummary, LoadSample } from "./load/plan.ts";

/** Version of the JSON file's form. */
export const LAB_REPORT_VERSION = 1;

/** One run of the lab: what `--json` writes. */
export interface LabReport {
  /** {@link LAB_REPORT_VERSION}. */
  readonly version: number;
  /** When it began, ISO 8601 in UTC. */
  readonly startedAt: string;
  /** How long all of it took. Unit: ms. */
  readonly durationMs: number;
  /** What it ran on. */
  readonly machine: MachineFacts;
  /** In the order in which they ran. */
  readonly stages: readonly StageReport[];
  /** Throughput by workers, shards and lock; null when that was not asked for. */
  readonly sweep: SweepReport | null;
}

/** What the lab ran on. */
export interface MachineFacts {
  /** Version of this program. */
  readonly sluice: string;
  /** Version of the runtime. */
  readonly deno: string;
  /** Version of its JavaScript engine. */
  readonly v8: string;
  /** E.g. `"x86_64-unknown-linux-gnu"`. */
  readonly target: string;
  /** Name of the processor, or `"unknown"`. */
  readonly processor: string;
  /** Logical processors that the program may use. */
  readonly processorCount: number;
}

/** One stage. */
export interface StageReport {
  /** 1 to 10. */
  readonly stage: number;
  /** A few words, e.g. `"one lock for all"`. */
  readonly title: string;
  /** One or two sentences: what the stage is there to show. */
  readonly lesson: string;
  /** The server, e.g. `"16 workers, channel 100, 100 ms work + 10 ms under one lock"`. */
  readonly server: string;
  /** The load, e.g. `"5,000 requests over 200 connections at 5,000 a second"`. */
  readonly load: string;
  /** Lines of the table. */
  readonly rows: readonly StageRow[];
  /** What had to be seen. */
  readonly checks: readonly StageCheck[];
  /** What the plots show; parts that a stage does not measure are left out. */
  readonly series: StageSeries;
  /** How long the stage took, starts and stops included. Unit: ms. */
  readonly durationMs: number;
}

/** One line of the table; null = the stage does not measure it. */
export interface StageRow {
  /** Short and unique, e.g. `"8"` or `"8, stage 7 with 64 shards"`. */
  readonly name: string;
  /** Requests answered `accepted`. */
  readonly accepted: number | null;
  /** Requests refused. */
  readonly refused: number | null;
  /** Requests that ended otherwise. */
  readonly errors: number | null;
  /** Answers a second. */
  readonly answersPerSecond: number | null;
  /** Of all answers. */
  readonly latency: LatencySummary | null;
  /** How long workers waited for shard locks. */
  readonly lockWait: LatencySummary | null;
  /** How long workers held them. */
  readonly lockHold: LatencySummary | null;
  /** Jobs settled a second, from the first settlement to the last. */
  readonly jobsPerSecond: number | null;
  /** Other figures of the stage, e.g. `{ name: "ns per increment", value: 12.5, unit: "ns" }`. */
  readonly figures: readonly Figure[];
}

/** A figure of its own. */
export interface Figure {
  /** What it is. */
  readonly name: string;
  /** How much. */
  readonly value: number;
  /** Of what, e.g. `"ns"`; empty for a count or a ratio. */
  readonly unit: string;
}

/** Something that a stage must show. */
export interface StageCheck {
  /** E.g. `"refused"`. */
  readonly what: string;
  /** E.g. `"94 to 98 %"`. */
  readonly expected: string;
  /** E.g. `"96.1 %"`. */
  readonly seen: string;
  /** Whether it was seen. */
  readonly passed: boolean;
}

/** What a stage's plots show. */
export interface StageSeries {
  /** The load over time, as the clients saw it, one per row of the table. */
  readonly load?: readonly NamedSeries<LoadSample>[];
  /** The server over time, one per row of the table. */
  readonly server?: readonly NamedSeries<ServerSample>[];
  /** Wait against hold, one per worker. */
  readonly workers?: readonly NamedSeries<WorkerSample>[];
  /** Contention by shard over time. */
  readonly shards?: readonly NamedSeries<ShardSample>[];
  /** Cost of one increment by number of threads. */
  readonly counters?: readonly CounterPoint[];
  /** What happened when, e.g. the steps of a stop. */
  readonly events?: readonly TimedEvent[];
}

/** Points that belong to one row of the table. */
export interface NamedSeries<Point> {
  /** {@link StageRow.name}. */
  readonly name: string;
  /** In the order of time, or of workers. */
  readonly points: readonly Point[];
}

/** The server at one time; counts are since its start. */
export interface ServerSample {
  /** Since the first request. Unit: ms. */
  readonly atMs: number;
  /** Jobs that wait in the channel. */
  readonly depth: number;
  /** Jobs that may wait. */
  readonly capacity: number;
  /** Events settled. */
  readonly settled: number;
}

/** What one worker did over the whole stage. */
export interface WorkerSample {
  /** 0, 1, … */
  readonly worker: number;
  /** Waiting for shard locks, in all. Unit: ms. */
  readonly waitMs: number;
  /** Holding them, in all. Unit: ms. */
  readonly holdMs: number;
  /** How often it took one. */
  readonly acquisitions: number;
}

/** What one shard's lock went through in one stretch of time. */
export interface ShardSample {
  /** End of the stretch, since the first request. Unit: ms. */
  readonly atMs: number;
  /** 0, 1, … */
  readonly shard: number;
  /** Acquisitions in the stretch. */
  readonly acquisitions: number;
  /** Those that found the lock taken. */
  readonly contended: number;
  /** Waiting for it, all threads together. Unit: ms. */
  readonly waitMs: number;
}

/** The cost of one increment. */
export interface CounterPoint {
  /** E.g. `"one lock"`, `"padded atomics, one per thread"`, `"one shared atomic"`. */
  readonly kind: string;
  /** Threads that increment. */
  readonly threads: number;
  /** Wall time over increments of all threads. Unit: ns. */
  readonly nsPerIncrement: number;
}

/** Something that happened. */
export interface TimedEvent {
  /** Since the stage's own zero, e.g. the signal. Unit: ms. */
  readonly atMs: number;
  /** What it was. */
  readonly what: string;
}

/** Throughput by workers, shards and kind of lock. */
export interface SweepReport {
  /** What one operation does, e.g. `"1 ms under the shard's lock, half of them reads"`. */
  readonly operation: string;
  /** How long each point was measured. Unit: ms. */
  readonly durationMs: number;
  /** All combinations. */
  readonly points: readonly SweepPoint[];
  /** The same with operations that do not sleep, so that processors are the limit. */
  readonly barePoints?: readonly SweepPoint[];
}

/** One combination. */
export interface SweepPoint {
  /** How shards were locked. */
  readonly lock: "mutex" | "rwlock";
  /** Shards; 1 = one lock for all. */
  readonly shards: number;
  /** Workers. */
  readonly workers: number;
  /** Operations a second, all workers together. */
  readonly operationsPerSecond: number;
  /** Share of acquisitions that found the lock taken, 0 to 1. */
  readonly contendedShare: number;
}
