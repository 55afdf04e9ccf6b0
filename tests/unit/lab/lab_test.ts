import assert from "node:assert/strict";
import {
  LAB_SIGNALS,
  type LabSignal,
  type LabSurroundings,
  runLabOrder,
} from "../../../src/cli/lab.ts";
import type { LabOrder } from "../../../src/cli/lab_flags.ts";
import type { LabReport, StageReport } from "../../../src/lab/model.ts";
import type { Stage, StageContext } from "../../../src/lab/stage.ts";
import { pause } from "../../../src/lab/stages/patience.ts";

interface Outcome {
  exitCode: number;
  printed: string;
  complained: string;
  progress: string;
}

const ORDER: LabOrder = { stages: [1, 2], hasSweep: false, jsonPath: null, reportDirectory: null };

function reportOf(stage: number, passed: boolean): StageReport {
  return {
    stage,
    title: "a test",
    lesson: "Nothing is learned.",
    server: "none",
    load: "none",
    rows: [{
      name: String(stage),
      accepted: 1234,
      refused: 0,
      errors: null,
      answersPerSecond: null,
      latency: null,
      lockWait: null,
      lockHold: null,
      jobsPerSecond: 7.7777,
      figures: [{ name: "gain", value: 3, unit: "×" }],
    }],
    checks: [{ what: "refused", expected: "94 to 98 %", seen: "12 %", passed }],
    series: {},
    durationMs: 1000,
  };
}

function stage(number: number, run: (context: StageContext) => Promise<StageReport>): Stage {
  return { number, title: "a test", expectedSeconds: 1, run };
}

const good = (number: number): Stage =>
  stage(number, () => Promise.resolve(reportOf(number, true)));
const bad = (number: number): Stage =>
  stage(number, () => Promise.resolve(reportOf(number, false)));

async function run(
  stages: readonly Stage[],
  order: Partial<LabOrder> = {},
  others: Partial<LabSurroundings> = {},
): Promise<Outcome> {
  const outcome: Outcome = { exitCode: -1, printed: "", complained: "", progress: "" };
  outcome.exitCode = await runLabOrder({ ...ORDER, ...order }, {
    print: (text) => Promise.resolve(void (outcome.printed += text)),
    complain: (text) => Promise.resolve(void (outcome.complained += text)),
    progress: {
      columns: 80,
      write: (text) => void (outcome.progress += text),
      nowMs: () => performance.now(),
    },
    isColourful: false,
    program: { path: "nothing", args: [], env: {} },
    stages,
    sweep: null,
    renderReport: ({ stages }) => Promise.resolve(`<html>${stages.length}`),
    onSignal: () => ({ [Symbol.dispose]: () => {} }),
    ...others,
  });
  return outcome;
}

async function inFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "sluice-lab-" });
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function namesIn(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).toSorted();
}

Deno.test("lab: exit code 0 when all stages show what they must, and the table compares them", async () => {
  const { exitCode, printed, complained } = await run([good(1), good(2), bad(3)]);
  assert.equal(exitCode, 0);
  assert.equal(complained, "");
  assert.match(printed, /^stage 1: a test\n {2}server: none\n/);
  assert.match(printed, /\n {2}ok {5}refused: 12 % \(94 to 98 %\)\n/);
  assert.match(printed, /\n {2}1: gain 3 ×\n/);
  assert.match(printed, /\n {4}1 +1,234 +0 +– +–[ –]+7\.78\n {4}2 +1,234 /, "one line for each");
  assert.doesNotMatch(printed, /stage 3/, "only what was asked for was run");
});

Deno.test("lab: exit code 1 and the number of each stage that does not show what it must", async () => {
  const { exitCode, printed, complained } = await run([bad(1), good(2)]);
  assert.equal(exitCode, 1);
  assert.equal(complained, "sluice: stage 1 did not show what it must\n");
  assert.match(printed, /\n {2}FAILED refused: 12 %; expected: 94 to 98 %\n/);
  const both = await run([bad(1), bad(2)]);
  assert.equal(both.complained, "sluice: stages 1 and 2 did not show what they must\n");
});

Deno.test("lab: a stage that throws has failed, and the others are run all the same", async () => {
  const throwing = stage(1, () => Promise.reject(new Error("no server to be had")));
  const { exitCode, printed } = await run([throwing, good(2)]);
  assert.equal(exitCode, 1);
  assert.match(printed, /FAILED the stage: no server to be had; expected: runs to its end/);
  assert.match(printed, /stage 2: a test/);
});

Deno.test("lab: later stages know what earlier ones found", async () => {
  const seen: number[][] = [];
  const curious = stage(2, ({ earlier }) => {
    seen.push((earlier ?? []).map(({ stage }) => stage));
    return Promise.resolve(reportOf(2, true));
  });
  await run([good(1), curious]);
  assert.deepEqual(seen, [[1]]);
});

Deno.test("lab: the sweep runs behind the stages when it is asked for, and is shown as a table", async () => {
  const points = [1, 2].map((workers) => ({
    ...{ lock: "mutex" as const, shards: 4, workers, contendedShare: 0 },
    operationsPerSecond: workers * 940.4,
  }));
  const sweep = {
    expectedSeconds: 1,
    run: () => Promise.resolve({ operation: "nothing", durationMs: 1, points, barePoints: points }),
  };
  const { exitCode, printed } = await run([good(1)], { hasSweep: true }, { sweep });
  assert.equal(exitCode, 0);
  assert.match(
    printed,
    /stage 1[\s\S]+ lock +shards +1 worker +2 workers\n.+\n +mutex +4 +940 +1,881\n/,
  );
  assert.match(printed, /the same without sleep/);
  assert.doesNotMatch((await run([good(1)], {}, { sweep })).printed, /shards/, "not asked for");
});

Deno.test("lab: a sweep that cannot go on costs the exit code, not what the stages found", async () => {
  const sweep = { expectedSeconds: 1, run: () => Promise.reject(new Error("no more threads")) };
  const order = { hasSweep: true, jsonPath: "-" };
  const { exitCode, printed, complained } = await run([good(1)], order, { sweep });
  assert.deepEqual([exitCode, JSON.parse(printed).stages.length], [1, 1]);
  assert.match(complained, /sluice: the sweep cannot go on: no more threads\n/);
});

Deno.test("lab: --json - puts JSON and nothing else on standard output", async () => {
  const { printed, complained } = await run([good(1), bad(2)], { jsonPath: "-" });
  const report: LabReport = JSON.parse(printed);
  assert.deepEqual(report.stages.map(({ stage }) => stage), [1, 2]);
  assert.deepEqual([report.version, report.sweep], [1, null]);
  assert.match(complained, /stage 1: a test/);
});

Deno.test("lab: writes whole files, and nothing beside them stays", async () => {
  await inFolder(async (folder) => {
    const order = { jsonPath: `${folder}/found.json`, reportDirectory: `${folder}/new/report` };
    assert.equal((await run([good(1), good(2)], order)).exitCode, 0);
    assert.deepEqual(await namesIn(folder), ["found.json", "new"]);
    assert.equal(JSON.parse(await Deno.readTextFile(order.jsonPath)).stages.length, 2);
    assert.deepEqual(await namesIn(order.reportDirectory), ["index.html"]);
    assert.equal(await Deno.readTextFile(`${order.reportDirectory}/index.html`), "<html>2");
  });
});

Deno.test("lab: where the JSON cannot be written any more, the report still is, and the other way round", async () => {
  for (const blocked of ["found.json", "report/index.html"]) {
    await inFolder(async (folder) => {
      const order = { jsonPath: `${folder}/found.json`, reportDirectory: `${folder}/report` };
      const blocking = stage(1, async () => {
        await Deno.mkdir(`${folder}/${blocked}`);
        return reportOf(1, true);
      });
      const { exitCode, complained } = await run([blocking], order);
      assert.equal(exitCode, 1);
      assert.match(complained, /sluice: cannot write [^\n]+\n$/);
      assert.ok(complained.includes(`${folder}/${blocked}`), complained);
      const written = blocked === "found.json" ? "report/index.html" : "found.json";
      assert.ok((await Deno.stat(`${folder}/${written}`)).isFile);
    });
  }
});

Deno.test("lab: what cannot be written is told before anything runs, with exit code 2", async () => {
  const never = stage(1, () => assert.fail("it was run"));
  await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/file`, "");
    for (
      const order of [
        { jsonPath: `${folder}/missing/found.json` },
        { jsonPath: folder },
        { reportDirectory: `${folder}/file` },
        { reportDirectory: `${folder}/file/below` },
      ]
    ) {
      const { exitCode, complained, printed } = await run([never], order);
      assert.deepEqual([exitCode, printed], [2, ""], JSON.stringify(order));
      assert.match(complained, /^sluice: cannot write [^\n]+\n$/);
    }
    assert.deepEqual(await namesIn(folder), ["file"]);
  });
});

Deno.test("lab: a signal ends the stage, writes nothing and takes the bar off the terminal", async () => {
  await inFolder(async (folder) => {
    for (const name of Object.keys(LAB_SIGNALS) as LabSignal[]) {
      const { promise: listening, resolve } = Promise.withResolvers<(name: LabSignal) => void>();
      let cleanedUp = false;
      const endless = stage(1, async ({ signal }) => {
        try {
          (await listening)(name);
          await pause(60_000, signal);
        } finally {
          cleanedUp = true;
        }
        return reportOf(1, true);
      });
      const never = stage(2, () => assert.fail("it went on"));
      const order = { jsonPath: `${folder}/found.json`, reportDirectory: `${folder}/report` };
      const { exitCode, progress } = await run([endless, never], order, {
        onSignal: (handler) => {
          resolve(handler);
          return { [Symbol.dispose]: () => {} };
        },
      });
      assert.deepEqual([exitCode, cleanedUp], [LAB_SIGNALS[name], true]);
      assert.ok(progress.endsWith("\r\x1b[2K"));
      assert.deepEqual(await namesIn(folder), []);
    }
  });
});
