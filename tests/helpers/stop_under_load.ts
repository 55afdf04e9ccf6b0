/**
 * A stop in the middle of a load, checked against what the clients were told.
 *
 * @module
 */

import assert from "node:assert/strict";
import { type LoadTally, runEventLoad } from "./event_load.ts";
import { ServerProcess } from "./server_process.ts";

/**
 * Sends `eventCount` events from 50 connections over HTTP and RESP, sends SIGTERM when half of them
 * were accepted, and checks that every accepted event was settled.
 *
 * @param flags of the server
 * @returns what the clients saw and the server's last line
 */
export async function stopUnderLoad(
  eventCount: number,
  flags: readonly string[],
): Promise<{ tally: LoadTally; stopped: Readonly<Record<string, unknown>> }> {
  await using server = await ServerProcess.start(flags);
  const ports = { http: server.port("http"), resp: server.port("resp") };
  let signalled = false;
  const tally = await runEventLoad(ports, 50, eventCount, ({ accepted }) => {
    if (signalled || accepted < eventCount / 2) return;
    signalled = true;
    server.signal("SIGTERM");
  });
  assert(signalled, `only ${tally.accepted} of ${eventCount} events were accepted`);
  const { code, lines } = await server.waitForEnd();
  const stopped = lines.at(-1)!;
  const processed = stopped["processed"] as number;

  assert.deepEqual(tally.strange, []);
  assert.equal(stopped["event"], "stopped");
  assert.equal(stopped["failed"], 0);
  assert.equal(stopped["pending"], 0);
  assert.equal(stopped["lost"], 0);
  assert.equal(stopped["received"], processed + (stopped["dropped"] as number));
  assert(
    processed >= tally.accepted && processed <= tally.accepted + tally.cutOff,
    `${processed} processed; clients saw ${JSON.stringify(tally)}`,
  );
  assert.equal(code, 0);
  return { tally, stopped };
}
