/**
 * A server whose disk does as it is told.
 *
 * @module
 */

import type { DiskPlan } from "./faulty_disk.ts";
import { FAULTY_PROGRAM, ServerProcess } from "./server_process.ts";

/** A server, its directory, and what its disk does. */
export class FailingDisk implements AsyncDisposable {
  readonly #root: string;
  /** The server that was started last. */
  server!: ServerProcess;

  private constructor(root: string) {
    this.#root = root;
  }

  /** Makes a directory; the disk is fine. */
  static async make(): Promise<FailingDisk> {
    const disk = new FailingDisk(await Deno.makeTempDir({ prefix: "sluice-disk-" }));
    await Deno.mkdir(disk.dataPath);
    await disk.plan({});
    return disk;
  }

  /** The data directory. */
  get dataPath(): string {
    return `${this.#root}/data`;
  }

  /** Has the disk do something from now on. */
  async plan(plan: DiskPlan): Promise<void> {
    const path = `${this.#root}/plan`;
    // Never half a plan.
    await Deno.writeTextFile(`${path}.tmp`, JSON.stringify(plan));
    await Deno.rename(`${path}.tmp`, path);
  }

  /** Starts a server on it; what it is started with may be ended before it is ready. */
  async start(
    flags: readonly string[] = [],
    env: Readonly<Record<string, string>> = {},
    skipReady = false,
  ): Promise<ServerProcess> {
    return this.server = await ServerProcess.start(["--data-dir", this.dataPath, ...flags], {
      denoArgs: ["run", "--no-check", "--no-prompt", "-A", FAULTY_PROGRAM],
      env: { SLUICE_TEST_FAULT: "disk", SLUICE_TEST_DISK: `${this.#root}/plan`, ...env },
      skipReady,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server?.[Symbol.asyncDispose]();
    await Deno.remove(this.#root, { recursive: true });
  }
}
