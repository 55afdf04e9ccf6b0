/**
 * What the system knows about a process (Linux).
 *
 * The files are read through `cat`, because Deno keeps `/proc` to itself unless it may do everything.
 *
 * @module
 */

/** How much memory a process has. */
export interface ProcessMemory {
  /** Resident. Unit: bytes. */
  readonly residentBytes: number;
  /** The most that was ever resident. Unit: bytes. */
  readonly peakBytes: number;
}

/** Ticks a second in `/proc/PID/stat`; 100 on every Linux that Deno runs on. */
const TICKS_PER_SECOND = 100;

/** Processor time that all threads of a process have used. Unit: s. */
export async function readCpuSeconds(pid: number): Promise<number> {
  return parseCpuSeconds(await readProc(pid, "stat"));
}

/** The memory of a process. */
export async function readMemory(pid: number): Promise<ProcessMemory> {
  return parseMemory(await readProc(pid, "status"));
}

/** Reads `/proc/PID/stat`: the name may have spaces and parentheses in it. */
export function parseCpuSeconds(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  // User and system time are the 14th and 15th field; the name, the 2nd, is cut off.
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Reads `/proc/PID/status`. */
export function parseMemory(status: string): ProcessMemory {
  const field = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? NaN) * 1024;
  return { residentBytes: field("VmRSS"), peakBytes: field("VmHWM") };
}

async function readProc(pid: number, name: string): Promise<string> {
  const { stdout, success } = await new Deno.Command("cat", {
    args: [`/proc/${pid}/${name}`],
    stderr: "null",
  }).output();
  if (!success) throw new Error(`Cannot read /proc/${pid}/${name}: the process has ended`);
  return new TextDecoder().decode(stdout);
}
