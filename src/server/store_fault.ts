/**
 * The words for a store that is torn (C4).
 *
 * @module
 */

import type { CommandTable } from "../command/lookup.ts";
import { LEAVE_CHANNEL_OPERATION } from "../command/pubsub/hub.ts";
import { NOTIFY_OPERATION } from "../pubsub/notifier.ts";
import { GARBAGE_OPERATION } from "../store/collection/garbage.ts";
import { SWEEP_OPERATION } from "../store/expiry_sweeper.ts";
import { FREE_DETACHED_OPERATION } from "../store/keyspace.ts";
import {
  PUBLISH_OPERATION,
  SERVE_OPERATION,
  SNAPSHOT_OPERATION,
  type StoreFault,
} from "../store/locks.ts";
import { RECLAIM_OPERATION } from "../store/reclaimer.ts";
import { TRANSACTION_OPERATION } from "../store/transaction/transaction_mark.ts";
import { FREE_ORPHAN_OPERATION } from "../store/value_lease.ts";
import { SETTLE_EVENT_OPERATION } from "../worker/job_runner.ts";

/** What is no command, by its operation number. */
const NAMES: ReadonlyMap<number, string> = new Map([
  [SETTLE_EVENT_OPERATION, "event settlement"],
  [SWEEP_OPERATION, "expiry"],
  [GARBAGE_OPERATION, "freeing of a collection"],
  [NOTIFY_OPERATION, "a keyspace notification"],
  [LEAVE_CHANNEL_OPERATION, "the end of a subscription"],
  [RECLAIM_OPERATION, "reclaiming of memory"],
  [FREE_DETACHED_OPERATION, "freeing of a flushed database"],
  [FREE_ORPHAN_OPERATION, "freeing of a value that was read"],
  [SERVE_OPERATION, "serving of a client that waited"],
  [PUBLISH_OPERATION, "writing to the log"],
  [SNAPSHOT_OPERATION, "a snapshot"],
  [TRANSACTION_OPERATION, "a transaction"],
]);

/**
 * Says what happened: `internal fault: shard 3 torn by thread 2 in event settlement`.
 */
export function describeFault(fault: StoreFault, table: CommandTable): string {
  const { shard, threadId, operation } = fault;
  const name = NAMES.get(operation) ?? table.operationName(operation) ?? `operation ${operation}`;
  return `internal fault: shard ${shard} torn by thread ${threadId} in ${name}`;
}
