/**
 * The channel under full load; `deno task test:stress`.
 *
 * @module
 */

import assert from "node:assert/strict";
import { isClean, MUTATIONS, runChannelStress, writeTwin } from "./channel_harness.ts";

Deno.test("stress: a twin that was not broken passes, so what catches the others is their defect", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const text = "export class BoundedChannel";
    const result = await runChannelStress({
      producers: 4,
      consumers: 4,
      jobs: 400_000,
      capacity: 64,
      channelModule: await writeTwin({ name: "whole", find: text, replace: text }, folder),
      deadlineMs: 60_000,
    });
    assert.ok(isClean(result), JSON.stringify(result));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("stress: broken twins of the channel are caught", async (t) => {
  const folder = await Deno.makeTempDir();
  try {
    for (const mutation of MUTATIONS) {
      await t.step(mutation.name, async () => {
        const channelModule = await writeTwin(mutation, folder);
        let caught = false;
        for (let round = 0; round < 5 && !caught; round++) {
          const result = await runChannelStress({
            producers: 4,
            consumers: 4,
            jobs: 400_000,
            capacity: 64,
            channelModule,
            deadlineMs: 3_000,
          });
          caught = !isClean(result);
        }
        assert.ok(caught, "five rounds did not show the defect: the stress has no power");
      });
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

for (const firstTicket of [0, 2 ** 31 - 1_000_000, 2 ** 32 - 1_000_000]) {
  Deno.test(`stress: 4 million jobs from 4 producers to 4 consumers, tickets from ${firstTicket}`, async () => {
    const result = await runChannelStress({
      producers: 4,
      consumers: 4,
      jobs: 4_000_000,
      capacity: 1000,
      firstTicket,
      deadlineMs: 240_000,
    });
    // deno-lint-ignore no-console -- the figures are the point of a stress run
    console.log(JSON.stringify(result));
    assert.equal(result.missing, 0, "none lost");
    assert.equal(result.wrong, 0, "none twice, none torn, in order for every consumer");
    assert.equal(result.outOfOrder, 0, "first in, first out per producer");
    assert.ok(isClean(result), JSON.stringify(result));
    assert.ok(result.highWaterMark <= 1000, "the capacity is exact");
    assert.ok(result.sendOverlaps >= 1000, `senders overlapped ${result.sendOverlaps} times`);
    assert.ok(result.recvOverlaps >= 1000, `receivers overlapped ${result.recvOverlaps} times`);
  });
}
