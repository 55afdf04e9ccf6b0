/// <reference lib="deno.worker" />
/** The other threads of the tests in this folder. */

import { BoundedChannel, type ChannelMemory, Store, type StoreMemory } from "../../../src/mod.ts";
import { Seats } from "../../../src/embed/seats.ts";
import { toEngineMemory } from "../../../src/embed/store_settings.ts";
import { MutationPhase } from "../../../src/store/locks.ts";
import { Store as Engine } from "../../../src/store/store.ts";
import type { CrewOrders } from "./crew.ts";

function say(value: unknown): void {
  self.postMessage({ kind: "heard", value });
}

const TASKS: Record<string, (input: never) => unknown> = {
  /** Adds 1 to a few keys, again and again. */
  count({ memory, times }: { memory: StoreMemory; times: number }) {
    using store = Store.attach(memory);
    for (let i = 0; i < times; i++) store.add(`key:${i % 3}`);
    return store.threadId;
  },

  /** Takes a seat and gives it back, again and again; counts seats that somebody else had as well. */
  sit({ seats, owners, times }: {
    seats: SharedArrayBuffer;
    owners: SharedArrayBuffer;
    times: number;
  }) {
    const all = Seats.attach(seats);
    const words = new Int32Array(owners);
    let shared = 0;
    let standing = 0;
    // Until it has met somebody, if there is any chance that it does.
    for (let i = 0; i < times || (standing === 0 && i < 50 * times); i++) {
      // Without a lifeline, which takes far longer than taking the seat.
      const seat = all.takeRow(1);
      if (seat === undefined) {
        standing++;
        continue;
      }
      if (Atomics.add(words, seat.first, 1) !== 0) shared++;
      for (let j = 0; j < 20; j++) Atomics.load(words, seat.first);
      Atomics.sub(words, seat.first, 1);
      seat.giveBack();
    }
    return { shared, standing };
  },

  /** Moves money between accounts; the sum must stay. */
  transfer({ memory, times, accounts }: { memory: StoreMemory; times: number; accounts: number }) {
    using store = Store.attach(memory);
    let attempts = 0;
    // Until the two have met, if there is any chance that they do.
    for (let i = 0; i < times || (attempts === 1 && i < 100 * times); i++) {
      const [from, to] = [i % accounts, (i * 7 + 1) % accounts].map((n) => `account:${n}`);
      store.transaction((tx) => {
        attempts = Math.max(attempts, tx.attempt);
        const balance = tx.getInteger(from!)!;
        const other = tx.getInteger(to!)!;
        if (from === to || balance < 1n) return;
        tx.set(from!, balance - 1n);
        tx.set(to!, other + 1n);
      }, { maxAttempts: 10_000 });
    }
    return attempts;
  },

  /** Adds up all accounts at one moment, again and again. */
  audit({ memory, times, accounts }: { memory: StoreMemory; times: number; accounts: number }) {
    using store = Store.attach(memory);
    const sums = new Set<bigint>();
    for (let i = 0; i < times; i++) {
      sums.add(store.transaction((tx) => {
        let sum = 0n;
        for (let n = 0; n < accounts; n++) sum += tx.getInteger(`account:${n}`)!;
        return sum;
      }, { maxAttempts: 10_000 }));
    }
    return [...sums];
  },

  /** Ends with its store open, and with the lock of every shard held. */
  dieWithLocks({ memory }: { memory: StoreMemory }) {
    const store = Store.attach(memory);
    const engine = Engine.attach(toEngineMemory(memory).engineMemory, store.threadId);
    for (let shard = 0; shard < engine.shardCount; shard++) engine.locks.lock(shard, true);
    say(store.threadId);
    // Until it is known that it holds its lifeline.
    return new Promise(() => setTimeout(() => self.close(), 50));
  },

  /** Ends with its store open, in the middle of a change. */
  dieTorn({ memory }: { memory: StoreMemory }) {
    const store = Store.attach(memory);
    const { engineMemory } = toEngineMemory(memory);
    const engine = Engine.attach(engineMemory, store.threadId);
    engine.locks.lock(0, true);
    engine.parts.writer.markPhase(0, MutationPhase.WRITING);
    say(store.threadId);
    return new Promise(() => setTimeout(() => self.close(), 50));
  },

  /** Takes messages until the channel is closed and empty. */
  drain({ memory }: { memory: ChannelMemory }) {
    using channel = BoundedChannel.attach(memory);
    const numbers: number[] = [];
    for (const message of channel.messages()) {
      numbers.push(Number(new TextDecoder().decode(message)));
    }
    return numbers;
  },

  /** The same without blocking, several at a time. */
  async drainAsync({ memory }: { memory: ChannelMemory }) {
    using channel = BoundedChannel.attach(memory);
    const numbers: number[] = [];
    await Promise.all([1, 2, 3].map(async () => {
      for await (const message of channel) {
        numbers.push(Number(new TextDecoder().decode(message)));
      }
    }));
    return numbers;
  },

  /** Sends numbers, waiting for room. */
  fill({ memory, from, count }: { memory: ChannelMemory; from: number; count: number }) {
    using channel = BoundedChannel.attach(memory);
    for (let i = from; i < from + count; i++) {
      if (!channel.sendBlocking(String(i))) throw new Error("the channel is closed");
    }
    return count;
  },

  /** Has taken part in a channel, and ends without saying so. */
  async receiveAndDie({ memory }: { memory: ChannelMemory }) {
    const channel = BoundedChannel.attach(memory);
    await channel.recvAsync({ timeoutMs: 1 });
    void channel.recvAsync();
    say(channel.receiverIds);
    setTimeout(() => self.close(), 50);
    return await new Promise(() => {});
  },
};

self.onmessage = async ({ data }: MessageEvent<CrewOrders>) => {
  const value = await TASKS[data.task]!(data.input as never);
  self.postMessage({ kind: "result", value });
};
