/**
 * Stages 5 and 6: the work is done by workers behind a bounded channel.
 *
 * @module
 */

import type { StageReport } from "../model.ts";
import type { Stage } from "../stage.ts";
import { about, atLeast, between } from "./findings.ts";
import { type LoadShape, type PipelineOutcome, runPipeline, seriesOf } from "./pipeline.ts";

/** Jobs that may wait. */
const CAPACITY = 100;

/** Work of one job. Unit: ms. */
const WORK_MS = 500;

/** How precisely settlements are timed: there are eight a second at most. Unit: ms. */
const FINE_PERIOD_MS = 50;

/** Refusals that took so long did not come at once. Unit: ms. */
const AT_ONCE_MS = 250;

const USER_COUNT = 100;

/** What may be made smaller, for tests of this program. */
export interface QueueParameters {
  /** Requests of the load. */
  readonly requestCount: number;
  /** Time over which they are sent; 0 = all at once. Unit: ms. */
  readonly loadMs: number;
  /** Jobs that may wait. */
  readonly capacity: number;
  /** Work of one job. Unit: ms. */
  readonly workMs: number;
}

/** Flags of a server whose jobs take their time before a shard is locked. */
export function queueFlags(
  workerCount: number,
  { capacity, workMs }: Pick<QueueParameters, "capacity" | "workMs">,
): string[] {
  return [
    ...["--workers", String(workerCount)],
    ...["--channel-capacity", String(capacity)],
    ...["--work-ms", String(workMs)],
  ];
}

/** The fifth stage. */
export function boundedChannelStage(
  parameters: Omit<QueueParameters, "loadMs"> = {
    requestCount: 200,
    capacity: CAPACITY,
    workMs: WORK_MS,
  },
): Stage {
  const { requestCount, capacity, workMs } = parameters;
  const jobsPerSecond = 1000 / workMs;
  const stage: Stage = {
    number: 5,
    title: "a bounded channel and one worker",
    expectedSeconds: (capacity + 1) / jobsPerSecond + 1,
    run: async (context): Promise<StageReport> => {
      const startedAtMs = performance.now();
      const outcome = await runPipeline({
        name: "5",
        flags: queueFlags(1, parameters),
        // All at once: as many connections as requests, and no pace.
        load: {
          requestCount,
          connectionCount: requestCount,
          ratePerSecond: null,
          userCount: USER_COUNT,
        },
        finePeriodMs: FINE_PERIOD_MS,
        watchesShards: false,
      }, context);
      const { load, row } = outcome;
      return {
        stage: 5,
        title: stage.title,
        lesson: "Taking a job and doing it are two things. The channel takes what fits and says " +
          "no to the rest at once, so nobody waits for nothing; one worker does what it did before.",
        server: `channel of ${capacity}, 1 worker, ${workMs} ms`,
        load: `${requestCount} requests at once`,
        rows: [row],
        checks: [
          about({ what: "accepted", value: load.accepted }, capacity),
          {
            ...about({ what: "refused", value: load.refused }, requestCount - capacity),
            expected: "the rest",
            passed: load.refused === requestCount - load.accepted,
          },
          atOnce(outcome),
          about({ what: "jobs a second", value: row.jobsPerSecond ?? 0 }, jobsPerSecond),
          outcome.soundness,
        ],
        series: seriesOf([outcome]),
        durationMs: performance.now() - startedAtMs,
      };
    },
  };
  return stage;
}

function atOnce({ load }: PipelineOutcome): StageReport["checks"][number] {
  const check = between(
    { what: "the longest that a refusal took", value: load.refusedLatency.maxMs, unit: " ms" },
    0,
    AT_ONCE_MS,
  );
  return { ...check, expected: `at most ${AT_ONCE_MS} ms` };
}

/** The load of stages 6 and 10: it takes its time, so that one can stop in the middle of it. */
export function pacedLoad({ requestCount, loadMs }: QueueParameters): LoadShape {
  return {
    requestCount,
    connectionCount: 10,
    ratePerSecond: requestCount / (loadMs / 1000),
    userCount: USER_COUNT,
  };
}

/** Workers of stages 6 and 10. */
export const POOL_SIZE = 4;

/** What stages 6 and 10 are run with. */
export const POOL_PARAMETERS: QueueParameters = {
  requestCount: 100,
  loadMs: 2000,
  capacity: CAPACITY,
  workMs: WORK_MS,
};

/** The sixth stage. */
export function poolStage(parameters: QueueParameters = POOL_PARAMETERS): Stage {
  const { requestCount, loadMs, capacity, workMs } = parameters;
  const jobsPerSecond = POOL_SIZE * 1000 / workMs;
  const stage: Stage = {
    number: 6,
    title: "four workers",
    expectedSeconds: requestCount / jobsPerSecond + 1,
    run: async (context): Promise<StageReport> => {
      const startedAtMs = performance.now();
      const outcome = await runPipeline({
        name: "6",
        flags: queueFlags(POOL_SIZE, parameters),
        load: pacedLoad(parameters),
        finePeriodMs: FINE_PERIOD_MS,
        watchesShards: false,
      }, context);
      const { load, row } = outcome;
      return {
        stage: 6,
        title: stage.title,
        lesson: "Work that shares nothing is done four times as fast by four workers.",
        server: `${POOL_SIZE} workers, channel of ${capacity}, ${workMs} ms`,
        load: `${requestCount} requests in ${loadMs / 1000} s`,
        rows: [row],
        checks: [
          atLeast({ what: "accepted", value: load.accepted }, requestCount),
          about({ what: "jobs a second", value: row.jobsPerSecond ?? 0 }, jobsPerSecond),
          outcome.soundness,
        ],
        series: seriesOf([outcome]),
        durationMs: performance.now() - startedAtMs,
      };
    },
  };
  return stage;
}
