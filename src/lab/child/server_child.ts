/**
 * A real server, as a child process of the lab.
 *
 * @module
 */

import type { LoadProtocol } from "../load/plan.ts";
import type { ServerProgram } from "./program.ts";

/** One line of a server's log. */
export type LogLine = Readonly<Record<string, unknown>>;

/** How a server ended. */
export interface ServerEnd {
  /** Exit code. */
  readonly code: number;
  /** Its whole log. */
  readonly lines: readonly LogLine[];
}

/**
 * Free ports, a log that programs can read, and a life no longer than ours: when the lab is killed,
 * whatever is still to be done is given up soon.
 */
const OWN_FLAGS = [
  ...["http", "resp", "proto"].flatMap((protocol) => [`--${protocol}-port`, "0"]),
  "--log-format",
  "json",
  "--stop-on-eof",
  "--shutdown-timeout",
  "5s",
];

/** How long a server may take to start. Unit: ms. */
const START_PATIENCE_MS = 30_000;

/** How long one may take to end that was asked to: its own deadlines are over by then. Unit: ms. */
const STOP_PATIENCE_MS = 90_000;

/** How long a server that nobody needs any more may take for each way of ending. Unit: ms. */
const END_PATIENCE_MS = 400;

/** Lines of the log that are shown when a server fails. */
const SHOWN_LINES = 5;

/**
 * A server with free ports and a JSON log.
 *
 * It ends with the lab, however the lab ends: by a signal, and by the end of its standard input
 * when the lab is killed.
 *
 * Thread: the main isolate.
 */
export class ServerChild implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #reading: Promise<void>;
  readonly #lines: LogLine[] = [];
  readonly #otherLines: string[] = [];
  #news = Promise.withResolvers<void>();
  #over = false;

  private constructor(process: Deno.ChildProcess) {
    this.#process = process;
    this.#reading = this.#read();
  }

  /**
   * Starts a server and waits until it is ready.
   *
   * @param flags of `sluice serve`; they beat those that every server of the lab has
   * @param signal ends the wait, and the server
   * @throws the signal's reason; an `Error` with the end of the log when the server does not start
   */
  static async start(
    program: ServerProgram,
    flags: readonly string[],
    signal: AbortSignal,
  ): Promise<ServerChild> {
    signal.throwIfAborted();
    const process = new Deno.Command(program.path, {
      args: [...program.args, "serve", ...OWN_FLAGS, ...flags],
      env: { ...program.env },
      stdin: "piped",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const child = new ServerChild(process);
    try {
      await child.waitForLine("ready", START_PATIENCE_MS, signal);
      return child;
    } catch (error) {
      await child[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Its log so far. */
  get lines(): readonly LogLine[] {
    return this.#lines;
  }

  /** The port that it said it listens on. */
  port(protocol: LoadProtocol): number {
    const line = this.#lines.find((line) =>
      line["event"] === "listening" && line["protocol"] === protocol
    );
    const port = line?.["port"];
    if (typeof port !== "number") throw this.#failure(`it listens on no port for ${protocol}`);
    return port;
  }

  /**
   * Waits for a line of the log.
   *
   * @throws the signal's reason; an `Error` when the server ends or the time is over before
   */
  async waitForLine(event: string, patienceMs: number, signal: AbortSignal): Promise<LogLine> {
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]);
    for (;;) {
      const line = this.#lines.find((line) => line["event"] === event);
      if (line !== undefined) return line;
      if (this.#over) throw this.#failure("it ended by itself");
      const { promise: aborted, resolve } = Promise.withResolvers<void>();
      const onAbort = (): void => resolve();
      deadline.addEventListener("abort", onAbort, { once: true });
      await Promise.race([this.#news.promise, aborted]);
      deadline.removeEventListener("abort", onAbort);
      signal.throwIfAborted();
      if (deadline.aborted) throw this.#failure(`no line "${event}" in ${patienceMs} ms`);
    }
  }

  /** Asks it to stop in order. Does not wait; see {@link ServerChild.waitForEnd}. */
  askToStop(): void {
    try {
      // Elsewhere a signal; there is none that another process could send on Windows.
      if (Deno.build.os === "windows") void this.#process.stdin.close().catch(() => {});
      else this.#process.kill("SIGTERM");
    } catch {
      // It has ended.
    }
  }

  /**
   * Waits until it has ended and all of its log is there.
   *
   * @throws the signal's reason; an `Error` when it does not end
   */
  async waitForEnd(signal: AbortSignal): Promise<ServerEnd> {
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    const timer = setTimeout(
      () => reject(this.#failure(`it did not end within ${STOP_PATIENCE_MS} ms`)),
      STOP_PATIENCE_MS,
    );
    try {
      signal.throwIfAborted();
      const { code } = await Promise.race([this.#process.status, aborted]);
      await this.#reading;
      return { code, lines: this.#lines };
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** Stops it in order and waits for its end. */
  async stop(signal: AbortSignal): Promise<ServerEnd> {
    this.askToStop();
    return await this.waitForEnd(signal);
  }

  /** Ends it, whatever it has not done yet. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const signal of ["SIGTERM", "SIGTERM", "SIGKILL"] as const) {
      try {
        this.#process.kill(signal);
      } catch {
        break;
      }
      if (await this.#endsWithin(END_PATIENCE_MS)) break;
    }
    await this.#process.status;
    await this.#process.stdin.close().catch(() => {});
    await this.#reading;
  }

  async #endsWithin(timeMs: number): Promise<boolean> {
    const timeUp = Promise.withResolvers<false>();
    const timer = setTimeout(() => timeUp.resolve(false), timeMs);
    const ended = this.#process.status.then(() => true);
    const result = await Promise.race([ended, timeUp.promise]);
    clearTimeout(timer);
    return result;
  }

  async #read(): Promise<void> {
    let rest = "";
    try {
      for await (const text of this.#process.stderr.pipeThrough(new TextDecoderStream())) {
        const parts = (rest + text).split("\n");
        rest = parts.pop()!;
        for (const part of parts) this.#take(part);
        this.#news.resolve();
        this.#news = Promise.withResolvers();
      }
    } finally {
      // Who dies in the middle of a line leaves it without an end.
      this.#take(rest);
      this.#over = true;
      this.#news.resolve();
    }
  }

  #take(text: string): void {
    try {
      this.#lines.push(JSON.parse(text));
    } catch {
      this.#otherLines.push(text);
    }
  }

  #failure(reason: string): Error {
    const said = [...this.#lines.map(wordsOf), ...this.#otherLines]
      .filter((line) => line !== "").slice(-SHOWN_LINES);
    const tail = said.length === 0 ? "" : `; its last words:\n${said.join("\n")}`;
    return new Error(`Cannot go on with the lab's server: ${reason}${tail}`);
  }
}

/** A line of the log as a person would read it. */
function wordsOf(line: LogLine): string {
  return `  ${line["level"]}: ${line["message"]}`;
}
