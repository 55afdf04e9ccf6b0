/**
 * Runs threads that offer the same ids at the same time: of all who offer an id one is the first, and
 * whoever finds it sees what that one has settled it with.
 *
 * @module
 */

import { EventIds } from "../../src/store/event_ids.ts";
import { enlist, sumOf } from "./crew.ts";
import type { Mutation } from "./twin.ts";

/** Where ids are remembered. */
export const EVENT_IDS_URL = new URL("../../src/store/event_ids.ts", import.meta.url);

/** Defects; none of them leaves a ring that a thread would follow for ever. */
export const EVENT_ID_MUTATIONS: readonly (Mutation & { maxIds: number })[] = [
  {
    name: "looks for the id, and takes the lock again to remember it",
    maxIds: 2 ** 20,
    find: "    if (isNew) this.#insert(stripe, Math.round(acceptedAtMs * 1000), state);",
    replace: `    this.#unlock(stripe);
    for (let i = 0; i < 200; i++) Atomics.pause();
    this.#lock();
    if (isNew) this.#insert(stripe, Math.round(acceptedAtMs * 1000), state);`,
  },
  {
    name: "settles whatever has the place",
    maxIds: 64,
    find: `    if (Atomics.load(words, at + STATE) !== pending) return;`,
    replace: `    Atomics.store(words, at + STATE, pending);`,
  },
];

/** Words of the shared evidence; those from FIRSTS on say how many were the first with an id. */
export const EventIdEvidence = { START: 0, DRAWN: 1, FIRSTS: 16 } as const;

/** What a thread is told. */
export interface EventIdOrders {
  readonly module: string;
  readonly buffer: SharedArrayBuffer;
  readonly evidence: SharedArrayBuffer;
  readonly idCount: number;
  readonly thread: number;
  readonly offersPerId: number;
  /** There is room for all ids. */
  readonly isNoneForgotten: boolean;
}

/** What a thread saw. */
export interface EventIdReport {
  /** Ids that another thread had remembered just before. */
  meetings: number;
  /** Outcomes that were seen. */
  outcomes: number;
  /** What must not be; "" when all is well. */
  violation: string;
}

/** What to run. */
export interface EventIdStress {
  readonly threads: number;
  readonly idCount: number;
  /** How often each id is offered, by whichever threads. */
  readonly offersPerId: number;
  /** Ids that are remembered. */
  readonly maxIds: number;
  readonly module?: string;
}

/** What came out. */
export interface EventIdResult {
  readonly meetings: number;
  readonly outcomes: number;
  readonly violation: string;
}

/** Runs one stress to its end. */
export async function runEventIdStress(stress: EventIdStress): Promise<EventIdResult> {
  const { threads, idCount, offersPerId, maxIds, module = EVENT_IDS_URL.href } = stress;
  const ids = EventIds.create({ maxIds, windowMs: 3_600_000 });
  const evidence = new Int32Array(
    new SharedArrayBuffer((EventIdEvidence.FIRSTS + 2 * idCount) * 4),
  );
  const crew = Array.from({ length: threads }, (_, thread) => {
    const orders: EventIdOrders = {
      module,
      buffer: ids.memory.buffer,
      evidence: evidence.buffer,
      idCount,
      thread,
      offersPerId,
      isNoneForgotten: maxIds >= 2 * idCount,
    };
    const url = new URL("./event_id_worker.ts", import.meta.url);
    return enlist<EventIdReport>(url, `ids ${thread}`, orders);
  });
  await Promise.all(crew.map(({ ready }) => ready));
  Atomics.store(evidence, EventIdEvidence.START, 1);
  Atomics.notify(evidence, EventIdEvidence.START);
  const reports = await Promise.all(crew.map(({ report }) => report));
  let violation = reports.map((report) => report.violation).find((text) => text !== "") ?? "";
  const firsts = evidence.subarray(EventIdEvidence.FIRSTS, EventIdEvidence.FIRSTS + idCount);
  if (firsts.some((count) => count === 0)) violation ||= "nobody was the first with an id";
  try {
    ids.assertInvariants();
  } catch (error) {
    violation ||= String(error);
  }
  return {
    meetings: sumOf(reports, ({ meetings }) => meetings),
    outcomes: sumOf(reports, ({ outcomes }) => outcomes),
    violation,
  };
}
