/**
 * A processor that misbehaves in every way, as its user says; everybody else's events are counted.
 *
 * @module
 */

import type { Processor, ProcessorContext, ProcessorEvent } from "../../../src/worker/processor.ts";

const kept: unknown[] = [];
const late: ProcessorContext[] = [];

/** Longer than a try may take and its worker is waited for; it has to end, or no test would. */
const BLOCK_MS = 4_000;

function fillHeap(): never {
  for (let i = 0;; i++) kept.push({ i, text: [i, i, i], more: `number ${i}` });
}

/** How long it keeps a processor busy at first; then it sleeps, which nothing ends either. */
const BUSY_MS = 600;

function block(): void {
  for (const untilMs = Date.now() + BUSY_MS; Date.now() < untilMs;);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BLOCK_MS - BUSY_MS);
}

function recurse(context: ProcessorContext): number {
  return (context.getInteger("deep") === undefined ? 0 : 1) + recurse(context);
}

const cyclic: { self?: unknown } = {};
cyclic.self = cyclic;

const deeds: Record<string, (event: ProcessorEvent, context: ProcessorContext) => unknown> = {
  thrower: () => {
    throw new Error("no such thing");
  },
  strange_thrower: () => {
    throw {
      toJSON: () => {
        throw new Error("not even that");
      },
    };
  },
  rejecter: () => Promise.reject(new Error("not now")),
  hanger: () => new Promise(() => {}),
  blocker: block,
  late_blocker: async () => {
    await new Promise((resolve) => setTimeout(resolve, 1));
    block();
  },
  exiter: () => Deno.exit(3),
  late_exiter: async () => {
    await new Promise((resolve) => setTimeout(resolve, 1));
    Deno.exit(3);
  },
  closer: () => {
    globalThis.close();
    block();
  },
  hoarder: fillHeap,
  buffer_hoarder: () => {
    // Endless but for the test's sake: what is outside of the heap is looked at behind each event.
    for (let i = 0; i < 64; i++) kept.push(new Uint8Array(4 << 20).fill(1));
  },
  leaker: () => void kept.push(new Array(1 << 18).fill({})),
  stray: () => {
    void Promise.reject(new Error("nobody waits for me"));
    setTimeout(() => {
      throw new Error("nobody catches me");
    });
  },
  recurser: (_, context) => recurse(context),
  big: () => "x".repeat(17_000),
  bigint: () => 5n,
  cyclic: () => cyclic,
  wrong_counter: (_, context) => context.count("no_such"),
  late_writer: (_, context) => {
    late.push(context);
    return new Promise(() => {});
  },
  user_of_late: () => {
    for (const context of late) context.add("late", 1);
  },
  logger: (event, context) => {
    context.log.info("seen", { user: event.user, many: [1, 2], big: 5n });
    for (let i = 0; i < 1000; i++) context.log.warn("spam");
  },
};

const processor: Processor = {
  name: "misbehaving",
  timeoutMs: 300,
  counters: ["seen"],
  process(event, context) {
    const deed = deeds[event.user];
    context.count("seen");
    context.add(`balance:${event.user}`, event.amount);
    return deed?.(event, context);
  },
};

export default processor;
