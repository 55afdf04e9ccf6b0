/// <reference lib="deno.worker" />
/**
 * One thread of the command stress; see command_harness.ts.
 *
 * @module
 */

import { makeCommandTable } from "../../src/command/table.ts";
import { Store } from "../../src/store/store.ts";
import { Random } from "../helpers/fuzz/random.ts";
import { keepAwake } from "../helpers/keep_awake.ts";
import { Harness, latin1, request, type TestClient } from "../unit/command/harness.ts";
import { type Frame, parseFrames } from "../vectors/format.ts";
import { CommandEvidence, type CommandOrders, type CommandReport } from "./command_evidence.ts";
import { type Deed, deedsOf } from "./command_deeds.ts";

/** Deeds whose requests are sent together. */
const BATCH = 16;

class CommandStress {
  readonly report: CommandReport = {
    sums: {},
    members: {},
    overlaps: 0,
    calls: {},
    violation: "",
  };
  readonly #orders: CommandOrders;
  readonly #evidence: Int32Array;
  readonly #client: TestClient;
  readonly #random: Random;
  readonly #deeds: readonly Deed[];
  readonly #members = new Map<string, Set<string>>();

  constructor(orders: CommandOrders) {
    this.#orders = orders;
    this.#evidence = new Int32Array(orders.evidence);
    const harness = new Harness({ store: Store.attach(orders.memory, orders.threadId, false) });
    this.#client = harness.connect(1 << 16);
    this.#random = new Random(orders.seed + orders.threadId);
    this.#deeds = deedsOf(makeCommandTable(), orders.defect);
  }

  async run(): Promise<void> {
    const { operations } = this.#orders;
    for (let done = 0; done < operations && this.report.violation === ""; done += BATCH) {
      if (Atomics.load(this.#evidence, CommandEvidence.STOP) !== 0) break;
      await this.#batch();
    }
    for (const [key, members] of this.#members) this.report.members[key] = [...members];
  }

  async #batch(): Promise<void> {
    const tasks = Array.from({ length: BATCH }, () => {
      const deed = this.#random.pick(this.#deeds);
      const index = this.#random.below(this.#orders.keys);
      return { deed, task: deed.begin(this.#random, index, this.#orders.threadId) };
    });
    const text = tasks.map(({ task }) => task.commands.map((words) => request(...words)).join(""))
      .join("");
    if (Atomics.add(this.#evidence, CommandEvidence.INSIDE, 1) > 0) this.report.overlaps++;
    const frames = parseFrames(await this.#client.send(latin1(text)));
    Atomics.sub(this.#evidence, CommandEvidence.INSIDE, 1);
    let at = 0;
    for (const { deed, task } of tasks) {
      const replies = frames.slice(at, at += task.commands.length);
      this.report.calls[deed.name] = (this.report.calls[deed.name] ?? 0) + 1;
      const more = await this.#finish(task.finish(replies, this));
      if (more !== "") return this.#violated(`${deed.name}: ${more}`);
    }
  }

  /** A deed of several steps goes on until it says what is wrong, or "". */
  async #finish(next: string | (() => readonly [string[][], (replies: Frame[]) => string])) {
    if (typeof next === "string") return next;
    const [commands, check] = next();
    const text = commands.map((words) => request(...words)).join("");
    return check(parseFrames(await this.#client.send(latin1(text))));
  }

  /** Notes that `amount` was added to what `name` counts. */
  add(name: string, amount: number): void {
    this.report.sums[name] = (this.report.sums[name] ?? 0) + amount;
  }

  /** Members of `key` that are this thread's own. */
  own(key: string): Set<string> {
    let members = this.#members.get(key);
    if (members === undefined) this.#members.set(key, members = new Set());
    return members;
  }

  #violated(what: string): void {
    if (this.report.violation === "") this.report.violation = what;
    Atomics.store(this.#evidence, CommandEvidence.STOP, 1);
  }
}

self.onmessage = async (message: MessageEvent<CommandOrders>) => {
  using _awake = keepAwake();
  const orders = message.data;
  const stress = new CommandStress(orders);
  const evidence = new Int32Array(orders.evidence);
  self.postMessage("ready");
  Atomics.wait(evidence, CommandEvidence.START, 0);
  // A pending waitAsync alone does not keep this thread alive.
  const timer = setInterval(() => {}, 1000);
  try {
    await stress.run();
  } catch (error) {
    stress.report.violation ||= (error as Error).stack ?? String(error);
    Atomics.store(evidence, CommandEvidence.STOP, 1);
  }
  clearInterval(timer);
  self.postMessage(stress.report);
  self.close();
};
