/**
 * The lab as a child process, and the processes that it starts.
 *
 * @module
 */

import assert from "node:assert/strict";

const REPOSITORY = new URL("../../../", import.meta.url);

/** How long a process may take for what a test waits for. Unit: ms. */
const PATIENCE_MS = 30_000;

/** How the lab ended. */
export interface LabEnd {
  /** Exit code; null when a signal ended it that it cannot handle. */
  readonly code: number;
  /** What it wrote to standard output. */
  readonly stdout: string;
  /** What it wrote to standard error. */
  readonly stderr: string;
}

/** A lab that runs. Thread: the test's. Disposing kills what is still there. */
export class LabProcess implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #end: Promise<LabEnd>;

  private constructor(process: Deno.ChildProcess) {
    this.#process = process;
    const decoder = new TextDecoder();
    this.#end = process.output().then(({ code, stdout, stderr }) => ({
      code,
      stdout: decoder.decode(stdout),
      stderr: decoder.decode(stderr),
    }));
  }

  /**
   * Starts it.
   *
   * @param script path from the repository's root, with its arguments
   * @param permissions what it is allowed to do; all of it unless said otherwise
   */
  static start(
    script: readonly string[],
    env: Readonly<Record<string, string>> = {},
    permissions: readonly string[] = ["-A"],
  ): LabProcess {
    const command = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "--no-check", ...permissions, ...script],
      cwd: REPOSITORY,
      env: { ...env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    });
    return new LabProcess(command.spawn());
  }

  /** Its process id. */
  get pid(): number {
    return this.#process.pid;
  }

  /** Sends it a signal. */
  signal(signal: Deno.Signal): void {
    this.#process.kill(signal);
  }

  /** Waits until it has ended. */
  async waitForEnd(): Promise<LabEnd> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error("Cannot wait any longer for the lab")),
        PATIENCE_MS,
      );
    });
    try {
      return await Promise.race([this.#end, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Waits until it has started a server, and gives that process's id. */
  async waitForServer(): Promise<number> {
    for (const startedAtMs = performance.now(); performance.now() - startedAtMs < PATIENCE_MS;) {
      const [pid] = await childrenOf(this.pid);
      if (pid !== undefined) return pid;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return assert.fail("the lab started no server");
  }

  /** Kills it. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.#end;
  }
}

/** Waits until a process has ended; says whether it did in time. */
export async function endsWithin(pid: number, timeMs: number): Promise<boolean> {
  for (const startedAtMs = performance.now(); performance.now() - startedAtMs < timeMs;) {
    if (!await isRunning(pid)) return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return !await isRunning(pid);
}

/** Whether there is such a process that has not ended. */
export async function isRunning(pid: number): Promise<boolean> {
  const [state] = await ps(["-o", "stat=", "-p", String(pid)]);
  // What nobody has asked how it ended has ended all the same.
  return state !== undefined && !state.startsWith("Z");
}

async function childrenOf(pid: number): Promise<number[]> {
  return (await ps(["-o", "pid=", "--ppid", String(pid)])).map(Number);
}

async function ps(args: readonly string[]): Promise<string[]> {
  const { stdout } = await new Deno.Command("ps", { args: [...args], stderr: "null" }).output();
  return new TextDecoder().decode(stdout).split("\n").map((line) => line.trim())
    .filter((line) => line !== "");
}
