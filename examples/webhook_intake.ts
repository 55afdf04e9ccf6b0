/**
 * A deduplicated intake of webhooks: senders deliver at least once, and each delivery goes into the
 * source's queue once, however often it is sent, in whatever order, and across restarts with
 * `--data-dir`.
 *
 * ```console
 * $ sluice --processor examples/webhook_intake.ts
 * $ curl -d '{"user":"github","action":"push","amount":0,"id":"d-1","payload":{"ref":"main"}}' 'localhost:8080/events?wait=1s'
 * {"status":"processed","result":{"queued":true,"waiting":1}}
 * $ redis-cli LPOP queue:github
 * "{\"id\":\"d-1\",\"event\":\"push\",\"payload\":{\"ref\":\"main\"}}"
 * ```
 *
 * The user is the source, the action the kind of event, and the id the delivery's. Within
 * `--dedup-window` the server itself knows ids; here they are remembered for a day.
 *
 * Keys: `queue:{source}` a list, `delivery:{source}:{id}` for a day, `stats:{source}` a hash of kinds.
 *
 * @module
 */

import type { Processor } from "../src/mod.ts";

/** How long a delivery is remembered. Unit: ms. */
const REMEMBERED_MS = 86_400_000;
/** Deliveries that may wait in a queue; beyond, the sender is to come back. */
const QUEUE_MAX = 10_000;

/** Puts deliveries into queues. */
const webhookIntake: Processor = {
  name: "webhook_intake",
  counters: ["queued", "duplicates", "overflows"],
  schema: {
    properties: { payload: { type: "object" } },
    required: ["payload"],
  },

  validate({ id }) {
    if (id === undefined) return "id is missing: deliveries are told apart by it";
    return undefined;
  },

  process(event, ctx) {
    const { user: source, action, id } = event;
    const delivery = `delivery:${source}:${id}`;
    const queue = `queue:${source}`;
    if (ctx.exists(delivery)) {
      ctx.count("duplicates");
      return { queued: false, reason: "duplicate" };
    }
    const waiting = ctx.llen(queue);
    if (waiting >= QUEUE_MAX) {
      ctx.count("overflows");
      return { queued: false, reason: "queue_full" };
    }
    ctx.set(delivery, action, { ttlMs: REMEMBERED_MS });
    ctx.rpush(queue, JSON.stringify({ id, event: action, payload: event.fields["payload"] }));
    ctx.hincrby(`stats:${source}`, action, 1);
    ctx.count("queued");
    ctx.emit({ source, event: action, id }, "webhooks");
    return { queued: true, waiting: waiting + 1 };
  },
};

export default webhookIntake;
