/**
 * The stages of the lab, in their order.
 *
 * @module
 */

import type { Stage } from "../stage.ts";
import { badInputStage } from "./bad_input.ts";
import { oneLockStage, shardedStage } from "./contention.ts";
import { countersStage } from "./counters.ts";
import { gracefulStopStage } from "./graceful_stop.ts";
import { boundedChannelStage, poolStage } from "./queues.ts";
import { oneAtATimeStage, taskEachStage } from "./silent_clients.ts";
import { workUnderLockStage } from "./work_under_lock.ts";

/** All of them. */
export const STAGES: readonly Stage[] = [
  oneAtATimeStage,
  taskEachStage,
  badInputStage,
  workUnderLockStage,
  boundedChannelStage(),
  poolStage(),
  oneLockStage,
  shardedStage,
  countersStage,
  gracefulStopStage(),
];
