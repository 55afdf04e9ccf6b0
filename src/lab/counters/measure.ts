/**
 * Measures what one increment costs, by the way of counting and the number of threads.
 *
 * Threads that are to fight for something must run at the same time. Where other programs have the
 * processors, all ways of counting cost about the same. So each turn, in which every way has a
 * round, is judged by how many processors its threads had: those of the way that never waits. Turns
 * go on until enough of them were undisturbed, or there were very many; where none was, the costs
 * are those of the disturbed ones, and {@link CounterFindings.processors} says so.
 *
 * @module
 */

import { Crew } from "../crew/crew.ts";
import type { CounterPoint } from "../model.ts";
import type { StageContext } from "../stage.ts";
import {
  COUNTER_KINDS,
  type CounterKind,
  CounterMemory,
  COUNTING_THREADS_MAX,
  incrementTasks,
} from "./increments.ts";

/** The way that is wrong on purpose; its cost says nothing. */
export const WRONG_KIND = "no lock at all" satisfies CounterKind;
/** The way in which no thread ever waits for another. */
const TIRELESS_KIND = "padded atomics, one per thread" satisfies CounterKind;

/** Fewest threads at the most, so that there are more of them than processors on a small machine. */
const THREADS_LEAST = 4;
const THREAD_STEPS: readonly number[] = [1, 2, 3, 4, 6, 8, 12, COUNTING_THREADS_MAX];
/** Share of the processors that the threads could use, above which a turn was undisturbed. */
const UNDISTURBED_SHARE = 0.85;

/** What to measure. */
export interface CounterPlan {
  /** Numbers of threads. */
  readonly threadCounts: readonly number[];
  /** Processors that there are. */
  readonly processorCount: number;
  /** Undisturbed turns wanted of each number of threads; their median counts. */
  readonly turns: number;
  /** Turns after which the disturbed ones have to do. */
  readonly turnsMax: number;
  /** How long each way counts in a turn. Unit: ms. */
  readonly roundMs: number;
}

/** What was counted in one way by one number of threads, all turns together. */
export interface CountedTotal {
  /** How. */
  readonly kind: CounterKind;
  /** Threads that counted. */
  readonly threads: number;
  /** Increments that the threads made. */
  readonly made: number;
  /** Those that are in the counters. */
  readonly counted: number;
}

/** Processors that a number of threads had. */
export interface ProcessorsHad {
  /** Threads. */
  readonly threads: number;
  /** How many of the processors they had, in the turns that count; 0 = unknown. */
  readonly had: number;
  /** How many they could have used. */
  readonly wanted: number;
  /** Turns that count. */
  readonly turns: number;
  /** Turns that do not, because other programs had the processors. */
  readonly leftOut: number;
}

/** Whether other programs had the processors, so that the costs say little. */
export function isDisturbed({ had, wanted }: Pick<ProcessorsHad, "had" | "wanted">): boolean {
  return had !== 0 && had < wanted * UNDISTURBED_SHARE;
}

/** What came out. */
export interface CounterFindings {
  /** One per way of counting and number of threads, without {@link WRONG_KIND}. */
  readonly points: readonly CounterPoint[];
  /** The same, {@link WRONG_KIND} included. */
  readonly totals: readonly CountedTotal[];
  /** One per number of threads. */
  readonly processors: readonly ProcessorsHad[];
}

/** Numbers of threads up to one per processor, but at least to 4 and at most to 16. */
export function threadCountsFor(processorCount: number): number[] {
  const most = Math.min(Math.max(processorCount, THREADS_LEAST), COUNTING_THREADS_MAX);
  const counts = THREAD_STEPS.filter((count) => count <= most);
  return counts.includes(most) ? counts : [...counts, most];
}

/**
 * Counts in all ways, with all numbers of threads.
 *
 * @throws what the signal was aborted with
 */
export async function measureCounters(
  { signal, show }: Pick<StageContext, "signal" | "show">,
  plan: CounterPlan,
): Promise<CounterFindings> {
  signal.throwIfAborted();
  const { threadCounts } = plan;
  using crew = new Crew(Math.max(...threadCounts));
  const memory = CounterMemory.create("mutex");
  const measured: ThreadTurns[] = [];
  for (const [i, threads] of threadCounts.entries()) {
    const turns = new ThreadTurns(threads, plan);
    while (!turns.areEnough) {
      show((i + turns.share) / threadCounts.length, `${threads} of ${threadCounts.at(-1)} threads`);
      await turns.take(crew, memory, signal);
    }
    measured.push(turns);
  }
  return {
    points: measured.flatMap((turns) => turns.points()),
    totals: measured.flatMap((turns) => turns.totals()),
    processors: measured.map((turns) => turns.processors()),
  };
}

/** One turn. */
interface Turn {
  /** Processors that the threads had. */
  readonly processors: number;
  /** Cost of an increment, by the index of the way. Unit: ns. */
  readonly costsNs: readonly number[];
}

/** The turns of one number of threads. */
class ThreadTurns {
  readonly #threads: number;
  readonly #plan: CounterPlan;
  readonly #wanted: number;
  readonly #turns: Turn[] = [];
  readonly #made = COUNTER_KINDS.map(() => 0);
  readonly #counted = COUNTER_KINDS.map(() => 0);

  constructor(threads: number, plan: CounterPlan) {
    this.#threads = threads;
    this.#plan = plan;
    this.#wanted = Math.min(threads, plan.processorCount);
  }

  get areEnough(): boolean {
    const { turns, turnsMax } = this.#plan;
    return this.#undisturbed().length >= turns || this.#turns.length >= turnsMax;
  }

  /** How much of it is done, 0 to 1. */
  get share(): number {
    const { turns, turnsMax } = this.#plan;
    return Math.max(this.#undisturbed().length / turns, this.#turns.length / turnsMax);
  }

  async take(crew: Crew, memory: CounterMemory, signal: AbortSignal): Promise<void> {
    const costsNs: number[] = [];
    let had = 0;
    for (const [i, kind] of COUNTER_KINDS.entries()) {
      memory.reset();
      const tasks = incrementTasks(memory, kind, this.#threads);
      const { workCount, wallMs, processors } = await crew.runFor({
        tasks,
        durationMs: this.#plan.roundMs,
        signal,
      });
      signal.throwIfAborted();
      costsNs.push(wallMs * 1e6 / workCount);
      this.#made[i]! += workCount;
      this.#counted[i]! += memory.total(kind);
      if (kind === TIRELESS_KIND) had = processors;
    }
    this.#turns.push({ processors: had, costsNs });
  }

  points(): CounterPoint[] {
    return COUNTER_KINDS.flatMap((kind, i) => {
      if (kind === WRONG_KIND) return [];
      const nsPerIncrement = median(this.#counting().map(({ costsNs }) => costsNs[i]!));
      return [{ kind, threads: this.#threads, nsPerIncrement }];
    });
  }

  totals(): CountedTotal[] {
    return COUNTER_KINDS.map((kind, i) => {
      const [made, counted] = [this.#made[i]!, this.#counted[i]!];
      return { kind, threads: this.#threads, made, counted };
    });
  }

  processors(): ProcessorsHad {
    const counting = this.#counting();
    return {
      threads: this.#threads,
      had: median(counting.map(({ processors }) => processors)),
      wanted: this.#wanted,
      turns: counting.length,
      leftOut: this.#turns.length - counting.length,
    };
  }

  /** The turns that count: undisturbed ones, if there are any. */
  #counting(): readonly Turn[] {
    const undisturbed = this.#undisturbed();
    return undisturbed.length > 0 ? undisturbed : this.#turns;
  }

  #undisturbed(): Turn[] {
    return this.#turns.filter(({ processors }) =>
      !isDisturbed({ had: processors, wanted: this.#wanted })
    );
  }
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1]!;
}
