/**
 * What the stress of clients that wait for keys shares between its threads, and what each reports.
 *
 * @module
 */

import type { InboxMemory } from "../../src/channel/inbox.ts";
import type { StoreMemory } from "../../src/store/store.ts";
import type { WaitMemory } from "../../src/store/wait_region.ts";

/** Word offsets in the evidence region. */
export const WaiterEvidence = {
  START: 0,
  /** Something is wrong: everybody ends. */
  STOP: 16,
  /** Number of the round under way, from 1. */
  ROUND: 32,
  /** How often a thread's pushers were done with a round. */
  PUSHED: 48,
  /** All rounds are over: clients that still wait are sent away. */
  FINISH: 96,
  /** Counts up whenever a client joins a queue, under the lock of its keys. */
  TICKET: 64,
  WORDS: 112,
} as const;

/** What a thread is told. */
export interface WaiterOrders {
  /** Counted from 0; as a thread of the store it is one more. */
  readonly thread: number;
  readonly threads: number;
  /** Rounds; at the end of each, nobody may sleep whose key has something. */
  readonly rounds: number;
  /** Things that each of its pushers does in a round. */
  readonly deedsPerRound: number;
  /** So long may it take until nothing of a client is left. Unit: ms. */
  readonly patienceMs: number;
  readonly seed: number;
  readonly store: StoreMemory;
  readonly region: WaitMemory;
  readonly inboxes: readonly InboxMemory[];
  readonly evidence: SharedArrayBuffer;
  /** Where `BlockedClients` comes from: the real one, or a broken twin. */
  readonly module: string;
}

/** A client that had waited was served: from which key, with what, and when it had joined. */
export type FairServing = readonly [key: number, element: number, ticket: number];

/** What a thread did. */
export interface WaiterReport {
  /** Names of elements that it pushed. */
  readonly pushed: string[];
  /** Names of those that its clients were given. */
  readonly taken: string[];
  readonly servings: FairServing[];
  /** What happened how often. */
  readonly counts: Record<string, number>;
  /** The first thing that must not be, or "". */
  violation: string;
}

/** Keys that several clients push to and wait for, with any command. */
export const SHARED_LISTS: readonly string[] = ["l0", "l1", "l2"];
/** The same, sorted sets. */
export const SHARED_SETS: readonly string[] = ["z0", "z1", "z2"];

/** The list that only one pusher makes, and overwrites when it is gone. */
export function ownList(thread: number, pusher: number): string {
  return `o${thread}.${pusher}`;
}

/** The sorted set that only one pusher makes. */
export function ownSet(thread: number, pusher: number): string {
  return `p${thread}.${pusher}`;
}

/** The list of a thread to which numbers are pushed in their order, and nothing comes back. */
export function fairList(thread: number): string {
  return `f${thread}`;
}

/** Pushers of a thread. */
export const PUSHERS = 2;
