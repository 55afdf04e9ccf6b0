/**
 * A worker with a processor of one's own.
 *
 * When it is to end at once it waits on a word of its own:
 *
 * ```text
 * u32  0  nobody changes it
 * ```
 *
 * @module
 */

import process from "node:process";
import { CounterIndex } from "../metrics/names.ts";
import { ProcessorCounters } from "../metrics/processor_counters.ts";
import type { ThreadCounters } from "../metrics/region.ts";
import type { ConsumerSlot } from "../channel/consumer_slot.ts";
import type { Notifier } from "../pubsub/notifier.ts";
import { ForeignGate } from "./foreign_gate.ts";
import { ForeignLoop } from "./foreign_loop.ts";
import { HeapWatch, openHeapSource } from "./heap_watch.ts";
import { JobRunner, type JobRunnerOptions } from "./job_runner.ts";
import type { ProcessorOrders } from "./messages.ts";
import { ProcessorLog, textOf } from "./processor_log.ts";
import { type LoadedProcessor, loadProcessor } from "./processor_module.ts";
import type { WorkerParts } from "./worker_parts.ts";
import type { WorkerPort } from "./worker_port.ts";

/** Stray errors that are logged in full. Unit: characters of their text. */
const STACK_LENGTH_MAX = 1000;

/**
 * Has every way to end the isolate say so first, and end it there and then: an end that takes effect
 * somewhere later could be in the middle of a change.
 */
function replaceExits(port: WorkerPort): void {
  const end = (name: string) => (): void => {
    endNow(port, `its processor called ${name}()`);
  };
  const replace = (owner: object, name: string, what: string) =>
    Object.defineProperty(owner, name, { value: end(what), configurable: true });
  replace(globalThis, "close", "close");
  replace(Deno, "exit", "Deno.exit");
  replace(process, "exit", "process.exit");
}

/** Ends this isolate, outside of our code; goes not a step further, however long the end takes. */
function endNow(port: WorkerPort, error: string): never {
  port.tell({ kind: "died", error });
  port.end();
  const word = new Int32Array(new SharedArrayBuffer(4));
  // Not a busy loop: one of those is not always ended from outside.
  for (;;) Atomics.wait(word, 0, 0, 10);
}

/** Thread: a worker, of `node:worker_threads`. */
export class ForeignWorker {
  readonly #loaded: LoadedProcessor;
  readonly #orders: ProcessorOrders;
  readonly #gate: ForeignGate;
  readonly #log: ProcessorLog;
  #strayCount = 0;
  #countStray: () => void = () => this.#strayCount++;

  private constructor(
    loaded: LoadedProcessor,
    orders: ProcessorOrders,
    gate: ForeignGate,
    log: ProcessorLog,
  ) {
    this.#loaded = loaded;
    this.#orders = orders;
    this.#gate = gate;
    this.#log = log;
  }

  /**
   * Loads the processor. The worker is asleep meanwhile.
   *
   * @throws {ProcessorLoadError} when it is none
   */
  static async load(
    orders: ProcessorOrders,
    life: ConsumerSlot,
    port: WorkerPort,
  ): Promise<ForeignWorker> {
    replaceExits(port);
    const heap = new HeapWatch(orders.memoryBytes, await openHeapSource(), (usedBytes) => {
      const error = `the processor uses ${usedBytes} of ${orders.memoryBytes} bytes of memory`;
      endNow(port, error);
    });
    const loaded = await loadProcessor(orders.url);
    const log = new ProcessorLog((line) => port.tell(line));
    const own = new ForeignWorker(loaded, orders, new ForeignGate(life, heap), log);
    own.#watchStrays();
    return own;
  }

  /** Jobs that are in hand at once, at most. */
  get concurrency(): number {
    return this.#loaded.concurrency;
  }

  /** Makes what runs the jobs of one slot. */
  runner(
    options: Omit<JobRunnerOptions, "processor" | "context" | "gate" | "publish">,
    notes: Notifier | undefined,
    threadId: number,
  ): JobRunner {
    const { counters: memory } = this.#orders;
    const { counters: counterNames, processor } = this.#loaded;
    return new JobRunner({
      ...options,
      processor,
      gate: this.#gate,
      context: {
        log: this.#log,
        counterNames,
        counters: memory && ProcessorCounters.attach(memory, counterNames).of(threadId),
      },
      publish: notes && (({ channel, payload }) => notes.announce(channel, payload)),
    });
  }

  /**
   * Settles jobs until this worker is to stop.
   *
   * @param lanes all its slots: jobs may have been left in them
   * @param runners of the first ones
   * @returns false when it was fenced
   */
  work(
    parts: WorkerParts,
    lanes: readonly ConsumerSlot[],
    runners: readonly JobRunner[],
    counters: ThreadCounters,
  ): Promise<boolean> {
    this.#countStray = () => counters.add(CounterIndex.PROCESSOR_STRAY_ERRORS);
    for (; this.#strayCount > 0; this.#strayCount--) this.#countStray();
    return new ForeignLoop(parts, this.#gate, lanes, runners, this.#loaded.timeoutMs).run();
  }

  /** Errors that nobody caught end no worker; they belong to no event. */
  #watchStrays(): void {
    const hear = (what: string, error: unknown) => {
      // A fenced worker counts nothing any more; the runs of others' code that led here may be long over.
      if (this.#gate.fenced) return;
      const text = error instanceof Error ? error.stack ?? error.message : textOf(error);
      this.#log.error(what, { event: "stray_error", error: text.slice(0, STACK_LENGTH_MAX) });
      try {
        this.#gate.enterCall();
      } catch {
        // There is no way in: it is not counted.
        return;
      }
      this.#countStray();
      this.#gate.leaveCall();
    };
    globalThis.addEventListener("unhandledrejection", (event) => {
      event.preventDefault();
      hear("a promise of the processor was rejected, and nobody caught it", event.reason);
    });
    globalThis.addEventListener("error", (event) => {
      event.preventDefault();
      hear("an error of the processor was not caught", event.error);
    });
  }
}
