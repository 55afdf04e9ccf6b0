/**
 * A processor for tests: orders of units, with everything that a processor may say of events.
 *
 * @module
 */

import type { Processor } from "../../../src/worker/processor.ts";

const orders: Processor = {
  name: "orders",
  counters: ["units"],
  schema: {
    properties: {
      sku: { type: "string", minLength: 1, maxLength: 2000 },
      units: { type: "integer", minimum: 1, maximum: 100 },
      tags: { type: "array", items: { type: "string" }, maxItems: 3 },
    },
    required: ["sku"],
  },

  validate(event) {
    if (event.action === "break") throw new Error("validate is broken");
    if (event.action === "late") return Promise.resolve("no") as unknown as string;
    if (event.action !== "order") return `action must be order, not ${event.action}\r\n+OK`;
    return event.fields["sku"] === "gone"
      ? `${event.user} cannot have "gone": ${event.amount}`
      : undefined;
  },

  process(event, ctx) {
    const { sku, units = 1, tags } = event.fields as {
      sku: string;
      units?: number;
      tags?: string[];
    };
    if (event.user === "thrower") throw new Error("no such thing");
    ctx.hincrby(`sold:${event.user}`, sku.slice(0, 20), units);
    ctx.count("units", units);
    if (event.user === "silent") return;
    return { sku: sku.length > 100 ? sku.length : sku, units, tags, id: event.id };
  },
};

export default orders;
