/**
 * Runs threads on the lock-free stacks of free pages and of reserve blocks: nothing may be handed
 * out twice, and nothing may get lost.
 *
 * @module
 */

import { Arena } from "../../src/store/arena.ts";
import { BalanceReserve } from "../../src/store/balance_reserve.ts";
import { ControlRegion, Header } from "../../src/store/control.ts";
import { PageAllocator } from "../../src/store/page_allocator.ts";
import { PAGE_UNITS } from "../../src/store/size_classes.ts";
import { type CrewMember, enlist } from "./crew.ts";
import { StackEvidence, type StackOrders, type StackReport } from "./stack_evidence.ts";
import type { Mutation } from "./twin.ts";

/** Where the free stack of pages is. */
export const PAGES_URL = new URL("../../src/store/page_allocator.ts", import.meta.url);
/** Where the stack of reserve blocks is. */
export const RESERVE_URL = new URL("../../src/store/balance_reserve.ts", import.meta.url);

/** Defects of the free stack of pages. */
export const PAGE_MUTATIONS: readonly Mutation[] = [
  {
    name: "takes the top page without compare-and-swap",
    find:
      "      if (Atomics.compareExchange(longs, Header.PAGE_STACK_LONG, head, next) === head) " +
      "return page;",
    replace: "      Atomics.store(longs, Header.PAGE_STACK_LONG, next);\n      return page;",
  },
  {
    name: "the head of the stack has no tag",
    find: "const TAG_STEP = 1n << 32n;",
    replace: "const TAG_STEP = 0n;",
  },
];

/** Defects of the stack of reserve blocks. */
export const RESERVE_MUTATIONS: readonly Mutation[] = [
  {
    name: "the head of the stack of blocks has no tag",
    find: "const TAG_STEP = 1n << 32n;",
    replace: "const TAG_STEP = 0n;",
  },
  {
    name: "credits are taken without compare-and-swap",
    find: `        Atomics.compareExchange(
          this.#words,
          Header.RESERVE_SPARE,
          spare,
          spare - BLOCKS_PER_CREDIT,
        ) === spare`,
    replace:
      `        Atomics.store(this.#words, Header.RESERVE_SPARE, spare - BLOCKS_PER_CREDIT) ===
          spare - BLOCKS_PER_CREDIT`,
  },
];

/** What to run. */
export interface StackStress {
  what: StackOrders["what"];
  threads: number;
  rounds: number;
  /** Pages in the arena, page 0 included; fewer than the threads want, so that all run dry. */
  pageCount: number;
  pagesModule?: string;
  reserveModule?: string;
}

/** What came out. */
export interface StackStressResult {
  taken: number;
  overlaps: number;
  refusals: number;
  /** What must not be; "" when all is well. */
  violation: string;
  elapsedMs: number;
}

/** Runs one stress to its end or first violation. */
export async function runStackStress(stress: StackStress): Promise<StackStressResult> {
  const arena = Arena.create(stress.pageCount);
  const control = ControlRegion.create({
    shardCount: 1,
    lockKind: 0,
    pageCount: stress.pageCount,
    threadCount: stress.threads + 1,
    hashSeed: new Uint32Array(2),
    maxValueBytes: 1,
    segmentShift: arena.shift,
  });
  const descriptors = PageAllocator.createDescriptors(stress.pageCount);
  const items = stress.what === "pages" ? stress.pageCount : stress.pageCount * PAGE_UNITS;
  const evidence = new Int32Array(new SharedArrayBuffer((StackEvidence.OWNERS + items) * 4));
  const started = Array.from({ length: stress.threads }, (_, i) =>
    start({
      threadId: i + 1,
      what: stress.what,
      rounds: stress.rounds,
      pagesModule: stress.pagesModule ?? PAGES_URL.href,
      reserveModule: stress.reserveModule ?? RESERVE_URL.href,
      control: control.buffer,
      descriptors,
      segments: arena.segments,
      segmentShift: arena.shift,
      evidence: evidence.buffer,
    }));
  await Promise.all(started.map((thread) => thread.ready));
  const startedAtMs = performance.now();
  Atomics.store(evidence, StackEvidence.START, 1);
  Atomics.notify(evidence, StackEvidence.START);
  const reports = await Promise.all(started.map((thread) => thread.report));
  const elapsedMs = performance.now() - startedAtMs;

  const pages = new PageAllocator(control, descriptors);
  let violation = reports.map((report) => report.violation).find((text) => text !== "") ?? "";
  // A stack that went wrong may have a ring in it; it is not walked.
  if (violation === "") {
    violation = stress.what === "pages"
      ? checkPages(pages, control)
      : checkReserve(new BalanceReserve(arena, pages, control, () => false), control);
  }
  return {
    taken: reports.reduce((sum, report) => sum + report.taken, 0),
    overlaps: reports.reduce((sum, report) => sum + report.overlaps, 0),
    refusals: reports.reduce((sum, report) => sum + report.refusals, 0),
    violation,
    elapsedMs,
  };
}

function checkPages(pages: PageAllocator, control: ControlRegion): string {
  const free = pages.freeStack();
  const fresh = pages.pageCount - control.words[Header.PAGES_FRESH]!;
  if (new Set(free).size !== free.length) return "a page is on the stack twice";
  if (free.length + fresh !== pages.pageCount - 1) {
    return `${free.length} on the stack + ${fresh} fresh of ${pages.pageCount - 1} pages`;
  }
  return pages.freePages === pages.pageCount - 1 ? "" : `${pages.freePages} pages counted`;
}

function checkReserve(reserve: BalanceReserve, control: ControlRegion): string {
  const free = reserve.freeBlocks();
  if (new Set(free).size !== free.length) return "a block is on the stack twice";
  const counted = control.words[Header.RESERVE_FREE]!;
  const spare = control.words[Header.RESERVE_SPARE]!;
  if (counted !== free.length) return `${counted} blocks counted, ${free.length} on the stack`;
  // Every credit is back, so all that is free is spare.
  return spare === free.length ? "" : `${spare} blocks are spare, ${free.length} on the stack`;
}

function start(orders: StackOrders): CrewMember<StackReport> {
  return enlist(
    new URL("./stack_worker.ts", import.meta.url),
    `stack stress ${orders.threadId}`,
    orders,
  );
}
