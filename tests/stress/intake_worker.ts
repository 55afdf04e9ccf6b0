/// <reference lib="deno.worker" />
/**
 * One publisher of the intake stress; see intake_harness.ts.
 *
 * @module
 */

import type { Intake } from "../../src/durability/intake.ts";
import { Outbox } from "../../src/durability/outbox.ts";
import { RecordType } from "../../src/durability/record.ts";
import { IntakeEvidence, type IntakeOrders, type IntakeReport } from "./intake_harness.ts";

const NO_KEY = new Uint8Array(0);
/** How long a turn waits for a lock. Unit: looks. */
const WAIT_ROUNDS = 100;

function publish(orders: IntakeOrders, intake: Intake, evidence: Int32Array): IntakeReport {
  const { threadId, frames, keyCount, mostPayloadBytes, turnLength } = orders;
  const outbox = new Outbox(intake);
  const { records } = outbox;
  const payload = new Uint8Array(mostPayloadBytes);
  let overlaps = 0;
  for (let n = 0; n < frames; n++) {
    const key = (n + threadId) % keyCount;
    const keyAt = IntakeEvidence.KEYS + key * 16;
    if (turnLength > 0 && n % turnLength === 0) outbox.beginTurn();
    for (let round = 0; Atomics.compareExchange(evidence, keyAt, 0, 1) !== 0; round++) {
      if (Atomics.load(evidence, IntakeEvidence.STOP) !== 0) return report();
      // Who has the lock may wait for room, and the writer for this thread.
      if (round === WAIT_ROUNDS) outbox.endTurn();
      Atomics.pause();
    }
    const count = ++evidence[keyAt + 1]!;
    const byteCount = 8 + (n * 37) % (mostPayloadBytes - 8);
    payload.fill(count, 0, byteCount);
    records.begin(RecordType.STRING, key, NO_KEY, 0, 0, count).append(payload, 0, byteCount).end();
    if (Atomics.add(evidence, IntakeEvidence.INSIDE, 1) > 0) overlaps++;
    outbox.publish();
    Atomics.sub(evidence, IntakeEvidence.INSIDE, 1);
    Atomics.store(evidence, keyAt, 0);
    if (turnLength > 0 && n % turnLength === turnLength - 1) outbox.endTurn();
    if (Atomics.load(evidence, IntakeEvidence.STOP) !== 0) break;
  }
  return report();

  function report(): IntakeReport {
    outbox.endTurn();
    return { overlaps, stalls: intake.stallCount };
  }
}

self.onmessage = async ({ data: orders }: MessageEvent<IntakeOrders>) => {
  const module = await import(orders.intakeModule) as { Intake: typeof Intake };
  const evidence = new Int32Array(orders.evidence);
  self.postMessage("ready");
  Atomics.wait(evidence, IntakeEvidence.START, 0);
  self.postMessage(publish(orders, new module.Intake(orders.memory, orders.threadId), evidence));
  self.close();
};
