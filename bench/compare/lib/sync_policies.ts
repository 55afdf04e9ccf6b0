/**
 * Servers that differ in what they write to the disk and when they wait for it.
 *
 * @module
 */

import type { Children } from "./children.ts";
import { type BenchServer, startRedis, startSluice } from "./servers.ts";

/** What a server does with the disk; the first is what the others are compared with. */
export const POLICIES = [
  "none",
  "no",
  "everysec",
  "always",
  "redis-none",
  "redis-everysec",
  "redis-always",
] as const;

/** How the servers are started. */
export interface PolicyOptions {
  /** Processor of all of them. */
  readonly processor: number | undefined;
  /** Sluice's executable; undefined = its sources. */
  readonly binary: string | undefined;
  /** Further flags of Sluice. */
  readonly flags: readonly string[];
  /** Where their folders are made; undefined = among the temporary ones, perhaps not on a disk. */
  readonly parent: string | undefined;
}

/** Starts a server for each policy, with a folder of its own. */
export async function startPolicies(
  children: Children,
  policies: readonly string[],
  { binary, flags, parent, processor }: PolicyOptions,
): Promise<BenchServer[]> {
  const servers: BenchServer[] = [];
  for (const policy of policies) {
    const folder = children.makeFolder(parent);
    const [, redisPolicy] = /^redis-(.*)$/.exec(policy) ?? [];
    const server = redisPolicy === undefined
      ? await startSluice(children, {
        binary,
        flags: [...flags, ...(policy === "none" ? [] : ["--data-dir", folder, "--fsync", policy])],
        processor,
      })
      : await startRedis(children, {
        flags: redisPolicy === "none"
          ? []
          : ["--dir", folder, "--appendonly", "yes", "--appendfsync", redisPolicy],
        processor,
      });
    const name = redisPolicy === undefined ? `Sluice, ${policy}` : `Redis, ${redisPolicy}`;
    servers.push({ ...server, name });
  }
  return servers;
}
