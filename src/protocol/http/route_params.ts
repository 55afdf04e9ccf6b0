/**
 * What the parameters of a route matched.
 *
 * @module
 */

/** Most parameters that one route may have. */
export const MAX_ROUTE_PARAMS = 8;

/**
 * Parameters as ranges of the path, in the order of the pattern, still percent-encoded.
 *
 * Shape: for `/users/:user` and `/users/al%20b`, `count` is 1 and the range is `al%20b`.
 *
 * Thread: belongs to one exchange.
 */
export class RouteParams {
  /** Number of parameters. */
  count = 0;

  readonly #ranges = new Int32Array(MAX_ROUTE_PARAMS * 2);

  /** Forgets all. */
  clear(): void {
    this.count = 0;
  }

  /** Appends a parameter. */
  push(start: number, end: number): void {
    this.#ranges[this.count * 2] = start;
    this.#ranges[this.count * 2 + 1] = end;
    this.count++;
  }

  /** Takes the last parameter back. */
  pop(): void {
    this.count--;
  }

  /** First byte of parameter `index`. */
  start(index: number): number {
    return this.#ranges[index * 2]!;
  }

  /** Behind parameter `index`. */
  end(index: number): number {
    return this.#ranges[index * 2 + 1]!;
  }
}
