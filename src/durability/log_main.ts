/**
 * Entry of the log's thread.
 *
 * @module
 */

import { liveAsLogThread } from "./log_life.ts";

liveAsLogThread();
