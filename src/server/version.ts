/**
 * The version, from the one place that says it.
 *
 * @module
 */

import manifest from "../../deno.json" with { type: "json" };

/** Version of this server, e.g. `0.1.0`. */
export const VERSION: string = manifest.version;
