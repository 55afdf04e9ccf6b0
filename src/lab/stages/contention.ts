/**
 * Stages 7 and 8: sixteen workers that fight for one lock, and the same work on a sharded store.
 *
 * @module
 */

import type { Figure, StageReport, StageRow } from "../model.ts";
import { numberText } from "../terminal/number_text.ts";
import type { Stage, StageContext } from "../stage.ts";
import { about, atLeast, between } from "./findings.ts";
import { type LeastDisturbed, leastDisturbed } from "./undisturbed.ts";
import { type LoadShape, type PipelineOutcome, runPipeline, seriesOf } from "./pipeline.ts";

const WORKERS = 16;
const SHARDS = 64;

/** How precisely the first and the last settlement are timed: all takes two seconds. Unit: ms. */
const FINE_PERIOD_MS = 20;

/** The same load for all. */
const LOAD: LoadShape = {
  requestCount: 5000,
  connectionCount: 200,
  ratePerSecond: 5000,
  userCount: 1000,
};
const LOAD_TEXT = "5,000 requests over 200 connections, paced at 5,000 a second, 1,000 users";

/** A server of these stages. */
interface Contender {
  readonly shards: number;
  readonly capacity: number;
  readonly workMs: number;
  readonly holdMs: number;
}

const ONE_LOCK: Contender = { shards: 1, capacity: 100, workMs: 100, holdMs: 10 };
const SHARDING_ALONE: Contender = { ...ONE_LOCK, shards: SHARDS };
const ALL_TOGETHER: Contender = { shards: SHARDS, capacity: 1000, workMs: 10, holdMs: 1 };

/**
 * How far a wait is above a hold that is far above it.
 *
 * By arithmetic the mean wait is five holds: sixteen workers come by every 16 × 10 ms, of which
 * they work 100 and hold 10, so 50 remain. What is measured lies around it.
 */
const FAR_ABOVE = 4;

/** How much more stage 8 accepts than stage 7. */
const GAIN = 11;

/**
 * How often a run is tried that others on this machine disturb; the one disturbed least counts.
 *
 * How much a run is disturbed does not depend on what the stage has to show: a sleep of one duration
 * is the same whoever waits for the sleeper, and so is how late clients are by their own fault.
 */
const ATTEMPTS = 5;

/**
 * Sleeps that are longer than they should by this much on average have waited for a processor. With
 * nobody else around they are by 0.2 to 0.5 ms: timers are late, and the first jobs run cold code.
 */
const OVERSLEPT_MS = 0.6;

/** Clients that are so late, one time in a hundred, have waited for one too. Unit: ms. */
const LAG_MS = 20;

/** How much a run was disturbed; up to 1 not at all. */
function disturbance({ row, load }: PipelineOutcome, { holdMs }: Contender): number {
  const oversleptMs = (row.lockHold?.averageMs ?? Infinity) - holdMs;
  return Math.max(oversleptMs / OVERSLEPT_MS, load.ownLag.p99Ms / LAG_MS);
}

/** Runs a contender until nobody disturbs it. */
async function contend(
  name: string,
  contender: Contender,
  context: StageContext,
): Promise<PipelineOutcome> {
  const result = await leastDisturbed(
    ATTEMPTS,
    (run) => contendOnce(name, contender, run === 1 ? context : again(run, context)),
    (outcome) => disturbance(outcome, contender),
  );
  const { row } = result.outcome;
  return { ...result.outcome, row: { ...row, figures: [...row.figures, ...runFigures(result)] } };
}

/** Says that it is not the first run. */
function again(run: number, context: StageContext): StageContext {
  return {
    ...context,
    tell: (note) => context.tell(`run ${run} (the others were disturbed): ${note}`),
  };
}

/** That there were several runs, and what those showed that do not count. */
function runFigures({ isDisturbed, leftOut }: LeastDisturbed<PipelineOutcome>): Figure[] {
  const summary: Figure = isDisturbed
    ? {
      name: "runs, all disturbed by others on this machine, of which the least disturbed counts",
      value: leftOut.length + 1,
      unit: "",
    }
    : {
      name: "runs left out because others on this machine disturbed them",
      value: leftOut.length,
      unit: "",
    };
  if (!isDisturbed && leftOut.length === 0) return [];
  return [
    summary,
    ...leftOut.map(({ run, outcome }) => ({
      name: `jobs a second in run ${run}, left out`,
      value: outcome.row.jobsPerSecond ?? 0,
      unit: "",
    })),
  ];
}

function contendOnce(
  name: string,
  { shards, capacity, workMs, holdMs }: Contender,
  context: StageContext,
): Promise<PipelineOutcome> {
  return runPipeline({
    name,
    flags: [
      ...["--workers", String(WORKERS)],
      ...["--channel-capacity", String(capacity)],
      ...["--shards", String(shards)],
      ...["--work-ms", String(workMs)],
      ...["--hold-ms", String(holdMs)],
    ],
    load: LOAD,
    finePeriodMs: FINE_PERIOD_MS,
    watchesShards: true,
  }, context);
}

/** The seventh stage. */
export const oneLockStage: Stage = {
  number: 7,
  title: "one lock for all",
  expectedSeconds: 4,
  run: async (context): Promise<StageReport> => {
    const startedAtMs = performance.now();
    const outcome = await contend("7", ONE_LOCK, context);
    const { row, load } = outcome;
    return {
      stage: 7,
      title: oneLockStage.title,
      lesson: "Sixteen workers do not help when all of them need the same lock: they stand in " +
        "line for it, and as many jobs are done as the lock can be held one after the other.",
      server: `${WORKERS} workers, channel ${ONE_LOCK.capacity}, ${ONE_LOCK.workMs} ms work + ` +
        `${ONE_LOCK.holdMs} ms holding one single lock`,
      load: LOAD_TEXT,
      rows: [row],
      checks: [
        between(
          { what: "refused", value: 100 * load.refused / load.sent, unit: " %" },
          94,
          98,
        ),
        about(
          { what: "jobs a second", value: row.jobsPerSecond ?? 0 },
          1000 / ONE_LOCK.holdMs,
        ),
        atLeast(
          { what: "wait p50 over hold p50", value: waitOverHold(row), unit: " ×" },
          FAR_ABOVE,
        ),
        outcome.soundness,
      ],
      series: seriesOf([outcome]),
      durationMs: performance.now() - startedAtMs,
    };
  },
};

function waitOverHold({ lockWait, lockHold }: StageRow): number {
  return (lockWait?.p50Ms ?? 0) / (lockHold?.p50Ms || Infinity);
}

/** The eighth stage. */
export const shardedStage: Stage = {
  number: 8,
  title: "a lock for each shard",
  expectedSeconds: 8,
  run: async (context): Promise<StageReport> => {
    const startedAtMs = performance.now();
    const stageSeven = await rowOfStageSeven(context);
    const alone = await contend("8, stage 7 with 64 shards", SHARDING_ALONE, context);
    const all = await contend("8", ALL_TOGETHER, context);
    return {
      stage: 8,
      title: shardedStage.title,
      lesson: "With a lock for each of 64 shards nobody stands in line any more. Sharding alone " +
        "can bring stage 7 from 100 to 145 jobs a second, all that sixteen workers can do; the " +
        "rest of the gain is a job ten times shorter and a channel ten times larger.",
      server: `${WORKERS} workers, channel ${ALL_TOGETHER.capacity}, ${ALL_TOGETHER.workMs} ms ` +
        `work + ${ALL_TOGETHER.holdMs} ms holding one of ${SHARDS} locks; beside it stage 7's ` +
        `with ${SHARDS} locks`,
      load: LOAD_TEXT,
      rows: [
        ...(stageSeven.isNew ? [stageSeven.row] : []),
        alone.row,
        { ...all.row, figures: [...gains(stageSeven.row, alone.row, all.row), ...all.row.figures] },
      ],
      checks: [
        atLeast({
          what: `accepted, times the ${numberText(acceptedOf(stageSeven.row))} of stage 7`,
          value: all.load.accepted / acceptedOf(stageSeven.row),
          unit: " ×",
        }, GAIN),
        about({ what: "jobs a second", value: all.row.jobsPerSecond ?? 0 }, 1450),
        about(
          { what: "jobs a second, stage 7 with 64 shards", value: alone.row.jobsPerSecond ?? 0 },
          145,
        ),
        all.soundness,
        alone.soundness,
      ],
      series: seriesOf([all, alone]),
      durationMs: performance.now() - startedAtMs,
    };
  },
};

/** What stage 8 is compared with: stage 7 as it ran before, or else run now. */
async function rowOfStageSeven(
  context: StageContext,
): Promise<{ readonly row: StageRow; readonly isNew: boolean }> {
  const earlier = context.earlier?.find(({ stage }) => stage === 7)?.rows[0];
  if (earlier !== undefined) return { row: earlier, isNew: false };
  return { row: (await contend("7", ONE_LOCK, context)).row, isNew: true };
}

function acceptedOf({ accepted }: StageRow): number {
  return accepted || NaN;
}

/** What of the gain comes from where. */
function gains(seven: StageRow, alone: StageRow, all: StageRow): Figure[] {
  const times = (name: string, more: number | null, less: number | null): Figure => ({
    name,
    value: (more ?? 0) / (less || NaN),
    unit: "×",
  });
  return [
    times("jobs a second by sharding alone", alone.jobsPerSecond, seven.jobsPerSecond),
    times("jobs a second by a shorter job beside it", all.jobsPerSecond, alone.jobsPerSecond),
    times("accepted by sharding alone", alone.accepted, seven.accepted),
    times("accepted by a shorter job and a larger channel beside it", all.accepted, alone.accepted),
  ];
}
