/**
 * Stages 1 and 2: one real request among clients that connect and say nothing.
 *
 * @module
 */

import { Wire } from "../child/wire.ts";
import { numberText } from "../terminal/number_text.ts";
import type { StageCheck, StageReport, StageRow } from "../model.ts";
import { SmallServer, type SmallServerKind } from "../servers/small_server.ts";
import type { Stage, StageContext } from "../stage.ts";
import { row, summarize } from "./findings.ts";
import { LATE, within } from "./patience.ts";

const SILENT_COUNT = 20;

/** How long a client waits before it calls a server hung. Unit: ms. */
const PATIENCE_MS = 2000;

/** What is "in milliseconds". Unit: ms. */
const QUICK_MS = 100;

const BODY = "a real request";
const LOAD = `${SILENT_COUNT} silent clients, then one real request`;

/** What the real client saw. */
interface Observation {
  /** How long its answer took while the others were there; null = there was none. Unit: ms. */
  readonly answeredMs: number | null;
  /** The same from when the others had gone. Unit: ms. */
  readonly answeredAfterLeavingMs: number | null;
}

/** Stage 1: the server accepts and finishes one connection at a time. */
export const oneAtATimeStage: Stage = {
  number: 1,
  title: "one connection at a time",
  expectedSeconds: 3,
  run: async (context) => {
    const startedAtMs = performance.now();
    const seen = await observe("one at a time", context);
    return {
      stage: 1,
      title: oneAtATimeStage.title,
      lesson: "A server that finishes one connection before it listens to the next belongs to " +
        "whoever connects first: a client that says nothing stops it for everybody.",
      server: "accepts and finishes one connection at a time",
      load: LOAD,
      rows: [rowOf("1", seen)],
      checks: [
        {
          what: "answer to the real request while the silent clients stay",
          expected: `none within ${numberText(PATIENCE_MS)} ms`,
          seen: seen.answeredMs === null
            ? `none within ${numberText(PATIENCE_MS)} ms`
            : answerText(seen.answeredMs),
          passed: seen.answeredMs === null,
        },
        {
          what: "answer once they have left",
          expected: `within ${QUICK_MS} ms`,
          seen: answerText(seen.answeredAfterLeavingMs),
          passed: isQuick(seen.answeredAfterLeavingMs),
        },
      ],
      series: {},
      durationMs: performance.now() - startedAtMs,
    };
  },
};

/** Stage 2: the server has a task for each connection. */
export const taskEachStage: Stage = {
  number: 2,
  title: "a task for each connection",
  expectedSeconds: 1,
  run: async (context): Promise<StageReport> => {
    const startedAtMs = performance.now();
    const seen = await observe("task each", context);
    const check: StageCheck = {
      what: "answer to the real request while the silent clients stay",
      expected: `within ${QUICK_MS} ms`,
      seen: answerText(seen.answeredMs),
      passed: isQuick(seen.answeredMs),
    };
    return {
      stage: 2,
      title: taskEachStage.title,
      lesson: "With a task of its own for each connection the silent ones cost a little memory, " +
        "and nobody any time.",
      server: "async tasks per connection, echoes the body",
      load: LOAD,
      rows: [rowOf("2", seen)],
      checks: [check],
      series: {},
      durationMs: performance.now() - startedAtMs,
    };
  },
};

async function observe(
  kind: SmallServerKind,
  { signal, show }: StageContext,
): Promise<Observation> {
  using server = await SmallServer.start(kind, signal);
  using silent = new DisposableStack();
  for (let i = 0; i < SILENT_COUNT; i++) silent.use(await Wire.connect(server.port));
  using wire = await Wire.connect(server.port);
  show(0.1, "20 silent clients are there, one asks");
  const askedAtMs = performance.now();
  const asking = ask(wire);
  if (await within(asking, PATIENCE_MS, signal) !== LATE) {
    return { answeredMs: performance.now() - askedAtMs, answeredAfterLeavingMs: null };
  }
  show(0.9, "the silent clients leave");
  silent.dispose();
  const leftAtMs = performance.now();
  const isLate = await within(asking, PATIENCE_MS, signal) === LATE;
  return {
    answeredMs: null,
    answeredAfterLeavingMs: isLate ? null : performance.now() - leftAtMs,
  };
}

async function ask(wire: Wire): Promise<void> {
  const { status, body } = await wire.request("POST", "/", BODY);
  if (status !== 200 || body !== BODY) {
    throw new Error(`Cannot go on with the stage: the server answered ${status} ${body}`);
  }
}

function rowOf(name: string, { answeredMs, answeredAfterLeavingMs }: Observation): StageRow {
  const answered = answeredMs !== null;
  const figures = answeredAfterLeavingMs === null ? [] : [{
    name: "answer once the silent clients had left",
    value: answeredAfterLeavingMs,
    unit: "ms",
  }];
  return row(name, {
    accepted: answered ? 1 : 0,
    refused: 0,
    errors: answered ? 0 : 1,
    latency: answered ? summarize([answeredMs]) : null,
    figures,
  });
}

function isQuick(answeredMs: number | null): boolean {
  return answeredMs !== null && answeredMs <= QUICK_MS;
}

function answerText(answeredMs: number | null): string {
  return answeredMs === null ? "none" : `after ${numberText(answeredMs)} ms`;
}
