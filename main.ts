/**
 * The `sluice` command.
 *
 * @module
 */

import { settleAllocator } from "./src/cli/allocator.ts";
import { main } from "./src/cli/main.ts";
import { processSurroundings } from "./src/cli/process.ts";

settleAllocator();
// Not left to the end of the event loop: a worker asleep on a lock would keep the process alive.
Deno.exit(await main(Deno.args, processSurroundings));
