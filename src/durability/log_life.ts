/// <reference lib="deno.worker" />
/**
 * The life of the log's thread: an isolate of its own that writes what the others put into the log.
 *
 * Its loop never returns to the event loop; it hears of wishes through shared memory.
 *
 * @module
 */

import { EventIds, type EventIdsMemory } from "../store/event_ids.ts";
import { Store, type StoreMemory } from "../store/store.ts";
import { DenoStorage } from "./deno_storage.ts";
import { Drain } from "./drain.ts";
import type { IntakeMemory } from "./intake_layout.ts";
import { type LogEvent, LogKeeper } from "./log_keeper.ts";
import type { LogEnd } from "./log_reader.ts";
import { LogStatus } from "./log_status.ts";
import { PendingEvents } from "./pending_events.ts";
import { openLog } from "./recovery.ts";
import type { Storage } from "./storage.ts";
import type { SyncPolicy } from "./sync_policy.ts";

/** The longest sleep: what was put in is written then, whoever wants it. Unit: ms. */
const IDLE_SLICE_MS = 50;
/**
 * How far a segment is made longer ahead of what is written, where each write is synced. A sync that
 * makes a file longer takes the file system twice as long: it has to note the new length in its journal.
 * Unit: bytes.
 */
const RESERVE_BYTES = 2 ** 20;

/** What the thread is told. */
export interface LogOrders {
  /** The directory. */
  readonly path: string;
  /** Of the directory. */
  readonly history: Uint8Array;
  /** Where its log ends. */
  readonly log: LogEnd;
  /** Events that were pending there: numbers and jobs. */
  readonly pending: ReadonlyMap<number, Uint8Array>;
  /** Where its snapshot begins; without one, 0. */
  readonly snapshotPosition: number;
  /** The way into the log. */
  readonly intake: IntakeMemory;
  /** What others see. */
  readonly status: SharedArrayBuffer;
  /** What snapshots are of. */
  readonly store: StoreMemory;
  /** Ids of events that are remembered; absent: none are. */
  readonly eventIds?: EventIdsMemory | undefined;
  /** This thread's id. */
  readonly threadId: number;
  /** How many databases there are. */
  readonly databaseCount: number;
  /** When to sync. */
  readonly policy: SyncPolicy;
  /** A segment of this length is followed by another one. Unit: bytes. */
  readonly segmentBytes: number;
  /** See `LogKeeperOptions.snapshotEveryBytes`. */
  readonly snapshotEveryBytes: number;
}

/** What the thread tells; errors as text. */
export type LogMessage =
  | { readonly kind: "open" }
  | { readonly kind: "stopped"; readonly isComplete: boolean }
  | { readonly kind: "died"; readonly error: string }
  | { readonly kind: "failed" | "snapshot failed"; readonly error: string }
  | Exclude<LogEvent, { kind: "failed" | "snapshot failed" }>;

function tell(message: LogMessage): void {
  self.postMessage(message);
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Returns whether everything is on the disk. */
function keep(orders: LogOrders, storage: Storage): boolean {
  const { history, policy, databaseCount, snapshotEveryBytes } = orders;
  const clock = Date.now;
  const drain = new Drain(orders.intake);
  const status = new LogStatus(orders.status);
  const keeper = new LogKeeper({
    storage,
    history,
    log: openLog(
      storage,
      orders,
      orders.segmentBytes,
      clock,
      policy === "always" ? RESERVE_BYTES : 0,
    ),
    drain,
    store: Store.attach(orders.store, orders.threadId, false),
    databaseCount,
    eventIds: orders.eventIds && EventIds.attach(orders.eventIds),
    policy,
    snapshotEveryBytes,
    pending: new PendingEvents(orders.pending),
    status,
    clock,
    report: (event) => tell("error" in event ? { ...event, error: textOf(event.error) } : event),
  }, orders.snapshotPosition);
  tell({ kind: "open" });
  for (let wishes = status.wishes;;) {
    const calls = drain.calls;
    if (status.isStopWanted) return keeper.stop();
    if (status.wishes !== wishes) {
      wishes = status.wishes;
      keeper.wantSnapshot();
    }
    const restMs = keeper.turn();
    if (restMs > 0) drain.sleep(calls, Math.min(restMs, IDLE_SLICE_MS));
  }
}

/**
 * Waits for its orders and follows them.
 *
 * Thread: the log's, once.
 *
 * @param open shows the directory; tests put something in its place that fails
 */
export function liveAsLogThread(
  open: (path: string) => Storage = (path) => new DenoStorage(path),
): void {
  self.onmessage = ({ data }: MessageEvent<LogOrders>) => {
    try {
      tell({ kind: "stopped", isComplete: keep(data, open(data.path)) });
    } catch (error) {
      // An uncaught exception would be printed past the log.
      tell({
        kind: "died",
        error: error instanceof Error ? error.stack ?? error.message : `${error}`,
      });
    }
    self.close();
  };
}
