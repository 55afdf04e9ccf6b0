/**
 * What stands behind a protocol in the benches of codecs: a store, the command table and the intake
 * of events, all of them real, but for the ends that other benches measure.
 *
 * The channel takes every job and forgets it (or is full), and nothing is counted: see
 * channel_bench.ts and counters_bench.ts.
 *
 * @module
 */

import { Authenticator } from "../src/command/authenticator.ts";
import { LocalClients } from "../src/command/client_directory.ts";
import { Dispatcher } from "../src/command/dispatch.ts";
import { EventIntake } from "../src/command/event_intake.ts";
import { EventWaits } from "../src/command/event_waits.ts";
import type { CommandTable } from "../src/command/lookup.ts";
import { Operations } from "../src/command/operations.ts";
import type { ServerSnapshot } from "../src/command/services.ts";
import { makeCommandTable } from "../src/command/table.ts";
import { Store } from "../src/store/store.ts";

/** Ids for counters that nobody reads; each part wants some of its own. */
export const CounterId = {
  RECEIVED: 0,
  DROPPED_BUSY: 1,
  DROPPED_OUT_OF_MEMORY: 2,
  DROPPED_SHUTTING_DOWN: 3,
  INVALID: 4,
  DROPPED_STORAGE: 5,
  PARKED_COMMANDS: 6,
  AUTH_FAILURES: 7,
  DUPLICATES: 8,
  FORGOTTEN_IDS: 9,
  /** The first that is free for a session. */
  SESSION: 10,
} as const;

/** Parts of a server; see {@link makeServerParts}. */
export interface ServerParts {
  readonly store: Store;
  readonly table: CommandTable;
  readonly phase: { readonly stopping: boolean };
  readonly counters: { add(): void };
  readonly intake: EventIntake;
  readonly authenticator: Authenticator;
  readonly clients: LocalClients;
  readonly dispatcher: Dispatcher;
}

/**
 * Makes the parts, with an empty store of 64 shards.
 *
 * @param isFull whether the channel refuses every event
 */
export function makeServerParts(isFull = false): ServerParts {
  const store = Store.create({
    shardCount: 64,
    lockKind: "mutex",
    maxMemoryBytes: 64 * 2 ** 20,
    maxValueBytes: 2 ** 20,
    threadCount: 2,
  });
  const counters = { add: () => {} };
  const phase = { stopping: false };
  const table = makeCommandTable();
  const clients = new LocalClients();
  const authenticator = new Authenticator({
    password: new Uint8Array(0),
    counters,
    failures: CounterId.AUTH_FAILURES,
  });
  const intake = makeIntake(isFull, counters, phase);
  const dispatcher = new Dispatcher({
    store,
    intake,
    authenticator,
    clients,
    table,
    settings: new Map(),
    operations: Operations.alone(table, phase),
    snapshot: () => ({ version: "bench" }) as ServerSnapshot,
    clock: Date.now,
    counters,
    counterIds: { parkedCommands: CounterId.PARKED_COMMANDS },
  });
  return { store, table, phase, counters, intake, authenticator, clients, dispatcher };
}

function makeIntake(
  isFull: boolean,
  counters: ServerParts["counters"],
  phase: ServerParts["phase"],
): EventIntake {
  return new EventIntake({
    channel: {
      closed: false,
      depth: 0,
      tryReserve: () => !isFull,
      put: () => false,
      callConsumer: () => {},
      cancelReservation: () => {},
    },
    credits: { tryAcquire: () => true, release: () => {} },
    phase,
    counters,
    counterIds: {
      received: CounterId.RECEIVED,
      droppedBusy: CounterId.DROPPED_BUSY,
      droppedOutOfMemory: CounterId.DROPPED_OUT_OF_MEMORY,
      droppedShuttingDown: CounterId.DROPPED_SHUTTING_DOWN,
      droppedStorage: CounterId.DROPPED_STORAGE,
      invalid: CounterId.INVALID,
      duplicates: CounterId.DUPLICATES,
      forgottenIds: CounterId.FORGOTTEN_IDS,
    },
    waits: new EventWaits(0),
    settledTotal: () => 0,
  });
}
