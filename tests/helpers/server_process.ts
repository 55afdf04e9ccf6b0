/**
 * The server as a child process, as its users run it.
 *
 * @module
 */

import assert from "node:assert/strict";
import { dirname } from "node:path";
import { V8_FLAGS } from "../../src/base/v8_flags.ts";
import { isFull } from "./effort.ts";

const REPOSITORY = new URL("../../", import.meta.url);

/** What the server is allowed to do, the same as in the task `start`. */
const PERMISSIONS = [
  "--no-prompt",
  "--allow-net",
  "--allow-read=.",
  "--allow-env=SLUICE_*,NO_COLOR",
];

/**
 * Numbers of I/O threads that tests of whole servers are run with: one and several, unless the
 * environment asks for one of them, which every server then has that is not told otherwise.
 */
export const IO_THREAD_COUNTS: readonly number[] = ioThreadCounts();

function ioThreadCounts(): number[] {
  const asked = Deno.env.get("SLUICE_IO_THREADS");
  return asked === undefined ? [1, 2] : [Number(asked)];
}

/** What is tested, in one of the forms that `Deno.test` has. */
type TestRest = [() => Promise<void>] | [{ readonly ignore: boolean }, () => Promise<void>];

/**
 * For a loop over {@link IO_THREAD_COUNTS}: registers each test with one of the numbers, the first of
 * the file with the first, the second with the second and so on, so that every file has tests with both. With
 * `deno task test:full` each test is run with all of them.
 *
 * Not for a test about what threads share, or one that is alone in its file: those call `Deno.test`.
 */
export function testsInTurn(ioThreads: number): (name: string, ...rest: TestRest) => void {
  let number = 0;
  return (name, ...rest) => {
    const own = IO_THREAD_COUNTS[number++ % IO_THREAD_COUNTS.length];
    if (!isFull() && own !== ioThreads) return;
    if (rest.length === 1) Deno.test(name, ...rest);
    else Deno.test(name, ...rest);
  };
}

/**
 * What starts the server, from the repository's root: its modules one by one, or joined as in the
 * executable, which start in half the time.
 */
export const PROGRAM: string = Deno.env.get("SLUICE_TEST_PROGRAM") ?? "main.ts";

/** What starts `faulty_server.ts`, joined where {@link PROGRAM} is. */
export const FAULTY_PROGRAM: string = PROGRAM === "main.ts"
  ? "tests/helpers/faulty_server.ts"
  : `${dirname(PROGRAM)}/tests/helpers/faulty_server.js`;

/** How long a server may take to start, and to end after its stop. Unit: ms. */
const PATIENCE_MS = 60_000;

/** One line of the server's log. */
export type LogLine = Readonly<Record<string, unknown>>;

/** How a server ended. */
export interface ServerEnd {
  /** Exit code. */
  readonly code: number;
  /** All lines of its log. */
  readonly lines: readonly LogLine[];
}

/** How to start a server. */
export interface ServerProcessOptions {
  /** Started instead of the server; a path from the repository's root. */
  readonly script?: string;
  /** Started instead of `deno run …`: arguments of `deno`, to which the server's are appended. */
  readonly denoArgs?: readonly string[];
  /** Started instead of Deno: an executable, without the environment and in the folder of it. */
  readonly program?: string;
  /** Added to its environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Most file descriptors that it may have; not on Windows. */
  readonly descriptorLimit?: number;
  /** Makes it the leader of a process group of its own. */
  readonly ownGroup?: boolean;
  /** Lets {@link ServerProcess.writeInput} reach its standard input, which is empty otherwise. */
  readonly pipedInput?: boolean;
  /** Does not wait until it is ready. */
  readonly skipReady?: boolean;
}

/**
 * A server process with free ports and a JSON log.
 *
 * Thread: the test's. Disposing kills what is still there.
 */
export class ServerProcess implements AsyncDisposable {
  /** Its log so far. */
  readonly lines: LogLine[] = [];
  /** Lines that were not JSON, e.g. the runtime's own. */
  readonly otherLines: string[] = [];

  readonly #process: Deno.ChildProcess;
  readonly #reading: Promise<void>;
  readonly #input: WritableStreamDefaultWriter<Uint8Array> | undefined;
  #news = Promise.withResolvers<void>();
  #over = false;

  private constructor(process: Deno.ChildProcess, input?: WritableStream<Uint8Array>) {
    this.#process = process;
    this.#input = input?.getWriter();
    this.#reading = this.#read();
  }

  /**
   * Starts a server and waits until it is ready.
   *
   * @param flags appended to those that give it free ports and a JSON log
   */
  static async start(
    flags: readonly string[] = [],
    options: ServerProcessOptions = {},
  ): Promise<ServerProcess> {
    const denoArgs = options.denoArgs ??
      ["run", `--v8-flags=${V8_FLAGS}`, ...PERMISSIONS, options.script ?? PROGRAM];
    const ownFlags = ["http", "resp", "proto"].flatMap((protocol) => [`--${protocol}-port`, "0"]);
    ownFlags.push("--log-format", "json");
    const program = options.program === undefined
      ? [Deno.execPath(), ...denoArgs]
      : [options.program];
    const words = [...program, ...ownFlags, ...flags];
    if (options.descriptorLimit !== undefined) {
      words.unshift("sh", "-c", `ulimit -n ${options.descriptorLimit} && exec "$@"`, "sh");
    }
    const command = new Deno.Command(words[0]!, {
      args: words.slice(1),
      cwd: options.program === undefined ? REPOSITORY : dirname(options.program),
      clearEnv: options.program !== undefined,
      env: { ...options.env },
      stdin: options.pipedInput ? "piped" : "null",
      stdout: "null",
      stderr: "piped",
      detached: options.ownGroup ?? false,
    });
    const process = command.spawn();
    const server = new ServerProcess(process, options.pipedInput ? process.stdin : undefined);
    if (options.skipReady) return server;
    try {
      await server.waitForLine("ready");
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
    return server;
  }

  /** Its process id. */
  get pid(): number {
    return this.#process.pid;
  }

  /** The port that it said it listens on. */
  port(protocol: "http" | "resp" | "proto"): number {
    const line = this.lines.find((line) =>
      line["event"] === "listening" && line["protocol"] === protocol
    );
    return line?.["port"] as number ?? assert.fail(`no port for ${protocol}`);
  }

  /** Lines with this `event`. */
  linesOf(event: string): readonly LogLine[] {
    return this.lines.filter((line) => line["event"] === event);
  }

  /** Waits for a line with this `event`; fails when the server ends or says nothing for long. */
  async waitForLine(event: string): Promise<LogLine> {
    for (;;) {
      const line = this.lines.find((line) => line["event"] === event);
      if (line !== undefined) return line;
      if (this.#over) throw this.#disappointment(`it ended without a line ${event}`);
      await this.#withPatience(this.#news.promise, `a line ${event}`);
    }
  }

  /** Sends a signal to the process, or with `ownGroup` to its whole group. */
  signal(signal: Deno.Signal, toGroup = false): void {
    if (toGroup) Deno.kill(-this.pid, signal);
    else this.#process.kill(signal);
  }

  /** Writes to its standard input. */
  async writeInput(text: string): Promise<void> {
    await this.#input!.write(new TextEncoder().encode(text));
  }

  /** Ends its standard input. */
  async endInput(): Promise<void> {
    await this.#input!.close();
  }

  /** Waits for its end. */
  async waitForEnd(): Promise<ServerEnd> {
    const { code } = await this.#withPatience(this.#process.status, "its end");
    await this.#withPatience(this.#reading, "the end of its log");
    return { code, lines: this.lines };
  }

  /** Kills it, if it is still there. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.#process.status;
    await this.#reading;
  }

  async #read(): Promise<void> {
    let rest = "";
    for await (const text of this.#process.stderr.pipeThrough(new TextDecoderStream())) {
      const parts = (rest + text).split("\n");
      rest = parts.pop()!;
      for (const part of parts) this.#take(part);
      this.#news.resolve();
      this.#news = Promise.withResolvers();
    }
    this.#over = true;
    this.#news.resolve();
  }

  #take(text: string): void {
    try {
      this.lines.push(JSON.parse(text));
    } catch {
      this.otherLines.push(text);
    }
  }

  async #withPatience<T>(promise: Promise<T>, what: string): Promise<T> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const outOfPatience = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(this.#disappointment(`waited for ${what}`)), PATIENCE_MS);
    });
    try {
      return await Promise.race([promise, outOfPatience]);
    } finally {
      clearTimeout(timer);
    }
  }

  #disappointment(reason: string): Error {
    const log = [...this.lines.map((line) => JSON.stringify(line)), ...this.otherLines];
    return new Error(`Cannot go on with the server: ${reason}; its log:\n${log.join("\n")}`);
  }
}

/** Whether `program` can be run here; for tests that use tools which not everybody has. */
export async function isInstalled(program: string): Promise<boolean> {
  try {
    const command = new Deno.Command(program, {
      args: ["--version"],
      stdout: "null",
      stderr: "null",
    });
    await command.output();
    return true;
  } catch {
    return false;
  }
}
