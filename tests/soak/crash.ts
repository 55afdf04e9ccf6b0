/**
 * Kills a server 200 times with each policy, under load over all protocols, and counts what came back:
 * `deno task test:crash`. Before that, it is killed once between each two steps of the write path. SLUICE_KILLS for another number, SLUICE_SEED to repeat a run.
 */

import { runCrashes } from "../helpers/crash_rounds.ts";
import { KILL_STEPS, runKillSteps } from "../helpers/kill_steps.ts";
import { say } from "../helpers/say.ts";

const rounds = Number(Deno.env.get("SLUICE_KILLS") ?? 200);
const seed = Number(Deno.env.get("SLUICE_SEED") ?? Math.floor(Math.random() * 2 ** 31));
say(`SLUICE_SEED=${seed}`);
const steps = await runKillSteps(KILL_STEPS, seed, ({ name }) => say(name));
say(`killed at ${KILL_STEPS.length} steps: ${JSON.stringify(steps)}`);
for (const fsync of ["always", "everysec"] as const) {
  for (const ioThreads of ["1", "2"]) {
    const path = await Deno.makeTempDir({ prefix: "sluice-crash-" });
    try {
      const counts = await runCrashes({
        path,
        fsync,
        rounds: Math.ceil(rounds / 2),
        seed,
        flags: ["--io-threads", ioThreads],
        onRound: (counts) => {
          if (counts.kills % 10 === 0) {
            say(`${counts.kills} kills: ${JSON.stringify(counts)}`);
          }
        },
      });
      say(`--fsync ${fsync}, ${ioThreads} I/O threads: ${JSON.stringify(counts)}`);
    } finally {
      await Deno.remove(path, { recursive: true });
    }
  }
}
