/**
 * A processor for tests: some users make it misbehave.
 *
 * @module
 */

import type { JobView } from "../../../src/base/job.ts";
import { BalanceProcessor } from "../../../src/worker/balance_processor.ts";
import type { Effect } from "../../../src/worker/processor.ts";

const balances = new BalanceProcessor();

export default {
  process(event: JobView, effect: Effect): void {
    const user = new TextDecoder().decode(event.bytes.slice(event.userStart, event.userEnd));
    if (user === "thrower") throw new Error("no such thing");
    if (user === "forgetter") return;
    if (user === "killer") Deno.exit(1);
    balances.process(event, effect);
  },
};
