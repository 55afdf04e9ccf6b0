import assert from "node:assert/strict";

const FLOOD = new URL("../../helpers/log_flood.ts", import.meta.url).href;
const LINE_COUNT = 50 * 500;

function flood(...args: string[]): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", FLOOD, ...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string> {
  let text = "";
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  while (!text.includes("\n")) {
    const { value, done } = await reader.read();
    if (done) break;
    text += value;
  }
  await reader.cancel();
  return text.split("\n")[0]!;
}

Deno.test("startLogging: with stderr a pipe that nobody reads, timers go on and exit works", async () => {
  const child = flood();
  const report = JSON.parse(await firstLine(child.stdout));
  assert.equal(report.turns, 50);
  assert.equal(report.flushed, false);
  assert.ok(report.dropped > 0, "the queue is bounded");
  const { code } = await child.status;
  assert.equal(code, 7);
  await child.stdin.close();
  await child.stderr.cancel();
});

Deno.test("startLogging: tells how many lines were dropped once somebody reads again", async () => {
  const child = flood("--continue");
  const report = JSON.parse(await firstLine(child.stdout));
  const stderr = new Response(child.stderr).text();
  const writer = child.stdin.getWriter();
  await writer.write(new Uint8Array(1));
  await writer.close();
  const lines = (await stderr).trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.equal((await child.status).code, 7);
  const dropped = lines.filter(({ event }) => event === "log_lines_dropped");
  assert.equal(dropped.reduce((sum, { count }) => sum + count, 0), report.dropped);
  const written = lines.filter(({ message }) => message === "line");
  assert.equal(written.length, LINE_COUNT - report.dropped);
});
