/**
 * Who may connect at all: `--allow` and `--deny`.
 *
 * @module
 */

import { contains, type Network, parseNetwork } from "../base/network.ts";
import { assert } from "../base/assert.ts";

/**
 * Two lists of networks; the second beats the first.
 *
 * Thread: any; make one per thread.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { parseAddress } from "../base/network.ts";
 * import { AddressFilter } from "./address_filter.ts";
 * const filter = new AddressFilter(["10.0.0.0/8"], ["10.1.2.3"]);
 * assert.equal(filter.admits(parseAddress("10.1.2.4")), true);
 * assert.equal(filter.admits(parseAddress("10.1.2.3")), false);
 * ```
 */
export class AddressFilter {
  readonly #allowed: readonly Network[];
  readonly #denied: readonly Network[];

  /**
   * Reads the lists.
   *
   * @param allow networks in CIDR notation; empty = all
   * @param deny networks in CIDR notation
   */
  constructor(allow: readonly string[], deny: readonly string[]) {
    this.#allowed = allow.map(network);
    this.#denied = deny.map(network);
  }

  /** Whether everybody passes. */
  get admitsAll(): boolean {
    return this.#allowed.length === 0 && this.#denied.length === 0;
  }

  /**
   * Whether a client may connect.
   *
   * @param address as `parseAddress` gives it; null, an address that is none, passes only when
   *   everybody does
   */
  admits(address: Uint8Array | null): boolean {
    if (address === null) return this.admitsAll;
    for (const denied of this.#denied) if (contains(denied, address)) return false;
    if (this.#allowed.length === 0) return true;
    for (const allowed of this.#allowed) if (contains(allowed, address)) return true;
    return false;
  }
}

function network(text: string): Network {
  const parsed = parseNetwork(text);
  assert(parsed !== null, `${text} was checked to be a network`);
  return parsed;
}
