/**
 * Long commands go on in slices: work a little, let others have their turn, work again.
 *
 * @module
 */

/** How long a slice lasts. Unit: ms. Reason: others wait meanwhile (C14). */
export const SLICE_MS = 1;

/** Resolves in a later turn of the event loop, when what was ready has run. Thread: any. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
