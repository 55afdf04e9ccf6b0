/**
 * Assertions for our own bugs.
 *
 * A failed assertion means that the program is wrong, not that a client sent something bad; it
 * is never caught to carry on. Client mistakes are values (reply codes), not exceptions.
 *
 * @module
 */

/** Thrown by {@link assert} when the program's own reasoning turned out to be wrong. */
export class AssertionFault extends Error {
  /** Always `"AssertionFault"`. */
  override readonly name = "AssertionFault";
}

/**
 * States an invariant.
 *
 * Thread: any.
 *
 * @param condition what must hold
 * @param message what was expected, in words that name the values involved
 * @throws {AssertionFault} when `condition` is false
 *
 * @example
 * ```ts
 * import { assert } from "./assert.ts";
 * assert(1 + 1 === 2, "arithmetic works");
 * ```
 */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionFault(message);
}
