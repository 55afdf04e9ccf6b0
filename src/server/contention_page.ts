/**
 * What `GET /metrics/contention` answers: the shard locks, by thread and by shard.
 *
 * @module
 */

import { type DurationsJson, durationsJson } from "../metrics/json.ts";
import { HistogramIndex } from "../metrics/names.ts";
import { nextTurn, SLICE_MS } from "../command/turns.ts";
import { encodeText } from "../protocol/http/characters.ts";
import type { SharedParts } from "./shared_parts.ts";
import { MAIN_THREAD_ID } from "./threads.ts";

/** One thread's waits for shard locks and holds of them. */
export interface ThreadContentionJson {
  /** Its id, 0, 1, … over all threads. */
  thread: number;
  /** What it does; a main isolate that serves connections is an I/O thread. */
  kind: "main" | "io" | "worker";
  /** 0, 1, … among those of its kind; a worker's is its slot, which a replacement takes over. */
  index: number;
  /** From asking to having; null without `--lock-timing`. */
  wait: DurationsJson | null;
  /** From having to giving back; null without `--lock-timing`. */
  hold: DurationsJson | null;
}

/** One shard's lock, over all threads. */
export interface ShardContentionJson {
  /** 0, 1, … */
  shard: number;
  /** Exclusive acquisitions. */
  exclusive: number;
  /** Shared acquisitions. */
  shared: number;
  /** Those that found the lock taken. */
  contended: number;
  /** See {@link ThreadContentionJson.wait}; quantiles are less than twice the true ones. */
  wait: DurationsJson | null;
  /** See {@link ThreadContentionJson.hold}; quantiles are less than twice the true ones. */
  hold: DurationsJson | null;
}

/**
 * The whole answer.
 *
 * Shape: `{"lock_timing":true,"threads":[{"thread":0,"kind":"io",…}],"shards":[{"shard":0,…}]}`.
 */
export interface ContentionJson {
  /** Whether waits and holds are measured. */
  lock_timing: boolean;
  /** All threads, also those that have not started. */
  threads: ThreadContentionJson[];
  /** All shards. */
  shards: ShardContentionJson[];
}

/** Elements written between two looks at the clock; some 0.2 ms. */
const ELEMENTS_PER_LOOK = 16;

/**
 * Makes the page, giving the thread back to others every millisecond.
 *
 * With 4,096 shards it is some 1.3 MB. What it shows was read one after the other, while others went
 * on: numbers of different shards need not fit together.
 *
 * Thread: any.
 */
export async function contentionPage(shared: SharedParts): Promise<Uint8Array<ArrayBuffer>> {
  const isTimed = shared.store.locks.timing !== undefined;
  const page = new PageWriter();
  page.write(`{"lock_timing":${isTimed},"threads":[`);
  await page.writeList(
    shared.threads.threadCount,
    (thread) => threadJson(shared, thread, isTimed),
  );
  page.write(`],"shards":[`);
  await page.writeList(shared.store.shardCount, (shard) => shardJson(shared, shard));
  page.write("]}");
  return page.bytes();
}

/** Puts a page together in slices. */
class PageWriter {
  readonly #parts: Uint8Array[] = [];
  #sliceEndMs = performance.now() + SLICE_MS;

  write(text: string): void {
    this.#parts.push(encodeText(text));
  }

  /** Writes the elements of a list, separated by commas. */
  async writeList(count: number, element: (index: number) => unknown): Promise<void> {
    for (let start = 0; start < count; start += ELEMENTS_PER_LOOK) {
      const length = Math.min(ELEMENTS_PER_LOOK, count - start);
      const texts = Array.from({ length }, (_, i) => JSON.stringify(element(start + i)));
      this.write((start > 0 ? "," : "") + texts.join(","));
      if (performance.now() < this.#sliceEndMs) continue;
      await nextTurn();
      this.#sliceEndMs = performance.now() + SLICE_MS;
    }
  }

  bytes(): Uint8Array<ArrayBuffer> {
    const whole = new Uint8Array(this.#parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of this.#parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }
}

function threadJson(
  { metrics, threads }: SharedParts,
  thread: number,
  isTimed: boolean,
): ThreadContentionJson {
  const { firstIoThreadId, firstWorkerThreadId } = threads;
  const read = (histogram: HistogramIndex): DurationsJson | null =>
    isTimed ? durationsJson(metrics.threadSnapshot(thread, histogram)) : null;
  const [kind, firstId] = thread >= firstWorkerThreadId
    ? ["worker", firstWorkerThreadId] as const
    : thread >= firstIoThreadId
    ? ["io", firstIoThreadId] as const
    : ["main", MAIN_THREAD_ID] as const;
  return {
    thread,
    kind,
    index: thread - firstId,
    wait: read(HistogramIndex.LOCK_WAIT),
    hold: read(HistogramIndex.LOCK_HOLD),
  };
}

function shardJson({ store: { locks } }: SharedParts, shard: number): ShardContentionJson {
  const { timing } = locks;
  return {
    shard,
    ...locks.counters(shard),
    wait: timing === undefined ? null : durationsJson(timing.waits(shard)),
    hold: timing === undefined ? null : durationsJson(timing.holds(shard)),
  };
}
