/**
 * Every step of the write path, and a server that is killed between each two of them: while clients of
 * all protocols are told what is safe (`--fsync always`), which the next start has to have.
 *
 * @module
 */

import assert from "node:assert/strict";
import { UNFINISHED } from "../../src/durability/file_names.ts";
import { CrashRun } from "./crash_rounds.ts";
import { FailingDisk } from "./failing_disk.ts";
import type { DiskCall, DiskPlan } from "./faulty_disk.ts";
import { RawClient, respCommand } from "./raw_client.ts";
import type { ServerProcess } from "./server_process.ts";

/** One place where the process is killed. */
export interface KillStep {
  /** What was being done. */
  readonly name: string;
  /** What the disk does from when clients work on, or from the start on. */
  readonly plan?: DiskPlan;
  /** See `killing_steps.ts`. */
  readonly step?: string;
  /** Whether it is reached before the server is ready. */
  readonly isAtStart?: boolean;
  /** Whether a snapshot is asked for. */
  readonly snapshot?: boolean;
  /** Makes the directory such that there is something to do. */
  readonly prepare?: (path: string) => Promise<void>;
}

type When = "before" | "half-way" | "after";

/** How long a step may take to be reached. Unit: ms. */
const PATIENCE_MS = 15_000;

function kill(call: DiskCall, when: When, count = 1): DiskPlan {
  return { kill: { call, when, count } };
}

function around(
  what: string,
  calls: readonly (readonly [call: DiskCall, whens: readonly When[], count?: number])[],
  rest: Omit<KillStep, "name" | "plan">,
  fail?: DiskPlan["fail"],
): KillStep[] {
  return calls.flatMap(([call, whens, count = 1]) =>
    whens.map((when) => ({
      name: `${what}: ${when} ${call} ${count}`,
      plan: { ...kill(call, when, count), ...(fail === undefined ? {} : { fail }) },
      ...rest,
    }))
  );
}

const BOTH: readonly When[] = ["before", "after"];
const ALL: readonly When[] = ["before", "half-way", "after"];

/** What makes a file: its header and its name are on the disk. */
const SEGMENT: readonly (readonly [DiskCall, readonly When[], number?])[] = [
  ["create log", BOTH],
  ["append log", ALL],
  ["sync log", BOTH],
  ["syncDirectory", BOTH],
];

const SNAPSHOT: readonly (readonly [DiskCall, readonly When[], number?])[] = [
  ["create snapshot", BOTH],
  ["append snapshot", ALL],
  // The first one is the header.
  ["append snapshot", ["half-way", "after"], 2],
  ["sync snapshot", BOTH],
  ["rename", BOTH],
  // The first one is that of the segment.
  ["syncDirectory", BOTH, 2],
  ["remove", BOTH],
];

function own(step: string): KillStep {
  return { name: step, step };
}

/** All steps, in the order of the write path. */
export const KILL_STEPS: readonly KillStep[] = [
  // What threads put into the log.
  ...["announced", "claimed", "copied", "confirmed"].flatMap((step) => [
    own(`publish ${step}:20`),
    own(`accept ${step}:9`),
    own(`worker publish${step[0]!.toUpperCase()}${step.slice(1)}:7`),
  ]),
  own("publish returned:5"),
  own("accepted:9"),
  // What a worker does with an event.
  ...["afterTake", "beforeLock", "withLock", "afterSwap", "inCommit", "afterEffect", "afterUnlock"]
    .map((step) => own(`worker ${step}:5`)),
  own("worker afterSettle:5"),
  ...["recvLocked", "recvCopied", "recvClaimed", "recvCellFreed", "recvHeadMoved", "recvUnlocked"]
    .map((step) => own(`worker ${step}:5`)),
  // What the log's thread does with a piece.
  ...around("piece", [["append log", ALL, 9], ["sync log", BOTH, 9]], {}),
  // Where the segment has no more zeros to write over.
  ...around("longer", [["reserve log", ALL]], { snapshot: true }),
  own("reply:20"),
  // Another segment, and a snapshot.
  ...around("segment", [["truncate", BOTH], ["create log", BOTH], ["syncDirectory", BOTH]], {
    snapshot: true,
  }),
  ...around("snapshot", SNAPSHOT, { snapshot: true }),
  // After a failure: another segment, a snapshot, and writes again.
  ...around("begun anew", [["create log", BOTH], ["syncDirectory", BOTH]], {}, {
    calls: ["sync log"],
    code: "EIO",
    times: 1,
  }),
  ...around("made good", SNAPSHOT, {}, { calls: ["append log"], code: "ENOSPC", times: 1 }),
  // A start.
  ...around("torn end", [["truncate", BOTH], ["sync log", BOTH], ["syncDirectory", BOTH]], {
    isAtStart: true,
    prepare: tearEnd,
  }),
  ...around("unfinished file", [["remove", BOTH]], { isAtStart: true, prepare: leaveUnfinished }),
  ...around("first segment", SEGMENT, { isAtStart: true, prepare: removeAll }),
];

/** Goes through steps; fails when one is not reached, or when something is not as promised. */
export async function runKillSteps(
  steps: readonly KillStep[],
  seed: number,
  onStep: (step: KillStep) => void = () => {},
): Promise<CrashRun["counts"]> {
  await using disk = await FailingDisk.make();
  // Steps are watched in the main thread (killing_steps.ts), so that is to serve.
  const flags = ["--fsync", "always", "--io-threads", "1"];
  let run = new CrashRun({ path: disk.dataPath, fsync: "always", rounds: 0, seed });
  const counts = { ...run.counts };
  for (const step of steps) {
    onStep(step);
    if (step.prepare === removeAll) {
      // Nothing of what was told before can be there.
      await run.check();
      addTo(counts, run.counts);
      run = new CrashRun({ path: disk.dataPath, fsync: "always", rounds: 0, seed });
    } else if (step.prepare !== undefined) {
      // What the step before has left to do at a start is done first: it would be in the way.
      await run.check();
    }
    await step.prepare?.(disk.dataPath);
    await oneStep(step, disk, run, flags);
  }
  await run.check();
  addTo(counts, run.counts);
  return counts;
}

async function oneStep(
  step: KillStep,
  disk: FailingDisk,
  run: CrashRun,
  flags: readonly string[],
): Promise<void> {
  if (step.isAtStart) {
    await disk.plan(step.plan!);
    await using server = await disk.start(flags, {}, true);
    const { lines } = await server.waitForEnd();
    assert.ok(!lines.some(({ event }) => event === "ready"), `${step.name} is not reached`);
    await disk.plan({});
    return;
  }
  await disk.plan({});
  const env: Record<string, string> = step.step === undefined
    ? {}
    : { SLUICE_TEST_STEP: step.step };
  await using server = await disk.start(flags, env, true);
  if (step.step !== undefined) {
    // Events of the last round may be on their way to the step before clients are.
    const isReady = await server.waitForLine("ready").then(() => true, () => false);
    if (!isReady) return void await server.waitForEnd();
  } else {
    await server.waitForLine("ready");
    await run.verify(server);
  }
  if (step.plan !== undefined) await disk.plan(step.plan);
  const dead = run.workUntilDeath(server, PATIENCE_MS);
  if (step.snapshot) await save(server);
  assert.ok(await dead, `${step.name} is not reached`);
}

async function save(server: ServerProcess): Promise<void> {
  try {
    const client = await RawClient.connect(server.port("resp"));
    await client.send(respCommand("BGSAVE"));
    client.close();
  } catch {
    // It has been killed already.
  }
}

async function namesIn(path: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(path))).map(({ name }) => name).sort();
}

/** The beginning of a piece that was being written. */
async function tearEnd(path: string): Promise<void> {
  const name = (await namesIn(path)).findLast((name) => name.startsWith("log-"))!;
  await Deno.writeFile(`${path}/${name}`, new Uint8Array(100).fill(7), { append: true });
}

async function leaveUnfinished(path: string): Promise<void> {
  const name = `snapshot-00000000000000000001.sluice${UNFINISHED}`;
  await Deno.writeFile(`${path}/${name}`, new Uint8Array(1000));
}

async function removeAll(path: string): Promise<void> {
  for (const name of await namesIn(path)) await Deno.remove(`${path}/${name}`);
}

function addTo(sum: CrashRun["counts"], counts: CrashRun["counts"]): void {
  for (const name of Object.keys(sum) as (keyof typeof sum)[]) sum[name] += counts[name];
}
