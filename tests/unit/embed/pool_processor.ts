/** What the pool of pool_test.ts runs. */

import type { Processor } from "../../../src/mod.ts";

export default {
  name: "orders",
  counters: ["units"],
  schema: { properties: { sku: { type: "string", minLength: 2 } } },
  validate: (event) => event.action === "steal" ? "that is not allowed" : undefined,
  async process(event, ctx) {
    switch (event.action) {
      case "throw":
        ctx.add("taken", 1);
        throw new Error("as it was told");
      case "exit":
        Deno.exit(3);
        break;
      case "wait":
        await new Promise((resolve) => setTimeout(resolve, 30));
        return undefined;
    }
    const left = (ctx.getInteger("stock") ?? 0n) - event.amount;
    if (left < 0n) return { sold: false };
    ctx.set("stock", left);
    ctx.add(`of:${event.user}`, event.amount);
    ctx.hincrby("skus", `${event.fields["sku"] ?? "none"}`, event.amount);
    ctx.count("units", Number(event.amount));
    return { sold: true };
  },
} satisfies Processor;
