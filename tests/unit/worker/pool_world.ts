/**
 * A store, a channel, metrics and a pool without a server around them, and what tests ask of them.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Int64 } from "../../../src/base/int64.ts";
import { ByteSlice, encodeJob, EventFields, JobFlag } from "../../../src/base/job.ts";
import { BoundedChannel } from "../../../src/channel/bounded_channel.ts";
import type { Inbox } from "../../../src/channel/inbox.ts";
import { CounterIndex } from "../../../src/metrics/names.ts";
import { MetricsRegion } from "../../../src/metrics/region.ts";
import { BLOCKS_PER_CREDIT, RESERVE_BLOCK_BYTES } from "../../../src/store/balance_reserve.ts";
import { EventIds, IdState } from "../../../src/store/event_ids.ts";
import { Key } from "../../../src/store/key.ts";
import type { LockKind } from "../../../src/store/locks.ts";
import { minimumMemoryBytes, Store } from "../../../src/store/store.ts";
import { Outcome } from "../../../src/worker/outcome.ts";
import {
  type InternalFault,
  WorkerPool,
  type WorkerPoolOptions,
} from "../../../src/worker/worker_pool.ts";

const FIRST_WORKER_THREAD = 1;
/** Ids that are remembered; with more events, outcomes are not looked at. */
const MAX_IDS = 200_000;
const encoder = new TextEncoder();

/** What differs between worlds. */
export interface WorldOptions {
  shardCount?: number;
  lockKind?: LockKind;
  capacity?: number;
  firstTicket?: number;
  /** Room for more than balances. Unit: bytes. */
  moreMemoryBytes?: number;
  /** Where outcomes are posted: the reply slot of an event is its index. Default: nowhere. */
  inbox?: Inbox;
  pool?: Partial<WorkerPoolOptions>;
  /** A twin of the pool's class; default: the real one. */
  poolClass?: typeof WorkerPool;
}

/** One line that the pool logged. */
export interface LoggedLine {
  level: "info" | "warn";
  message: string;
  fields: Record<string, unknown>;
}

/** A pool and everything it works on. */
export class PoolWorld implements AsyncDisposable {
  readonly store: Store;
  readonly channel: BoundedChannel;
  readonly metrics: MetricsRegion;
  readonly lines: LoggedLine[] = [];
  readonly faults: InternalFault[] = [];
  readonly fault = Promise.withResolvers<InternalFault>();
  /** Where the outcomes of all events are kept. */
  readonly ids = EventIds.create({ maxIds: MAX_IDS, windowMs: 3_600_000 });
  /** Users of the accepted events; the id of an event is its index. */
  readonly users: string[] = [];
  /** What the balances should be. */
  readonly expected = new Map<string, bigint>();
  pool!: WorkerPool;
  accepted = 0;
  #onlyGrows = true;

  readonly #event = new EventFields();
  readonly #job = new Uint8Array(512);

  private constructor(options: WorldOptions) {
    const { shardCount = 1, lockKind = "mutex", capacity = 1000, firstTicket = 0 } = options;
    const workersMax = options.pool?.workersMax ?? 2;
    if (options.inbox !== undefined) this.#event.flags = JobFlag.WANTS_REPLY;
    this.store = Store.create({
      shardCount,
      lockKind,
      // Room for a credit per event that can be outstanding: however slow the workers are, the
      // channel is full first.
      maxMemoryBytes: minimumMemoryBytes(shardCount) + (options.moreMemoryBytes ?? 0) +
        2 * (capacity + workersMax + 1) *
          RESERVE_BLOCK_BYTES * BLOCKS_PER_CREDIT,
      maxValueBytes: 1024,
      threadCount: FIRST_WORKER_THREAD + workersMax,
    });
    this.channel = BoundedChannel.create({ capacity, firstTicket });
    this.metrics = MetricsRegion.create(FIRST_WORKER_THREAD + workersMax);
  }

  /** Makes everything and starts the pool. */
  static async start(options: WorldOptions = {}): Promise<PoolWorld> {
    const world = new PoolWorld(options);
    const workersMax = options.pool?.workersMax ?? 2;
    const logTo = (level: LoggedLine["level"]) => (message: string, fields: object) => {
      world.lines.push({ level, message, fields: { ...fields } });
    };
    const { timings, ...rest } = options.pool ?? {};
    world.pool = await (options.poolClass ?? WorkerPool).start({
      store: world.store,
      channel: world.channel,
      metrics: world.metrics,
      counters: world.metrics.counters(0),
      firstThreadId: FIRST_WORKER_THREAD,
      workersMin: workersMax,
      workersMax,
      eventIds: world.ids,
      ...(options.inbox === undefined
        ? {}
        : { inboxes: { firstThreadId: 0, inboxes: [options.inbox.memory] } }),
      log: { info: logTo("info"), warn: logTo("warn") },
      onInternalFault: (fault) => {
        world.faults.push(fault);
        world.fault.resolve(fault);
      },
      // Replacements come at once: tests kill on purpose.
      timings: { maxBackOffMs: 0, ...timings },
      ...rest,
    });
    return world;
  }

  /** Offers one event as a server would; false when the channel is full. */
  offer(user: string, amount: number): boolean {
    const counters = this.metrics.counters(0);
    counters.add(CounterIndex.RECEIVED);
    if (!this.store.credits.tryAcquire()) throw new Error("the test's store is full");
    const event = this.#event;
    const userBytes = encoder.encode(user);
    event.user.set(userBytes, 0, userBytes.length);
    event.action.set(encoder.encode("buy"), 0, 3);
    event.amount.setNumber(amount);
    event.acceptedAtMs = Date.now();
    event.replySlot = this.accepted;
    const idBytes = encoder.encode(String(this.accepted));
    event.id.set(idBytes, 0, idBytes.length);
    this.ids.choose(event.user, event.id);
    // One that was refused has left it there.
    if (!this.ids.remember(event.acceptedAtMs, IdState.PENDING)) {
      this.ids.find(event.acceptedAtMs);
    }
    event.idSlot = this.ids.slot;
    event.idTicket = this.ids.ticket;
    const length = encodeJob(event, this.#job, 0);
    if (!this.channel.trySend(this.#job, 0, length)) {
      this.store.credits.release();
      counters.add(CounterIndex.DROPPED_BUSY);
      return false;
    }
    this.accepted++;
    this.#onlyGrows &&= amount > 0;
    this.users.push(user);
    this.expected.set(user, (this.expected.get(user) ?? 0n) + BigInt(amount));
    return true;
  }

  /** Offers an event until it is accepted. */
  async send(user: string, amount: number): Promise<void> {
    while (!this.offer(user, amount)) await sleep(1);
  }

  /** Drains the pool; fails when that takes longer than any machine needs. */
  async drain(): Promise<void> {
    const report = await this.pool.drainAndStop(AbortSignal.timeout(60_000));
    assert.deepEqual(
      { drained: report.drained, unsettled: report.unsettled, workersLeft: report.workersLeft },
      { drained: true, unsettled: 0, workersLeft: 0 },
    );
  }

  /** Reads a balance; undefined when there is none. */
  balance(user: string): bigint | undefined {
    const bytes = encoder.encode(`balance:${user}`);
    const key = new Key().set(bytes, 0, bytes.length);
    this.store.locate(key);
    this.store.nowMs = Date.now();
    assert.ok(this.store.locks.tryLock(key.shard, true), "no worker holds a shard any more");
    const entry = this.store.lookup(0, key);
    const value = new Int64();
    const isInteger = entry !== 0 && this.store.readInteger(entry, value);
    this.store.locks.unlock(key.shard, true);
    return isInteger ? value.toBigInt() : undefined;
  }

  /** Checks that everything accepted was settled once, and that all memory is in order. */
  assertExact(failed = 0): void {
    const counted = this.metrics.readEventCounters();
    assert.equal(counted.processed + counted.failed, this.accepted, "every accepted event once");
    assert.equal(counted.failed, failed);
    assert.equal(counted.pending, 0);
    if (failed === 0) {
      for (const [user, amount] of this.expected) {
        assert.equal(this.balance(user), amount, `balance of ${user}`);
      }
      if (this.accepted <= MAX_IDS) this.#assertOutcomes();
    }
    this.ids.assertInvariants();
    this.channel.assertInvariants();
    this.pool.slots.assertInvariants();
    this.store.assertInvariants();
    this.metrics.assertInvariants();
  }

  /**
   * Checks that the outcome of every event is kept: where balances only grow, no two events of a user
   * left the same one behind.
   */
  #assertOutcomes(): void {
    const { ids } = this;
    const user = new ByteSlice();
    const id = new ByteSlice();
    const seen = new Set<string>();
    for (const [index, name] of this.users.entries()) {
      const [userBytes, idBytes] = [encoder.encode(name), encoder.encode(String(index))];
      user.set(userBytes, 0, userBytes.length);
      id.set(idBytes, 0, idBytes.length);
      ids.choose(user, id);
      assert.equal(ids.find(Date.now()), IdState.SETTLED, `event ${index}`);
      assert.equal(ids.outcome, Outcome.PROCESSED, `event ${index}`);
      seen.add(`${name} ${ids.balance.toBigInt()}`);
    }
    if (this.#onlyGrows) assert.equal(seen.size, this.accepted, "balances after each event");
  }

  /** Waits for something that must come, with a generous deadline. */
  async until(what: string, condition: () => boolean): Promise<void> {
    const endMs = performance.now() + 30_000;
    while (!condition()) {
      assert.ok(performance.now() < endMs, `waited in vain until ${what}`);
      await sleep(2);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pool[Symbol.asyncDispose]();
  }
}

/** Resolves after `durationMs`. */
export function sleep(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}
