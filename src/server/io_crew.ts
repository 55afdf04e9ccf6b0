/**
 * Several I/O threads in Workers (`--io-threads` above 1).
 *
 * The main isolate serves nobody then: it hears signals, supervises and logs. Everything that clients
 * notice at once, such as readiness, is in shared memory; the steps of a start and a stop are calls
 * to each thread, whose results are summed.
 *
 * An I/O thread that ends unasked ends the server: it may have held shard locks, and nobody could
 * tell how far its changes had come. For the same reason nothing repairs a place in the channel that
 * it reserved and did not fill.
 *
 * @module
 */

import { getLogger } from "../base/log.ts";
import { type Lifelines, openLifelines } from "../worker/lifeline.ts";
import type { Config } from "./config.ts";
import type { IoCommand } from "./io_messages.ts";
import type { ClosedConnections, IoService } from "./io_service.ts";
import { IoWorker, type WorkerStarter } from "./io_worker.ts";
import { Listeners } from "./listeners.ts";
import type { ServerPorts } from "./server_view.ts";
import { sharedMemoryOf, type SharedParts } from "./shared_parts.ts";
import { StartError } from "./start_error.ts";
import type { StopBudget } from "./stop_deadline.ts";
import { ANSWER_TIMEOUT_MS, type Answers, within } from "./thread_questions.ts";
import type { TlsMaterial } from "./tls/material.ts";

/** How often a free port may be taken by others between its choice and its use. */
const FREE_PORT_ATTEMPTS = 5;

/** What an {@link IoCrew} is made from. */
export interface IoCrewParts {
  /** The settings. */
  readonly config: Config;
  /** The shared memory, as the main isolate sees it. */
  readonly shared: SharedParts;
  /** What TLS is spoken with; left out: it is not spoken. */
  readonly tls?: TlsMaterial | undefined;
  /** Tests only: starts threads that run something else than `io_worker_main.ts`. */
  readonly startWorker?: WorkerStarter | undefined;
}

/**
 * All I/O threads of a server that has more than one.
 *
 * Thread: main isolate.
 */
export class IoCrew implements IoService {
  /** See {@link IoService.failure}. */
  readonly failure: Promise<string>;
  /** See {@link IoService.stopWish}. */
  readonly stopWish: Promise<void>;

  readonly #config: Config;
  readonly #lifelines: Lifelines;
  readonly #workers: readonly IoWorker[];

  private constructor({ config, shared, startWorker }: IoCrewParts) {
    const { ioThreadCount, firstIoThreadId } = shared.threads;
    const failure = Promise.withResolvers<string>();
    this.failure = failure.promise;
    const stopWish = Promise.withResolvers<void>();
    this.stopWish = stopWish.promise;
    this.#config = config;
    this.#lifelines = openLifelines(`io-${crypto.randomUUID()}`);
    this.#workers = Array.from({ length: ioThreadCount }, (_, index) => {
      const worker: IoWorker = new IoWorker(firstIoThreadId + index, this.#lifelines, {
        onAsk: (topic, question) => this.#askOthers(worker, topic, question),
        onStopWish: () => stopWish.resolve(),
        onDeath: (threadId, error) => {
          const cause = error === "" ? "" : `: ${error}`;
          failure.resolve(`internal fault: I/O thread ${threadId} ended unasked${cause}`);
        },
      }, startWorker);
      return worker;
    });
  }

  /**
   * Starts the threads; nobody is served before {@link IoCrew.listen}.
   *
   * @throws {Error} when one of them cannot be started
   */
  static async open(parts: IoCrewParts): Promise<IoCrew> {
    const { config, shared, tls } = parts;
    const { firstIoThreadId } = shared.threads;
    const crew = new IoCrew(parts);
    const memory = sharedMemoryOf(shared);
    try {
      await Promise.all(crew.#workers.map((worker, index) =>
        worker.open({
          threadId: firstIoThreadId + index,
          lifeline: crew.#lifelines.issue(index, 0),
          config,
          memory,
          tls,
        })
      ));
    } catch (error) {
      await crew[Symbol.asyncDispose]();
      throw error;
    }
    return crew;
  }

  /** See {@link IoService.listen}. */
  async listen(): Promise<ServerPorts> {
    const [first, ...others] = this.#workers;
    const ports = await this.#listenFirst(first!);
    try {
      await Promise.all(others.map((worker) => worker.call({ kind: "listen", ports })));
    } catch (error) {
      if (!(error instanceof StartError)) throw error;
      throw new StartError(
        `Cannot serve with ${this.#workers.length} I/O threads: this platform does not let them ` +
          `share a port; start with --io-threads 1 (${error.message})`,
      );
    }
    return ports;
  }

  /** See {@link IoService.replaceTls}. */
  async replaceTls(material: TlsMaterial): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.call({ kind: "replaceTls", material })));
  }

  /** See {@link IoService.closeListeners}. */
  async closeListeners(budget: StopBudget): Promise<void> {
    await this.#callAll({ kind: "closeListeners" }, budget);
  }

  /** See {@link IoService.settleRequests}. */
  async settleRequests(budget: StopBudget): Promise<{ unfinished: number }> {
    const { remainingMs } = budget;
    const reports = await this.#callAll({ kind: "settleRequests", remainingMs }, budget) as {
      unfinished: number;
    }[];
    return { unfinished: sum(reports.map(({ unfinished }) => unfinished)) };
  }

  /** See {@link IoService.closeConnections}. */
  async closeConnections(budget: StopBudget): Promise<ClosedConnections> {
    const { remainingMs } = budget;
    const reports = await this.#callAll(
      { kind: "closeConnections", remainingMs },
      budget,
    ) as ClosedConnections[];
    return {
      open: sum(reports.map(({ open }) => open)),
      cut_off: sum(reports.map(({ cut_off }) => cut_off)),
    };
  }

  /** Ends the threads. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker[Symbol.asyncDispose]()));
    this.#lifelines.close();
  }

  /**
   * Finds the ports and has the first thread listen on them.
   *
   * The ports are bound here first, for this process alone: a socket that is to be shared would also
   * be shared with another server in this process, and a shared port 0 is not what it seems.
   */
  async #listenFirst(first: IoWorker): Promise<ServerPorts> {
    const picksPort = Object.entries(this.#config).some(([name, value]) =>
      name.endsWith("Port") && value === 0
    );
    for (let attempt = 1;; attempt++) {
      const probe = Listeners.bind(this.#config, getLogger("server"));
      const { ports } = probe;
      await probe[Symbol.asyncDispose]();
      try {
        return await first.call({ kind: "listen", ports }) as ServerPorts;
      } catch (error) {
        if (!(error instanceof StartError && picksPort) || attempt === FREE_PORT_ATTEMPTS) {
          throw error;
        }
      }
    }
  }

  /** Calls every thread; when the budget ends, what they do is to end too. */
  async #callAll(command: IoCommand, budget: StopBudget): Promise<unknown[]> {
    const hurry = (): void => {
      for (const worker of this.#workers) worker.hurry();
    };
    budget.signal.addEventListener("abort", hurry);
    try {
      const calls = this.#workers.map((worker) => worker.call(command));
      if (budget.ended) hurry();
      return await Promise.all(calls);
    } finally {
      budget.signal.removeEventListener("abort", hurry);
    }
  }

  /** Asks every I/O thread; see {@link ThreadQuestions.ask}. */
  ask(topic: string, question: unknown): Promise<Answers> {
    return this.#askOthers(undefined, topic, question);
  }

  async #askOthers(
    asker: IoWorker | undefined,
    topic: string,
    question: unknown,
  ): Promise<Answers> {
    const others = this.#workers.filter((worker) => worker !== asker);
    return await within(
      ANSWER_TIMEOUT_MS,
      others.map((worker) => worker.call({ kind: "answer", topic, question })),
    );
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
