import assert from "node:assert/strict";
import {
  assertControlsServed,
  GROWTH_MAX_MIB,
  MEMORY_ATTACKS,
  runAttack,
  storeBigValue,
  waitForNobody,
} from "../helpers/hostile.ts";
import { canRunLoad } from "../helpers/load/run_load.ts";
import { closedFor } from "../helpers/metrics.ts";
import { ServerProcess } from "../helpers/server_process.ts";

/** With all their requests in memory the crowd would take twice what is allowed. */
const CROWD = 200;

/** Between two requests of the others: they are to be served, not to keep the processors busy. */
const PAUSE_MS = 20;

const limitBytes = 20 * 2 ** 20;

for (const { name, groups } of MEMORY_ATTACKS.filter(({ quick }) => quick)) {
  Deno.test(`server: ${name}: memory stays bounded and the others are served (C13)`, {
    ignore: !canRunLoad,
  }, async () => {
    await using server = await ServerProcess.start([
      ...["--max-client-memory", String(limitBytes), "--max-request-bytes", "2mb"],
    ]);
    await storeBigValue(server);
    const attack = groups(server, CROWD);
    const { during, growthMib, metrics } = await runAttack(server, attack, 1500, 200, PAUSE_MS);
    assertControlsServed(during);
    assert.ok(growthMib < GROWTH_MAX_MIB, `it grew by ${growthMib.toFixed(0)} MiB`);
    const heldBytes = metrics.get("sluice_client_memory_bytes")!;
    assert.ok(heldBytes <= limitBytes, `${heldBytes} bytes of client memory`);
    if (name.startsWith("1 MB")) {
      assert.ok(heldBytes > 0, "what clients hold is counted");
      assert.ok(closedFor(metrics, "client_memory") > 0, "some were ended");
    }
    await waitForNobody(server);
  });
}
