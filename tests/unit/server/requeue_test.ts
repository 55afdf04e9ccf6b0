import assert from "node:assert/strict";
import { encodeJob, EventFields, JobFlag, JobView, MAX_JOB_BYTES } from "../../../src/base/job.ts";
import { requeueEvents, type RequeueParts } from "../../../src/server/requeue.ts";
import { StartError } from "../../../src/server/start_error.ts";

function jobs(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, number) => {
    const event = new EventFields();
    event.user.set(new Uint8Array([97]), 0, 1);
    event.action.set(new Uint8Array([98]), 0, 1);
    event.number = number;
    const bytes = new Uint8Array(MAX_JOB_BYTES);
    return bytes.slice(0, encodeJob(event, bytes, 0));
  });
}

/** A channel and memory for so many events, and a worker that settles one at a time. */
class World implements RequeueParts {
  readonly taken: number[] = [];
  readonly #waiting: Uint8Array[] = [];
  #reserved = 0;
  #credits: number;
  #pending = 0;
  #mostPending = 0;
  #isCalled = false;

  constructor(
    readonly capacity: number,
    credits: number,
    readonly signal = new AbortController().signal,
  ) {
    this.#credits = credits;
  }

  get mostPending(): number {
    return this.#mostPending;
  }

  readonly channel = {
    jobBytes: MAX_JOB_BYTES,
    tryReserve: (): boolean => {
      if (this.#waiting.length + this.#reserved >= this.capacity) return false;
      this.#reserved++;
      return true;
    },
    put: (bytes: Uint8Array, start: number, end: number): boolean => {
      this.#reserved--;
      this.#waiting.push(bytes.slice(start, end));
      return true;
    },
    callConsumer: (): void => {
      if (this.#isCalled) return;
      this.#isCalled = true;
      setTimeout(() => this.#settle(), 2);
    },
  };

  readonly credits = {
    tryAcquire: (): boolean => {
      if (this.#credits === 0) return false;
      this.#credits--;
      return true;
    },
    release: (): void => {
      this.#credits++;
    },
  };

  readonly counters = {
    add: (): void => {
      this.#mostPending = Math.max(this.#mostPending, ++this.#pending);
    },
  };

  get spareCredits(): number {
    return this.#credits;
  }

  readonly pendingCount = (): number => this.#pending;

  #settle(): void {
    const bytes = this.#waiting.shift()!;
    this.taken.push(new JobView().attach(bytes, 0, bytes.length).number);
    this.#pending--;
    // Later than it counts, as workers do.
    setTimeout(() => this.#credits++, 2);
    this.#isCalled = false;
    if (this.#waiting.length > 0) this.channel.callConsumer();
  }

  async drained(): Promise<void> {
    while (this.#pending > 0) await new Promise((resolve) => setTimeout(resolve, 1));
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

for (const [capacity, credits] of [[100, 3], [3, 100], [2, 2], [1, 1]] as const) {
  Deno.test(`requeue: with room for ${capacity} and memory for ${credits}, all are settled in order`, async () => {
    const world = new World(capacity, credits);
    assert.equal(await requeueEvents(jobs(20), world), 20);
    await world.drained();
    assert.deepEqual(world.taken, Array.from({ length: 20 }, (_, number) => number));
    assert.ok(world.mostPending <= credits);
  });
}

Deno.test("requeue: with no memory for a single balance the start is refused", async () => {
  const world = new World(10, 0);
  await assert.rejects(
    requeueEvents(jobs(1), world),
    (error: unknown) => error instanceof StartError && error.message.includes("--max-memory"),
  );
});

for (const [capacity, credits, what] of [[3, 100, "room"], [100, 3, "memory"]] as const) {
  Deno.test(`requeue: a wish to stop ends a wait for ${what}; what was put is settled`, async () => {
    const wish = new AbortController();
    const world = new World(capacity, credits, wish.signal);
    // Nobody takes: as when the workers have died for good.
    world.channel.callConsumer = () => {};
    const count = requeueEvents(jobs(20), world);
    setTimeout(() => wish.abort(), 20);
    assert.equal(await count, 3);
    assert.equal(world.spareCredits, credits - 3, "the memory for those that were not put is free");
  });
}

Deno.test("requeue: an event with further fields is not given to who knows none", async () => {
  const [job] = [...jobs(1)];
  const withFields = job!.slice();
  withFields[1]! |= JobFlag.HAS_FIELDS;
  const world = new World(10, 10);
  await assert.rejects(
    requeueEvents([withFields], world),
    (error: unknown) => error instanceof StartError && error.message.includes("--processor"),
  );
});
