/**
 * The benchmarks, run small: each does what it says, needs no more than its task allows, and has
 * something to be compared with.
 */

import assert from "node:assert/strict";
import { runProgram } from "./helpers/executable.ts";

const ROOT = new URL("../", import.meta.url);

/** Seconds, on a machine that is busy with other tests. */
const PATIENCE_MS = 60_000;

/** What bench_run_main.ts says of a benchmark. */
interface Bench {
  group: string | null;
  name: string;
  baseline: boolean;
}

const files = [...Deno.readDirSync(new URL("bench/", ROOT))]
  .map(({ name }) => `bench/${name}`)
  .filter((name) => name.endsWith("_bench.ts"))
  .toSorted();

/** What `deno task bench` lets the benchmarks do. */
async function taskPermissions(): Promise<string[]> {
  const { tasks } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  const permissions = tasks.bench.command.match(/--allow-[^ ]+/g);
  assert.ok(permissions, "the task bench allows something");
  return permissions;
}

async function runSmall(file: string): Promise<Bench[]> {
  const { code, stdout, stderr } = await runProgram(Deno.execPath(), [
    "run",
    "--no-check",
    "--no-prompt",
    ...await taskPermissions(),
    "tests/helpers/bench_run_main.ts",
    file,
  ], { env: { NO_COLOR: "1", SLUICE_BENCH_TRIAL: "1" }, patienceMs: PATIENCE_MS });
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

Deno.test("bench: there is one for each layer", () => {
  for (const layer of ["channel", "event_json", "http_codec", "resp_codec", "router", "store"]) {
    assert.ok(files.includes(`bench/${layer}_bench.ts`), layer);
  }
});

Deno.test("bench: its README has a row for each file", async () => {
  const readme = await Deno.readTextFile(new URL("bench/README.md", ROOT));
  const rows = [...readme.matchAll(/^\| `([a-z_]+_bench\.ts)` +\| /gm)].map(([, name]) => name);
  for (const file of files) assert.ok(rows.includes(file.slice("bench/".length)), file);
});

for (const file of files) {
  Deno.test(`${file}: all of it runs, and each group has one baseline`, async () => {
    const benches = await runSmall(file);
    assert.ok(benches.length > 1, "there is something to compare");
    for (const { group, name } of benches) assert.ok(group, `"${name}" is in a group`);
    for (const [group, members] of Map.groupBy(benches, ({ group }) => group)) {
      const baselines = members.filter(({ baseline }) => baseline).map(({ name }) => name);
      assert.equal(baselines.length, 1, `"${group}" has the baselines ${baselines.join(" and ")}`);
      const names = members.map(({ name }) => name);
      assert.equal(new Set(names).size, names.length, `"${group}" names each of ${names} once`);
    }
  });
}
