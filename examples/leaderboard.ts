/**
 * Leaderboards: scores add up in a sorted set, and who enters the top or moves within it is published.
 *
 * ```console
 * $ sluice --processor examples/leaderboard.ts
 * $ redis-cli SUBSCRIBE top:chess &
 * $ curl -d '{"user":"ann","action":"score","amount":30,"game":"chess"}' 'localhost:8080/events?wait=1s'
 * {"status":"processed","result":{"score":30,"rank":1}}
 * $ redis-cli ZREVRANGE board:chess 0 9 WITHSCORES
 * ```
 *
 * Keys: `board:{game}` a sorted set, for any client to read; `player:{user}` a hash with what the player
 * has played. Both change together.
 *
 * @module
 */

import type { Processor } from "../src/mod.ts";

/** How many are at the top. */
const TOP_COUNT = 3;

/** Adds scores, and publishes the top when it changes. */
const leaderboard: Processor = {
  name: "leaderboard",
  counters: ["scores", "top_changes"],
  schema: {
    properties: { game: { type: "string", pattern: "^[a-z0-9_]{1,32}$" } },
    required: ["game"],
  },

  validate({ action, amount }) {
    if (action !== "score") return "action must be score";
    if (amount < -1_000_000n || amount > 1_000_000n) return "amount must be within a million";
    return undefined;
  },

  process(event, ctx) {
    const { user } = event;
    const game = String(event.fields["game"]);
    const board = `board:${game}`;
    const points = Number(event.amount);
    const old = ctx.zscore(board, user);
    const score = (old ?? 0) + points;
    // One more than the top has: the player may leave it.
    const before = ctx.zrange(board, 0, TOP_COUNT, { reverse: true });
    // Scores are whole numbers; the player's old one does not count.
    const better = ctx.zcount(board, score + 1, Infinity) -
      (old !== undefined && old > score ? 1 : 0);
    ctx.zincrby(board, user, points);
    ctx.hincrby(`player:${user}`, "games", 1);
    ctx.hincrby(`player:${user}`, `points:${game}`, points);
    ctx.count("scores");
    const after = [...before.filter(({ member }) => member !== user), { member: user, score }]
      .toSorted((one, other) => other.score - one.score || (one.member < other.member ? 1 : -1))
      .slice(0, TOP_COUNT);
    if (JSON.stringify(after) !== JSON.stringify(before.slice(0, TOP_COUNT))) {
      ctx.count("top_changes");
      ctx.emit(after.map(({ member, score }) => ({ user: member, score })), `top:${game}`);
    }
    return { score, rank: better + 1 };
  },
};

export default leaderboard;
