/**
 * Tries to start a program and to write a file.
 *
 * @module
 */

/** What could be done. */
export interface Powers {
  /** Programs could be started. */
  readonly runs: boolean;
  /** Files could be written. */
  readonly writes: boolean;
}

/** Tries both. */
export async function tryPowers(): Promise<Powers> {
  return {
    runs: await works(() => new Deno.Command(Deno.execPath(), { args: ["--version"] }).output()),
    writes: await works(async () => await Deno.remove(await Deno.makeTempFile())),
  };
}

async function works(attempt: () => Promise<unknown>): Promise<boolean> {
  try {
    await attempt();
    return true;
  } catch {
    return false;
  }
}
