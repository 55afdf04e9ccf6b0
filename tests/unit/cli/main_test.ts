import assert from "node:assert/strict";
import { main, type Surroundings } from "../../../src/cli/main.ts";
import type { HealthAnswer } from "../../../src/cli/health.ts";
import type { DataOrder } from "../../../src/cli/data_flags.ts";
import type { InitOrder } from "../../../src/cli/init_order.ts";
import type { LabOrder } from "../../../src/cli/lab_flags.ts";
import type { StressOrder } from "../../../src/cli/stress_flags.ts";
import type { Config } from "../../../src/server/config.ts";
import { ExitCode } from "../../../src/server/run.ts";

interface Run {
  exitCode: number;
  printed: string;
  complained: string;
  configs: Config[];
  labs: LabOrder[];
  data: DataOrder[];
  inits: InitOrder[];
  /** The permissions that it gave up before anything else. */
  gaveUp: string[];
  orders: StressOrder[];
}

async function run(
  args: string[],
  runServer: (config: Config) => Promise<number> = () => Promise.resolve(0),
  variables: Record<string, string> = {},
  healthAnswer: HealthAnswer = { healthy: true, text: "healthy" },
): Promise<Run> {
  const result: Run = {
    exitCode: -1,
    printed: "",
    complained: "",
    configs: [],
    orders: [],
    labs: [],
    data: [],
    inits: [],
    gaveUp: [],
  };
  const surroundings: Surroundings = {
    environment: (name) => variables[name],
    terminalColumns: () => null,
    print: (text) => Promise.resolve(void (result.printed += text)),
    complain: (text) => Promise.resolve(void (result.complained += text)),
    runServer: (config) => {
      const writes = config.dataDir !== "" || config.processor !== "";
      const names = writes ? ["run"] : ["run", "write"];
      assert.deepEqual(
        result.gaveUp,
        names,
        "a server may not start programs, nor write elsewhere",
      );
      result.configs.push(config);
      return runServer(config);
    },
    askHealth: () => Promise.resolve(healthAnswer),
    runInit: (order) => Promise.resolve(result.inits.push(order)),
    runData: (order) => Promise.resolve(result.data.push(order)),
    runLab: (order) => Promise.resolve(result.labs.push(order)),
    giveUpPermissions: (names) => void (result.gaveUp = [...names]),
    runStress: (order) => {
      result.orders.push(order);
      return Promise.resolve(130);
    },
  };
  result.exitCode = await main(args, surroundings);
  return result;
}

Deno.test("main: runs the server and ends with its exit code", async () => {
  for (const code of Object.values(ExitCode)) {
    const { exitCode, configs } = await run(
      ["--workers", "2", "--log-level", "error"],
      () => Promise.resolve(code),
    );
    assert.equal(exitCode, code);
    assert.equal(configs.length, 1);
    assert.equal(configs[0]!.workersMax, 2);
  }
});

Deno.test("main: wrong usage is one line on stderr and exit code 2, and no server", async () => {
  const { exitCode, printed, complained, configs } = await run(["--workers", "none"]);
  assert.equal(exitCode, 2);
  assert.equal(printed, "");
  assert.match(complained, /^sluice: --workers "none" must be [^\n]+\n$/);
  assert.deepEqual(configs, []);
});

Deno.test("main: help and version go to stdout with exit code 0, and start no server", async () => {
  for (const args of [["--help"], ["--version"], ["version"], ["serve", "--help"]]) {
    const { exitCode, printed, complained, configs } = await run(args);
    assert.equal(exitCode, 0);
    assert.ok(printed.length > 0 && printed.endsWith("\n"));
    assert.equal(complained, "");
    assert.deepEqual(configs, []);
  }
});

Deno.test("main: the environment reaches the server's configuration", async () => {
  const { configs } = await run([], undefined, { SLUICE_SHARDS: "8", SLUICE_LOG_LEVEL: "error" });
  assert.equal(configs[0]!.shards, 8);
});

Deno.test("main: health is one line, on stdout with exit code 0 or on stderr with 1", async () => {
  const well = await run(["health"]);
  assert.deepEqual([well.exitCode, well.printed, well.complained], [0, "healthy\n", ""]);
  const ill = await run(["health"], undefined, {}, { healthy: false, text: "not healthy: why" });
  assert.deepEqual([ill.exitCode, ill.printed, ill.complained], [
    1,
    "",
    "sluice: not healthy: why\n",
  ]);
  assert.deepEqual([...well.configs, ...ill.configs], [], "no server was started");
});

Deno.test("main: everything but the lab gives up what only the lab needs", async () => {
  for (
    const args of [[], ["serve"], ["health"], ["stress"], ["version"], ["--help"], ["--wrong"]]
  ) {
    assert.deepEqual((await run(args)).gaveUp, ["run", "write"], args.join(" "));
  }
  const { gaveUp, labs, exitCode } = await run(["lab", "7"]);
  assert.deepEqual([gaveUp, labs.map(({ stages }) => stages), exitCode], [[], [[7]], 1]);
});

Deno.test("main: stress gets what was asked for, and ends with its exit code; no server", async () => {
  const { exitCode, configs, orders } = await run(["stress", "redis://h:1", "--requests", "5"]);
  assert.equal(exitCode, 130);
  assert.deepEqual(configs, []);
  assert.deepEqual(
    orders.map(({ plan: { hostname, requestCount } }) => [hostname, requestCount]),
    [["h", 5]],
  );
});

Deno.test("main: work on data directories starts no server, and may write files only", async () => {
  const { data, gaveUp, exitCode, configs } = await run(["dump", "data"]);
  assert.deepEqual(data.map(({ kind, path }) => [kind, path]), [["dump", "data"]]);
  assert.deepEqual(gaveUp, ["run"]);
  assert.deepEqual([exitCode, configs], [1, []]);
});

Deno.test("main: init-processor starts no server, and may write files only", async () => {
  const { inits, gaveUp, exitCode, configs } = await run(["init-processor", "mine.js", "--force"]);
  assert.deepEqual(inits, [{ file: "mine.js", isForced: true }]);
  assert.deepEqual([gaveUp, exitCode, configs], [["run"], 1, []]);
});

Deno.test("main: a processor of one's own may write files", async () => {
  const { gaveUp } = await run(["--processor", "./mine.ts", "--log-level", "error"]);
  assert.deepEqual(gaveUp, ["run"]);
});
