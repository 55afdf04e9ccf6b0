/**
 * What stages 5 to 8 have in common: the real server, a load of events, and a watch over both.
 *
 * @module
 */

import { ServerChild } from "../child/server_child.ts";
import type { LoadPlan, LoadResult } from "../load/plan.ts";
import { runLoad } from "../load/run_load.ts";
import type {
  NamedSeries,
  ServerSample,
  ShardSample,
  StageCheck,
  StageRow,
  StageSeries,
  WorkerSample,
} from "../model.ts";
import { numberText } from "../terminal/number_text.ts";
import type { StageContext } from "../stage.ts";
import { exactly, row } from "./findings.ts";
import { ServerWatch, settledPerSecond } from "./server_watch.ts";

/** The part of a plan that a stage decides. */
export type LoadShape = Pick<
  LoadPlan,
  "requestCount" | "connectionCount" | "ratePerSecond" | "userCount"
>;

/** One server and its load. */
export interface PipelinePlan {
  /** Name of the row. */
  readonly name: string;
  /** Flags of the server. */
  readonly flags: readonly string[];
  /** What clients do. */
  readonly load: LoadShape;
  /** How precisely the first and the last settlement are timed. Unit: ms. */
  readonly finePeriodMs: number;
  /** Whether contention is looked at shard by shard. */
  readonly watchesShards: boolean;
}

/** What came of it. */
export interface PipelineOutcome {
  /** The row of the table. */
  readonly row: StageRow;
  /** What clients saw. */
  readonly load: LoadResult;
  /** The server over time. */
  readonly samples: readonly ServerSample[];
  /** By worker. */
  readonly workers: readonly WorkerSample[];
  /** By shard over time; empty when that was not looked at. */
  readonly shards: readonly ShardSample[];
  /** That nothing went wrong, whatever the stage is there to show. */
  readonly soundness: StageCheck;
}

/** Servers of the lab answer far sooner: one that does not has failed. Unit: ms. */
const ANSWER_MAX_MS = 30_000;

/** What is the same in all loads of the lab. */
export function planOf(
  shape: LoadShape,
  port: number,
  signal: AbortSignal,
): LoadPlan {
  return {
    protocol: "http",
    hostname: "127.0.0.1",
    port,
    distribution: "uniform",
    seed: 1,
    timeoutMs: ANSWER_MAX_MS,
    ...shape,
    signal,
  };
}

/** Runs a server under a load until all that it accepted is settled. */
export async function runPipeline(
  { name, flags, load: shape, finePeriodMs, watchesShards }: PipelinePlan,
  { program, signal, tell }: StageContext,
): Promise<PipelineOutcome> {
  await using server = await ServerChild.start(program, [...flags, "--lock-timing"], signal);
  const port = server.port("http");
  using watch = await ServerWatch.open(port, { finePeriodMs, watchesShards });
  // The stage's number is in front of it already.
  const about = /^\d+$/.test(name) ? "" : `${name}: `;
  let accepted = Infinity;
  const watching = watch.run((settled) => {
    const account = accepted === Infinity ? "" : ` of ${numberText(accepted)}`;
    tell(`${about}${numberText(settled)}${account} jobs done`);
    return settled >= accepted;
  }, signal);
  watching.catch(() => {});
  let zeroMs = NaN;
  const load = await runLoad({
    ...planOf(shape, port, signal),
    onSample: ({ atMs }) => {
      if (Number.isNaN(zeroMs)) zeroMs = performance.now() - atMs;
    },
  });
  signal.throwIfAborted();
  if (Number.isNaN(zeroMs)) zeroMs = performance.now() - load.durationMs;
  accepted = load.accepted;
  watch.isQuiet = true;
  await watching;
  const { workers, ...locks } = await watch.readLocks(signal);
  watch[Symbol.dispose]();
  const { code, lines } = await server.stop(signal);
  const last = lines.at(-1);
  const samples = watch.samples(zeroMs);
  return {
    row: row(name, {
      ...loadColumns(load),
      ...locks,
      jobsPerSecond: settledPerSecond(samples),
    }),
    load,
    samples,
    workers,
    shards: watchesShards ? watch.shardSamples(zeroMs) : [],
    soundness: exactly(
      `${name}: other answers, lost events, exit code`,
      `${load.errors}${errorTexts(load)}, ${load.accepted - Number(last?.["processed"])}, ${code}`,
      "0, 0, 0",
    ),
  };
}

/** What the clients measured. */
export function loadColumns(load: LoadResult): Partial<StageRow> {
  return {
    accepted: load.accepted,
    refused: load.refused,
    errors: load.errors,
    answersPerSecond: load.answersPerSecond,
    latency: load.latency,
    figures: [
      {
        name: "p99 without the correction for coordinated omission",
        unit: "ms",
        value: load.serviceTime.p99Ms,
      },
      { name: "own lag of the clients, p99", unit: "ms", value: load.ownLag.p99Ms },
    ],
  };
}

function errorTexts({ errorTexts: texts }: LoadResult): string {
  const words = Object.entries(texts).map(([text, count]) => `${count} × ${text}`);
  return words.length === 0 ? "" : ` (${words.join("; ")})`;
}

/** Series of several runs, each under the name of its row. */
export function seriesOf(outcomes: readonly PipelineOutcome[]): StageSeries {
  const named = <Point>(
    points: (outcome: PipelineOutcome) => readonly Point[],
  ): NamedSeries<Point>[] =>
    outcomes.map((outcome) => ({ name: outcome.row.name, points: points(outcome) }))
      .filter((series) => series.points.length > 0);
  const shards = named((outcome) => outcome.shards);
  return {
    load: named((outcome) => outcome.load.samples),
    server: named((outcome) => outcome.samples),
    workers: named((outcome) => outcome.workers),
    ...(shards.length === 0 ? {} : { shards }),
  };
}
