/**
 * The inbox with several threads at once; seconds. `deno task test:stress` runs more.
 */

import assert from "node:assert/strict";
import { runTwin } from "../../stress/crew.ts";
import {
  FLOOD_MUTATIONS,
  INBOX_URL,
  type InboxStress,
  isClean,
  runInboxStress,
  WAKE_MUTATIONS,
} from "../../stress/inbox_harness.ts";
import { writeTwinOf } from "../../stress/twin.ts";

const FLOOD: InboxStress = {
  producers: 3,
  messagesEach: 20_000,
  ringBytes: 256,
  waitForAck: false,
  deadlineMs: 30_000,
};
const WAKE_UPS: InboxStress = { ...FLOOD, producers: 1, messagesEach: 3000, waitForAck: true };

for (const [stress, mutations] of [[FLOOD, FLOOD_MUTATIONS], [WAKE_UPS, WAKE_MUTATIONS]] as const) {
  for (const mutation of mutations) {
    Deno.test(`Inbox: a twin that ${mutation.name} is caught`, async () => {
      const folder = await Deno.makeTempDir();
      try {
        const inboxModule = await writeTwinOf(INBOX_URL, [mutation], folder);
        const result = await runTwin(
          () => runInboxStress({ ...stress, inboxModule, deadlineMs: 1500 }),
          (result) => !isClean(result),
        );
        assert.ok(!isClean(result), `inconclusive: ${JSON.stringify(result)}`);
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    });
  }
}

Deno.test("Inbox: three threads flood a small ring each, across both wraps, and all arrives", async () => {
  let overlaps = 0;
  let readOverlaps = 0;
  // Once is enough where threads run at the same time most of the time.
  for (let round = 0; round < 5 && Math.min(overlaps, readOverlaps) < 1000; round++) {
    for (const firstPosition of [0, 2 ** 31 - 4096, 2 ** 32 - 4096]) {
      const result = await runInboxStress({ ...FLOOD, firstPosition });
      assert.ok(isClean(result), JSON.stringify(result));
      overlaps += result.overlaps;
      readOverlaps += result.readOverlaps;
    }
  }
  assert.ok(overlaps >= 1000, `${overlaps} sends overlapped`);
  assert.ok(readOverlaps >= 1000, `${readOverlaps} messages were read during a send`);
});

Deno.test("Inbox: no wake-up is lost, one message at a time", async () => {
  const result = await runInboxStress(WAKE_UPS);
  assert.ok(isClean(result), JSON.stringify(result));
});
