import assert from "node:assert/strict";
import { isInstalled, ServerProcess } from "../helpers/server_process.ts";

/** Runs a program to its end and returns what it printed, both streams. */
async function run(program: string, args: readonly string[]): Promise<string> {
  const command = new Deno.Command(program, { args: [...args] });
  const { code, stdout, stderr } = await command.output();
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assert.equal(code, 0, text);
  return text;
}

// Skipped where the program is not installed: nothing of ours is broken there.
const without = async (program: string): Promise<{ ignore: boolean }> => ({
  ignore: !await isInstalled(program),
});

Deno.test(
  "server: redis-benchmark sets and gets without an error",
  await without("redis-benchmark"),
  async () => {
    await using server = await ServerProcess.start();
    const text = await run("redis-benchmark", [
      ...["-p", String(server.port("resp")), "-t", "set,get,ping", "-n", "20000", "-P", "16"],
      ...["-r", "1000", "--csv"],
    ]);
    for (const name of ["SET", "GET", "PING_MBULK"]) {
      assert.match(text, new RegExp(`^"${name}",`, "m"));
    }
    assert.doesNotMatch(text, /error/i);
  },
);

Deno.test(
  "server: redis-cli reads a balance that an event made",
  await without("redis-cli"),
  async () => {
    await using server = await ServerProcess.start();
    const port = String(server.port("resp"));
    assert.equal(
      await run("redis-cli", ["-p", port, "event", "alice", "buy", "100"]),
      "ACCEPTED\n",
    );
    let balance = "\n";
    while (balance === "\n") balance = await run("redis-cli", ["-p", port, "balance", "alice"]);
    assert.equal(balance, "100\n");
    assert.equal(await run("redis-cli", ["-p", port, "get", "balance:alice"]), "100\n");
    assert.match(await run("redis-cli", ["-3", "-p", port, "info", "server"]), /^# Server\r?\n/);
  },
);

Deno.test(
  "server: wrk with 256 connections sees no error",
  await without("wrk"),
  async () => {
    await using server = await ServerProcess.start();
    const url = `http://127.0.0.1:${server.port("http")}/health`;
    const text = await run("wrk", ["-t1", "-c256", "-d1s", url]);
    assert.match(text, /Requests\/sec/);
    assert.doesNotMatch(text, /Socket errors|Non-2xx/);
  },
);

Deno.test(
  "server: curl posts an event and reads the metrics",
  await without("curl"),
  async () => {
    await using server = await ServerProcess.start();
    const base = `http://127.0.0.1:${server.port("http")}`;
    const event = `{"user":"alice","action":"buy","amount":100}`;
    assert.equal(await run("curl", ["-s", `${base}/events`, "-d", event]), `{"status":"accepted"}`);
    assert.match(await run("curl", ["-s", `${base}/metrics`]), /^sluice_events_received_total 1$/m);
  },
);
