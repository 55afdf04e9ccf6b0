/**
 * What a bench ran on, and which processors it may use.
 *
 * @module
 */

import denoJson from "../../../deno.json" with { type: "json" };
import { isInstalled } from "./children.ts";

/** A line of facts: name and value. */
export type Fact = readonly [string, string];

/** Where server and client run; undefined = anywhere. */
export interface Pinning {
  /** The server's processor. */
  readonly server: number | undefined;
  /** The client's. */
  readonly client: number | undefined;
}

/** Output of a program, trimmed; empty when it cannot be run. */
export async function outputOf(words: readonly string[]): Promise<string> {
  try {
    const { stdout, stderr } = await new Deno.Command(words[0]!, { args: words.slice(1) }).output();
    return (new TextDecoder().decode(stdout) || new TextDecoder().decode(stderr)).trim();
  } catch {
    return "";
  }
}

/** Machine, date and the versions that every bench needs. */
export async function machineFacts(): Promise<Fact[]> {
  const processor = /^Model name:\s+(.+)$/m.exec(await outputOf(["lscpu"]))?.[1] ?? "unknown";
  const commit = await outputOf(["git", "rev-parse", "--short", "HEAD"]);
  const memoryGib = Deno.systemMemoryInfo().total / 2 ** 30;
  return [
    ["date", new Date().toISOString().slice(0, 16).replace("T", " ") + " UTC"],
    ["processor", `${processor}, ${navigator.hardwareConcurrency} usable`],
    ["memory", `${memoryGib.toFixed(1)} GiB`],
    ["system", `${Deno.build.os} ${Deno.osRelease()} ${Deno.build.arch}`],
    ["Sluice", `${denoJson.version}${commit === "" ? "" : `, ${commit}`}`],
    ["Deno", `${Deno.version.deno}, V8 ${Deno.version.v8}`],
  ];
}

/** How busy the machine is: load averages of 1, 5 and 15 minutes. */
export function loadText(): string {
  return Deno.loadavg().map((load) => load.toFixed(2)).join(" ");
}

/** The processors in a list of `taskset`: `parseProcessors("0-2,5")` is `[0, 1, 2, 5]`. */
export function parseProcessors(list: string): number[] {
  return list.split(",").flatMap((part) => {
    const [first, last = first] = part.split("-").map(Number);
    return Array.from({ length: last! - first! + 1 }, (_, i) => first! + i);
  });
}

/** A processor for the server and another one for the client, if there are two and `taskset`. */
export async function choosePinning(): Promise<Pinning> {
  const none = { server: undefined, client: undefined };
  if (Deno.build.os !== "linux" || !await isInstalled("taskset")) return none;
  const answer = await outputOf(["taskset", "-cp", String(Deno.pid)]);
  const list = /list: ([\d,-]+)$/.exec(answer)?.[1];
  if (list === undefined) return none;
  const [server, client] = parseProcessors(list);
  return client === undefined ? none : { server, client };
}

/** The pinning in words. */
export function pinningText({ server, client }: Pinning): string {
  return server === undefined ? "none" : `server on processor ${server}, client on ${client}`;
}
