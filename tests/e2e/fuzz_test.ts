// deno-lint-ignore-file no-console -- the seed and the throughput are for who runs it
import { effort } from "../helpers/effort.ts";
import { FUZZ_PROTOCOLS } from "../helpers/fuzz/protocols.ts";
import { fuzzOptions, fuzzServer } from "../helpers/fuzz/run.ts";

/** Elsewhere, every connection that is over keeps its port for minutes. */
const SEQUENCES = Deno.build.os === "linux" ? effort(12_000, 100_000) : 5_000;

for (const protocol of FUZZ_PROTOCOLS) {
  // A port's other ways are for the long run; here they get a quarter.
  const sequenceCount = protocol.flags === undefined ? SEQUENCES : SEQUENCES / 4;
  Deno.test(`fuzz: ${protocol.name} takes ${sequenceCount} mutated sequences without harm (P4)`, async () => {
    const options = fuzzOptions(sequenceCount);
    console.log(`SLUICE_FUZZ_SEED=${options.seed}`);
    const beganAtMs = performance.now();
    const tally = await fuzzServer(protocol, options);
    const seconds = (performance.now() - beganAtMs) / 1000;
    console.log(`${JSON.stringify(tally)} in ${seconds.toFixed(1)} s`);
  });
}
