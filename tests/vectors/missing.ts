/**
 * Prints which commands of Redis 7.0 this server does not have: `deno task vectors:missing`.
 *
 * Exit code 1 when one is missing that is not in the list of non-goals.
 *
 * @module
 */

import { say } from "../helpers/say.ts";
import { makeCommandTable } from "../../src/command/table.ts";
import { recordedFacts } from "./command_facts.ts";
import { NON_GOALS } from "./differences.ts";
import { allRows, missingOfRedis } from "./facts.ts";

const table = makeCommandTable();
const { nonGoals, others } = missingOfRedis(table, await recordedFacts());
say(`${allRows(table).length} rows, ${table.rows.length} of them commands`);
say(`\nnot meant to be here (${nonGoals.length}):`);
for (const { reason, names } of NON_GOALS) say(`  ${names.join(" ")}\n    ${reason}`);
say(`\nnot here yet (${others.length}): ${others.join(" ")}`);
Deno.exit(others.length > 0 ? 1 : 0);
