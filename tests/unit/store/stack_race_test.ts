/** The lock-free stacks under several threads, briefly; the long run is in tests/stress. */

import assert from "node:assert/strict";
import { runTwin } from "../../stress/crew.ts";
import {
  PAGE_MUTATIONS,
  PAGES_URL,
  RESERVE_MUTATIONS,
  RESERVE_URL,
  runStackStress,
} from "../../stress/stack_harness.ts";
import { writeTwinOf } from "../../stress/twin.ts";

Deno.test("PageAllocator: several threads never get the same page, and a twin without a tag is caught", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const stress = { what: "pages", threads: 4, rounds: 2_000_000, pageCount: 6 } as const;
    for (const mutation of PAGE_MUTATIONS) {
      const pagesModule = await writeTwinOf(PAGES_URL, [mutation], folder);
      const twin = await runTwin(
        () => runStackStress({ ...stress, pagesModule }),
        ({ violation }) => violation !== "",
      );
      assert.notEqual(twin.violation, "", `inconclusive: ${mutation.name}`);
    }
    const result = await runStackStress({ ...stress, rounds: 300_000 });
    assert.equal(result.violation, "");
    assert.ok(result.overlaps >= 1000, `inconclusive: ${JSON.stringify(result)}`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("BalanceReserve: several threads never get the same block, and credits stay exact", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const stress = { what: "reserve", threads: 4, rounds: 100_000, pageCount: 2 } as const;
    for (const mutation of RESERVE_MUTATIONS) {
      const reserveModule = await writeTwinOf(RESERVE_URL, [mutation], folder);
      const twin = await runTwin(
        () => runStackStress({ ...stress, reserveModule }),
        ({ violation }) => violation !== "",
      );
      assert.notEqual(twin.violation, "", `inconclusive: ${mutation.name}`);
    }
    const result = await runStackStress(stress);
    assert.equal(result.violation, "");
    assert.ok(result.overlaps >= 1000, `inconclusive: ${JSON.stringify(result)}`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
