/**
 * The lab as a process: what it shows, and that nothing of it stays.
 */

import assert from "node:assert/strict";
import type { LabReport } from "../../src/lab/model.ts";
import { endsWithin, isRunning, LabProcess } from "../helpers/lab/lab_process.ts";
import { PROGRAM } from "../helpers/server_process.ts";

const SMALL_LAB = "tests/helpers/lab/small_lab_main.ts";
const hasPs = Deno.build.os === "linux";

async function run(
  ...args: Parameters<typeof LabProcess.start>
): Promise<{ code: number; stdout: string; stderr: string }> {
  await using lab = LabProcess.start(...args);
  return await lab.waitForEnd();
}

function failuresOf({ stages }: LabReport): unknown[] {
  return stages.flatMap(({ stage, checks }) =>
    checks.filter(({ passed }) => !passed).map((check) => ({ stage, ...check }))
  );
}

Deno.test("lab: stages 1 to 3 show what they must, whatever the environment says to servers", async () => {
  const env = { SLUICE_PASSWORD: "sesame", SLUICE_WORKERS: "many", SLUICE_HTTP_PORT: "1" };
  const { code, stdout, stderr } = await run([PROGRAM, "lab", "3", "1", "2", "--json", "-"], env);
  const report: LabReport = JSON.parse(stdout);
  assert.deepEqual([failuresOf(report), code], [[], 0], stderr);
  assert.deepEqual(report.stages.map(({ stage }) => stage), [1, 2, 3]);
  assert.deepEqual(report.stages[0]!.rows[0]!.errors, 1, "nobody answered the real request");
  assert.ok(report.stages[2]!.checks.length > 16);
  assert.match(stderr, /stage 3: garbage in/);
});

Deno.test("lab: queues refuse what does not fit, and a stop loses nothing", async () => {
  const { code, stdout, stderr } = await run([SMALL_LAB, "50", "-", "5", "6", "10"]);
  const report: LabReport = JSON.parse(stdout);
  // How fast a busy machine is, is not for this test to say.
  const failures = failuresOf(report).filter((check) =>
    !/a second|refusal|at the signal/.test((check as { what: string }).what)
  );
  assert.deepEqual(failures, [], stderr);
  assert.ok(code === 0 || code === 1, stderr);
  const [channel, pool, stop] = report.stages;
  const { accepted, refused, lockHold } = channel!.rows[0]!;
  // What fits, and what was done while the others came.
  assert.deepEqual([accepted! >= 20, refused! > 0, accepted! + refused!], [true, true, 40]);
  assert.equal(lockHold!.count, accepted);
  assert.equal(pool!.rows[0]!.accepted, 40);
  assert.deepEqual(stop!.series.events!.map(({ what }) => what.replace(/ \(.*/, "")), [
    "stop requested",
    "readiness",
    "listeners",
    "requests",
    "workers",
    "connections",
    "stopped",
  ]);
  for (const { server = [], workers = [] } of [channel!.series, pool!.series]) {
    assert.equal(server.length, 1);
    assert.equal(
      workers[0]!.points.reduce((sum, worker) => sum + worker.acquisitions, 0) > 0,
      true,
    );
    assert.equal(Math.max(...server[0]!.points.map(({ depth }) => depth)) > 0, true);
  }
});

for (const [signal, exitCode] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
  Deno.test(`lab: ${signal} in the middle ends its server too, with exit code ${exitCode}`, {
    ignore: !hasPs,
  }, async () => {
    const folder = await Deno.makeTempDir({ prefix: "sluice-lab-" });
    await using lab = LabProcess.start([SMALL_LAB, "1000", `${folder}/found.json`, "5"]);
    const server = await lab.waitForServer();
    assert.ok(await isRunning(server), "so that it can be seen to end");
    lab.signal(signal);
    const { code, stderr } = await lab.waitForEnd();
    assert.equal(code, exitCode, stderr);
    assert.match(stderr, /sluice: the lab was ended before it was done\n$/);
    assert.equal(await isRunning(server), false);
    // Fails when there is anything in it.
    await Deno.remove(folder);
  });
}

Deno.test("lab: a server of a lab that was killed ends by itself", { ignore: !hasPs }, async () => {
  await using lab = LabProcess.start([SMALL_LAB, "300", "-", "5"]);
  const server = await lab.waitForServer();
  lab.signal("SIGKILL");
  await lab.waitForEnd();
  assert.ok(await endsWithin(server, 15_000), `process ${server} is still there`);
});

Deno.test("lab: wrong usage is one line and exit code 2", async () => {
  for (const args of [["11"], ["foo"], ["7", "--json", "missing/found.json"]]) {
    const { code, stdout, stderr } = await run([PROGRAM, "lab", ...args]);
    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(stderr, /^sluice: [^\n]+\n$/);
  }
});

Deno.test("lab: without the permission to start servers it says what to type", async () => {
  const { code, stdout, stderr } = await run([PROGRAM, "lab", "7"], {}, [
    "--allow-net",
    "--allow-read",
    "--allow-env=SLUICE_*",
  ]);
  assert.deepEqual([code, stdout], [1, ""]);
  assert.equal(stderr, "sluice: the lab may not start servers; run it with: deno task lab\n");
});

Deno.test("permissions: a server can neither start programs nor write files, in none of its threads", async () => {
  const { code, stdout, stderr } = await run(["tests/helpers/lab/powers_main.ts"]);
  assert.equal(code, 0, stderr);
  const none = { runs: false, writes: false };
  assert.deepEqual(JSON.parse(stdout), {
    before: { runs: true, writes: true },
    main: none,
    worker: none,
  });
});
