/**
 * The time that stopping may take, and each step's share of it.
 *
 * @module
 */

/**
 * What one step of a stop may spend.
 *
 * Thread: main isolate.
 */
export interface StopBudget {
  /** Aborted when the budget is used up, or when somebody wants the server to stop at once. */
  readonly signal: AbortSignal;
  /** True from then on. */
  readonly ended: boolean;
  /** What is left. Unit: ms. */
  readonly remainingMs: number;
}

/**
 * The whole stop's budget. Nothing runs before {@link StopDeadline.begin}.
 *
 * Thread: main isolate.
 */
export class StopDeadline implements StopBudget, Disposable {
  readonly #totalMs: number;
  readonly #controller = new AbortController();
  #endsAtMs = Infinity;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #hurried = false;

  /**
   * Makes a budget that has not begun.
   *
   * @param totalMs what `--shutdown-timeout` says
   */
  constructor(totalMs: number) {
    this.#totalMs = totalMs;
  }

  /** Starts the clock; later calls change nothing. */
  begin(): void {
    if (this.#endsAtMs !== Infinity) return;
    this.#endsAtMs = performance.now() + this.#totalMs;
    this.#timer = setTimeout(() => this.#controller.abort(), this.#totalMs);
  }

  /** Ends it now: every step that waits gives up. */
  hurry(): void {
    this.#hurried = true;
    this.#controller.abort();
  }

  /** True when {@link StopDeadline.hurry} was called. */
  get hurried(): boolean {
    return this.#hurried;
  }

  /** See {@link StopBudget.signal}. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** See {@link StopBudget.ended}. */
  get ended(): boolean {
    return this.#controller.signal.aborted;
  }

  /** See {@link StopBudget.remainingMs}. Infinite before {@link StopDeadline.begin}. */
  get remainingMs(): number {
    return this.ended ? 0 : Math.max(0, this.#endsAtMs - performance.now());
  }

  /**
   * A part of what is left, for one step.
   *
   * @param share between 0 and 1, of the time that remains now
   */
  slice(share: number): StopSlice {
    return new StopSlice(this, this.remainingMs * share);
  }

  /** Stops the clock. */
  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}

/**
 * One step's budget; ends by itself or with the whole stop's.
 *
 * Thread: main isolate.
 */
export class StopSlice implements StopBudget, Disposable {
  readonly #controller = new AbortController();
  readonly #endsAtMs: number;
  readonly #timer: ReturnType<typeof setTimeout>;
  readonly #parent: StopDeadline;
  readonly #end = (): void => this.#controller.abort();

  /** Made by {@link StopDeadline.slice}. */
  constructor(parent: StopDeadline, durationMs: number) {
    this.#parent = parent;
    this.#endsAtMs = performance.now() + durationMs;
    this.#timer = setTimeout(this.#end, durationMs);
    parent.signal.addEventListener("abort", this.#end);
    if (parent.ended) this.#end();
  }

  /** See {@link StopBudget.signal}. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** See {@link StopBudget.ended}. */
  get ended(): boolean {
    return this.#controller.signal.aborted;
  }

  /** See {@link StopBudget.remainingMs}. */
  get remainingMs(): number {
    return this.ended ? 0 : Math.max(0, this.#endsAtMs - performance.now());
  }

  /** Stops its clock. */
  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#parent.signal.removeEventListener("abort", this.#end);
  }
}
