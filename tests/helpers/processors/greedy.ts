/**
 * A processor for tests that takes all the memory there is, at once or behind a promise.
 *
 * @module
 */

import type { Processor } from "../../../src/worker/processor.ts";

function hoard(): never {
  const hoarded: number[][] = [];
  for (;;) hoarded.push(new Array(1000).fill(hoarded.length));
}

const greedy: Processor = {
  timeoutMs: 1000,
  process(event, ctx) {
    if (event.action === "hoard") hoard();
    if (event.action === "hoard_later") return Promise.resolve().then(hoard);
    ctx.add(`sum:${event.user}`, event.amount);
    return { attempt: ctx.attempt };
  },
};

export default greedy;
