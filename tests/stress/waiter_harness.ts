/**
 * Runs threads whose clients wait for keys, while those of all threads push, go, and are sent away:
 * every element is in one place at the end, who came first was served first, and nobody sleeps
 * whose key has something.
 *
 * @module
 */

import { Inbox } from "../../src/channel/inbox.ts";
import { Key } from "../../src/store/key.ts";
import type { LockKind } from "../../src/store/locks.ts";
import { EntryType, Store } from "../../src/store/store.ts";
import { WaiterState, WaitRegion } from "../../src/store/wait_region.ts";
import { Harness, latin1, pause, request, settled } from "../unit/command/harness.ts";
import { type Frame, parseFrames } from "../vectors/format.ts";
import { type CrewMember, enlist, sumOf } from "./crew.ts";
import type { Mutation } from "./twin.ts";
import { nameOf } from "./waiter_clients.ts";
import { WaiterEvidence, type WaiterOrders, type WaiterReport } from "./waiter_evidence.ts";

/** Where clients that wait are kept. */
export const CLIENTS_URL = new URL(
  "../../src/command/blocking/blocked_clients.ts",
  import.meta.url,
);
/** Where they are served. */
export const SERVER_URL = new URL("../../src/command/blocking/wait_server.ts", import.meta.url);

/** Defects of serving. */
export const SERVER_MUTATIONS: readonly Mutation[] = [
  {
    name: "serves who has waited a moment ago",
    find: "if (region.tryMove(waiter, WaiterState.SERVED)) {",
    replace: "if (region.tryMove(waiter, WaiterState.SERVED) || true) {",
  },
  {
    name: "serves the last one first",
    find: "let node = queues.first(key);",
    replace: "let node = queues.first(key);\n" +
      "    for (let next = node; next >= 0; next = queues.after(next)) node = next;",
  },
];

/** Defects of waiting. */
export const CLIENT_MUTATIONS: readonly Mutation[] = [
  {
    name: "leaves without a look at those behind",
    find: "          this.#server.serve(key);\n",
    replace: "",
  },
  {
    name: "forgets news that the inbox had no room for",
    find: "region.noteLost(target);\n  }",
    replace: "return;\n  }",
  },
  {
    name: "keeps what a client that is gone was given",
    find: "if (wait.isGone) await this.#putBack(wait, taken, keyIndex);",
    replace: "if (wait.isGone) return;",
  },
];

/** What to run. */
export interface WaiterStressOptions {
  readonly kind: LockKind;
  readonly shardCount: number;
  readonly threads: number;
  /** Rounds; at the end of each, nobody may sleep whose key has something. */
  readonly rounds: number;
  /** Things that each pusher does in a round. */
  readonly deedsPerRound: number;
  /** So long somebody may be on the way to a key that has something. Unit: ms. */
  readonly patienceMs: number;
  readonly seed: number;
  /** Where `BlockedClients` comes from; default: the real one. */
  readonly module?: string;
}

/** What came out. */
export interface WaiterStressResult {
  /** What must not be; "" when all is well. */
  readonly violation: string;
  /** What happened how often, over all threads. */
  readonly counts: Readonly<Record<string, number>>;
  /** Servings whose order was compared. */
  readonly compared: number;
  readonly elapsedMs: number;
}

/** Runs one stress to its end or first violation. */
export async function runWaiterStress(options: WaiterStressOptions): Promise<WaiterStressResult> {
  const { threads, shardCount, kind, seed, rounds, deedsPerRound, patienceMs } = options;
  const store = Store.create({
    shardCount,
    lockKind: kind,
    maxMemoryBytes: 128 * 2 ** 20,
    maxValueBytes: 2 ** 20,
    threadCount: threads + 1,
  });
  const region = WaitRegion.create({
    threadCount: threads + 1,
    waitersPerThread: 100,
    nodesPerThread: 500,
  });
  const inboxes = Array.from({ length: threads }, () => Inbox.create({ producerCount: threads }));
  const evidence = new Int32Array(new SharedArrayBuffer(WaiterEvidence.WORDS * 4));
  const crew = Array.from({ length: threads }, (_, thread) =>
    enlist<WaiterReport>(
      new URL("./waiter_worker.ts", import.meta.url),
      `waiter stress ${thread}`,
      {
        thread,
        threads,
        rounds,
        deedsPerRound,
        patienceMs,
        seed,
        store: store.memory,
        region: region.memory,
        inboxes: inboxes.map(({ memory }) => memory),
        evidence: evidence.buffer,
        module: options.module ?? CLIENTS_URL.href,
      } satisfies WaiterOrders,
    ));
  await Promise.all(crew.map((thread) => thread.ready));
  const startedAtMs = performance.now();
  Atomics.store(evidence, WaiterEvidence.START, 1);
  Atomics.notify(evidence, WaiterEvidence.START);
  const main = new MainThread(store, region, threads);
  let asleep = "";
  for (let round = 1; round <= rounds && asleep === ""; round++) {
    Atomics.store(evidence, WaiterEvidence.ROUND, round);
    asleep = await main.findSleepers(evidence, threads * round, patienceMs);
  }
  Atomics.store(evidence, WaiterEvidence.FINISH, 1);
  const reports = await reportsOf(crew);
  const violation = reports.map((report) => report.violation).find((text) => text !== "") ||
    asleep || await main.findFault(reports);
  const names = new Set(reports.flatMap(({ counts }) => Object.keys(counts)));
  return {
    violation,
    counts: Object.fromEntries([...names].map((name) => [
      name,
      sumOf(reports, ({ counts }) => counts[name] ?? 0),
    ])),
    compared: sumOf(reports, ({ servings }) => servings.length),
    elapsedMs: performance.now() - startedAtMs,
  };
}

function reportsOf(crew: readonly CrewMember<WaiterReport>[]): Promise<WaiterReport[]> {
  return Promise.all(crew.map((thread) => thread.report));
}

/** The view of one who neither pushes nor waits. */
class MainThread {
  readonly #store: Store;
  readonly #region: WaitRegion;
  readonly #harness: Harness;

  constructor(store: Store, region: WaitRegion, thread: number) {
    this.#store = store;
    this.#region = region;
    this.#harness = new Harness({ store, waitRegion: region, thread });
  }

  /**
   * Waits until everything of a round is pushed and nobody waits for a key that has something.
   *
   * @param pushed how often threads will have been done with a round
   * @returns who sleeps on nevertheless; "" = nobody, or the run has failed already
   */
  async findSleepers(evidence: Int32Array, pushed: number, patienceMs: number): Promise<string> {
    while (Atomics.load(evidence, WaiterEvidence.PUSHED) < pushed) {
      if (Atomics.load(evidence, WaiterEvidence.STOP) !== 0) return "";
      await pause(2);
    }
    const endMs = performance.now() + patienceMs;
    for (;;) {
      const asleep = await this.#sleeper();
      if (asleep === "" || performance.now() > endMs) return asleep;
      await pause(5);
    }
  }

  /** What is wrong with the end; "" = nothing. */
  async findFault(reports: readonly WaiterReport[]): Promise<string> {
    let fault = unfairness(reports);
    const left: string[] = [];
    for (const key of await this.#keys()) {
      const { text: type } = await this.#ask("TYPE", key);
      const { parts } = await this.#ask(type === "list" ? "LRANGE" : "ZRANGE", key, "0", "-1");
      left.push(...parts.map(({ text }) => nameOf(text, (what) => fault ||= what)));
    }
    const found = new Map<string, number>();
    for (const name of [...left, ...reports.flatMap(({ taken }) => taken)]) {
      found.set(name, (found.get(name) ?? 0) + 1);
    }
    for (const name of reports.flatMap(({ pushed }) => pushed)) {
      const count = found.get(name) ?? 0;
      if (count !== 1) fault ||= `element ${name} is there ${count} times`;
      found.delete(name);
    }
    if (found.size > 0) fault ||= `nobody pushed ${[...found.keys()][0]}`;
    if (this.#region.blockedCount !== 0) fault ||= `${this.#region.blockedCount} are counted`;
    try {
      this.#store.assertInvariants();
      this.#harness.blocking.assertInvariants();
    } catch (error) {
      fault ||= String(error);
    }
    return fault;
  }

  async #ask(...words: string[]): Promise<Frame> {
    const client = this.#harness.connect(1 << 12);
    return parseFrames(await settled(client.send(latin1(request(...words)))))[0]!;
  }

  async #keys(): Promise<string[]> {
    const names: string[] = [];
    let cursor = "0";
    do {
      const [next, keys] = (await this.#ask("SCAN", cursor, "COUNT", "100")).parts;
      cursor = next!.text;
      names.push(...keys!.parts.map(({ text }) => text));
    } while (cursor !== "0");
    return [...new Set(names)];
  }

  /** A client that waits for a key that has what it waits for, at this moment; "" = none. */
  async #sleeper(): Promise<string> {
    const store = this.#store;
    const region = this.#region;
    const queues = store.waitQueues(region);
    for (const name of await this.#keys()) {
      const key = new Key().set(latin1(name), 0, name.length);
      store.locate(key);
      await settled(store.locks.lockAsync(key.shard, true));
      const entry = store.lookup(0, key);
      let waiting = 0;
      for (let node = queues.first(key); entry !== 0 && node >= 0; node = queues.after(node)) {
        const waiter = queues.waiterOf(node);
        if (region.stateOf(waiter) !== WaiterState.WAITING) continue;
        waiting++;
      }
      const type = entry === 0 ? EntryType.STRING : store.entryType(entry);
      store.locks.unlock(key.shard, true);
      // Each key has one type and one database in this stress.
      if (waiting > 0) {
        return `${waiting} clients sleep although ${name} (type ${type}) has elements`;
      }
    }
    return "";
  }
}

/** Who was served before somebody that had joined the queue earlier; "" = nobody. */
function unfairness(reports: readonly WaiterReport[]): string {
  const servings = reports.flatMap((report) => report.servings);
  const order = servings.toSorted((a, b) => a[0] - b[0] || a[1] - b[1]);
  for (let i = 1; i < order.length; i++) {
    const [before, after] = [order[i - 1]!, order[i]!];
    if (before[0] === after[0] && before[2] > after[2]) {
      return `f${before[0]}: who joined as number ${before[2]} was served before ${after[2]}`;
    }
  }
  return "";
}
