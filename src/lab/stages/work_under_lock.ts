/**
 * Stage 4: half a second of work inside each request, all of it under one lock.
 *
 * @module
 */

import { Wire } from "../child/wire.ts";
import type { StageReport } from "../model.ts";
import { SmallServer } from "../servers/small_server.ts";
import type { Stage, StageContext } from "../stage.ts";
import { about, row, summarize } from "./findings.ts";

const CLIENT_COUNT = 10;

/** Requests of all clients together: enough for each client to wait its full turn. */
const REQUEST_COUNT = 20;

/** The same for the one client that is alone. */
const REQUEST_COUNT_ALONE = 5;

/** Work of one request. Unit: ms. */
const WORK_MS = 500;

/** The fourth stage. */
export const workUnderLockStage: Stage = {
  number: 4,
  title: "work inside the request, under one lock",
  expectedSeconds: (REQUEST_COUNT + REQUEST_COUNT_ALONE) * WORK_MS / 1000 + 1,
  run: async (context): Promise<StageReport> => {
    const startedAtMs = performance.now();
    using server = await SmallServer.start("work under one lock", context.signal);
    const total = REQUEST_COUNT + REQUEST_COUNT_ALONE;
    let done = 0;
    const onAnswer = (): void => context.show(++done / total, `${done} of ${total} requests`);
    const alone = await closedLoop(server.port, 1, REQUEST_COUNT_ALONE, context, onAnswer);
    const many = await closedLoop(server.port, CLIENT_COUNT, REQUEST_COUNT, context, onAnswer);
    return {
      stage: 4,
      title: workUnderLockStage.title,
      lesson: "Work done under a lock is done by one at a time. More clients only wait longer: " +
        "the server gets no more done, and nothing tells them so.",
      server: "500 ms of work inside the request under one lock",
      load: "10 clients, 20 requests; before it 1 client, 5 requests",
      rows: [
        row("4", measured(many)),
        row("4, 1 client", measured(alone)),
      ],
      checks: [
        about({ what: "answers a second, 10 clients", value: rate(many) }, 1000 / WORK_MS),
        about({ what: "answers a second, 1 client", value: rate(alone) }, 1000 / WORK_MS),
      ],
      series: {},
      durationMs: performance.now() - startedAtMs,
    };
  },
};

/** What clients saw. */
interface Outcome {
  /** How long each answer took. Unit: ms. */
  readonly latenciesMs: readonly number[];
  /** From the first question to the last answer. Unit: ms. */
  readonly durationMs: number;
}

/** Each client asks again as soon as it was answered, until all requests are sent. */
async function closedLoop(
  port: number,
  clientCount: number,
  requestCount: number,
  { signal }: StageContext,
  onAnswer: () => void,
): Promise<Outcome> {
  using wires = new DisposableStack();
  const clients: Wire[] = [];
  for (let i = 0; i < clientCount; i++) clients.push(wires.use(await Wire.connect(port)));
  const latenciesMs: number[] = [];
  let sent = 0;
  const startedAtMs = performance.now();
  // Closing the connections ends what waits for answers.
  const onAbort = (): void => wires.dispose();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await Promise.all(clients.map(async (wire) => {
      while (sent++ < requestCount) {
        const askedAtMs = performance.now();
        const { status } = await wire.request("POST", "/", "work");
        if (status !== 200) {
          throw new Error(`Cannot go on with the stage: the server answered ${status}`);
        }
        latenciesMs.push(performance.now() - askedAtMs);
        onAnswer();
      }
    }));
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
  return { latenciesMs, durationMs: performance.now() - startedAtMs };
}

function rate({ latenciesMs, durationMs }: Outcome): number {
  return latenciesMs.length / (durationMs / 1000);
}

function measured(outcome: Outcome): Partial<ReturnType<typeof row>> {
  return {
    accepted: outcome.latenciesMs.length,
    refused: 0,
    errors: 0,
    answersPerSecond: rate(outcome),
    latency: summarize(outcome.latenciesMs),
    jobsPerSecond: rate(outcome),
  };
}
