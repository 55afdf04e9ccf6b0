import assert from "node:assert/strict";
import {
  flushLogs,
  forwardLogs,
  getLogger,
  type LogMessage,
  receiveLog,
  startLogging,
} from "../../../src/base/log.ts";
import { LOG_WORKER_LINES_PER_SECOND } from "../../../src/base/limits.ts";

/** Logs to memory; gives back the JSON lines. */
function capture(
  level: "trace" | "info" | "error" = "info",
): () => Promise<Record<string, unknown>[]> {
  let text = "";
  startLogging({
    level,
    format: "json",
    write: (bytes) => {
      text += new TextDecoder().decode(bytes);
      return Promise.resolve(bytes.length);
    },
  });
  return async () => {
    assert.equal(await flushLogs(5000), true);
    return text.split("\n").slice(0, -1).map((line) => JSON.parse(line));
  };
}

Deno.test("getLogger: its records carry the area, the level, and the message as it is", async () => {
  const lines = capture("trace");
  const log = getLogger("pool");
  log.trace("a {brace}", { brace: 1 });
  log.debug("b");
  log.info("c");
  log.warn("d");
  log.error("e");
  assert.deepEqual(
    (await lines()).map(({ area, level, message }) => [area, level, message]),
    [
      ["pool", "trace", "a {brace}"],
      ["pool", "debug", "b"],
      ["pool", "info", "c"],
      ["pool", "warn", "d"],
      ["pool", "error", "e"],
    ],
  );
});

Deno.test("getLogger: logs nothing below the level, and isEnabled says so", async () => {
  const lines = capture("error");
  const log = getLogger("pool");
  log.warn("unseen");
  assert.equal(log.isEnabled("warn"), false);
  assert.equal(log.isEnabled("error"), true);
  assert.deepEqual(await lines(), []);
});

Deno.test("startLogging: loggers made before it follow it, and so do those made before the last call", async () => {
  const log = getLogger("early");
  const first = capture();
  log.info("one");
  const firstLines = await first();
  const second = capture();
  log.info("two");
  assert.deepEqual(firstLines.map(({ message }) => message), ["one"]);
  assert.deepEqual((await second()).map(({ message }) => message), ["two"]);
  assert.equal((await first()).length, 1);
});

Deno.test("forwardLogs: a record crosses to receiveLog with its time and plain fields", async () => {
  const messages: LogMessage[] = [];
  forwardLogs("info", (message) => messages.push(structuredClone(message)));
  getLogger("worker").warn("job failed", { reason: "overflow", amount: 3n, call: () => {} });
  getLogger("worker").debug("unseen");
  assert.equal(messages.length, 1);

  const lines = capture();
  assert.equal(receiveLog(messages[0]), true);
  const [line] = await lines();
  assert.equal(line!["time"], new Date(messages[0]!.record.timeMs).toISOString());
  assert.equal(line!["area"], "worker");
  assert.equal(line!["level"], "warn");
  assert.equal(line!["reason"], "overflow");
  assert.equal(line!["amount"], "3");
});

Deno.test("receiveLog: leaves other messages alone", () => {
  for (const message of [null, undefined, 1, "x", {}, { kind: "other" }, { kind: "sluice_log" }]) {
    assert.equal(receiveLog(message), false);
  }
});

Deno.test("forwardLogs: a flood is cut to a number of lines a second", () => {
  const messages: LogMessage[] = [];
  forwardLogs("info", (message) => messages.push(message));
  const log = getLogger("worker");
  const startSecond = Math.floor(Date.now() / 1000);
  for (let i = 0; i < LOG_WORKER_LINES_PER_SECOND * 2 + 500; i++) log.info("line");
  const seconds = Math.floor(Date.now() / 1000) - startSecond + 1;
  assert.ok(messages.length <= LOG_WORKER_LINES_PER_SECOND * seconds + seconds);
  assert.ok(messages.length >= LOG_WORKER_LINES_PER_SECOND);
});

Deno.test("startLogging: a worker's records come out of the main isolate", async () => {
  const lines = capture();
  const source = `
    import { forwardLogs, getLogger } from "${new URL(
    "../../../src/base/log.ts",
    import.meta.url,
  )}";
    forwardLogs("info", (message) => self.postMessage(message));
    getLogger("worker").info("started", { thread_id: 3 });
    self.postMessage("done");
  `;
  const url = URL.createObjectURL(new Blob([source], { type: "application/javascript" }));
  const worker = new Worker(url, { type: "module" });
  const received: boolean[] = [];
  await new Promise<void>((resolve) => {
    worker.onmessage = ({ data }) => data === "done" ? resolve() : received.push(receiveLog(data));
  });
  worker.terminate();
  URL.revokeObjectURL(url);
  assert.deepEqual(received, [true]);
  const [line] = await lines();
  assert.equal(line!["message"], "started");
  assert.equal(line!["thread_id"], 3);
});
