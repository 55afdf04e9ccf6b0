/**
 * `sluice repair`, `sluice dump` and `sluice load`: work on a data directory that no server uses.
 *
 * Loaded only when one of them is asked for.
 *
 * @module
 */

import { recoverStore } from "../data/data_store.ts";
import { DataError } from "../data/data_error.ts";
import { dump } from "../data/dump.ts";
import { inspect } from "../data/inspect.ts";
import { load } from "../data/load.ts";
import { salvage, type Salvaged } from "../data/salvage.ts";
import { executeRepair, planRepair, type RepairPlan } from "../data/repair.ts";
import type { ByteTaker } from "../data/line_output.ts";
import type { ByteGiver } from "../data/line_reader.ts";
import { DamageError } from "../durability/damage.ts";
import { DenoStorage } from "../durability/deno_storage.ts";
import { DirectoryError, lockDirectory } from "../durability/directory_lock.ts";
import { LOCK_NAME, UNFINISHED } from "../durability/file_names.ts";
import { Progress, type ProgressOutput } from "../lab/terminal/progress.ts";
import { RedisFileError } from "../migration/redis_file_error.ts";
import { ExitCode } from "../server/run.ts";
import type { DataOrder, DumpOrder, LoadOrder, RepairOrder } from "./data_flags.ts";
import { dumpText, loadText, repairedText, repairText } from "./data_text.ts";
import { countText } from "./stress_text.ts";

/** Exit code when it was not done, or no server starts. */
const EXIT_CODE_FAILED = 1;

/** What takes no longer shows no progress. Unit: ms. */
const LATE_MS = 1000;

/** What work on a data directory needs of the process that it runs in. */
export interface DataSurroundings {
  /** Writes to standard output. */
  print(text: string): Promise<void>;
  /** Writes to standard error. */
  complain(text: string): Promise<void>;
  /** Writes to standard output before it returns. */
  readonly standardOutput: ByteTaker;
  /** Reads standard input. */
  readonly standardInput: ByteGiver;
  /** Where the progress goes. */
  readonly progress: ProgressOutput;
  /** The time. Unit: ms since the epoch. */
  nowMs(): number;
}

/**
 * Does what was ordered.
 *
 * Thread: the main isolate.
 *
 * @returns the exit code
 */
export async function runDataOrder(
  order: DataOrder,
  surroundings: DataSurroundings,
): Promise<number> {
  try {
    if (order.kind === "repair") return await repairDirectory(order, surroundings);
    if (order.kind === "dump") return await dumpDirectory(order, surroundings);
    return await loadDirectory(order, surroundings);
  } catch (error) {
    // The reader has gone, as with `sluice dump data | head`: nobody is left to be told.
    if (error instanceof Deno.errors.BrokenPipe) return EXIT_CODE_FAILED;
    const text = messageOf(error, order.path);
    if (text === undefined) throw error;
    await surroundings.complain(`sluice: ${text}\n`);
    return EXIT_CODE_FAILED;
  }
}

/** Progress of what takes long; what does not shows none. */
class LateProgress extends Progress {
  readonly #output: ProgressOutput;
  readonly #startedAtMs: number;

  constructor(title: string, output: ProgressOutput) {
    super(title, output);
    this.#output = output;
    this.#startedAtMs = output.nowMs();
  }

  override show(share: number, note?: string): void {
    if (this.#output.nowMs() - this.#startedAtMs >= LATE_MS) super.show(share, note);
  }
}

async function repairDirectory(
  order: RepairOrder,
  surroundings: DataSurroundings,
): Promise<number> {
  const { path, isTruncating, isJson } = order;
  using _lock = await lockDirectory(path, isTruncating ? "write" : "read");
  const storage = new DenoStorage(path);
  const inspection = inspect(storage, order);
  const starts = inspection.forecast.kind === "starts";
  const plan: RepairPlan = starts ? { kind: "nothing to do" } : planRepair(storage, order);
  const kept = isTruncating && plan.kind === "possible" ? executeRepair(storage, plan.steps) : null;
  if (isJson) {
    const { files, forecast } = inspection;
    const found = { path, files, start: forecast, repair: withoutHeaders(plan), kept };
    await surroundings.print(`${JSON.stringify(found, null, 2)}\n`);
  } else {
    const text = plan.kind === "possible" && kept !== null
      ? repairedText(plan, kept)
      : repairText(path, inspection, plan);
    await surroundings.print(text);
  }
  return starts || kept !== null ? ExitCode.OK : EXIT_CODE_FAILED;
}

/** The bytes of a header are of no interest to who reads JSON. */
function withoutHeaders(plan: RepairPlan): unknown {
  if (plan.kind !== "possible") return plan;
  const steps = plan.steps.map((step) => ({ ...step, header: undefined }));
  return { ...plan, steps };
}

async function dumpDirectory(order: DumpOrder, surroundings: DataSurroundings): Promise<number> {
  const { path, output, database, pattern } = order;
  using _lock = await lockDirectory(path, "read");
  using progress = new LateProgress("dump", surroundings.progress);
  const { store, pending, remarks } = readDirectory(order, (count) => {
    progress.show(0, `${countText(count)} records read`);
  });
  const write = (take: ByteTaker) =>
    dump({
      store,
      events: pending.jobs.values(),
      nowMs: surroundings.nowMs(),
      database,
      pattern: pattern === undefined ? undefined : new TextEncoder().encode(pattern),
      take,
      onProgress: (count, total) =>
        progress.show(count / total, `${countText(count)} of ${countText(total)} keys`),
    });
  const summary = output === "-"
    ? write(surroundings.standardOutput)
    : writeFile(output, (take) => write(take));
  progress.line(dumpText(summary).trimEnd());
  for (const remark of remarks) progress.line(remark);
  return ExitCode.OK;
}

/** Reads everything, or what can be read. */
function readDirectory(
  { path, isSalvaging, maxMemoryBytes }: DumpOrder,
  onProgress: (recordCount: number) => void,
): Pick<Salvaged, "store" | "pending"> & { readonly remarks: readonly string[] } {
  const storage = new DenoStorage(path);
  const room = { maxMemoryBytes };
  if (!isSalvaging) {
    const { store, recovered } = recoverStore(storage, room, onProgress);
    const remarks = recovered.damaged.map(({ message }) => `passed over: ${message}`);
    return { store, pending: recovered.pending, remarks };
  }
  const { store, pending, passedOver, partialCount } = salvage(storage, room, onProgress);
  const remarks = passedOver.map(({ file, offset, reason }) =>
    `passed over: ${file}, from byte ${offset} on: ${reason}`
  );
  if (partialCount > 0) remarks.push(`not whole: ${countText(partialCount)} collections`);
  return { store, pending, remarks };
}

/** Writes a file that has its name once it is complete. */
function writeFile<Result>(path: string, write: (take: ByteTaker) => Result): Result {
  const unfinished = path + UNFINISHED;
  try {
    const file = Deno.openSync(unfinished, { write: true, create: true, truncate: true });
    let result: Result;
    try {
      result = write((bytes) => {
        for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
      });
      file.syncSync();
    } finally {
      file.close();
    }
    Deno.renameSync(unfinished, path);
    return result;
  } catch (error) {
    try {
      Deno.removeSync(unfinished);
    } catch {
      // It was never made.
    }
    if (!isSystemError(error)) throw error;
    const reason = error instanceof Deno.errors.NotFound
      ? "there is no such directory"
      : (error as Error).message;
    throw new DataError(`Cannot write ${path}: ${reason}`);
  }
}

async function loadDirectory(order: LoadOrder, surroundings: DataSurroundings): Promise<number> {
  const { path, isJson } = order;
  const isNew = makeDirectory(path);
  let isLoaded = false;
  const lock = await lockDirectory(path, "write");
  try {
    using progress = new LateProgress("load", surroundings.progress);
    const summary = await load({
      ...order,
      storage: new DenoStorage(path),
      standardInput: surroundings.standardInput,
      nowMs: surroundings.nowMs(),
      onProgress: (share, note) => progress.show(share, note),
    });
    isLoaded = summary.published !== undefined;
    await surroundings.print(
      isJson ? `${JSON.stringify(summary, null, 2)}\n` : loadText(path, summary),
    );
    return isLoaded ? ExitCode.OK : EXIT_CODE_FAILED;
  } finally {
    lock.close();
    if (isNew && !isLoaded) removeDirectory(path);
  }
}

/** Makes the directory, unless it is there; returns whether it did. */
function makeDirectory(path: string): boolean {
  try {
    Deno.mkdirSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return false;
    if (!isSystemError(error)) throw error;
    throw new DataError(`Cannot make ${path}: ${(error as Error).message}`);
  }
}

/** Removes what was made for nothing. */
function removeDirectory(path: string): void {
  try {
    Deno.removeSync(`${path}/${LOCK_NAME}`);
    Deno.removeSync(path);
  } catch {
    // Somebody has put something into it: it stays.
  }
}

/** What to say of an error; undefined: it is a fault of ours. */
function messageOf(error: unknown, path: string): string | undefined {
  if (error instanceof RedisFileError && error.cause instanceof Deno.errors.NotFound) {
    return `Cannot read ${error.file}: there is no such file`;
  }
  if (error instanceof DataError || error instanceof RedisFileError) return error.message;
  if (error instanceof DirectoryError) return `Cannot use ${path}: ${error.message}`;
  if (error instanceof DamageError) {
    return `Cannot read ${path}: ${error.message}; sluice repair ${path} shows what can be saved`;
  }
  return isSystemError(error) ? `Cannot use ${path}: ${(error as Error).message}` : undefined;
}

/** Whether the system has refused something: those errors have a code, or a class of the runtime. */
function isSystemError(error: unknown): boolean {
  return error instanceof Error &&
    ("code" in error || Object.values(Deno.errors).some((kind) => error instanceof kind));
}
