/**
 * API credits with hard limits: calls cost credits, nobody uses more than there are, nor more than a
 * day's share, however many calls come at once and through however many threads.
 *
 * ```console
 * $ sluice --processor examples/api_credits.ts
 * $ curl -d '{"user":"ann","action":"grant","amount":100}' 'localhost:8080/events?wait=1s'
 * {"status":"processed","result":{"credits":100}}
 * $ curl -d '{"user":"ann","action":"call","amount":3,"endpoint":"/search"}' 'localhost:8080/events?wait=1s'
 * {"status":"processed","result":{"allowed":true,"credits":97,"left_today":47}}
 * ```
 *
 * Keys: `credits:{user}` what is left, `used:{user}:{day}` what a day has used, `calls:{user}` a hash of
 * calls by endpoint. All three change together or not at all.
 *
 * @module
 */

import type { Processor } from "../src/mod.ts";

/** What a user may use in a day, whatever is left. Unit: credits. */
const DAILY_LIMIT = 50n;
const DAY_MS = 86_400_000;

/** Grants credits, and lets calls use them. */
const apiCredits: Processor = {
  name: "api_credits",
  counters: ["granted", "allowed", "denied"],
  schema: {
    properties: {
      endpoint: { type: "string", minLength: 1, maxLength: 200, pattern: "^/" },
    },
  },

  validate({ action, amountInt64, amount }) {
    if (action !== "grant" && action !== "call") return "action must be grant or call";
    // No bigint is made for the many that are good.
    if (amountInt64.hi !== 0 || amountInt64.lo > 1_000_000) {
      return `amount must be from 0 to 1000000, not ${amount}`;
    }
    return undefined;
  },

  process(event, ctx) {
    const { user, amount } = event;
    const creditsKey = `credits:${user}`;
    const credits = ctx.getInteger(creditsKey) ?? 0n;
    if (event.action === "grant") {
      ctx.add(creditsKey, amount);
      ctx.count("granted", Number(amount));
      return { credits: Number(credits + amount) };
    }
    const day = new Date(event.acceptedAtMs).toISOString().slice(0, 10);
    const usedKey = `used:${user}:${day}`;
    const used = ctx.getInteger(usedKey) ?? 0n;
    if (amount > credits || used + amount > DAILY_LIMIT) {
      ctx.count("denied");
      const reason = amount > credits ? "no_credits" : "daily_limit";
      return { allowed: false, reason, credits: Number(credits) };
    }
    ctx.add(creditsKey, -amount);
    ctx.set(usedKey, used + amount, { ttlMs: 2 * DAY_MS });
    ctx.hincrby(`calls:${user}`, String(event.fields["endpoint"] ?? "/"), 1);
    ctx.count("allowed");
    return {
      allowed: true,
      credits: Number(credits - amount),
      left_today: Number(DAILY_LIMIT - used - amount),
    };
  },
};

export default apiCredits;
