/// <reference lib="deno.worker" />

/**
 * Tries in a worker what {@link tryPowers} tries.
 *
 * @module
 */

import { tryPowers } from "./powers.ts";

self.postMessage(await tryPowers());
