import assert from "node:assert/strict";
import { ServerWatch } from "../../../src/lab/stages/server_watch.ts";

/** A server that settles as many events as it is asked, up to `settledMax`. */
function startServer(settledMax: number): Deno.HttpServer<Deno.NetAddr> {
  let settled = 0;
  return Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => {
    settled = Math.min(settled + 1, settledMax);
    return Response.json({
      processed: settled,
      failed: 0,
      pending: 0,
      channel: { depth: 0, capacity: 1 },
      locks: { wait: null, hold: null },
    });
  });
}

Deno.test("ServerWatch: looks until everything is settled, but does not wait for ever for what is lost", async () => {
  for (const [settledMax, expected] of [[5, 5], [4, 4]] as const) {
    await using server = startServer(settledMax);
    using watch = await ServerWatch.open(server.addr.port, {
      finePeriodMs: 5,
      watchesShards: false,
      settlingPatienceMs: 200,
    });
    watch.isQuiet = true;
    await watch.run((settled) => settled >= 5, new AbortController().signal);
    assert.equal(watch.settled, expected);
  }
});
