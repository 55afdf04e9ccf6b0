/// <reference lib="deno.worker" />
/**
 * A thread that changes a key with very many members at a time, or with few.
 *
 * @module
 */

import { Store, type StoreMemory } from "../../../src/store/store.ts";
import { Harness, request, settled } from "./harness.ts";

/** What a thread does. */
export interface LongOrder {
  memory: StoreMemory;
  threadId: number;
  /** `long` changes by groups, `small` adds a member at a time to another key of the same shard. */
  role: "long" | "small";
  rounds: number;
  /** Members of a long change: they come and go together. */
  groupSize: number;
}

const INPUT_BYTES = 2 ** 18;

async function run(order: LongOrder): Promise<string> {
  const { memory, threadId, role, rounds, groupSize } = order;
  const store = Store.attach(memory, threadId, false);
  const client = new Harness({ store, maxRequestBytes: INPUT_BYTES }).connect(INPUT_BYTES);
  for (let round = 0; round < rounds; round++) {
    const name = (i: number): string => `${role}${threadId}-${i}`;
    if (role === "small") {
      const reply = await settled(client.send(request("SADD", "few", name(round))));
      if (reply !== ":1\r\n") return `SADD few: ${reply}`;
      continue;
    }
    const members = Array.from({ length: groupSize }, (_, i) => name(i));
    const added = await settled(client.send(request("SADD", "k", ...members)));
    const pushed = await settled(client.send(request("RPUSH", "l", ...members, ...members)));
    const isLast = round === rounds - 1;
    const removed = isLast
      ? `:${groupSize}\r\n`
      : await settled(client.send(request("SREM", "k", ...members)));
    if (added !== `:${groupSize}\r\n` || removed !== added || !/^:\d+\r\n$/.test(pushed)) {
      return `${added}${pushed}${removed}`;
    }
  }
  return "done";
}

self.onmessage = async ({ data }: MessageEvent<LongOrder>) => {
  self.postMessage(await run(data));
};
