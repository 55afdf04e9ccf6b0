/**
 * All commands.
 *
 * @module
 */

import { greetingRows } from "./handlers/greeting.ts";
import { aclRow } from "./handlers/acl.ts";
import { administrationRows } from "./handlers/administration.ts";
import { persistenceRows } from "./handlers/persistence.ts";
import { clientRow } from "./handlers/client.ts";
import { clusterRows } from "./handlers/cluster.ts";
import { commandRow } from "./handlers/command.ts";
import { configRow } from "./handlers/config.ts";
import { connectionRows } from "./handlers/connection.ts";
import { databaseRows } from "./handlers/databases.ts";
import { dumpRows } from "./handlers/dump.ts";
import { debugRow } from "./handlers/debug.ts";
import { eventRows } from "./handlers/events.ts";
import { expiryRows } from "./handlers/expiry.ts";
import { keyListRows } from "./handlers/key_list.ts";
import { keyRows } from "./handlers/keys.ts";
import { memoryRow } from "./handlers/memory.ts";
import { objectRow } from "./handlers/object.ts";
import { renameRows } from "./handlers/rename.ts";
import { latencyRow } from "./handlers/latency.ts";
import { pubsubRow } from "./handlers/pubsub_container.ts";
import { pubsubRows } from "./handlers/pubsub.ts";
import { scanRow } from "./handlers/scan.ts";
import { serverRows } from "./handlers/server.ts";
import { slowlogRow } from "./handlers/slowlog.ts";
import { sortRows } from "./handlers/sort.ts";
import { stringRows } from "./handlers/strings.ts";
import { bitFieldRows } from "./handlers/bitfield.ts";
import { bitOpRow } from "./handlers/bitop.ts";
import { bitRows } from "./handlers/bits.ts";
import { floatCounterRow } from "./handlers/float_counter.ts";
import { hyperLogLogRows } from "./handlers/hyperloglog.ts";
import { lcsRow } from "./handlers/lcs.ts";
import { manyStringRows } from "./handlers/many_strings.ts";
import { stringRangeRows } from "./handlers/string_ranges.ts";
import { sortedSetBlockingRows } from "./handlers/sorted_set_blocking.ts";
import { sortedSetRangeRows } from "./handlers/sorted_set_ranges.ts";
import { sortedSetRandomRow } from "./handlers/sorted_set_random.ts";
import { sortedSetRemovalRows } from "./handlers/sorted_set_removals.ts";
import { sortedSetScanRow } from "./handlers/sorted_set_scan.ts";
import { sortedSetStoreRows } from "./handlers/sorted_set_stores.ts";
import { sortedSetRows } from "./handlers/sorted_sets.ts";
import { stringVariantRows } from "./handlers/string_variants.ts";
import { transactionRows } from "./handlers/transactions.ts";
import { listBlockingRows } from "./handlers/list_blocking.ts";
import { listMoveRows } from "./handlers/list_moves.ts";
import { listSearchRows } from "./handlers/list_search.ts";
import { listRows } from "./handlers/lists.ts";
import { hashCounterRows } from "./handlers/hash_counters.ts";
import { hashReplyRows } from "./handlers/hash_replies.ts";
import { hashRows } from "./handlers/hashes.ts";
import { setAlgebraRows } from "./handlers/set_algebra.ts";
import { setRandomRows } from "./handlers/set_random.ts";
import { setStoreRows } from "./handlers/set_stores.ts";
import { setRows } from "./handlers/sets.ts";
import { CommandTable } from "./lookup.ts";

/**
 * Makes the table of every command of this server.
 *
 * One row per command, kept by the file of its family; dispatch, `COMMAND`, routes and tests read
 * them here.
 *
 * Thread: any; a thread makes one at start.
 */
export function makeCommandTable(): CommandTable {
  return new CommandTable([
    ...connectionRows(),
    ...greetingRows(),
    ...stringRows(),
    ...stringVariantRows(),
    ...stringRangeRows(),
    ...manyStringRows(),
    floatCounterRow(),
    lcsRow(),
    ...bitRows(),
    ...bitFieldRows(),
    bitOpRow(),
    ...hyperLogLogRows(),
    ...listRows(),
    ...listMoveRows(),
    ...listSearchRows(),
    ...hashRows(),
    ...hashCounterRows(),
    ...hashReplyRows(),
    ...setRows(),
    ...setRandomRows(),
    ...setAlgebraRows(),
    ...setStoreRows(),
    ...sortedSetRows(),
    ...sortedSetRangeRows(),
    ...sortedSetRemovalRows(),
    sortedSetRandomRow(),
    sortedSetScanRow(),
    ...sortedSetStoreRows(),
    ...sortedSetBlockingRows(),
    ...listBlockingRows(),
    ...keyRows(),
    ...expiryRows(),
    ...eventRows(),
    ...serverRows(),
    ...transactionRows(),
    scanRow(),
    ...renameRows(),
    ...databaseRows(),
    ...keyListRows(),
    objectRow(),
    memoryRow(),
    ...dumpRows(),
    ...sortRows(),
    commandRow(),
    configRow(),
    clientRow(),
    slowlogRow(),
    latencyRow(),
    debugRow(),
    aclRow(),
    ...administrationRows(),
    ...persistenceRows(),
    ...clusterRows(),
    ...pubsubRows(),
    pubsubRow(),
  ]);
}
