/**
 * A server that runs, as its owner holds it.
 *
 * @module
 */

import { getLogger } from "../base/log.ts";
import { CounterIndex } from "../metrics/names.ts";
import type { MetricsJson } from "../metrics/json.ts";
import type { EventCounters } from "../metrics/region.ts";
import type { ServerPorts, ServerView } from "./server_view.ts";
import type { SharedParts } from "./shared_parts.ts";
import type { StopSteps } from "./stop_steps.ts";
import type { TlsReloads } from "./tls/reloads.ts";

/**
 * How a stop ended.
 *
 * Shape: `{ received: 10, processed: 9, dropped: 1, failed: 0, pending: 0, lost: 0 }`.
 */
export interface StopReport extends EventCounters {
  /** Accepted events that nobody will settle any more; those in a data directory will be. */
  readonly lost: number;
  /** Whether confirmed changes are missing in the data directory. */
  readonly isLogIncomplete: boolean;
}

/** What a {@link RunningServer} is made of. */
export interface RunningServerParts {
  /** Everything that has to be stopped. */
  readonly stack: AsyncDisposableStack;
  /** How it is stopped. */
  readonly steps: StopSteps;
  /** The shared memory. */
  readonly shared: SharedParts;
  /** The server in numbers. */
  readonly view: ServerView;
  /** The data directory; undefined = there is none. */
  readonly directory: { readonly isComplete: boolean } | undefined;
  /** See {@link RunningServer.stopWish}. */
  readonly stopWish: Promise<void>;
  /** See {@link RunningServer.fault}. */
  readonly fault: Promise<string>;
  /** Reads the certificate again; undefined = TLS is not spoken. */
  readonly tls: TlsReloads | undefined;
}

/**
 * A running server.
 *
 * Thread: main isolate.
 *
 * @example
 * ```ts
 * import { defaultConfig } from "./config.ts";
 * import { startServer } from "./start.ts";
 *
 * await using server = await startServer({
 *   ...defaultConfig(),
 *   httpPort: 0,
 *   respPort: 0,
 *   protoPort: "off",
 * });
 * const reply = await fetch(`http://127.0.0.1:${server.ports.http}/ready`);
 * if (await reply.text() !== `{"status":"ready"}`) throw new Error("Cannot serve: not ready");
 * ```
 */
export class RunningServer implements AsyncDisposable {
  /** Where it listens. */
  readonly ports: ServerPorts;
  /**
   * Resolves with a text for people when the store is torn, or when an I/O thread has ended unasked
   * and may have left it so. The server must then be ended at once: everything in memory is in
   * doubt, and commands that meet the torn shard fail.
   */
  readonly fault: Promise<string>;
  /** Resolves when a client asked for a stop (`SHUTDOWN`); the owner decides what comes of it. */
  readonly stopWish: Promise<void>;

  readonly #parts: RunningServerParts;
  #stopped: Promise<StopReport> | undefined;

  /** Made by `startServer`. */
  constructor(parts: RunningServerParts) {
    this.#parts = parts;
    this.ports = parts.view.ports;
    this.fault = parts.fault;
    this.stopWish = parts.stopWish;
  }

  /** The server in numbers, as `GET /metrics` shows it with `Accept: application/json`. */
  stats(): MetricsJson {
    return this.#parts.view.json();
  }

  /** Counts an error of this program that it survived. */
  countInternalError(): void {
    const { metrics, threadId } = this.#parts.shared;
    metrics.counters(threadId).add(CounterIndex.INTERNAL_ERRORS);
  }

  /**
   * Stops in order, within the deadline. Never rejects; later calls get the same report.
   */
  stop(): Promise<StopReport> {
    return this.#stopped ??= this.#stop();
  }

  /**
   * Reads again whatever may change while the server runs: the TLS certificate and its key. Never
   * rejects; the log says what came of it.
   *
   * @returns whether there is anything to read again
   */
  reload(): boolean {
    const { tls } = this.#parts;
    if (tls === undefined || this.#stopped !== undefined) return false;
    void tls.reload();
    return true;
  }

  /** Makes a stop that is under way, or one that begins later, give up on everything. */
  hurry(): void {
    this.#parts.steps.deadline.hurry();
  }

  /** Stops. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #stop(): Promise<StopReport> {
    const { directory, stack, steps, shared, tls } = this.#parts;
    tls?.[Symbol.dispose]();
    await stack.disposeAsync();
    const events = shared.metrics.readEventCounters();
    const lost = directory?.isComplete === true ? 0 : events.pending;
    const isLogIncomplete = directory?.isComplete === false;
    const { hurried, ended } = steps.deadline;
    const log = getLogger("server");
    const line = {
      event: "stopped",
      ...events,
      lost,
      ...(isLogIncomplete ? { log_incomplete: true } : {}),
      ...(hurried ? { hurried } : ended ? { deadline_passed: true } : {}),
    };
    if (lost > 0 || isLogIncomplete) log.error("stopped with something lost", line);
    else log.info("stopped", line);
    return { ...events, lost, isLogIncomplete };
  }
}
