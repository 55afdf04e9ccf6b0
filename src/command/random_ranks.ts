/**
 * Which elements of a collection a command takes, by their ranks; random ones among them.
 *
 * @module
 */

/** A random number from 0 up to, not including, 1; `Math.random` unless a test has its own. */
export type Random = () => number;

/** Numbers per piece of a {@link RankRanges}: two for each range. */
const PIECE_NUMBERS = 8192;

/**
 * Ranks of elements, as ranges. They are kept in pieces, so that adding one never copies them all.
 *
 * Thread: belongs to one thread.
 */
export class RankRanges {
  /** Ranks in all ranges together. */
  total = 0;
  /** How many ranges there are. */
  rangeCount = 0;
  readonly #pieces: Uint32Array[] = [];
  /** Behind the last rank of the last range. */
  #end = -1;

  /** Adds the ranks from `start` on; to the last range if they follow on it. */
  add(start: number, count: number): void {
    this.total += count;
    if (start === this.#end) {
      const at = (this.rangeCount - 1) * 2;
      this.#pieces[Math.floor(at / PIECE_NUMBERS)]![at % PIECE_NUMBERS + 1]! += count;
    } else {
      const at = this.rangeCount++ * 2;
      const piece = Math.floor(at / PIECE_NUMBERS);
      // The first piece grows, because most have few ranges.
      if (piece === this.#pieces.length) this.#pieces.push(newPiece(piece));
      else if (at % PIECE_NUMBERS === this.#pieces[piece]!.length) this.#growFirst();
      this.#pieces[piece]![at % PIECE_NUMBERS] = start;
      this.#pieces[piece]![at % PIECE_NUMBERS + 1] = count;
    }
    this.#end = start + count;
  }

  /** First rank of a range. */
  startOf(range: number): number {
    const at = range * 2;
    return this.#pieces[Math.floor(at / PIECE_NUMBERS)]![at % PIECE_NUMBERS]!;
  }

  /** Ranks in a range. */
  countOf(range: number): number {
    const at = range * 2;
    return this.#pieces[Math.floor(at / PIECE_NUMBERS)]![at % PIECE_NUMBERS + 1]!;
  }

  #growFirst(): void {
    const larger = new Uint32Array(this.#pieces[0]!.length * 4);
    larger.set(this.#pieces[0]!);
    this.#pieces[0] = larger;
  }
}

/** The first piece begins with 8 ranges and grows four-fold: 32, 128, 512, 2,048, 8,192 numbers. */
function newPiece(piece: number): Uint32Array {
  return new Uint32Array(piece === 0 ? PIECE_NUMBERS >> 9 : PIECE_NUMBERS);
}

/** All ranks below `size`. */
export function allRanks(size: number): RankRanges {
  const ranges = new RankRanges();
  if (size > 0) ranges.add(0, size);
  return ranges;
}

/** A random rank below `size`. */
export function randomRank(size: number, random: Random): number {
  return Math.floor(random() * size);
}

/**
 * Picks `count` different ranks below `size`, each with the same probability.
 *
 * Up to `mostRanges` of them are picked one by one, so that every choice of that many is as probable
 * as any other. More are picked as `mostRanges` runs of neighbours, with random distances: in a large
 * hash or set, neighbours are those whose keyed hashes are. So a pick costs the same however large
 * it is.
 *
 * @returns ranges in ascending order
 */
export function pickRanks(
  size: number,
  count: number,
  mostRanges: number,
  random: Random,
): RankRanges {
  if (count >= size) return allRanks(size);
  const runs = Math.min(count, mostRanges);
  const places = distinctNumbers(size - count + runs, runs, random);
  const runRanks = Math.floor(count / Math.max(runs, 1));
  const longerRuns = count - runs * runRanks;
  // Runs differ from single ranks in what their neighbourhood is, so the circle is turned.
  const turn = count > runs ? randomRank(size, random) : 0;
  const pairs: [number, number][] = [];
  let before = 0;
  for (let i = 0; i < runs; i++) {
    const length = runRanks + (i < longerRuns ? 1 : 0);
    const start = (places[i]! - i + before + turn) % size;
    before += length;
    const beyond = Math.max(0, start + length - size);
    pairs.push([start, length - beyond]);
    if (beyond > 0) pairs.push([0, beyond]);
  }
  pairs.sort((a, b) => a[0] - b[0]);
  const ranges = new RankRanges();
  for (const [start, length] of pairs) ranges.add(start, length);
  return ranges;
}

/** `count` different numbers below `size`, ascending; every choice is as probable as any other. */
function distinctNumbers(size: number, count: number, random: Random): Float64Array {
  const chosen = new Set<number>();
  for (let top = size - count; top < size; top++) {
    const number = randomRank(top + 1, random);
    chosen.add(chosen.has(number) ? top : number);
  }
  return Float64Array.from(chosen).sort();
}
