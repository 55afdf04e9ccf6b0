/**
 * What was found in files and has no place here.
 *
 * @module
 */

/** How much of what is remembered, with an example of each. */
const EXAMPLE_BYTES = 64;

/** One kind of things that have no place here. */
export interface SkippedKind {
  /** What it is, e.g. `"streams"`. */
  readonly what: string;
  /** How many there were. */
  count: number;
  /** Key of the first one; empty when it has none. */
  readonly example: string;
}

/** Counts them. */
export class Skipped {
  readonly #kinds = new Map<string, SkippedKind>();

  /**
   * Counts one.
   *
   * @param what the kind, in the plural
   */
  add(what: string, key: Uint8Array | undefined): void {
    const kind = this.#kinds.get(what);
    if (kind !== undefined) {
      kind.count++;
      return;
    }
    const example = key === undefined
      ? ""
      : new TextDecoder().decode(key.subarray(0, EXAMPLE_BYTES));
    this.#kinds.set(what, { what, count: 1, example });
  }

  /** How many there were in all. */
  get count(): number {
    return this.kinds.reduce((sum, { count }) => sum + count, 0);
  }

  /** The kinds, in the order in which they were found. */
  get kinds(): readonly SkippedKind[] {
    return [...this.#kinds.values()];
  }
}
