import assert from "node:assert/strict";
import type { Notifier } from "../../../src/pubsub/notifier.ts";
import type { BackgroundWork } from "../../../src/store/background.ts";
import { helpInBackground } from "../../../src/server/io_background.ts";

/** Work that has more to do for `sliceCount` slices at a time, then nothing once. */
function workOf(sliceCount: number, needsHelp = true): { work: BackgroundWork; ran: () => number } {
  let ran = 0;
  const run = (): boolean => ++ran % (sliceCount + 1) !== 0;
  return { work: { needsHelp, run } as unknown as BackgroundWork, ran: () => ran };
}

const NOBODY = { noteCount: 0 } as Notifier;

async function backlogs(work: BackgroundWork, isEnough: () => boolean): Promise<number> {
  let count = 0;
  using _help = helpInBackground(work, NOBODY, () => count++, assert.ifError);
  while (!isEnough()) await new Promise((resolve) => setTimeout(resolve, 5));
  return count;
}

Deno.test("helpInBackground: work that does not end for many slices is a backlog", async () => {
  const { work, ran } = workOf(1000);
  assert.ok(await backlogs(work, () => ran() > 40) > 0);
});

Deno.test("helpInBackground: a look round that takes a few slices is no backlog", async () => {
  const { work, ran } = workOf(10);
  assert.equal(await backlogs(work, () => ran() > 40), 0);
});

Deno.test("helpInBackground: does nothing while workers have time", async () => {
  const { work, ran } = workOf(1000, false);
  const endMs = performance.now() + 250;
  assert.equal(await backlogs(work, () => performance.now() > endMs), 0);
  assert.equal(ran(), 0);
});
