/// <reference lib="deno.worker" />
/**
 * One thread of the waiter stress; see waiter_harness.ts.
 *
 * @module
 */

import { WAITER_MESSAGE_BYTES, WaiterMessage } from "../../src/base/inbox_message.ts";
import { Inbox } from "../../src/channel/inbox.ts";
import type { BlockedClients } from "../../src/command/blocking/blocked_clients.ts";
import { IoInbox } from "../../src/server/io_inbox.ts";
import { Store } from "../../src/store/store.ts";
import { WaitRegion } from "../../src/store/wait_region.ts";
import { Random } from "../helpers/fuzz/random.ts";
import { keepAwake } from "../helpers/keep_awake.ts";
import {
  Harness,
  latin1,
  pause,
  request,
  settled,
  type TestClient,
} from "../unit/command/harness.ts";
import { type Frame, parseFrames } from "../vectors/format.ts";
import { sealedValue } from "./command_evidence.ts";
import { nameOf, WaitingClient, type WaitingParts, type Wish } from "./waiter_clients.ts";
import {
  fairList,
  PUSHERS,
  WaiterEvidence,
  type WaiterOrders,
  type WaiterReport,
} from "./waiter_evidence.ts";
import { Pusher } from "./waiter_pushes.ts";

/** Clients of a thread, by what they wait for. */
const CLIENTS: Readonly<Record<Wish, number>> = {
  "shared lists": 4,
  "shared sets": 3,
  "a move": 2,
  "own keys": 3,
  "a fair turn": 6,
};

class WaiterStress {
  readonly report: WaiterReport = {
    pushed: [],
    taken: [],
    servings: [],
    counts: {},
    violation: "",
  };
  readonly #orders: WaiterOrders;
  readonly #evidence: Int32Array;
  readonly #harness: Harness;
  readonly #random: Random;
  readonly #inbox: IoInbox;
  readonly #clients: WaitingClient[] = [];

  constructor(orders: WaiterOrders, blockedClients: typeof BlockedClients) {
    const { thread, seed } = orders;
    this.#orders = orders;
    this.#evidence = new Int32Array(orders.evidence);
    this.#random = new Random(seed + thread);
    const inboxes = orders.inboxes.map((memory) => Inbox.attach(memory));
    const senders = inboxes.map((inbox) => inbox.sender(thread));
    const message = new WaiterMessage();
    const bytes = new Uint8Array(WAITER_MESSAGE_BYTES);
    this.#harness = new Harness({
      store: Store.attach(orders.store, thread + 1, false),
      waitRegion: WaitRegion.attach(orders.region),
      thread,
      blockedClients,
      sendNews: (target, waiter, generation, news) => {
        this.#count("news to another thread");
        // As if the inbox were full.
        if (this.#random.oneIn(20)) return false;
        Object.assign(message, { waiter, generation, news });
        message.encode(bytes);
        return senders[target]!.trySend(bytes, 0, bytes.length);
      },
    });
    const { waits, blocking } = this.#harness;
    const onError = (error: unknown) => this.#violated((error as Error).stack ?? String(error));
    this.#inbox = new IoInbox(inboxes[thread]!, waits, onError, undefined, undefined, blocking);
    const parts: WaitingParts = {
      harness: this.#harness,
      threads: orders.threads,
      random: this.#random,
      ticket: () => Atomics.add(this.#evidence, WaiterEvidence.TICKET, 1) + 1,
      take: (name) => this.report.taken.push(name),
      serve: (serving) => this.report.servings.push(serving),
      count: (what) => this.#count(what),
      violated: (what) => this.#violated(what),
    };
    for (const [wish, count] of Object.entries(CLIENTS) as [Wish, number][]) {
      for (let i = 0; i < count; i++) this.#clients.push(new WaitingClient(wish, parts));
    }
  }

  async run(): Promise<void> {
    const { rounds } = this.#orders;
    const waiting = this.#clients.map((client) => this.#wait(client));
    const trouble = this.#trouble();
    const pushers = Array.from({ length: PUSHERS }, (_, i) => this.#pusher(i));
    const pushes = [this.#pusherInOrder(), ...pushers.map((pusher) => () => pusher.push())];
    for (let round = 1; round <= rounds && await this.#begins(round); round++) {
      await pushers[0]!.takeRest();
      await Promise.all(pushes.map((push) => this.#repeat(push)));
      await Promise.all(pushers.map((pusher) => pusher.pushPlenty()));
      Atomics.add(this.#evidence, WaiterEvidence.PUSHED, 1);
    }
    while (!this.#isOver) await pause(2);
    this.#harness.blocking.giveUp();
    await trouble;
    await this.#quiet(Promise.all(waiting));
    this.#inbox[Symbol.dispose]();
    if (this.#harness.lostCount > 0) this.#violated("elements could not be put back");
  }

  #word(index: number): number {
    return Atomics.load(this.#evidence, index);
  }

  get #isOver(): boolean {
    return this.#word(WaiterEvidence.STOP) !== 0 || this.#word(WaiterEvidence.FINISH) !== 0;
  }

  /** Whether all threads have pushed what they should in this round. */
  get #isPushed(): boolean {
    const { threads } = this.#orders;
    return this.#word(WaiterEvidence.PUSHED) === threads * this.#word(WaiterEvidence.ROUND);
  }

  /** Waits for a round; false = it will not come. */
  async #begins(round: number): Promise<boolean> {
    while (this.#word(WaiterEvidence.ROUND) < round && !this.#isOver) await pause(1);
    return !this.#isOver;
  }

  async #repeat(push: () => Promise<void>): Promise<void> {
    for (let i = 0; i < this.#orders.deedsPerRound && !this.#isOver; i++) {
      await push();
      await pause(0);
    }
  }

  async #wait(client: WaitingClient): Promise<void> {
    while (!this.#isOver) {
      if (this.#isPushed) await pause(1);
      else await client.wait();
    }
  }

  #pusher(pusher: number): Pusher {
    const client = this.#harness.connect(1 << 16);
    return new Pusher({
      thread: this.#orders.thread,
      pusher,
      random: this.#random,
      ask: (...words) => this.#ask(client, words),
      note: (name) => void this.report.pushed.push(name),
      take: (element) =>
        void this.report.taken.push(nameOf(element, (what) => this.#violated(what))),
      count: (what) => this.#count(what),
    });
  }

  /** Pushes numbers in their order, to where the first that joined the queue is the first served. */
  #pusherInOrder(): () => Promise<void> {
    const { thread } = this.#orders;
    const client = this.#harness.connect(1 << 12);
    let made = 0;
    return async () => {
      const count = 1 + this.#random.below(3);
      const names = Array.from({ length: count }, () => `${thread}.f.${made++}`);
      this.report.pushed.push(...names);
      const elements = names.map((name) => sealedValue(name, ""));
      await this.#ask(client, ["RPUSH", fairList(thread), ...elements]);
    };
  }

  /** Clients go, or are sent away, at the worst moment. */
  async #trouble(): Promise<void> {
    const admin = this.#harness.connect(1 << 12);
    while (!this.#isOver) {
      const client = this.#random.pick(this.#clients);
      if (this.#isPushed) {
        await pause(1);
      } else if (client.isWaiting && client.mayGo && this.#random.oneIn(2)) {
        client.go();
      } else if (client.isWaiting) {
        const words = ["CLIENT", "UNBLOCK", `${client.id}`];
        if (this.#random.oneIn(2)) words.push("ERROR");
        await this.#ask(admin, words);
      }
      await pause(0);
    }
  }

  async #ask(client: TestClient, words: string[]): Promise<Frame> {
    const reply = parseFrames(await settled(client.send(latin1(request(...words)))))[0]!;
    if (reply.type === "-" && !reply.text.startsWith("BUSYKEY")) {
      this.#violated(`${words.join(" ").slice(0, 200)}: ${reply.text}`);
    }
    return reply;
  }

  /** Waits until all clients have their replies, and nothing is left of them. */
  async #quiet(replies: Promise<unknown>): Promise<void> {
    const endMs = performance.now() + this.#orders.patienceMs;
    let isAnswered = false;
    void replies.then(() => isAnswered = true);
    for (let fault = "a client was served and not told"; fault !== "";) {
      if (performance.now() > endMs) return this.#violated(fault);
      await pause(5);
      if (!isAnswered) continue;
      try {
        this.#harness.blocking.assertInvariants();
        fault = "";
      } catch (error) {
        fault = `of thread ${this.#orders.thread} something is left: ${(error as Error).message}`;
      }
    }
  }

  #count(what: string): void {
    this.report.counts[what] = (this.report.counts[what] ?? 0) + 1;
  }

  #violated(what: string): void {
    if (this.report.violation === "") this.report.violation = what;
    Atomics.store(this.#evidence, WaiterEvidence.STOP, 1);
  }
}

self.onmessage = async (message: MessageEvent<WaiterOrders>) => {
  using _awake = keepAwake();
  const orders = message.data;
  const { BlockedClients: blockedClients } = await import(orders.module);
  const evidence = new Int32Array(orders.evidence);
  const stress = new WaiterStress(orders, blockedClients);
  self.postMessage("ready");
  Atomics.wait(evidence, WaiterEvidence.START, 0);
  // A pending waitAsync alone does not keep this thread alive.
  const timer = setInterval(() => {}, 1000);
  try {
    await stress.run();
  } catch (error) {
    stress.report.violation ||= (error as Error).stack ?? String(error);
    Atomics.store(evidence, WaiterEvidence.STOP, 1);
  }
  clearInterval(timer);
  self.postMessage(stress.report);
  self.close();
};
