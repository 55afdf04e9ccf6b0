/**
 * Stage 10: a stop in the middle of stage 6's load.
 *
 * @module
 */

import { type LogLine, ServerChild, type ServerEnd } from "../child/server_child.ts";
import type { LoadResult } from "../load/plan.ts";
import { runLoad } from "../load/run_load.ts";
import { numberText } from "../terminal/number_text.ts";
import type { StageCheck, StageReport, TimedEvent } from "../model.ts";
import type { Stage, StageContext } from "../stage.ts";
import { atLeast, exactly, row } from "./findings.ts";
import { pause } from "./patience.ts";
import { loadColumns, planOf } from "./pipeline.ts";
import {
  pacedLoad,
  POOL_PARAMETERS,
  POOL_SIZE,
  queueFlags,
  type QueueParameters,
} from "./queues.ts";
import { ServerWatch } from "./server_watch.ts";

/** The order in which a server starts its parts; it stops them the other way round. */
const START_ORDER = ["connections", "workers", "requests", "listeners", "readiness"] as const;

/** Of the load's time, this much is over when the signal is sent. */
const MIDDLE = 0.5;

/** Time for the stop: it has some six seconds of work to do. */
const STOP_DEADLINE = "1m";

/** How long clients still try, after the signal. Unit: ms. */
const AFTERMATH_MS = 1000;

/** The tenth stage. */
export function gracefulStopStage(parameters: QueueParameters = POOL_PARAMETERS): Stage {
  const { requestCount, loadMs, capacity, workMs } = parameters;
  const stage: Stage = {
    number: 10,
    title: "SIGTERM in the middle of it",
    expectedSeconds: requestCount * MIDDLE * workMs / 1000 / POOL_SIZE + 2,
    run: async (context): Promise<StageReport> => {
      const startedAtMs = performance.now();
      const { load, pendingAtSignal, end } = await stopInTheMiddle(parameters, context);
      const last = end.lines.at(-1) ?? {};
      const steps = end.lines.filter((line) => line["event"] === "stop_step");
      const requested = end.lines.find((line) => line["event"] === "stop_requested");
      const stopMs = timeOf(last) - timeOf(requested ?? last);
      return {
        stage: 10,
        title: stage.title,
        lesson: "A stop takes the parts down in the reverse of the order in which they started: " +
          "first no news comes in, then what was accepted is done, then the lights go out.",
        server: `${POOL_SIZE} workers, channel of ${capacity}, ${workMs} ms`,
        load: `${requestCount} requests in ${loadMs / 1000} s, SIGTERM after half of them`,
        rows: [row("10", {
          ...loadColumns(load),
          figures: [
            { name: "processed", value: countOf(last, "processed"), unit: "" },
            { name: "waiting or in work at the signal", value: pendingAtSignal, unit: "" },
            { name: "the stop took", value: stopMs, unit: "ms" },
          ],
        })],
        checks: [
          exactly(
            "processed, by the server's last word",
            `${countOf(last, "processed")}`,
            `${load.accepted}`,
          ),
          exactly(
            "failed, pending, lost, exit code",
            `${
              ["failed", "pending", "lost"].map((name) => countOf(last, name)).join(", ")
            }, ${end.code}`,
            "0, 0, 0, 0",
          ),
          atLeast({ what: "waiting or in work at the signal", value: pendingAtSignal }, 1),
          exactly(
            "steps of the stop",
            steps.map((line) => line["step"]).join(", "),
            START_ORDER.toReversed().join(", "),
          ),
          doneInTime(steps),
        ],
        series: {
          load: [{ name: "10", points: load.samples }],
          events: eventsOf(requested ?? last, steps, last),
        },
        durationMs: performance.now() - startedAtMs,
      };
    },
  };
  return stage;
}

/** What was seen of the stop. */
interface Stop {
  readonly load: LoadResult;
  /** Jobs accepted and not settled, just before the signal. */
  readonly pendingAtSignal: number;
  readonly end: ServerEnd;
}

async function stopInTheMiddle(
  parameters: QueueParameters,
  { program, signal, tell }: StageContext,
): Promise<Stop> {
  const flags = [...queueFlags(POOL_SIZE, parameters), "--shutdown-timeout", STOP_DEADLINE];
  await using server = await ServerChild.start(program, flags, signal);
  const shape = pacedLoad(parameters);
  const port = server.port("http");
  using watch = await ServerWatch.open(port, { finePeriodMs: 100, watchesShards: false });
  const loadOver = new AbortController();
  const loading = runLoad({
    ...planOf(shape, port, signal),
    signal: AbortSignal.any([signal, loadOver.signal]),
  });
  loading.catch(() => {});
  tell("clients send");
  await pause(parameters.loadMs * MIDDLE, signal);
  await watch.run(() => true, signal);
  const pendingAtSignal = watch.pending;
  server.askToStop();
  tell(`stopping, with ${numberText(pendingAtSignal)} jobs to do`);
  // Most of them find nobody any more; they would try to connect for much longer.
  await pause(AFTERMATH_MS, signal);
  loadOver.abort();
  const load = await loading;
  signal.throwIfAborted();
  return { load, pendingAtSignal, end: await server.waitForEnd(signal) };
}

function countOf(line: LogLine, name: string): number {
  return Number(line[name] ?? NaN);
}

/** When a line was logged. Unit: ms. */
function timeOf(line: LogLine): number {
  return Date.parse(String(line["time"]));
}

/** That no step was given up. */
function doneInTime(steps: readonly LogLine[]): StageCheck {
  const givenUp = steps.filter((line) => line["gave_up"] === true);
  return {
    what: "times of the steps",
    expected: "each done, none given up",
    seen: steps.map((line) => `${line["step"]} ${line["ms"]} ms`).join(", "),
    passed: steps.length > 0 && givenUp.length === 0,
  };
}

function eventsOf(
  requested: LogLine,
  steps: readonly LogLine[],
  last: LogLine,
): TimedEvent[] {
  const at = (line: LogLine): number => timeOf(line) - timeOf(requested);
  return [
    { atMs: 0, what: "stop requested" },
    ...steps.map((line) => ({ atMs: at(line), what: `${line["step"]} (${line["ms"]} ms)` })),
    { atMs: at(last), what: "stopped" },
  ];
}
