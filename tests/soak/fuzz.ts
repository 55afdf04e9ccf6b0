// deno-lint-ignore-file no-console -- a program whose result is what it prints
/**
 * Ten million mutated sequences on each port, or as many as `SLUICE_FUZZ_COUNT` says.
 *
 *     deno task test:fuzz
 *
 * @module
 */

import { FUZZ_PROTOCOLS } from "../helpers/fuzz/protocols.ts";
import { fuzzOptions, fuzzServer } from "../helpers/fuzz/run.ts";
import { alignedTable } from "../helpers/load/run_load.ts";

const SEQUENCES = 10_000_000;
const PROGRESS_EVERY = 100_000;

const rows: string[][] = [];
for (const protocol of FUZZ_PROTOCOLS) {
  const options = fuzzOptions(SEQUENCES);
  console.error(`${protocol.name}: SLUICE_FUZZ_SEED=${options.seed}`);
  const beganAtMs = performance.now();
  let nextProgress = PROGRESS_EVERY;
  const tally = await fuzzServer(protocol, {
    ...options,
    onProgress: (count) => {
      if (count < nextProgress) return;
      nextProgress += PROGRESS_EVERY;
      console.error(`  ${((performance.now() - beganAtMs) / 1000).toFixed(0)} s: ${count}`);
    },
  });
  const seconds = (performance.now() - beganAtMs) / 1000;
  const counts = [tally.cases, tally.sequences, tally.replies, tally.resets].map(String);
  rows.push([protocol.name, ...counts, (tally.sequences / seconds).toFixed(0)]);
}
console.log(
  alignedTable(["port", "connections", "sequences", "replies", "resets", "sequences/s"], rows),
);
