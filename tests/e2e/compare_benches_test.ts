/**
 * The comparing benches, as small as they go, so that they cannot rot; no figure is looked at.
 */

import assert from "node:assert/strict";
import { isInstalled, ServerProcess } from "../helpers/server_process.ts";

const REPOSITORY = new URL("../../", import.meta.url);

/** Runs a bench with the permissions of its task. */
async function bench(
  name: string,
  flags: readonly string[],
): Promise<{ code: number; text: string }> {
  const { tasks } = JSON.parse(await Deno.readTextFile(new URL("deno.json", REPOSITORY)));
  const words: string[] = tasks[`bench:${name}`].command.split(" ").slice(1);
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...words, ...flags],
    cwd: REPOSITORY,
  }).output();
  const decoder = new TextDecoder();
  return { code, text: decoder.decode(stdout) + decoder.decode(stderr) };
}

/** Whatever was measured: 0 all held, 1 something was missed. Everything else is a fault. */
function assertMeasured({ code, text }: { code: number; text: string }, row: RegExp): void {
  assert.ok(code === 0 || code === 1, text);
  assert.match(text, row);
  assert.match(text, /all as it must be|\d+ of \d+ missed/);
}

Deno.test({
  name: "bench:resp: measures a command here and in Redis",
  // Tools of Debian's redis-tools and redis-server.
  ignore: !await isInstalled("redis-benchmark") || !await isInstalled("redis-server"),
  fn: async () => {
    const flags = ["--commands", "rpop", "--pipelines", "16", "--sizes", "16", "--runs", "1"];
    assertMeasured(
      await bench("resp", [...flags, "--requests", "2000"]),
      /^RPOP +16 +16 B +[\d.]+ .* [\d.]+$/m,
    );
  },
});

Deno.test({
  name: "bench:http: measures events here and in Deno.serve, and the way of an event",
  ignore: !await isInstalled("wrk"),
  fn: async () => {
    const flags = ["--scenarios", "events", "--connections", "64", "--contenders", "Deno.serve"];
    const result = await bench("http", [
      ...flags,
      "--runs",
      "1",
      "--seconds",
      "1",
      "--cold",
      "--events",
      "20",
    ]);
    assertMeasured(result, /^events +64 +Deno\.serve +[\d.]+ .* [\d.]+ ×$/m);
    assert.match(result.text, /^through channel and worker to the store +[\d.]+ +[\d.]+$/m);
    assert.doesNotMatch(result.text, /Cannot/);
  },
});

Deno.test({
  name: "bench:scale: measures threads on the store and on the channel",
  fn: async () => {
    const flags = ["--parts-only", "--threads", "1,2", "--runs", "1", "--ms", "20"];
    const { code, text } = await bench("scale", flags);
    assert.ok(code === 0 || code === 1, text);
    assert.match(text, /^store, 64 shards +2 +[\d.]+ .* ([\d.]+|-)$/m);
    assert.match(text, /^channel +2 +[\d.]+ .* ([\d.]+|-)$/m);
  },
});

Deno.test({
  name: "bench:resp: --fsync measures servers with a log beside one without",
  ignore: !await isInstalled("redis-benchmark"),
  fn: async () => {
    const flags = ["--fsync", "none,everysec", "--pipelines", "16", "--runs", "1"];
    const { code, text } = await bench("resp", [...flags, "--requests", "2000"]);
    assert.equal(code, 0, text);
    assert.match(text, /Sluice, none k\/s .* Sluice, everysec k\/s .* ratio Sluice, everysec /);
    assert.match(text, /^SET +16 +16 B +[\d.]+ .* [\d.]+$/m);
  },
});

Deno.test("bench:recovery: measures starts from a snapshot and from the log", async () => {
  const result = await bench("recovery", ["--keys", "3000", "--starts", "1"]);
  assertMeasured(result, /^the snapshot +[\d.]+ +[\d.]+ /m);
  assert.match(result.text, /^the log +[\d.]+ +[\d.]+ /m);
});

Deno.test("bench: a mistake on the command line is said, and is wrong usage", async () => {
  const { code, text } = await bench("resp", ["--commands", "FLY"]);
  assert.equal(code, 2);
  assert.match(text, /^Cannot read --commands FLY: it is not one of PING, /m);
});

/** Events of every kind that the contender must judge as we do. */
const BODIES: readonly string[] = [
  '{"user":"alice","action":"buy","amount":100}',
  '{"user":"alice","action":"buy","amount":-100,"id":"1"}',
  '{"user":"al\\u0065","action":"buy","amount":9007199254740993}',
  '{"user":"alice","action":"buy","amount":9223372036854775807}',
  '{"user":"alice","action":"buy","amount":9223372036854775808}',
  '{"user":"alice","action":"buy","amount":1.5}',
  '{"user":"alice","action":"buy","amount":"1"}',
  '{"user":"alice","action":"buy"}',
  '{"user":"","action":"buy","amount":1}',
  '{"user":"a\\u0007b","action":"buy","amount":1}',
  '{"user":"a\\ud800","action":"buy","amount":1}',
  `{"user":"${"é".repeat(64)}","action":"buy","amount":1}`,
  `{"user":"${"é".repeat(65)}","action":"buy","amount":1}`,
  `{"user":"alice","action":"${"b".repeat(65)}","amount":1}`,
  '{"user":"alice","action":"buy","amount":1,"id":""}',
  '{"user":"alice","action":"buy","amount":1,"other":[1,{"a":null}]}',
  "[]",
  "null",
  "{",
  "",
];

Deno.test("bench:http: the contender judges events as the server does", async () => {
  await using server = await ServerProcess.start(["--resp-port", "off", "--proto-port", "off"]);
  const script = "bench/compare/contenders/deno_serve.ts";
  const free = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = free.addr;
  free.close();
  await using contender = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--allow-net", "--allow-read", script, String(port), "."],
    cwd: REPOSITORY,
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reader = contender.stdout.getReader();
  await reader.read();
  const statuses = async (ofPort: number): Promise<number[]> => {
    const found: number[] = [];
    for (const body of BODIES) {
      const url = `http://127.0.0.1:${ofPort}/events`;
      const headers = { "content-type": "application/json" };
      const reply = await fetch(url, { method: "POST", headers, body });
      await reply.body?.cancel();
      found.push(reply.status);
    }
    return found;
  };
  const ours = await statuses(server.port("http"));
  assert.deepEqual(await statuses(port), ours);
  assert.deepEqual([...new Set(ours)].toSorted(), [202, 400]);
  contender.kill("SIGKILL");
  await reader.cancel();
  await contender.status;
});
