/**
 * The built-in processor: an event adds its amount to its user's balance.
 *
 * It is written against the same interface as anybody's own, and uses nothing else.
 *
 * @module
 */

import type { Processor, ProcessorContext, ProcessorEvent } from "./processor.ts";

/** What the key of a balance starts with; the user follows. */
export const BALANCE_KEY_PREFIX = "balance:";

const PREFIX = new TextEncoder().encode(BALANCE_KEY_PREFIX);
/** Longest key that is made without a new buffer; users have at most 128 bytes. */
const KEY_BYTES = 256;

/**
 * Adds `amount` to the key `balance:{user}`.
 *
 * @example
 * ```ts
 * import type { ProcessorContext, ProcessorEvent } from "./processor.ts";
 * import { Int64 } from "../base/int64.ts";
 * import { BalanceProcessor } from "./balance_processor.ts";
 * const added: string[] = [];
 * new BalanceProcessor().process(
 *   {
 *     userBytes: new TextEncoder().encode("alice"),
 *     amountInt64: Int64.fromNumber(100),
 *   } as ProcessorEvent,
 *   {
 *     add: (key: Uint8Array, amount: Int64) => {
 *       added.push(`${new TextDecoder().decode(key)} ${amount.toNumber()}`);
 *     },
 *   } as unknown as ProcessorContext,
 * );
 * console.assert(added[0] === "balance:alice 100");
 * ```
 */
export class BalanceProcessor implements Processor {
  /** See {@link Processor.name}. */
  readonly name = "balances";
  /** The key; its beginning is always the same. */
  readonly #key = new Uint8Array(KEY_BYTES);
  /** The first bytes of {@link #key}, by how many: made once, as making them costs. */
  readonly #keys: (Uint8Array | undefined)[] = [];

  /** Makes a processor. */
  constructor() {
    this.#key.set(PREFIX);
  }

  /** See {@link Processor.process}. */
  process(event: ProcessorEvent, context: ProcessorContext): void {
    const user = event.userBytes;
    const key = this.#key;
    const { length } = user;
    let at = PREFIX.length;
    for (let i = 0; i < length; i++) key[at++] = user[i]!;
    context.add(this.#keys[length] ??= key.subarray(0, at), event.amountInt64);
  }
}
