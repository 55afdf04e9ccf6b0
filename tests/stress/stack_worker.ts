/// <reference lib="deno.worker" />
/**
 * One thread of the stack stress; see stack_harness.ts.
 *
 * @module
 */

import { Arena } from "../../src/store/arena.ts";
import { type BalanceReserve, BLOCKS_PER_CREDIT } from "../../src/store/balance_reserve.ts";
import { ControlRegion } from "../../src/store/control.ts";
import { type PageAllocator, PageKind } from "../../src/store/page_allocator.ts";
import { StackEvidence, type StackOrders, type StackReport } from "./stack_evidence.ts";

/** Pages that a thread holds at most. */
const MOST_HELD = 4;

class Stress {
  readonly report: StackReport = { taken: 0, overlaps: 0, refusals: 0, violation: "" };
  readonly #orders: StackOrders;
  readonly #evidence: Int32Array;
  #random: number;

  constructor(orders: StackOrders) {
    this.#orders = orders;
    this.#evidence = new Int32Array(orders.evidence);
    this.#random = (orders.threadId + 1) * 15485863;
  }

  leasePages(pages: PageAllocator): void {
    const held: number[] = [];
    for (let i = 0; i < this.#orders.rounds && this.#mayGoOn(); i++) {
      if (held.length < MOST_HELD && this.#next() % 2 === 0) {
        const page = this.#inside(() => pages.lease(PageKind.EXTENT, 0, 0));
        if (page === 0) {
          this.report.refusals++;
          continue;
        }
        this.#take(page);
        held.push(page);
      } else if (held.length > 0) {
        const [page] = held.splice(this.#next() % held.length, 1);
        this.#give(page!);
        this.#inside(() => pages.release(page!));
      }
    }
    for (const page of held) {
      this.#give(page);
      pages.release(page);
    }
  }

  drawBlocks(reserve: BalanceReserve): void {
    for (let i = 0; i < this.#orders.rounds && this.#mayGoOn(); i++) {
      if (!this.#inside(() => reserve.tryAcquire())) {
        this.report.refusals++;
        continue;
      }
      const drawn: number[] = [];
      for (let n = this.#next() % (BLOCKS_PER_CREDIT + 1); n > 0; n--) {
        const address = this.#inside(() => reserve.draw());
        this.#take(address);
        drawn.push(address);
      }
      for (const address of drawn) {
        this.#give(address);
        this.#inside(() => reserve.free(address));
      }
      reserve.release();
    }
  }

  fail(violation: string): void {
    this.report.violation ||= violation;
    Atomics.store(this.#evidence, StackEvidence.STOP, 1);
  }

  #take(item: number): void {
    this.report.taken++;
    const owner = Atomics.exchange(
      this.#evidence,
      StackEvidence.OWNERS + item,
      this.#orders.threadId,
    );
    if (owner !== 0) this.fail(`${item} was handed out while thread ${owner} had it`);
  }

  #give(item: number): void {
    const owner = Atomics.exchange(this.#evidence, StackEvidence.OWNERS + item, 0);
    if (owner !== this.#orders.threadId) this.fail(`${item} became thread ${owner}'s`);
  }

  #inside<T>(call: () => T): T {
    if (Atomics.add(this.#evidence, StackEvidence.INSIDE, 1) > 0) this.report.overlaps++;
    const result = call();
    Atomics.sub(this.#evidence, StackEvidence.INSIDE, 1);
    return result;
  }

  #mayGoOn(): boolean {
    return Atomics.load(this.#evidence, StackEvidence.STOP) === 0;
  }

  #next(): number {
    this.#random = (Math.imul(this.#random, 1664525) + 1013904223) >>> 0;
    return this.#random >>> 8;
  }
}

self.onmessage = async (message: MessageEvent<StackOrders>) => {
  const orders = message.data;
  const { PageAllocator: Pages } = await import(orders.pagesModule) as {
    PageAllocator: typeof PageAllocator;
  };
  const { BalanceReserve: Reserve } = await import(orders.reserveModule) as {
    BalanceReserve: typeof BalanceReserve;
  };
  const control = ControlRegion.attach(orders.control);
  const pages = new Pages(control, orders.descriptors);
  const arena = Arena.attach(orders.segments, orders.segmentShift);
  const stress = new Stress(orders);
  self.postMessage("ready");
  Atomics.wait(new Int32Array(orders.evidence), StackEvidence.START, 0);
  try {
    if (orders.what === "pages") stress.leasePages(pages);
    else stress.drawBlocks(new Reserve(arena, pages, control, () => false));
  } catch (error) {
    stress.fail((error as Error).stack ?? String(error));
  }
  self.postMessage(stress.report);
  self.close();
};
