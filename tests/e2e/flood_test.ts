import assert from "node:assert/strict";
import {
  assertControlsServed,
  CONTROL_CONNECTIONS,
  flood,
  waitForNobody,
} from "../helpers/hostile.ts";
import { canRunLoad } from "../helpers/load/run_load.ts";
import { ServerProcess } from "../helpers/server_process.ts";

const FLOOD = 2000;
/** Less than those of the flood that stay. */
const MAX_CONNECTIONS = 200;

Deno.test("server: a flood of connections costs those who are connected nothing (P3)", {
  ignore: !canRunLoad,
}, async () => {
  await using server = await ServerProcess.start([
    ...["--max-connections", String(MAX_CONNECTIONS)],
  ]);
  const { flood: report, during } = await flood(server, FLOOD, 1000);
  assertControlsServed(during);
  assert.equal(report.connected, FLOOD, JSON.stringify(report));
  assert.ok(report.turnedAway > FLOOD / 5 - MAX_CONNECTIONS, JSON.stringify(report));
  const metrics = await waitForNobody(server);
  const refused = (["http", "resp"] as const).map((protocol) =>
    metrics.get(
      `sluice_connections_refused_total{protocol="${protocol}",reason="max_connections"}`,
    )!
  );
  assert.ok(refused[0]! > 0 && refused[1]! > 0, `refused ${refused}`);
  assert.ok(CONTROL_CONNECTIONS * 2 < MAX_CONNECTIONS);
  assert.equal(metrics.get("sluice_internal_errors_total"), 0);
});
