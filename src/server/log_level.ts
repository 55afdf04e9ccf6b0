/**
 * What is logged, where `CONFIG SET loglevel` changes it.
 *
 * @module
 */

import { followLogLevel } from "../base/log.ts";
import type { OperationsRegion } from "../command/operations_memory.ts";
import { logLevelAt, SettingIndex } from "../command/runtime_settings.ts";

/**
 * Has the calling isolate log what the setting says, from its first change on.
 *
 * Thread: each isolate of the server that logs, once.
 */
export function followSettings({ settings }: OperationsRegion): void {
  const initial = settings[SettingIndex.LOG_LEVEL]!;
  let hasChanged = false;
  followLogLevel(() => {
    const current = settings[SettingIndex.LOG_LEVEL]!;
    hasChanged ||= current !== initial;
    return hasChanged ? logLevelAt(current) : undefined;
  });
}
