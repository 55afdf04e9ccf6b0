/** Ids that several threads offer at the same time; seconds. */

import assert from "node:assert/strict";
import { runTwin } from "../../stress/crew.ts";
import {
  EVENT_ID_MUTATIONS,
  EVENT_IDS_URL,
  type EventIdResult,
  type EventIdStress,
  runEventIdStress,
} from "../../stress/event_id_harness.ts";
import { writeTwinOf } from "../../stress/twin.ts";

const STRESS: EventIdStress = { threads: 3, idCount: 100_000, offersPerId: 4, maxIds: 2 ** 20 };

for (const mutation of EVENT_ID_MUTATIONS) {
  Deno.test(`EventIds: a twin that ${mutation.name} is caught`, async () => {
    const folder = await Deno.makeTempDir();
    try {
      const module = await writeTwinOf(EVENT_IDS_URL, [mutation], folder);
      const { maxIds } = mutation;
      const isCaught = ({ violation }: EventIdResult): boolean => violation !== "";
      const result = await runTwin(() => runEventIdStress({ ...STRESS, maxIds, module }), isCaught);
      assert.ok(isCaught(result), `inconclusive: ${JSON.stringify(result)}`);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

Deno.test("EventIds: of all threads that offer an id exactly one is the first", async () => {
  const result = await runEventIdStress(STRESS);
  assert.equal(result.violation, "");
  assert.ok(result.meetings > 1000 && result.outcomes > 1000, JSON.stringify(result));
});

Deno.test("EventIds: where places change hands all the time, nobody sees another one's outcome", async () => {
  const result = await runEventIdStress({ ...STRESS, maxIds: 64 });
  assert.equal(result.violation, "");
  assert.ok(result.meetings > 1000 && result.outcomes > 1000, JSON.stringify(result));
});
