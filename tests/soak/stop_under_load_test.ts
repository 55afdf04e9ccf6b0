// deno-lint-ignore-file no-console -- the figures are what a soak run is for
import { stopUnderLoad } from "../helpers/stop_under_load.ts";

Deno.test("stop: SIGTERM in the middle of 100,000 events loses none (P1, P6)", async () => {
  const flags = ["--channel-capacity", "100000", "--workers", "2"];
  const { tally, stopped } = await stopUnderLoad(100_000, flags);
  console.log(JSON.stringify({ ...tally, ...stopped }));
});
