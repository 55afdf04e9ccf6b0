import assert from "node:assert/strict";
import type { UserDistribution } from "../../../../src/lab/load/plan.ts";
import { SeededRandom } from "../../../../src/lab/load/random.ts";
import { UserSequence, ZIPF_EXPONENT } from "../../../../src/lab/load/users.ts";

function draw(distribution: UserDistribution, userCount: number, seed: number, count: number) {
  const users = new UserSequence(distribution, userCount, seed);
  return Array.from({ length: count }, () => users.next());
}

/** How often each user came up; index 0 is `user1`. */
function tally(users: readonly number[], userCount: number): number[] {
  const counts = new Array<number>(userCount).fill(0);
  for (const user of users) {
    assert.ok(Number.isInteger(user) && user >= 1 && user <= userCount, `user ${user}`);
    counts[user - 1]!++;
  }
  return counts;
}

/** Fails when a count is further from what was expected than chance makes likely; the seed is fixed. */
function assertNear(actual: number, share: number, drawCount: number, what: string): void {
  const expected = share * drawCount;
  const deviation = Math.sqrt(expected * (1 - share));
  assert.ok(
    Math.abs(actual - expected) <= 5 * deviation,
    `${what}: ${actual} of ${drawCount} instead of ${expected} ± ${deviation}`,
  );
}

Deno.test("SeededRandom: the same seed gives the same numbers, another one others", () => {
  const numbers = (seed: number): number[] => {
    const random = new SeededRandom(seed);
    return Array.from({ length: 50 }, () => random.next());
  };
  assert.deepEqual(numbers(1), numbers(1));
  const firsts = [0, 1, 2, 3, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 33].map((seed) =>
    numbers(seed)[0]
  );
  assert.equal(new Set(firsts).size, firsts.length);
});

Deno.test("SeededRandom: spreads its numbers evenly from 0 to below 1", () => {
  const random = new SeededRandom(42);
  const counts = new Array<number>(16).fill(0);
  for (let i = 0; i < 160_000; i++) {
    const number = random.next();
    assert.ok(number >= 0 && number < 1);
    counts[Math.floor(number * 16)]!++;
  }
  counts.forEach((count, i) => assertNear(count, 1 / 16, 160_000, `part ${i}`));
});

Deno.test("UserSequence: the same seed sends the same events", () => {
  for (const distribution of ["uniform", "zipf"] as const) {
    assert.deepEqual(draw(distribution, 1000, 7, 500), draw(distribution, 1000, 7, 500));
    assert.notDeepEqual(draw(distribution, 1000, 7, 500), draw(distribution, 1000, 8, 500));
  }
});

Deno.test("UserSequence: uniform has all users alike", () => {
  const counts = tally(draw("uniform", 20, 3, 100_000), 20);
  counts.forEach((count, i) => assertNear(count, 1 / 20, 100_000, `user${i + 1}`));
});

Deno.test("UserSequence: zipf has the user of rank k in proportion to 1 / k^0.99", () => {
  const drawCount = 300_000;
  const counts = tally(draw("zipf", 1000, 5, drawCount), 1000);
  let sum = 0;
  for (let rank = 1; rank <= 1000; rank++) sum += rank ** -ZIPF_EXPONENT;
  for (const rank of [1, 2, 3, 10, 100, 999, 1000]) {
    assertNear(counts[rank - 1]!, rank ** -ZIPF_EXPONENT / sum, drawCount, `user${rank}`);
  }
  const topTen = counts.slice(0, 10).reduce((total, count) => total + count);
  assert.ok(topTen > drawCount / 3, "ten of a thousand users have more than a third of the events");
});

Deno.test("UserSequence: one user alone has all events", () => {
  for (const distribution of ["uniform", "zipf"] as const) {
    assert.deepEqual(new Set(draw(distribution, 1, 1, 100)), new Set([1]));
  }
});
