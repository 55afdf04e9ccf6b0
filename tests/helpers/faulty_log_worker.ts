/**
 * A log's thread whose disk does what a file says that is named by `SLUICE_TEST_DISK`; see
 * `faulty_disk.ts`.
 *
 * @module
 */

import { DenoStorage } from "../../src/durability/deno_storage.ts";
import { liveAsLogThread } from "../../src/durability/log_life.ts";
import { FaultyDisk } from "./faulty_disk.ts";

const planPath = Deno.env.get("SLUICE_TEST_DISK")!;

liveAsLogThread((path) => new FaultyDisk(new DenoStorage(path), planPath));
