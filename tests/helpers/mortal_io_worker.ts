/**
 * An I/O thread that soon ends unasked; see `faulty_server.ts`.
 *
 * @module
 */

import { liveAsIoThread } from "../../src/server/io_worker_life.ts";

/** How long it lives when it is not told anything any more: the server has started. Unit: ms. */
const LIFE_MS = 2000;

liveAsIoThread();
let timer = setTimeout(() => Deno.exit(1), LIFE_MS);
addEventListener("message", () => {
  clearTimeout(timer);
  timer = setTimeout(() => Deno.exit(1), LIFE_MS);
});
