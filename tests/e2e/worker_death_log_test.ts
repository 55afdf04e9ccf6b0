/** An event worker that dies with a change that the log may not have. */

import assert from "node:assert/strict";
import { FailingDisk } from "../helpers/failing_disk.ts";
import { RawClient, respCommand } from "../helpers/raw_client.ts";

async function ask(client: RawClient, ...words: string[]): Promise<string> {
  await client.send(respCommand(...words));
  const head = await client.readUntil("\r\n");
  return (head.startsWith("$") && head !== "$-1\r\n" ? await client.readUntil("\r\n") : head)
    .trimEnd();
}

const PLANS = [
  "afterSwap:3",
  "afterEffect:3",
  "publishAnnounced:3",
  "publishClaimed:3",
  "publishCopied:3",
  "publishConfirmed:3",
  "afterUnlock:3",
  "sweepChanged:1",
];

for (
  const [fsync, plans, least] of [
    ["always", PLANS, 5],
    // Each takes a second more.
    ["everysec", ["afterEffect:3", "publishClaimed:3"], 2],
  ] as const
) {
  Deno.test(`dead worker: with ${fsync} each event is settled once, in memory and after a kill`, async () => {
    await using disk = await FailingDisk.make();
    let count = 0;
    let repairCount = 0;
    for (const plan of plans) {
      const flags = ["--fsync", fsync, "--workers", "1"];
      const env = { SLUICE_TEST_FAULT: `plan ${plan}:exit` };
      await using server = await disk.start(flags, env);
      const client = await RawClient.connect(server.port("resp"));
      assert.equal(await ask(client, "BALANCE", "ann"), count === 0 ? "$-1" : `:${count}`, plan);
      if (plan.startsWith("sweep")) await ask(client, "SET", "short", "x", "PX", "50");
      for (let i = 0; i < 6; i++) {
        // It is refused while the log is made good.
        let reply = "";
        for (let attempt = 0; attempt < 400 && !reply.startsWith(":"); attempt++) {
          reply = await ask(client, "EVENT", "ann", "buy", "1", "WAIT", "20000");
          if (!reply.startsWith("-MISCONF")) break;
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
        assert.equal(reply, `:${++count}`, plan);
      }
      if (plan.startsWith("sweep")) await server.waitForLine("log_resumed");
      repairCount += server.linesOf("log_resumed").length;
      assert.equal(server.linesOf("internal_fault").length, 0);
      client.close();
      if (fsync === "everysec") await new Promise((resolve) => setTimeout(resolve, 1200));
      server.signal("SIGKILL");
      await server.waitForEnd();
    }
    assert.ok(repairCount >= least, `${repairCount} repairs`);
    const server = await disk.start(["--fsync", fsync]);
    const client = await RawClient.connect(server.port("resp"));
    assert.equal(await ask(client, "BALANCE", "ann"), `:${count}`);
    client.close();
  });
}
