/**
 * The intake of the log with several threads at once; seconds. `deno task test:stress` runs more.
 */

import assert from "node:assert/strict";
import { runTwin } from "../../stress/crew.ts";
import {
  DRAIN_MUTATIONS,
  DRAIN_URL,
  INTAKE_MUTATIONS,
  INTAKE_URL,
  type IntakeStress,
  isClean,
  runIntakeStress,
  SPAN_MUTATIONS,
} from "../../stress/intake_harness.ts";
import { type Mutation, writeTwinOf } from "../../stress/twin.ts";

const STRESS: IntakeStress = {
  threads: 3,
  framesEach: 30_000,
  keyCount: 16,
  bufferBytes: 65_536,
  mostPayloadBytes: 400,
  deadlineMs: 30_000,
};
const TURNS: IntakeStress = { ...STRESS, mostPayloadBytes: 40, turnLength: 8 };

async function runMutated(
  mutation: Mutation,
  module: URL,
  name: "intakeModule" | "drainModule",
  stress = STRESS,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const twin = await writeTwinOf(module, [mutation], folder);
    const result = await runTwin(
      () => runIntakeStress({ ...stress, [name]: twin, deadlineMs: 3000 }),
      (result) => !isClean(result),
    );
    assert.ok(!isClean(result), `inconclusive: ${JSON.stringify(result)}`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

for (const mutation of INTAKE_MUTATIONS) {
  Deno.test(`intake: a twin that ${mutation.name} is caught`, async () => {
    await runMutated(mutation, INTAKE_URL, "intakeModule");
  });
}

for (const mutation of SPAN_MUTATIONS) {
  Deno.test(`intake: in turns a twin that ${mutation.name} is caught`, async () => {
    await runMutated(mutation, INTAKE_URL, "intakeModule", TURNS);
  });
}

for (const mutation of DRAIN_MUTATIONS) {
  Deno.test(`intake: a twin whose writer ${mutation.name} is caught`, async () => {
    await runMutated(mutation, DRAIN_URL, "drainModule");
  });
}

for (const [how, stress] of [["", STRESS], [" in turns", TURNS]] as const) {
  Deno.test(`intake: what three threads publish${how} comes out once and in the order of each lock`, async () => {
    let overlaps = 0;
    let unconfirmed = 0;
    // Once is enough where threads run at the same time most of the time.
    for (let round = 0; round < 8 && (overlaps < 1000 || unconfirmed < 1000); round++) {
      const result = await runIntakeStress(stress);
      assert.ok(isClean(result), JSON.stringify(result));
      overlaps += result.overlaps;
      unconfirmed += result.unconfirmed;
    }
    assert.ok(overlaps >= 1000, `${overlaps} publications overlapped`);
  });
}
