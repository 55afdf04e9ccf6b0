/**
 * Real file systems that are small or cannot be written to, where they can be made.
 *
 * @module
 */

import { say } from "./say.ts";

/** A mounted file system. */
export class SmallDisk implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Mounts one. Fails where that is not allowed. */
  static async mount(options: string): Promise<SmallDisk> {
    const path = await Deno.makeTempDir({ prefix: "sluice-mount-" });
    const isMounted = await run("mount", "-t", "tmpfs", "-o", options, "sluice", path);
    if (!isMounted) {
      await Deno.remove(path);
      throw new Error("Cannot mount a file system: not allowed here");
    }
    return new SmallDisk(path);
  }

  /** Mounts it again, with other options. */
  async remount(options: string): Promise<void> {
    if (!await run("mount", "-o", `remount,${options}`, this.path)) {
      throw new Error(`Cannot remount ${this.path} with ${options}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run("umount", this.path);
    await Deno.remove(this.path);
  }
}

/** Whether file systems can be mounted here; if not, says so. */
export async function canMount(): Promise<boolean> {
  try {
    await using _disk = await SmallDisk.mount("size=64k");
    return true;
  } catch {
    say("file systems cannot be mounted here: tests of full and read-only disks are left out");
    return false;
  }
}

async function run(program: string, ...args: string[]): Promise<boolean> {
  try {
    const command = new Deno.Command(program, { args, stdout: "null", stderr: "null" });
    return (await command.output()).success;
  } catch {
    return false;
  }
}
