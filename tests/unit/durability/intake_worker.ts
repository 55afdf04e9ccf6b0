/// <reference lib="deno.worker" />
/** Publishes frames as fast as there is room, and says how often there was none. */

import { Intake } from "../../../src/durability/intake.ts";
import type { IntakeMemory } from "../../../src/durability/intake_layout.ts";
import { RecordType, RecordWriter } from "../../../src/durability/record.ts";

interface Orders {
  memory: IntakeMemory;
  frames: number;
  payloadBytes: number;
}

self.onmessage = ({ data: { memory, frames, payloadBytes } }: MessageEvent<Orders>) => {
  const intake = new Intake(memory, 0);
  const records = new RecordWriter();
  for (let n = 0; n < frames; n++) {
    records.begin(RecordType.STRING, 0, new Uint8Array(3), 0, 3, n);
    records.append(new Uint8Array(payloadBytes).fill(n), 0, payloadBytes).end();
    intake.publish(records);
  }
  self.postMessage(intake.stallCount);
};
