/**
 * The words for a store that is torn (C4).
 *
 * @module
 */

import type { CommandTable } from "../command/lookup.ts";
import type { StoreFault } from "../store/locks.ts";
import { SETTLE_EVENT_OPERATION } from "../worker/job_runner.ts";

/**
 * Says what happened: `internal fault: shard 3 torn by thread 2 in event settlement`.
 */
export function describeFault(fault: StoreFault, table: CommandTable): string {
  const { shard, threadId, operation } = fault;
  const name = operation === SETTLE_EVENT_OPERATION
    ? "event settlement"
    : table.operationName(operation) ?? `operation ${operation}`;
  return `internal fault: shard ${shard} torn by thread ${threadId} in ${name}`;
}
