/// <reference lib="deno.worker" />

/**
 * Worker of `region_test.ts`: receives and settles events as fast as it can, with one of them
 * always pending, until it is told to stop.
 */

import { CounterIndex } from "../../../src/metrics/names.ts";
import { type MetricsMemory, MetricsRegion } from "../../../src/metrics/region.ts";

self.onmessage = (
  { data }: MessageEvent<{ memory: MetricsMemory; control: SharedArrayBuffer }>,
) => {
  const region = MetricsRegion.attach(data.memory);
  const receiver = region.counters(0);
  const settler = region.counters(1);
  const control = new Int32Array(data.control);
  receiver.add(CounterIndex.RECEIVED);
  self.postMessage("ready");
  let settled = 0;
  while (Atomics.load(control, 0) === 0) {
    receiver.add(CounterIndex.RECEIVED);
    // Stands for the channel, which orders the two counts.
    Atomics.add(control, 1, 1);
    settler.add(CounterIndex.PROCESSED);
    settled++;
  }
  self.postMessage(settled);
  self.close();
};
