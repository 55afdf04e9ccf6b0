/** Programs that speak RESP use every type; the npm libraries do in npm_clients_test.ts. */

import assert from "node:assert/strict";
import { makeCommandTable } from "../../src/command/table.ts";
import { isInstalled, ServerProcess } from "../helpers/server_process.ts";
import { SESSION_PARTS, sessionOf } from "../helpers/type_session.ts";
import { RedisServer } from "../vectors/redis_server.ts";

const steps = sessionOf(makeCommandTable());

/** This server; and Redis, which shows that the session itself is right, also its later parts. */
const TARGETS = [
  { name: "", steps, start: startOurs },
  { name: " of Redis", steps: Object.values(SESSION_PARTS).flat(), start: startRedis },
];

async function startOurs(): Promise<AsyncDisposable & { port: number }> {
  const server = await ServerProcess.start();
  return { port: server.port("resp"), [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

async function startRedis(): Promise<AsyncDisposable & { port: number }> {
  return await RedisServer.start();
}

const hasRedis = await isInstalled("redis-server");

/** Runs a program to its end and returns what it printed. */
async function run(program: string, args: readonly string[], input: string): Promise<string> {
  const process = new Deno.Command(program, {
    args: [...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = process.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { code, stdout, stderr } = await process.output();
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assert.equal(code, 0, text);
  return text;
}

for (const { name, steps, start } of TARGETS) {
  for (const version of ["-2", "-3"]) {
    Deno.test({
      name: `server: redis-cli ${version} uses every type${name}`,
      ignore: !await isInstalled("redis-cli") || (name !== "" && !hasRedis),
      async fn() {
        await using server = await start();
        // An ECHO behind each command says where its reply ends.
        const input = steps.map(({ words }) => `${words.join(" ")}\nECHO ----\n`).join("");
        const printed = await run("redis-cli", [version, "-p", String(server.port)], input);
        const replies = printed.split("----\n").map((text) => text.slice(0, -1).split(/[\n ]/));
        for (const [i, { words, reply, unordered }] of steps.entries()) {
          const flat = unordered ? replies[i]!.toSorted() : replies[i];
          assert.deepEqual(flat, reply, words.join(" "));
        }
      },
    });
  }
}

/** Reads steps as JSON from the standard input and plays them. */
const PYTHON_SESSION = `
import json, sys, redis
r = redis.Redis(port=int(sys.argv[1]))
def flat(x):
    if x is None: return [""]
    if isinstance(x, bool): return ["1" if x else "0"]
    if isinstance(x, bytes): return [x.decode()]
    if isinstance(x, dict): return [t for pair in x.items() for y in pair for t in flat(y)]
    if isinstance(x, (list, tuple, set)): return [t for y in x for t in flat(y)]
    return [str(x)]
for step in json.load(sys.stdin):
    got = flat(r.execute_command(*step["words"]))
    want = step["reply"]
    if step["unordered"]: got, want = sorted(got), sorted(want)
    assert got == want or (got == ["1"] and want == ["OK"]), (step, got)
`;

const hasRedisPy = await isInstalled("/usr/bin/python3") &&
  (await new Deno.Command("/usr/bin/python3", { args: ["-c", "import redis"], stderr: "null" })
    .output()).success;

for (const { name, steps, start } of TARGETS) {
  Deno.test({
    name: `server: redis-py uses every type${name}`,
    ignore: !hasRedisPy || (name !== "" && !hasRedis),
    async fn() {
      await using server = await start();
      const args = ["-W", "error", "-c", PYTHON_SESSION, String(server.port)];
      assert.equal(await run("/usr/bin/python3", args, JSON.stringify(steps)), "");
    },
  });
}

Deno.test("server: the session of every client has something to use", () => {
  assert.ok(steps.length > 0);
});
