/**
 * Where in its life the server is, as clients can see it, in shared memory: every thread sees a
 * change at once.
 *
 * ```text
 * 0     f64 when the server was started, ms since the epoch
 * 8     i64 connections numbered so far
 * 64    u32 readiness: 0 starting, 1 ready, 2 shutting down
 * 68    u32 1 when requests are refused
 * 72    u32 event workers that take jobs
 * 76    per protocol, in the order of PROTOCOLS: u32 port, 0 = no listener
 * 88    u32 1 when the I/O threads cannot keep up with the background work by themselves
 * 92    u32 event workers that are lost for good to a processor that does not return
 * ```
 *
 * The line of the counter, which every accepted connection writes, lies apart from the one that
 * every request reads.
 *
 * @module
 */

import type { ServerPhase } from "../command/phase.ts";
import { PROTOCOLS } from "../metrics/names.ts";
import type { Readiness } from "./http_routes.ts";
import type { ServerPorts } from "./server_view.ts";

/** Shared memory of a {@link Lifecycle}; structured-cloneable. */
export interface LifecycleMemory {
  /** The region. */
  readonly buffer: SharedArrayBuffer;
}

const REGION_BYTES = 128;
const STARTED_AT_DOUBLE = 0;
const CONNECTIONS_LONG = 1;

/** Word offsets. */
const Word = {
  READINESS: 16,
  STOPPING: 17,
  WORKERS: 18,
  PORTS: 19,
  WORKER_WANTED: 22,
  LOST_WORKERS: 23,
} as const;

/** Indices are the values of the readiness word. */
const READINESS: readonly Readiness[] = ["starting", "ready", "shutting_down"];

/**
 * The server's life: starting → ready → shutting down, and from some moment of the latter on,
 * stopping, when requests are refused.
 *
 * Thread: any reads; the main isolate writes, except {@link Lifecycle.nextConnectionId} and
 * {@link Lifecycle.wantWorker}.
 */
export class Lifecycle implements ServerPhase {
  /** To hand to another thread for {@link Lifecycle.attach}. */
  readonly memory: LifecycleMemory;

  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #doubles: Float64Array<SharedArrayBuffer>;
  readonly #longs: BigInt64Array<SharedArrayBuffer>;

  private constructor(memory: LifecycleMemory) {
    this.memory = memory;
    this.#words = new Int32Array(memory.buffer);
    this.#doubles = new Float64Array(memory.buffer);
    this.#longs = new BigInt64Array(memory.buffer);
  }

  /** Makes the life of a server that starts now. */
  static create(): Lifecycle {
    const lifecycle = new Lifecycle({ buffer: new SharedArrayBuffer(REGION_BYTES) });
    lifecycle.#doubles[STARTED_AT_DOUBLE] = Date.now();
    return lifecycle;
  }

  /** Opens what {@link Lifecycle.create} made, in another thread. */
  static attach(memory: LifecycleMemory): Lifecycle {
    return new Lifecycle(memory);
  }

  /** What `/ready` says. */
  get readiness(): Readiness {
    return READINESS[Atomics.load(this.#words, Word.READINESS)]!;
  }

  /** Changes what `/ready` says. */
  set readiness(readiness: Readiness) {
    Atomics.store(this.#words, Word.READINESS, READINESS.indexOf(readiness));
  }

  /** See {@link ServerPhase.stopping}. */
  get stopping(): boolean {
    // A plain load, because every command looks: a thread that must have seen the change is told by
    // message, and what comes before a message is seen after it.
    return this.#words[Word.STOPPING] !== 0;
  }

  /** Changes it; it never goes back. */
  set stopping(stopping: boolean) {
    Atomics.store(this.#words, Word.STOPPING, stopping ? 1 : 0);
  }

  /** When it was made, ms since the epoch. */
  get startedAtMs(): number {
    return this.#doubles[STARTED_AT_DOUBLE]!;
  }

  /** Event workers that take jobs. */
  get workerCount(): number {
    return Atomics.load(this.#words, Word.WORKERS);
  }

  /** Takes note of a pool's size. */
  set workerCount(count: number) {
    Atomics.store(this.#words, Word.WORKERS, count);
  }

  /** Event workers that are lost for good, and in whose place nobody works. */
  get lostWorkerCount(): number {
    return Atomics.load(this.#words, Word.LOST_WORKERS);
  }

  /** Takes note of how many workers are lost. */
  set lostWorkerCount(count: number) {
    Atomics.store(this.#words, Word.LOST_WORKERS, count);
  }

  /** Whether {@link Lifecycle.wantWorker} was called. */
  get isWorkerWanted(): boolean {
    return Atomics.load(this.#words, Word.WORKER_WANTED) !== 0;
  }

  /** Says that there is work for a worker besides jobs. Thread: any I/O thread. */
  wantWorker(): void {
    Atomics.store(this.#words, Word.WORKER_WANTED, 1);
  }

  /** Where the server listens; all null before it does. */
  get ports(): ServerPorts {
    const ports = PROTOCOLS.map((protocol, index) => {
      const port = Atomics.load(this.#words, Word.PORTS + index);
      return [protocol, port === 0 ? null : port];
    });
    return Object.fromEntries(ports) as ServerPorts;
  }

  /** Takes note of where the server listens. */
  set ports(ports: ServerPorts) {
    for (const [index, protocol] of PROTOCOLS.entries()) {
      Atomics.store(this.#words, Word.PORTS + index, ports[protocol] ?? 0);
    }
  }

  /** Draws a number that no other connection of this server has. Thread: any I/O thread. */
  nextConnectionId(): number {
    return Number(Atomics.add(this.#longs, CONNECTIONS_LONG, 1n)) + 1;
  }
}
