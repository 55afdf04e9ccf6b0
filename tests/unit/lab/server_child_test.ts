import assert from "node:assert/strict";
import type { ServerProgram } from "../../../src/lab/child/program.ts";
import { ServerChild } from "../../../src/lab/child/server_child.ts";

const READY = [
  { event: "listening", protocol: "http", port: 4711 },
  { level: "info", message: "ready", event: "ready" },
].map((line) => `console.error(${JSON.stringify(JSON.stringify(line))});`).join("");

/** Runs a test with a program that does as `code` says, whatever its arguments are. */
async function withProgram(
  code: string,
  test: (program: ServerProgram) => Promise<void>,
): Promise<void> {
  const path = await Deno.makeTempFile({ prefix: "sluice-lab-", suffix: ".js" });
  try {
    await Deno.writeTextFile(path, code);
    await test({ path: Deno.execPath(), args: ["run", "--quiet", path], env: {} });
  } finally {
    await Deno.remove(path);
  }
}

const never = new AbortController().signal;

Deno.test("ServerChild: one that ends before it is ready is told with its last words", async () => {
  const words = JSON.stringify({ level: "error", message: "the port is in use" });
  const code = `console.error("first"); console.error(${JSON.stringify(words)}); Deno.exit(1);`;
  await withProgram(code, async (program) => {
    await assert.rejects(ServerChild.start(program, [], never), (error: Error) => {
      assert.match(error.message, /^Cannot go on with the lab's server: it ended by itself; /);
      assert.match(error.message, /\n {2}error: the port is in use\nfirst$/);
      return true;
    });
  });
});

Deno.test("ServerChild: knows its ports, and ends one that does not stop when it is asked to", async () => {
  const stubborn = `Deno.addSignalListener("SIGTERM", () => {}); setInterval(() => {}, 1000);`;
  await withProgram(stubborn + READY, async (program) => {
    const child = await ServerChild.start(program, [], never);
    assert.equal(child.port("http"), 4711);
    assert.throws(() => child.port("resp"), /it listens on no port for resp/);
    await child[Symbol.asyncDispose]();
    // It has ended, or this would wait for ever.
    assert.notEqual((await child.waitForEnd(never)).code, 0);
  });
});

Deno.test("ServerChild: a start that is interrupted throws the reason and leaves no process", async () => {
  await withProgram("setInterval(() => {}, 1000);", async (program) => {
    const reason = new Error("ended by SIGINT");
    const end = new AbortController();
    setTimeout(() => end.abort(reason), 100);
    await assert.rejects(ServerChild.start(program, [], end.signal), (error) => error === reason);
    await assert.rejects(ServerChild.start(program, [], end.signal), (error) => error === reason);
  });
});

Deno.test("ServerChild: has the environment that its program says, over ours", async () => {
  const code = `console.error(JSON.stringify({ event: "ready", value: Deno.env.get("A") }));` +
    `setInterval(() => {}, 1000);`;
  await withProgram(code, async ({ path, args }) => {
    const program = { path, args: ["run", "--quiet", "--allow-env", args.at(-1)!], env: { A: "" } };
    Deno.env.set("A", "ours");
    await using child = await ServerChild.start(program, [], never);
    Deno.env.delete("A");
    assert.equal(child.lines[0]!["value"], "");
  });
});
