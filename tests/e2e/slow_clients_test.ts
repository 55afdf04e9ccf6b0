import assert from "node:assert/strict";
import {
  assertControlsServed,
  runAttack,
  SLOW_CLIENTS,
  storeBigValue,
  waitForNobody,
} from "../helpers/hostile.ts";
import { canRunLoad } from "../helpers/load/run_load.ts";
import { Attack } from "../helpers/load/run_attack.ts";
import { closedFor, waitForMetrics } from "../helpers/metrics.ts";
import { ServerProcess } from "../helpers/server_process.ts";

/** Between two requests of the others: they are to be served, not to keep the processors busy. */
const PAUSE_MS = 20;

const options = { ignore: !canRunLoad };
const { header, body, read, silent } = SLOW_CLIENTS;

Deno.test(
  "server: slow heads, bodies and readers are ended and counted, the others served (P3)",
  options,
  async () => {
    await using server = await ServerProcess.start([
      ...["--header-timeout", "1s", "--idle-timeout", "2s", "--max-request-bytes", "2mb"],
    ]);
    await storeBigValue(server);
    const groups = [header, body, read].flatMap((kind) => kind.groups(server, 30));
    // Five seconds are everybody's to begin with.
    const { during } = await runAttack(server, groups, 7000, 200, PAUSE_MS);
    assertControlsServed(during);
    const metrics = await waitForNobody(server);
    assert.equal(closedFor(metrics, "header_timeout"), 30);
    assert.equal(closedFor(metrics, "too_slow"), 30);
    // They take so little that the system passes nothing on, and the pause allowed in a reply is
    // longer than the idle time here.
    assert.equal(closedFor(metrics, "idle"), 30);
    assert.equal(closedFor(metrics, "client_memory"), 0);
  },
);

Deno.test("server: silent clients are ended and counted (P3)", options, async () => {
  await using server = await ServerProcess.start(["--idle-timeout", "300ms"]);
  await using _attack = await Attack.start(silent.groups(server, 30));
  await waitForMetrics(
    server.port("http"),
    "30 idle clients being ended",
    (metrics) => closedFor(metrics, "idle") === 30,
  );
  await waitForNobody(server);
});
