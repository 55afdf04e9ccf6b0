/// <reference lib="deno.worker" />
/**
 * One thread of the stress of ids; see event_id_harness.ts.
 *
 * @module
 */

import { Int64 } from "../../src/base/int64.ts";
import { ByteSlice } from "../../src/base/job.ts";
import { type EventIds, IdState } from "../../src/store/event_ids.ts";
import { EventIdEvidence, type EventIdOrders, type EventIdReport } from "./event_id_harness.ts";

/** How many ids later an id comes again. */
const LATER_IDS = 40;
/** Events that were accepted and are settled some time later. */
const UNSETTLED = 8;

interface Accepted {
  readonly slot: number;
  readonly ticket: number;
  readonly id: number;
}

class Offerer {
  readonly report: EventIdReport = { meetings: 0, outcomes: 0, violation: "" };
  readonly #orders: EventIdOrders;
  readonly #ids: EventIds;
  readonly #evidence: Int32Array;
  readonly #accepted: Accepted[] = [];
  readonly #user = new ByteSlice().set(new Uint8Array([97]), 0, 1);
  readonly #bytes = new Uint8Array(8);
  readonly #id = new ByteSlice().set(this.#bytes, 0, 8);
  readonly #balance = new Int64();

  constructor(orders: EventIdOrders, ids: EventIds) {
    this.#orders = orders;
    this.#ids = ids;
    this.#evidence = new Int32Array(orders.evidence);
  }

  run(): void {
    const { idCount, offersPerId } = this.#orders;
    for (;;) {
      const drawn = Atomics.add(this.#evidence, EventIdEvidence.DRAWN, 1);
      const newest = Math.floor(drawn / offersPerId);
      if (newest >= idCount) break;
      // Half of the offers come at the same time, the others when the event is settled.
      this.#offer(drawn % 2 === 0 ? newest : Math.max(0, newest - LATER_IDS));
    }
    while (this.#accepted.length > 0) this.#settle(this.#accepted.shift()!);
  }

  #offer(id: number): void {
    const { thread, idCount } = this.#orders;
    const ids = this.#ids;
    const evidence = this.#evidence;
    for (let i = 0; i < 8; i++) this.#bytes[i] = 49 + (id >> (i * 4) & 15);
    ids.choose(this.#user, this.#id);
    const state = id % 2 === 0 ? IdState.ENTERING : IdState.PENDING;
    if (ids.remember(1000, state)) {
      const { slot, ticket } = ids;
      const others = Atomics.add(evidence, EventIdEvidence.FIRSTS + id, 1);
      if (others > 0 && this.#orders.isNoneForgotten) this.#fail(`id ${id} has two firsts`);
      Atomics.store(evidence, EventIdEvidence.FIRSTS + idCount + id, thread + 1);
      if (state === IdState.ENTERING) ids.confirm(slot, ticket);
      this.#accepted.push({ slot, ticket, id });
      if (this.#accepted.length > UNSETTLED) this.#settle(this.#accepted.shift()!);
      return;
    }
    const first = Atomics.load(evidence, EventIdEvidence.FIRSTS + idCount + id);
    if (first !== thread + 1) this.report.meetings++;
    if (ids.find(1000) !== IdState.SETTLED || ids.outcome === 0) return;
    this.report.outcomes++;
    if (ids.balance.lo === id && ids.balance.hi === -1 - id && ids.outcome === 1 + id % 5) return;
    this.#fail(`id ${id} has the outcome of ${ids.balance.lo}`);
  }

  /** Ends it for all. */
  #fail(violation: string): void {
    this.report.violation = violation;
    Atomics.store(this.#evidence, EventIdEvidence.DRAWN, 2 ** 30);
  }

  #settle({ slot, ticket, id }: Accepted): void {
    this.#balance.lo = id;
    this.#balance.hi = -1 - id;
    this.#ids.settle(slot, ticket, 1 + id % 5, this.#balance);
  }
}

self.onmessage = async ({ data }: MessageEvent<EventIdOrders>) => {
  const module = await import(data.module) as { EventIds: typeof EventIds };
  const offerer = new Offerer(data, module.EventIds.attach({ buffer: data.buffer }));
  self.postMessage("ready");
  Atomics.wait(new Int32Array(data.evidence), EventIdEvidence.START, 0);
  offerer.run();
  self.postMessage(offerer.report);
  self.close();
};
