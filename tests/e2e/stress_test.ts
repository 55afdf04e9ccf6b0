/**
 * Loads against whole servers: what the generator counts is what the server counted.
 */

import assert from "node:assert/strict";
import type { LoadPlan, LoadProtocol, LoadResult } from "../../src/lab/load/plan.ts";
import { runLoad } from "../../src/lab/load/run_load.ts";
import { type Metrics, waitForMetrics } from "../helpers/metrics.ts";
import { RawClient, respCommand } from "../helpers/raw_client.ts";
import { PROGRAM, ServerProcess } from "../helpers/server_process.ts";
import { testCertificate, tlsFlags } from "../helpers/tls.ts";

const PROTOCOLS: readonly LoadProtocol[] = ["http", "resp", "proto"];
const ROOT = new URL("../../", import.meta.url);

function planFor(server: ServerProcess, protocol: LoadProtocol, rest: Partial<LoadPlan>): LoadPlan {
  return {
    protocol,
    hostname: "127.0.0.1",
    port: server.port(protocol),
    requestCount: 300,
    connectionCount: 8,
    ratePerSecond: null,
    userCount: 5,
    distribution: "zipf",
    seed: 1,
    ...rest,
  };
}

/** Checks the server's counters once all that was accepted is settled. */
async function assertCounted(server: ServerProcess, accepted: number, refused: number) {
  const metrics = await waitForMetrics(
    server.port("http"),
    "the settlement of every event",
    (now) => now.get("sluice_events_pending") === 0,
  );
  assert.deepEqual(
    [
      metrics.get("sluice_events_received_total"),
      metrics.get("sluice_events_processed_total"),
      metrics.get('sluice_events_dropped_total{reason="server_busy"}'),
      metrics.get("sluice_events_invalid_total"),
    ],
    [accepted + refused, accepted, refused, 0],
  );
}

async function sumOfBalances(server: ServerProcess, userCount: number): Promise<number> {
  using client = await RawClient.connect(server.port("resp"));
  let sum = 0;
  for (let user = 1; user <= userCount; user++) {
    await client.send(respCommand("BALANCE", `user${user}`));
    const reply = await client.readUntil("\r\n");
    sum += reply.startsWith(":") ? Number(reply.slice(1)) : 0;
  }
  return sum;
}

for (const protocol of PROTOCOLS) {
  Deno.test(`runLoad: over ${protocol}, its counts are the server's, and every event arrives`, async () => {
    await using server = await ServerProcess.start(["--log-level", "info"]);
    const closed = await runLoad(planFor(server, protocol, {}));
    const open = await runLoad(
      planFor(server, protocol, { ratePerSecond: 1500, requestCount: 200 }),
    );
    assert.deepEqual([closed.errorTexts, open.errorTexts], [{}, {}]);
    const accepted = closed.accepted + open.accepted;
    const refused = closed.refused + open.refused;
    assert.equal(accepted + refused, 500);
    await assertCounted(server, accepted, refused);
    assert.equal(await sumOfBalances(server, 5), accepted, "each event adds 1");
  });

  Deno.test(`runLoad: over ${protocol}, a channel of 1 refuses, and that is told apart`, async () => {
    await using server = await ServerProcess.start([
      ...["--channel-capacity", "1", "--workers", "1", "--work-ms", "50"],
    ]);
    const result = await runLoad(planFor(server, protocol, { requestCount: 60 }));
    assert.deepEqual(result.errorTexts, {});
    assert.ok(result.accepted >= 1 && result.refused >= 1, JSON.stringify(result));
    assert.equal(result.accepted + result.refused, 60);
    await assertCounted(server, result.accepted, result.refused);
  });

  Deno.test(`runLoad: over ${protocol}, the right password is taken and no other`, async () => {
    await using server = await ServerProcess.start(["--password", "sesame open"]);
    const right = await runLoad(planFor(server, protocol, { password: "sesame open" }));
    assert.deepEqual([right.accepted + right.refused, right.errorTexts], [300, {}]);
    const none = await runLoad(planFor(server, protocol, { requestCount: 4 }));
    const said = { http: /^401 /, resp: /^NOAUTH /, proto: /^UNAUTHENTICATED / }[protocol];
    assert.equal(none.errors, 4);
    for (const text of Object.keys(none.errorTexts)) assert.match(text, said);
    const wrong = planFor(server, protocol, { password: "x", requestCount: 1, connectionCount: 1 });
    if (protocol === "http") assert.equal((await runLoad(wrong)).errors, 1);
    else await assert.rejects(runLoad(wrong), /cannot log in: WRONG_?PASS/);
  });
}

Deno.test("runLoad: speaks TLS on every port", async () => {
  const certificate = testCertificate("one");
  await using server = await ServerProcess.start(tlsFlags(certificate));
  for (const protocol of PROTOCOLS) {
    const plan = planFor(server, protocol, { hostname: "localhost", requestCount: 40 });
    const tls = { caCerts: [certificate.cert] };
    const { accepted, refused } = await runLoad({ ...plan, tls });
    assert.equal(accepted + refused, 40, protocol);
    await assert.rejects(runLoad({ ...plan, tls: { caCerts: [] } }), /Cannot start the load on /);
  }
});

Deno.test("runLoad: when the server stops in the middle, every request still has one outcome", async () => {
  await using server = await ServerProcess.start();
  let result: LoadResult | undefined;
  let isStopping = false;
  const stop = new AbortController();
  const running = runLoad(planFor(server, "http", {
    requestCount: 1_000_000,
    signal: stop.signal,
    onSample: ({ accepted, errors }) => {
      if (accepted > 0 && !isStopping) {
        isStopping = true;
        server.signal("SIGTERM");
      }
      if (errors > 0) stop.abort();
    },
  })).then((value) => result = value);
  const { lines } = await server.waitForEnd();
  await running;
  const { accepted, refused, errors, sent } = result!;
  assert.equal(accepted + refused + errors, sent);
  const stopped = lines.find(({ event }) => event === "stopped")!;
  assert.equal(stopped["lost"], 0);
  // An answer may be lost with its connection, but no answer comes without an event.
  assert.ok(Number(stopped["processed"]) >= accepted);
});

/** `sluice stress` as a process. */
function stress(args: readonly string[], env: Record<string, string> = {}): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    // As in the task `stress`.
    args: ["run", "--no-prompt", "--allow-net", "--allow-read", "--allow-env", PROGRAM, "stress"]
      .concat(args),
    cwd: ROOT,
    env,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

async function endOf(child: Deno.ChildProcess) {
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { code, printed: decoder.decode(stdout), complained: decoder.decode(stderr) };
}

Deno.test("sluice stress: prints a table, with the password and port of the server's environment", async () => {
  await using server = await ServerProcess.start(["--password", "sesame"]);
  const env = { SLUICE_PASSWORD: "sesame", SLUICE_RESP_PORT: String(server.port("resp")) };
  const args = ["--protocol", "resp", "--requests", "200", "--rate", "1000/s"];
  const { code, printed } = await endOf(stress(args, env));
  assert.equal(code, 0, printed);
  assert.match(
    printed,
    /^resp:\/\/127\.0\.0\.1:\d+, 50 connections, 1,000 a second: 200 requests in /,
  );
  assert.match(printed, /^service time +200 /m);
});

Deno.test("sluice stress: --json can be read by programs", async () => {
  await using server = await ServerProcess.start();
  const address = `http://127.0.0.1:${server.port("http")}`;
  const { code, printed } = await endOf(stress([address, "--requests", "100", "--json"]));
  assert.equal(code, 0);
  const { plan, result } = JSON.parse(printed);
  assert.equal(plan.port, server.port("http"));
  assert.equal(result.accepted + result.refused, 100);
  await assertCounted(server, result.accepted, result.refused);
});

Deno.test("sluice stress: SIGINT and SIGTERM end it, and what was seen is printed", async () => {
  await using server = await ServerProcess.start();
  const address = `http://127.0.0.1:${server.port("http")}`;
  let receivedBefore = 0;
  for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
    const child = stress([address, "--requests", "1000000000", "--rate", "100", "--json"]);
    const received = (metrics: Metrics): number => metrics.get("sluice_events_received_total")!;
    const metrics = await waitForMetrics(
      server.port("http"),
      "events",
      (now) => received(now) > receivedBefore,
    );
    assert.ok(received(metrics) > receivedBefore);
    child.kill(signal);
    const end = await endOf(child);
    assert.equal(end.code, code);
    const { result } = JSON.parse(end.printed);
    assert.ok(result.interrupted && result.sent > 0);
    assert.equal(result.accepted + result.refused + result.errors, result.sent);
    // All that was sent has arrived before the next one begins.
    receivedBefore += result.sent;
  }
});

Deno.test("sluice stress: where nothing listens it says so and ends with 1; wrong usage with 2", async () => {
  let port: number;
  {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    port = listener.addr.port;
  }
  const nobody = await endOf(stress([`proto://127.0.0.1:${port}`]));
  assert.deepEqual([nobody.code, nobody.printed], [1, ""]);
  assert.match(nobody.complained, /^sluice: Cannot start the load on .*: nothing listens there\n$/);
  const wrong = await endOf(stress(["--rate", "never"]));
  assert.equal(wrong.code, 2);
  assert.match(wrong.complained, /^sluice: --rate "never" must be [^\n]+\n$/);
});

interface InfoModule {
  readonly specifier: string;
  readonly dependencies?: readonly { code?: { specifier?: string }; isDynamic?: boolean }[];
}

Deno.test("sluice serve: loads neither the load generator nor its libraries", async () => {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", "main.ts"],
    cwd: ROOT,
  }).output();
  const { roots, modules } = JSON.parse(new TextDecoder().decode(stdout));
  const byName = new Map<string, InfoModule>(
    modules.map((module: InfoModule) => [module.specifier, module]),
  );
  const loadedFrom = (root: string, withDynamic: boolean): Set<string> => {
    const found = new Set([root]);
    // Grows on the way.
    for (const name of found) {
      for (const { code, isDynamic } of byName.get(name)?.dependencies ?? []) {
        if (code?.specifier !== undefined && (withDynamic || !isDynamic)) found.add(code.specifier);
      }
    }
    return found;
  };
  const isOfLab = (name: string): boolean => /\/src\/lab\/|hdr-histogram/.test(name);
  assert.deepEqual([...loadedFrom(roots[0], false)].filter(isOfLab), []);
  assert.ok([...loadedFrom(roots[0], true)].some(isOfLab), "it can be loaded");
});
