/**
 * An I/O thread that soon ends unasked; see `faulty_server.ts`.
 *
 * @module
 */

import { liveAsIoThread } from "../../src/server/io_worker_life.ts";

liveAsIoThread();
setTimeout(() => Deno.exit(1), 1000);
