import assert from "node:assert/strict";
import type { GroupReport, LoadGroup } from "../helpers/load/plan.ts";
import { canRunLoad, reportTable, runLoad } from "../helpers/load/run_load.ts";
import { ServerProcess } from "../helpers/server_process.ts";

// The load generator makes system calls; elsewhere `tests/stress/fairness_stress_test.ts` must do.
const options = { ignore: !canRunLoad };

/** Every connection should get at least this part of what the median connection gets. */
const SHARE = 0.25;

async function load(
  ...groups: (Pick<LoadGroup, "protocol" | "port"> & Partial<LoadGroup>)[]
): Promise<GroupReport[]> {
  return await runLoad({
    groups: groups.map((group, i) => ({
      name: `group ${i}`,
      connectionCount: 1000,
      depth: 1,
      pauseMs: 0,
      ...group,
    })),
    warmUpMs: 300,
    durationMs: 1000,
  });
}

function assertFair(reports: readonly GroupReport[]): void {
  const table = reportTable(reports);
  for (const { requestCount, fewest, median, lostCount, strangeCount } of reports) {
    assert.ok(requestCount > 0, table);
    assert.ok(fewest >= median * SHARE, table);
    assert.equal(lostCount, 0, table);
    assert.equal(strangeCount, 0, table);
  }
}

Deno.test(
  "load generator: sees a server that starves a tenth of its clients",
  options,
  async () => {
    const server = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "--allow-net", "tests/helpers/unfair_server.ts"],
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const reader = server.stdout.getReader();
    try {
      const { value } = await reader.read();
      const port = Number(new TextDecoder().decode(value));
      const reports = await load({ protocol: "resp", port, connectionCount: 100 });
      assert.throws(() => assertFair(reports), assert.AssertionError, reportTable(reports));
    } finally {
      await reader.cancel();
      server.kill("SIGKILL");
      await server.status;
    }
  },
);

for (const protocol of ["http", "resp"] as const) {
  Deno.test(`server: of 1,000 busy ${protocol} clients none is starved (P3)`, options, async () => {
    await using server = await ServerProcess.start(["--max-connections", "1100"]);
    assertFair(await load({ protocol, port: server.port(protocol) }));
  });
}

Deno.test(
  "server: clients that pipeline starve neither each other nor slow ones (P3)",
  options,
  async () => {
    await using server = await ServerProcess.start(["--max-connections", "1100"]);
    const groups = (["http", "resp"] as const).flatMap((protocol) => {
      const common = { protocol, port: server.port(protocol), connectionCount: 250 };
      return [{ ...common, depth: 16 }, { ...common, pauseMs: 100 }];
    });
    assertFair(await load(...groups));
  },
);
