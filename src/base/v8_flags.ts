/**
 * How V8 is set up: in the tasks, in the executable and for the lab's servers.
 *
 * @module
 */

/**
 * Flags for V8, as `--v8-flags` takes them.
 *
 * - A young generation of two times 8 MB at most. In a smaller one, what a wave of 1,000 requests
 *   leaves behind is taken for old too often, and a larger one only takes more memory. V8 rounds up
 *   to powers of two.
 * - Garbage is not let pile up to twice of what lives, which under attack was another 40 MiB.
 * - A full collection marks while others have the processor, and when memory is asked for, not in
 *   tasks of its own in between: with 1,000 busy connections these held everybody up at once.
 * - What is called is inlined further than V8 does by itself. A command goes through some sixty
 *   short functions between its bytes and its reply; the default budget is spent after a dozen of
 *   them, and each further call then costs more than what it does (docs/performance.md).
 */
export const V8_FLAGS: string = [
  "--max-semi-space-size=8",
  "--heap-growing-percent=50",
  "--no-incremental-marking-task",
  "--max-inlined-bytecode-size=1500",
  "--max-inlined-bytecode-size-cumulative=4600",
  "--max-inlined-bytecode-size-absolute=20000",
  "--max-inlined-bytecode-size-small=60",
].join(",");
