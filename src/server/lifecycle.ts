/**
 * Where in its life the server is, as clients can see it.
 *
 * @module
 */

import type { ServerPhase } from "../command/phase.ts";
import type { Readiness } from "./http_routes.ts";

/**
 * The server's life: starting → ready → shutting down, and from some moment of the latter on,
 * stopping, when requests are refused.
 *
 * Thread: main isolate.
 */
export class Lifecycle implements ServerPhase {
  /** What `/ready` says. */
  readiness: Readiness = "starting";
  /** See {@link ServerPhase.stopping}. */
  stopping = false;
  /** When it was made, ms since the epoch. */
  readonly startedAtMs: number = Date.now();
}
