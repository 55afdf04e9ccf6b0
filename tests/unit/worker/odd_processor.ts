/**
 * A processor for tests: some users make it misbehave.
 *
 * @module
 */

import type { ProcessorContext, ProcessorEvent } from "../../../src/worker/processor.ts";

export default {
  process(event: ProcessorEvent, context: ProcessorContext): void {
    const { user } = event;
    if (user === "thrower") throw new Error("no such thing");
    if (user === "stranger") context.add("x".repeat(1 << 20), 1);
    if (user === "killer") Deno.exit(1);
    context.add(`balance:${user}`, event.amount);
  },
};
