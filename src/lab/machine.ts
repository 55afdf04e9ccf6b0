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

/**
 * By a program of the system's: the runtime lets nobody read such files who may not do everything, and the
 * lab may start programs.
 */
async function readProcessorName(): Promise<string> {
  const { arch, os } = Deno.build;
  const [program, ...args] = os === "darwin"
    ? ["sysctl", "-n", "machdep.cpu.brand_string"]
    : ["cat", "/proc/cpuinfo"];
  try {
    const { stdout } = await new Deno.Command(program!, { args, stderr: "null" }).output();
    const text = new TextDecoder().decode(stdout);
    return processorName(os === "darwin" ? `model name: ${text}` : text, arch);
  } catch {
    // No such program, or not allowed.
    return arch;
  }
}

/** What virtual machines say that give no name. */
const NO_NAME = /^(unknown|not specified|n\/a|-|)$/i;

/**
 * The processor's name as `/proc/cpuinfo` has it: the model, else vendor, family and model by their
 * numbers, else what kind of processor it is.
 *
 * @param text `/proc/cpuinfo`
 * @param architecture e.g. `x86_64`
 *
 * @example
 * ```ts
 * import { processorName } from "./machine.ts";
 *
 * const text = "vendor_id : AuthenticAMD\ncpu family : 26\nmodel : 2\nmodel name : unknown\n";
 * console.assert(processorName(text, "x86_64") === "AuthenticAMD family 26 model 2 (x86_64)");
 * ```
 */
export function processorName(text: string, architecture: string): string {
  const field = (name: string): string => {
    const value = new RegExp(`^${name}[ \\t]*:[ \\t]*(.*)$`, "mi").exec(text)?.[1]?.trim() ?? "";
    return NO_NAME.test(value) ? "" : value;
  };
  // Boards without a name for the processor have one for themselves.
  const name = field("model name") || field("cpu model") || field("Hardware");
  if (name !== "") return name;
  const vendor = field("vendor_id") || field("CPU implementer");
  if (vendor === "") return architecture;
  const numbers = [["family", field("cpu family")], ["model", field("model")]]
    .concat([["part", field("CPU part")]])
    .filter(([, number]) => number !== "")
    .map(([what, number]) => ` ${what} ${number}`);
  return `${vendor}${numbers.join("")} (${architecture})`;
}
