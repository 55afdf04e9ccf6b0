/**
 * What the lab runs on.
 *
 * @module
 */

import type { MachineFacts } from "./model.ts";

/**
 * Reads what can be read without asking for more permissions.
 *
 * @param version of this program
 */
export async function readMachineFacts(version: string): Promise<MachineFacts> {
  const { deno, v8 } = Deno.version;
  return {
    sluice: version,
    deno,
    v8,
    target: Deno.build.target,
    processor: await readProcessorName(),
    processorCount: navigator.hardwareConcurrency,
  };
}

async function readProcessorName(): Promise<string> {
  try {
    const text = await Deno.readTextFile("/proc/cpuinfo");
    return /^model name\s*: *(.+)$/m.exec(text)?.[1]?.trim() ?? "unknown";
  } catch {
    return "unknown";
  }
}
