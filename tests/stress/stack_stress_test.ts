/**
 * The lock-free stacks of pages and reserve blocks; `deno task test:stress`.
 *
 * @module
 */

import assert from "node:assert/strict";
import { runTwin } from "./crew.ts";
import {
  PAGE_MUTATIONS,
  PAGES_URL,
  RESERVE_MUTATIONS,
  RESERVE_URL,
  runStackStress,
  type StackStress,
} from "./stack_harness.ts";
import { writeTwinOf } from "./twin.ts";

const PAGES: StackStress = { what: "pages", threads: 4, rounds: 3_000_000, pageCount: 9 };
const BLOCKS: StackStress = { what: "reserve", threads: 4, rounds: 1_000_000, pageCount: 2 };

Deno.test("stack stress: broken twins are caught", async (t) => {
  const folder = await Deno.makeTempDir();
  try {
    for (const mutation of PAGE_MUTATIONS) {
      await t.step(mutation.name, async () => {
        const pagesModule = await writeTwinOf(PAGES_URL, [mutation], folder);
        const result = await runTwin(
          () => runStackStress({ ...PAGES, pagesModule }),
          ({ violation }) => violation !== "",
        );
        assert.notEqual(result.violation, "", `inconclusive: ${JSON.stringify(result)}`);
      });
    }
    for (const mutation of RESERVE_MUTATIONS) {
      await t.step(mutation.name, async () => {
        const reserveModule = await writeTwinOf(RESERVE_URL, [mutation], folder);
        const result = await runTwin(
          () => runStackStress({ ...BLOCKS, reserveModule }),
          ({ violation }) => violation !== "",
        );
        assert.notEqual(result.violation, "", `inconclusive: ${JSON.stringify(result)}`);
      });
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

for (const stress of [PAGES, { ...PAGES, pageCount: 4 }, BLOCKS]) {
  Deno.test(`stack stress: ${stress.what} of ${stress.pageCount} pages: each has one owner`, async () => {
    const result = await runStackStress(stress);
    assert.equal(result.violation, "");
    assert.ok(result.overlaps >= 1000, `inconclusive: ${JSON.stringify(result)}`);
    assert.ok(result.taken >= 100_000, JSON.stringify(result));
  });
}
