/**
 * Looks how much memory a processor's objects take, in its worker.
 *
 * V8 ends a worker whose objects outgrow what it was given, wherever it is then. That must not be in the
 * middle of a change of ours. So it is given {@link HEAP_ROOM_BYTES} more than what it may use, and
 * whenever code of the processor has run it is looked whether it has used more than that: the worker
 * then ends by itself, with nothing in hand. What is outside of V8's heap, the bytes of buffers, is
 * looked at in the same way.
 *
 * @module
 */

const MIB = 2 ** 20;

/** What V8 gives a worker beyond what its processor may use. Unit: bytes. */
export const HEAP_ROOM_BYTES: number = 32 * MIB;

/**
 * What cannot fill {@link HEAP_ROOM_BYTES}: code that has run for this long, so often. Unit: ms, and runs.
 */
const SHORT_RUN_MS = 0.2;
const SHORT_RUNS = 64;

/** What is known of a heap. Unit: bytes. */
export interface HeapFigures {
  /** Objects, garbage included. */
  readonly heapBytes: number;
  /** Bytes of buffers and the like. */
  readonly externalBytes: number;
}

/** Where figures come from; tests have their own. */
export interface HeapSource {
  /** Figures of this moment. */
  read(): HeapFigures;
  /** Frees what is garbage. Takes up to a second. */
  collect(): void;
}

/** Watches the heap of one worker. Thread: that worker. */
export class HeapWatch {
  readonly #limitBytes: number;
  readonly #source: HeapSource;
  readonly #onOver: (usedBytes: number) => void;
  /** What is there without the processor: shared memory among it. */
  readonly #firstExternalBytes: number;
  #checkedAtMs = 0;
  #shortRuns = 0;
  #allowedBytes: number;

  /**
   * Watches.
   *
   * @param limitBytes what a processor may use
   * @param onOver ends the worker; called with nothing held
   */
  constructor(limitBytes: number, source: HeapSource, onOver: (usedBytes: number) => void) {
    this.#limitBytes = this.#allowedBytes = limitBytes;
    this.#source = source;
    this.#onOver = onOver;
    this.#firstExternalBytes = source.read().externalBytes;
  }

  /** Looks, if that is due. */
  check(): void {
    const nowMs = performance.now();
    if (nowMs - this.#checkedAtMs < SHORT_RUN_MS && ++this.#shortRuns < SHORT_RUNS) return;
    this.#shortRuns = 0;
    this.#checkedAtMs = nowMs;
    if (this.#usedBytes() <= this.#allowedBytes) {
      this.#allowedBytes = this.#limitBytes;
      return;
    }
    this.#source.collect();
    const usedBytes = this.#usedBytes();
    if (usedBytes > this.#limitBytes) this.#onOver(usedBytes);
    // Most of it was garbage: no need to look for that again at once.
    this.#allowedBytes = this.#limitBytes + HEAP_ROOM_BYTES / 4;
    this.#checkedAtMs = performance.now();
  }

  #usedBytes(): number {
    const { heapBytes, externalBytes } = this.#source.read();
    return heapBytes + Math.max(0, externalBytes - this.#firstExternalBytes);
  }
}

/** The heap of this isolate, by what `node:v8` tells. */
export async function openHeapSource(): Promise<HeapSource> {
  const { default: v8 } = await import("node:v8");
  let collect = () => {};
  try {
    // There is no other way to it at run time.
    const { runInNewContext } = await import("node:vm");
    v8.setFlagsFromString("--expose-gc");
    const found: unknown = runInNewContext("gc");
    if (typeof found === "function") collect = found as () => void;
  } catch {
    // A runtime that has no such thing: garbage counts as used.
  }
  return {
    read: () => {
      const { used_heap_size: heapBytes, external_memory: externalBytes } = v8.getHeapStatistics();
      return { heapBytes, externalBytes };
    },
    collect,
  };
}
