/**
 * The settings as `CONFIG GET` shows them.
 *
 * @module
 */

import type { SettingTexts } from "../command/services.ts";
import { DATABASE_COUNT } from "../store/control.ts";
import type { ServerPorts } from "./server_view.ts";
import type { Config } from "./config.ts";

/** Names of settings that Redis's tools ask for, with our values; sizes in bytes, times in s. */
export function settingTexts(config: Config, ports: ServerPorts): SettingTexts {
  return new Map([
    ["appendfsync", config.fsync],
    ["appendonly", config.dataDir === "" ? "no" : "yes"],
    ["bind", config.host],
    ["dir", config.dataDir],
    ["databases", String(DATABASE_COUNT)],
    ["maxmemory", String(config.maxMemoryBytes)],
    ["port", String(ports.resp ?? 0)],
    ["proto-max-bulk-len", String(config.maxValueBytes)],
    ["save", ""],
  ]);
}
