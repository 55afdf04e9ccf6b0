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
  type IntakeResult,
  type IntakeStress,
  isClean,
  runIntakeStress,
  SPAN_MUTATIONS,
  UNHURRIED,
} from "../../stress/intake_harness.ts";
import { type Mutation, writeTwinOf } from "../../stress/twin.ts";

const STRESS: IntakeStress = {
  threads: 3,
  framesEach: 15_000,
  keyCount: 16,
  bufferBytes: 65_536,
  mostPayloadBytes: 400,
  deadlineMs: 30_000,
};
const TURNS: IntakeStress = { ...STRESS, mostPayloadBytes: 40, turnLength: 8 };

/** Runs the stress with mutated publishers, or a mutated writer, or both. */
async function runMutated(
  ofIntake: readonly Mutation[],
  ofDrain: readonly Mutation[],
  stress: IntakeStress,
): Promise<IntakeResult> {
  const folder = await Deno.makeTempDir();
  try {
    const [intakeModule, drainModule] = await Promise.all([
      writeTwinOf(INTAKE_URL, ofIntake, folder),
      writeTwinOf(DRAIN_URL, ofDrain, folder),
    ]);
    return await runTwin(
      () => runIntakeStress({ ...stress, intakeModule, drainModule, deadlineMs: 3000 }),
      (result) => !isClean(result),
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function assertCaught(result: IntakeResult): void {
  assert.ok(!isClean(result), `inconclusive: ${JSON.stringify(result)}`);
}

for (const mutation of INTAKE_MUTATIONS) {
  Deno.test(`intake: a twin that ${mutation.name} is caught`, async () => {
    assertCaught(await runMutated([mutation], [], STRESS));
  });
}

for (const mutation of SPAN_MUTATIONS) {
  Deno.test(`intake: in turns a twin that ${mutation.name} is caught`, async () => {
    assertCaught(await runMutated([mutation], [], TURNS));
  });
}

for (const mutation of DRAIN_MUTATIONS) {
  Deno.test(`intake: a twin whose writer ${mutation.name} is caught`, async () => {
    const claims = mutation.wantsTime === true ? UNHURRIED : [];
    assertCaught(await runMutated(claims, [mutation], STRESS));
  });
}

for (const [how, stress] of [["", STRESS], [" in turns", TURNS]] as const) {
  Deno.test(`intake: what three threads publish${how} comes out once and in the order of each lock`, async () => {
    const folder = await Deno.makeTempDir();
    try {
      const unhurried = await writeTwinOf(INTAKE_URL, UNHURRIED, folder);
      let overlaps = 0;
      let unconfirmed = 0;
      // As they are, and with time for others to come in between; again where threads hardly ever run at
      // the same time.
      for (let round = 0; round < 8 && (overlaps < 1000 || unconfirmed < 100); round++) {
        for (const intakeModule of [INTAKE_URL.href, unhurried]) {
          const result = await runIntakeStress({ ...stress, intakeModule });
          assert.ok(isClean(result), JSON.stringify(result));
          overlaps += result.overlaps;
          unconfirmed += result.unconfirmed;
        }
      }
      assert.ok(overlaps >= 1000, `${overlaps} publications overlapped`);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}
