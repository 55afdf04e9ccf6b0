/** Workers that run a function of tests/unit/embed/crew_worker.ts. */

/** What a worker is told. */
export interface CrewOrders {
  /** Which function. */
  readonly task: string;
  /** What it is given. */
  readonly input: unknown;
}

/** A worker that runs one function and says what it returned. */
export class CrewMember implements Disposable {
  /** What the function returned. */
  readonly result: Promise<unknown>;
  readonly #worker: Worker;
  readonly #messages: unknown[] = [];
  #waiting: ((message: unknown) => void) | undefined;

  /** Starts it. */
  constructor(task: string, input: unknown) {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.result = promise;
    const worker = new Worker(new URL("./crew_worker.ts", import.meta.url), { type: "module" });
    worker.onmessage = ({ data }) => {
      if (data.kind === "result") return resolve(data.value);
      if (this.#waiting === undefined) this.#messages.push(data.value);
      else this.#waiting(data.value);
      this.#waiting = undefined;
    };
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(event.message));
    };
    worker.postMessage({ task, input } satisfies CrewOrders);
    this.#worker = worker;
  }

  /** The next thing that it says before its result. */
  heard(): Promise<unknown> {
    if (this.#messages.length > 0) return Promise.resolve(this.#messages.shift());
    return new Promise((resolve) => this.#waiting = resolve);
  }

  /** Ends it. */
  [Symbol.dispose](): void {
    this.#worker.terminate();
  }
}

/** Where the runtime has no Web Locks (Deno before 2.9), programs say themselves that a thread ended. */
export async function sayIfNobodyNotices(say: () => void): Promise<void> {
  if ("locks" in navigator) return;
  await new Promise((resolve) => setTimeout(resolve, 500));
  say();
}
