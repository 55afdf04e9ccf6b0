import assert from "node:assert/strict";
import { allRanks, pickRanks, randomRank, RankRanges } from "../../../src/command/random_ranks.ts";
import { Dice } from "../store/collection_helpers.ts";

function seeded(seed: number): () => number {
  const dice = new Dice(seed);
  return () => dice.roll(2 ** 24) / 2 ** 24;
}

function ranksOf(ranges: RankRanges): number[] {
  const ranks: number[] = [];
  for (let i = 0; i < ranges.rangeCount; i++) {
    for (let j = 0; j < ranges.countOf(i); j++) ranks.push(ranges.startOf(i) + j);
  }
  return ranks;
}

/** Chi-square of counts that should be equal, over its degrees of freedom: about 1. */
function unevenness(counts: readonly number[]): number {
  const expected = counts.reduce((sum, each) => sum + each, 0) / counts.length;
  const sum = counts.reduce((total, each) => total + (each - expected) ** 2 / expected, 0);
  return sum / (counts.length - 1);
}

Deno.test("pickRanks: picks as many different ranks as it is asked for, in ascending ranges", () => {
  const random = seeded(1);
  for (let round = 0; round < 3000; round++) {
    const size = 1 + randomRank(300, random);
    const count = randomRank(size + 3, random);
    const most = 1 + randomRank(40, random);
    const ranges = pickRanks(size, count, most, random);
    const ranks = ranksOf(ranges);
    assert.equal(ranks.length, Math.min(count, size));
    assert.equal(ranges.total, ranks.length);
    assert.ok(ranges.rangeCount <= most + 1, "a run may go round the end");
    assert.ok(ranks.every((rank, i) => rank < size && (i === 0 || rank > ranks[i - 1]!)));
  }
});

for (const [count, most] of [[1, 8], [3, 8], [7, 8], [20, 8], [60, 8], [96, 8]] as const) {
  Deno.test(`pickRanks: every rank is as probable as any other, ${count} of 97 in ${most} runs`, () => {
    const seed = 100 + count;
    const random = seeded(seed);
    const counts = new Array<number>(97).fill(0);
    for (let round = 0; round < 20_000; round++) {
      for (const rank of ranksOf(pickRanks(97, count, most, random))) counts[rank]!++;
    }
    // Picks without repetition are more even than independent ones. 1.75 is beyond 1 in 10^5.
    assert.ok(unevenness(counts) < 1.75, `seed ${seed}: ${unevenness(counts)}`);
  });
}

Deno.test("pickRanks: every pair is as probable as any other when ranks are picked one by one", () => {
  const random = seeded(5);
  const counts = new Map<string, number>();
  for (let round = 0; round < 42_000; round++) {
    const key = ranksOf(pickRanks(8, 2, 8, random)).join();
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  assert.equal(counts.size, 28);
  assert.ok(unevenness([...counts.values()]) < 2.6, "seed 5");
});

Deno.test("randomRank: a biased one is caught by the same measure", () => {
  const random = seeded(9);
  const counts = new Array<number>(97).fill(0);
  for (let round = 0; round < 20_000; round++) {
    counts[Math.floor(random() ** 1.1 * 97)]!++;
  }
  assert.ok(unevenness(counts) > 1.75);
});

Deno.test("RankRanges: keeps many ranges and joins neighbours", () => {
  const ranges = new RankRanges();
  for (let i = 0; i < 30_000; i++) ranges.add(i * 3, 1);
  for (let i = 0; i < 5; i++) ranges.add(100_000 + i, 1);
  assert.equal(ranges.rangeCount, 30_001);
  assert.equal(ranges.total, 30_005);
  assert.deepEqual(ranksOf(ranges).slice(-7), [
    29_998 * 3,
    29_999 * 3,
    1e5,
    100_001,
    100_002,
    100_003,
    100_004,
  ]);
  assert.equal(ranges.startOf(12_345), 37_035);
  assert.deepEqual(ranksOf(allRanks(3)), [0, 1, 2]);
  assert.equal(allRanks(0).rangeCount, 0);
});
