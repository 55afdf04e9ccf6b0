/**
 * The same as misbehaving_processor.ts with several events in hand at once, all waited for.
 *
 * @module
 */

import type { Processor } from "../../../src/worker/processor.ts";
import misbehaving from "./misbehaving_processor.ts";

const processor: Processor = {
  ...misbehaving,
  name: "misbehaving_async",
  concurrency: 4,
  async process(event, context) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    return await misbehaving.process(event, context);
  },
};

export default processor;
