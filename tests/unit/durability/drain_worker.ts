/// <reference lib="deno.worker" />
/** Takes one piece out of an intake, and tells the numbers of its records. */

import { Drain } from "../../../src/durability/drain.ts";
import type { IntakeMemory } from "../../../src/durability/intake_layout.ts";
import { FRAME_HEADER_BYTES } from "../../../src/durability/layout.ts";
import { MARK_FRAME_BYTES } from "../../../src/durability/mark.ts";
import { RecordReader } from "../../../src/durability/record.ts";

self.onmessage = ({ data }: MessageEvent<IntakeMemory>) => {
  const drain = new Drain(data, 5000);
  self.postMessage([]);
  const { bytes, end } = drain.take()!;
  const record = new RecordReader().open(bytes, MARK_FRAME_BYTES + FRAME_HEADER_BYTES, end);
  const numbers: number[] = [];
  while (record.next() === true) numbers.push(record.seq);
  self.postMessage(numbers);
};
