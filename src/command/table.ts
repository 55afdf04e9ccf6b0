/**
 * All commands.
 *
 * @module
 */

import { greetingRows } from "./handlers/greeting.ts";
import { clientRow } from "./handlers/client.ts";
import { commandRow } from "./handlers/command.ts";
import { configRow } from "./handlers/config.ts";
import { connectionRows } from "./handlers/connection.ts";
import { eventRows } from "./handlers/events.ts";
import { keyRows } from "./handlers/keys.ts";
import { pubsubRow } from "./handlers/pubsub_container.ts";
import { pubsubRows } from "./handlers/pubsub.ts";
import { scanRow } from "./handlers/scan.ts";
import { serverRows } from "./handlers/server.ts";
import { stringRows } from "./handlers/strings.ts";
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
    ...keyRows(),
    ...eventRows(),
    ...serverRows(),
    scanRow(),
    commandRow(),
    configRow(),
    clientRow(),
    ...pubsubRows(),
    pubsubRow(),
  ]);
}
