/**
 * A processor for tests that does not settle anything; its events are those of {@link orders}.
 *
 * @module
 */

import orders from "./orders.ts";

export default { ...orders, timeoutMs: 3_600_000, process: () => new Promise(() => {}) };
