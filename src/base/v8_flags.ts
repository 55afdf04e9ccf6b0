/**
 * How V8 is set up: in the tasks, in the executable and for the lab's servers.
 *
 * @module
 */

/**
 * Flags for V8, as `--v8-flags` takes them.
 *
 * - A small young generation, which takes a third less memory at 1,000 connections and no more time;
 *   and garbage is not let pile up to twice of what lives, which under attack was another 40 MiB.
 * - What is called is inlined further than V8 does by itself. A command goes through some sixty
 *   short functions between its bytes and its reply; the default budget is spent after a dozen of
 *   them, and each further call then costs more than what it does (docs/performance.md).
 */
export const V8_FLAGS: string = [
  "--max-semi-space-size=2",
  "--heap-growing-percent=50",
  "--max-inlined-bytecode-size=1500",
  "--max-inlined-bytecode-size-cumulative=4600",
  "--max-inlined-bytecode-size-absolute=20000",
  "--max-inlined-bytecode-size-small=60",
].join(",");
