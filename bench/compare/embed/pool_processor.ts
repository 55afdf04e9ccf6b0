/**
 * The processor of bench:embed: computes, adds to the balance, answers with it.
 *
 * @module
 */

import type { Processor } from "../../../src/mod.ts";
import { computeFor } from "./work.ts";

export default {
  process(event, ctx) {
    // How long is in the action: "work_100".
    computeFor(Number(event.action.slice(5)));
    const balance = (ctx.getInteger(event.user) ?? 0n) + event.amount;
    ctx.set(event.user, balance);
    return Number(balance);
  },
} satisfies Processor;
