import assert from "node:assert/strict";
import type { LogFields, Logger } from "../../../src/base/log.ts";
import { StopSteps } from "../../../src/server/stop_steps.ts";

/** A logger that keeps what it is told, as `level event step`. */
function keepingLogger(): { log: Logger; told: string[]; fields: LogFields[] } {
  const told: string[] = [];
  const fields: LogFields[] = [];
  const keep = (level: string) => (_message: string, line: LogFields = {}): void => {
    told.push(`${level} ${line["event"]} ${line["step"]}`);
    fields.push(line);
  };
  const log: Logger = {
    trace: keep("trace"),
    debug: keep("debug"),
    info: keep("info"),
    warn: keep("warn"),
    error: keep("error"),
    isEnabled: () => true,
  };
  return { log, told, fields };
}

Deno.test("StopSteps: logs each step with its time and what it reports", async () => {
  const { log, told, fields } = keepingLogger();
  using steps = new StopSteps(1000, log);
  steps.quiet = false;
  await steps.run("first", 0.5, () => ({ unfinished: 2 }));
  await steps.run("second", 0.5, async () => {});
  assert.deepEqual(told, ["info stop_step first", "info stop_step second"]);
  assert.equal(fields[0]!["unfinished"], 2);
  assert.equal(typeof fields[0]!["ms"], "number");
});

Deno.test("StopSteps: a step that throws is logged, and the next one runs", async () => {
  const { log, told } = keepingLogger();
  using steps = new StopSteps(1000, log);
  await steps.run("bad", 0.5, () => {
    throw new Error("Cannot stop");
  });
  await steps.run("good", 0.5, () => {});
  assert.deepEqual(told, [
    "error stop_step_failed bad",
    "debug stop_step bad",
    "debug stop_step good",
  ]);
});

Deno.test("StopSteps: a step that never comes back is left behind, with time for the next", async () => {
  const { log, fields } = keepingLogger();
  using steps = new StopSteps(400, log);
  await steps.run("stuck", 0.25, () => new Promise<void>(() => {}));
  assert.equal(fields[0]!["gave_up"], true);
  assert.equal(steps.deadline.ended, false, "it did not eat the whole deadline");
  let ran = false;
  await steps.run("next", 0.5, () => void (ran = true));
  assert.equal(ran, true);
});

Deno.test("StopSteps: hurrying tells the running step, and every later one from its start", async () => {
  const { log } = keepingLogger();
  using steps = new StopSteps(60_000, log);
  const aborted: boolean[] = [];
  const running = steps.run("running", 0.9, async ({ signal }) => {
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    aborted.push(signal.aborted);
  });
  steps.deadline.hurry();
  await running;
  await steps.run("later", 0.9, ({ signal }) => void aborted.push(signal.aborted));
  assert.deepEqual(aborted, [true, true]);
});
