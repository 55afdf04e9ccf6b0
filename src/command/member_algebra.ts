/**
 * Unions, intersections and differences of sets and sorted sets, member by member.
 *
 * @module
 */

import type { ElementView } from "../store/collection/element.ts";
import type { MemberProducer } from "./aside.ts";
import type { MemberSource } from "./member_sources.ts";

/** How members of several sources become one result. */
export type AlgebraKind = "union" | "inter" | "diff";

/** What becomes of the scores that a member has in several sources. */
export type Aggregate = "sum" | "min" | "max";

/** Members looked at between two questions whether the slice is over. */
const STEPS = 16;

/** Makes the producer of a result; the sources are walked by it alone. Thread: any. */
export function combine(
  kind: AlgebraKind,
  sources: readonly MemberSource[],
  aggregate: Aggregate,
): MemberProducer {
  if (kind === "diff") return new Difference(sources);
  // The smallest first, as Redis does: of floats, the order decides the sum.
  const sorted = sources.toSorted((a, b) => a.count - b.count);
  return kind === "union" ? new Union(sorted, aggregate) : new Intersection(sorted, aggregate);
}

/** About how many members are looked at for a result. Thread: any. */
export function workOf(kind: AlgebraKind, sources: readonly MemberSource[]): number {
  if (kind === "union") return sources.reduce((sum, { count }) => sum + count, 0);
  const least = kind === "diff" ? sources[0]!.count : Math.min(...sources.map((s) => s.count));
  return least * sources.length;
}

function aggregated(aggregate: Aggregate, one: number, other: number): number {
  if (aggregate === "min") return other < one ? other : one;
  if (aggregate === "max") return other > one ? other : one;
  const sum = one + other;
  // Infinity and -Infinity.
  return Number.isNaN(sum) ? 0 : sum;
}

/** What at least one source has: a merge of all. */
class Union implements MemberProducer {
  readonly #aggregate: Aggregate;
  readonly #places = new Map<MemberSource, number>();
  /** A heap: the source whose member is the first of all is the first. */
  readonly #heap: MemberSource[] = [];
  /** The sources that have the present member, in their order. */
  #present: MemberSource[];

  constructor(sources: readonly MemberSource[], aggregate: Aggregate) {
    this.#aggregate = aggregate;
    for (const [i, source] of sources.entries()) {
      this.#places.set(source, i);
      source.seekFirst();
      if (source.isValid) this.#push(source);
    }
    this.#present = [];
  }

  next(): boolean {
    for (const source of this.#present) {
      source.next();
      if (source.isValid) this.#push(source);
    }
    if (this.#heap.length === 0) return false;
    const first = this.#pop();
    this.#present = [first];
    while (this.#heap.length > 0) {
      if (this.#heap[0]!.compare(first.hash, first.element()) !== 0) break;
      this.#present.push(this.#pop());
    }
    return true;
  }

  element(): ElementView {
    return this.#present[0]!.element();
  }

  score(): number {
    let score = this.#present[0]!.weighted();
    for (let i = 1; i < this.#present.length; i++) {
      score = aggregated(this.#aggregate, score, this.#present[i]!.weighted());
    }
    return score;
  }

  #isBefore(one: MemberSource, other: MemberSource): boolean {
    const place = one.compare(other.hash, other.element());
    return place < 0 || (place === 0 && this.#places.get(one)! < this.#places.get(other)!);
  }

  #push(source: MemberSource): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(source);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#isBefore(source, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = source;
  }

  #pop(): MemberSource {
    const heap = this.#heap;
    const first = heap[0]!;
    const moved = heap.pop()!;
    if (heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && this.#isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!this.#isBefore(heap[child]!, moved)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = moved;
    return first;
  }
}

/** Walks the first source and looks for each member in the others. */
abstract class Search implements MemberProducer {
  protected readonly base: MemberSource;
  protected readonly others: readonly MemberSource[];
  #hasBegun = false;

  constructor([base, ...others]: readonly MemberSource[]) {
    this.base = base!;
    this.others = others;
  }

  next(): boolean | undefined {
    const { base } = this;
    if (!this.#hasBegun) {
      this.#hasBegun = true;
      base.seekFirst();
      for (const other of this.others) other.seekFirst();
    } else {
      base.next();
    }
    for (let steps = 0; base.isValid; steps++) {
      if (this.isOver()) return false;
      if (this.isIn()) return true;
      // It goes on behind this one.
      if (steps >= STEPS) return undefined;
      base.next();
    }
    return false;
  }

  element(): ElementView {
    return this.base.element();
  }

  abstract score(): number;
  /** Whether nothing more can come. */
  protected abstract isOver(): boolean;
  /** Whether the base's member is in the result. */
  protected abstract isIn(): boolean;
}

/** What all sources have. */
class Intersection extends Search {
  readonly #aggregate: Aggregate;

  constructor(sources: readonly MemberSource[], aggregate: Aggregate) {
    super(sources);
    this.#aggregate = aggregate;
  }

  score(): number {
    let score = this.base.weighted();
    for (const other of this.others) {
      score = aggregated(this.#aggregate, score, other.weighted());
    }
    return score;
  }

  protected isOver(): boolean {
    return this.others.some((other) => !other.isValid);
  }

  protected isIn(): boolean {
    const element = this.base.element();
    return this.others.every((other) => other.seek(this.base.hash, element));
  }
}

/** What the first source has and no other. */
class Difference extends Search {
  score(): number {
    return this.base.score();
  }

  protected isOver(): boolean {
    return false;
  }

  protected isIn(): boolean {
    const element = this.base.element();
    return !this.others.some((other) => other.seek(this.base.hash, element));
  }
}
