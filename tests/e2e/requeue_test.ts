/** A signal while a server still puts back what was accepted before. */

import assert from "node:assert/strict";
import { startWithData } from "../helpers/crash_rounds.ts";
import { RawClient, respCommand } from "../helpers/raw_client.ts";

const EVENTS = 300;

Deno.test("requeue: a signal does not wait for all of it, and what is left comes at the next start", async () => {
  const path = await Deno.makeTempDir({ prefix: "sluice-data-" });
  try {
    {
      await using server = await startWithData(path, ["--fsync", "always", "--work-ms", "60000"]);
      const client = await RawClient.connect(server.port("resp"));
      await client.send(respCommand("EVENT", "ann", "add", "1").repeat(EVENTS));
      for (let i = 0; i < EVENTS; i++) {
        assert.equal(await client.readUntil("\r\n"), "+ACCEPTED\r\n");
      }
      client.close();
      server.signal("SIGKILL");
      await server.waitForEnd();
    }
    let settled = 0;
    {
      const flags = ["--channel-capacity", "4", "--work-ms", "200"];
      await using server = await startWithData(path, flags, {}, true);
      await server.waitForLine("events_requeued");
      server.signal("SIGTERM");
      const { code, lines } = await server.waitForEnd();
      assert.equal(code, 0);
      const [left] = server.linesOf("events_left_pending");
      const last = lines.at(-1)!;
      assert.equal(last.event, "stopped");
      assert.equal(last.lost, 0);
      assert.equal(last.received, last.processed);
      settled = Number(last.processed);
      assert.equal(Number(left!.count) + settled, EVENTS);
      assert.ok(settled < EVENTS / 2, `${settled} were settled`);
    }
    await using server = await startWithData(path, []);
    const client = await RawClient.connect(server.port("resp"));
    for (let balance = ""; balance !== `:${EVENTS}\r\n`;) {
      await client.send(respCommand("BALANCE", "ann"));
      balance = await client.readUntil("\r\n");
      assert.ok(Number(balance.slice(1)) <= EVENTS, balance);
    }
    client.close();
    server.signal("SIGTERM");
    const { lines } = await server.waitForEnd();
    assert.equal(lines.at(-1)!.processed, EVENTS - settled);
  } finally {
    await Deno.remove(path, { recursive: true });
  }
});
