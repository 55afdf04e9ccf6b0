/**
 * Entry of an I/O thread that is a Worker.
 *
 * @module
 */

import { liveAsIoThread } from "./io_worker_life.ts";

liveAsIoThread();
