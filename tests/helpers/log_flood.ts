/**
 * Child process: logs far more than a pipe holds, while timers should go on; see
 * `log_blocked_test.ts`. Reports on stdout.
 */

import { droppedLogLines, flushLogs, getLogger, startLogging } from "../../src/base/log.ts";

startLogging({ level: "info", format: "json" });
const log = getLogger("flood");
const padding = "x".repeat(200);
let turns = 0;
const timer = setInterval(async () => {
  for (let i = 0; i < 500; i++) log.info("line", { turn: turns, i, padding });
  if (++turns < 50) return;
  clearInterval(timer);
  const flushed = await flushLogs(50);
  const report = JSON.stringify({ turns, dropped: droppedLogLines(), flushed });
  await Deno.stdout.write(new TextEncoder().encode(`${report}\n`));
  if (Deno.args[0] === "--continue") {
    // The parent reads now; a later line brings the report of what was dropped.
    await Deno.stdin.read(new Uint8Array(1));
    log.info("after");
    await flushLogs(10_000);
  }
  Deno.exit(7);
}, 1);
