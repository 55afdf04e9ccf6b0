/**
 * Starts hostile clients, in a process of their own, and watches what they cost the server.
 *
 * @module
 */

import type { AttackGroup, FloodPlan, FloodReport } from "./attack_plan.ts";

/** Hostile clients under way. Thread: the test's. Disposing ends them. */
export class Attack implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;

  private constructor(process: Deno.ChildProcess) {
    this.#process = process;
    this.#reader = process.stdout.getReader();
  }

  /** Starts them; resolves when all are connected. */
  static async start(groups: readonly AttackGroup[]): Promise<Attack> {
    const attack = new Attack(command("attack_main.ts", groups).spawn());
    const { done } = await attack.#reader.read();
    if (done) {
      await attack[Symbol.asyncDispose]();
      throw new Error("Cannot attack: the clients ended before they were connected");
    }
    return attack;
  }

  /** Kills them. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // All have been turned away, and it has ended.
    }
    await this.#reader.cancel();
    await this.#process.status;
  }
}

/** Floods a server with connections. */
export async function runFlood(plan: FloodPlan): Promise<FloodReport> {
  const { stdout, success } = await command("flood_main.ts", plan).output();
  if (!success) throw new Error("Cannot flood: see above");
  return JSON.parse(new TextDecoder().decode(stdout));
}

function command(
  script: string,
  plan: unknown,
  permissions: readonly string[] = ["--allow-ffi"],
  stderr: "inherit" | "null" = "inherit",
): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--no-prompt", ...permissions, "--no-check"],
      new URL(script, import.meta.url).href,
      JSON.stringify(plan),
    ],
    stdin: "null",
    stdout: "piped",
    stderr,
  });
}

/** Watches the resident memory of a process. Disposing ends that. */
export class MemoryWatch implements AsyncDisposable {
  /** What there was at the beginning. Unit: MiB. */
  startMib = NaN;
  /** The most that was seen. Unit: MiB. */
  peakMib = NaN;

  readonly #process: Deno.ChildProcess;
  readonly #watching: Promise<void>;
  readonly #begun = Promise.withResolvers<void>();

  private constructor(process: Deno.ChildProcess) {
    this.#process = process;
    this.#watching = this.#watch();
  }

  /** Begins. */
  static async start(pid: number): Promise<MemoryWatch> {
    const watch = new MemoryWatch(
      command("memory_main.ts", pid, ["--allow-all"], "null").spawn(),
    );
    await watch.#begun.promise;
    return watch;
  }

  /** How much the memory has grown at most. Unit: MiB. */
  get growthMib(): number {
    return this.peakMib - this.startMib;
  }

  /** Ends. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // It has ended with the process that it watched.
    }
    await this.#watching;
    await this.#process.status;
  }

  async #watch(): Promise<void> {
    let rest = "";
    for await (const text of this.#process.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) this.#take(Number(line) / 1024);
    }
    this.#begun.reject(new Error("Cannot watch the server's memory: it has ended"));
  }

  #take(mib: number): void {
    if (Number.isNaN(this.startMib)) this.startMib = mib;
    this.peakMib = mib;
    this.#begun.resolve();
  }
}
