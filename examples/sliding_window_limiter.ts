/**
 * A rate limiter with a sliding window: at most so many hits within the last so many milliseconds, at
 * any moment and not by the minute on the clock. Used over RESP and HTTP alike.
 *
 * ```console
 * $ sluice --processor examples/sliding_window_limiter.ts
 * $ redis-cli EVENT ann hit 1 WAIT 1000
 * "{\"allowed\":true,\"remaining\":9}"
 * $ redis-cli EVENT ann hit 1 WAIT 1000 FIELDS '{"limit":2,"window_ms":60000}'
 * "{\"allowed\":true,\"remaining\":0}"
 * $ curl -d '{"user":"ann","action":"hit","amount":1,"limit":2,"window_ms":60000}' 'localhost:8080/events?wait=1s'
 * {"status":"processed","result":{"allowed":false,"remaining":0,"retry_after_ms":52310}}
 * ```
 *
 * Keys: `window:{user}:{window_ms}`, a sorted set of hits by time, gone when the window is over.
 *
 * @module
 */

import type { Processor } from "../src/mod.ts";

/** Hits that a window lets through, unless the event says otherwise. */
const DEFAULT_LIMIT = 10;
/** How long a window is, unless the event says otherwise. Unit: ms. */
const DEFAULT_WINDOW_MS = 10_000;

/** Lets hits through, or says when to come back. */
const slidingWindowLimiter: Processor = {
  name: "sliding_window",
  counters: ["allowed", "denied"],
  schema: {
    properties: {
      limit: { type: "integer", minimum: 1, maximum: 500 },
      window_ms: { type: "integer", minimum: 1, maximum: 3_600_000 },
    },
  },

  validate({ action, amount }) {
    if (action !== "hit") return "action must be hit";
    if (amount !== 1n) return "amount must be 1: a hit is a hit";
    return undefined;
  },

  process(event, ctx) {
    const limit = event.fields["limit"] as number | undefined ?? DEFAULT_LIMIT;
    const windowMs = event.fields["window_ms"] as number | undefined ?? DEFAULT_WINDOW_MS;
    const key = `window:${event.user}:${windowMs}`;
    const nowMs = event.acceptedAtMs;
    // All reads come before the first write: a key that was written is not read any more.
    const over = ctx.zrangeByScore(key, -Infinity, nowMs - windowMs);
    const hits = ctx.zcard(key) - over.length;
    const oldest = hits < limit ? undefined : ctx.zrange(key, over.length, over.length)[0];
    if (over.length > 0) ctx.zrem(key, ...over.map(({ member }) => member));
    if (hits >= limit) {
      ctx.count("denied");
      const retryAfterMs = Math.max(1, Math.ceil(oldest!.score + windowMs - nowMs));
      return { allowed: false, remaining: 0, retry_after_ms: retryAfterMs };
    }
    // Hits of the same moment are told apart by how many there were.
    ctx.zadd(key, `${nowMs}:${hits}`, nowMs);
    ctx.expire(key, windowMs);
    ctx.count("allowed");
    return { allowed: true, remaining: limit - hits - 1 };
  },
};

export default slidingWindowLimiter;
