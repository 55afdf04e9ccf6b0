/**
 * A processor whose events change three keys at once, one of which it reads before. How it does that is
 * in the query of its URL: `?async`, `&concurrency=4`.
 *
 * @module
 */

import type { Processor, ProcessorContext, ProcessorEvent } from "../../../src/worker/processor.ts";

const query = new URL(import.meta.url).searchParams;

function write({ user, amount }: ProcessorEvent, context: ProcessorContext, before: bigint) {
  context.set(`number:${user}`, before + 1n);
  context.add(`plus:${user}`, amount);
  context.hincrby("minus", user, -amount);
  context.count("done");
  context.count("amount", Number(amount));
  return { user, number: Number(before) + 1 };
}

const processor: Processor = {
  name: "three_keys",
  concurrency: Number(query.get("concurrency") ?? 1),
  counters: ["done", "amount"],
  process: query.has("async")
    ? async (event, context) => {
      const before = context.getInteger(`number:${event.user}`) ?? 0n;
      // Others come in between.
      if (event.amount % 3n === 0n) await new Promise((resolve) => setTimeout(resolve, 1));
      else await null;
      return write(event, context, before);
    }
    : (event, context) => write(event, context, context.getInteger(`number:${event.user}`) ?? 0n),
};

export default processor;
