/**
 * A pool with three_keys_processor.ts, and what must hold of what it leaves.
 *
 * @module
 */

import assert from "node:assert/strict";
import { SettledMessage } from "../../../src/base/inbox_message.ts";
import { Inbox, type InboxReceiver } from "../../../src/channel/inbox.ts";
import { StoreTransaction } from "../../../src/store/transaction.ts";
import { Outcome } from "../../../src/worker/outcome.ts";
import { PoolWorld, sleep, type WorldOptions } from "./pool_world.ts";

/** How events are processed. */
export interface ThreeKeysMode {
  isAsync: boolean;
  concurrency: number;
}

/** A world whose events are counted in three keys. */
export class ThreeKeys implements AsyncDisposable {
  readonly world: PoolWorld;
  /** Results that were posted, by event. */
  readonly results = new Map<number, string>();
  /** Outcomes that were posted a second time. */
  twice = 0;

  readonly #receiver: InboxReceiver;
  readonly #message = new SettledMessage();
  readonly #totals = new Map<string, { count: number; amount: bigint }>();

  private constructor(world: PoolWorld, inbox: Inbox) {
    this.world = world;
    this.#receiver = inbox.receiver();
  }

  static async start(
    { isAsync, concurrency }: ThreeKeysMode,
    options: WorldOptions = {},
  ): Promise<ThreeKeys> {
    const query = `?concurrency=${concurrency}${isAsync ? "&async" : ""}`;
    const inbox = Inbox.create({ producerCount: 1 + (options.pool?.workersMax ?? 2) });
    const url = new URL(`./three_keys_processor.ts${query}`, import.meta.url);
    const world = await PoolWorld.start({
      moreMemoryBytes: 4 << 20,
      ...options,
      inbox,
      pool: { ...options.pool, processorUrl: url.href },
    });
    return new ThreeKeys(world, inbox);
  }

  /** Offers an event, if there is room. */
  offer(user: string, amount: number): boolean {
    this.readInbox();
    if (!this.world.offer(user, amount)) return false;
    const total = this.#totals.get(user) ?? { count: 0, amount: 0n };
    this.#totals.set(user, { count: total.count + 1, amount: total.amount + BigInt(amount) });
    return true;
  }

  /** Sends an event. */
  async send(user: string, amount: number): Promise<void> {
    while (!this.offer(user, amount)) await sleep(1);
  }

  /** Reads what was posted. */
  readInbox(): void {
    this.#receiver.drain((bytes, start, end) => {
      const { outcome, slot, resultBytes } = this.#message.decode(bytes, start, end);
      assert.equal(outcome, Outcome.PROCESSED, `event ${slot}`);
      if (this.results.has(slot)) this.twice++;
      this.results.set(slot, new TextDecoder().decode(resultBytes.slice()));
    });
  }

  /** Lets the pool finish. */
  async drain(): Promise<void> {
    const reading = setInterval(() => this.readInbox(), 1);
    await this.world.drain();
    clearInterval(reading);
    this.readInbox();
  }

  /** Checks that every event was settled once: its keys, its counters, its result. */
  assertExact(): void {
    const { world } = this;
    const counted = world.metrics.readEventCounters();
    const lines = JSON.stringify(world.lines);
    assert.deepEqual(
      [counted.processed, counted.failed],
      [world.accepted, 0],
      lines,
    );
    const read = new StoreTransaction(world.store);
    read.begin();
    let amounts = 0n;
    for (const [user, { count, amount }] of this.#totals) {
      assert.equal(read.getInteger(`number:${user}`), BigInt(count), `events of ${user}`);
      assert.equal(read.getInteger(`plus:${user}`), amount, `added for ${user}`);
      assert.equal(read.hget("minus", user), String(-amount), `taken for ${user}`);
      amounts += amount;
    }
    const counters = world.pool.processorCounters!;
    assert.equal(counters.total(0), world.accepted, "its own counter of events");
    assert.equal(counters.total(1), Number(amounts), "its own counter of amounts");
    assert.equal(this.twice, 0, "no outcome was posted twice");
    assert.equal(this.results.size, world.accepted, "every outcome was posted");
    assert.equal(new Set(this.results.values()).size, world.accepted, "with a result of its own");
    world.channel.assertInvariants();
    world.pool.slots.assertInvariants();
    world.store.assertInvariants();
    assert.deepEqual(world.faults, []);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.world[Symbol.asyncDispose]();
  }
}
