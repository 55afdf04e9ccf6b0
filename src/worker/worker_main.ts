/**
 * Entry of an event worker: an isolate of its own that takes jobs from the channel until it is
 * told to stop or nothing is left.
 *
 * @module
 */

import { live } from "./worker_life.ts";
import { openPort } from "./worker_port.ts";

await openPort(live);
