/**
 * A client that subscribes: what to, and how to reach it.
 *
 * @module
 */

import type { ByteWriter } from "../../base/bytes.ts";
import type { ClientState } from "../client_state.ts";

/**
 * Most channels and patterns of one client.
 *
 * Unit: subscriptions. Reason: each takes some 300 bytes of the thread's heap.
 */
export const SUBSCRIPTIONS_MAX = 65_536;

/**
 * Most that the names of one client's channels and patterns take together.
 *
 * Unit: bytes. Reason: as many names of usual length as {@link SUBSCRIPTIONS_MAX}.
 */
export const SUBSCRIPTION_NAMES_MAX_BYTES = 4_194_304;

/** Why a subscriber was cut off. */
export type CutOffReason =
  /** It does not read what was published. */
  | "does not read"
  /** More was published than its thread could take in. */
  | "missed a message";

/**
 * A connection to which something can be pushed that answers no command.
 *
 * Thread: the connection's I/O thread.
 */
export interface PushTarget {
  /** Where to append whole messages; ask each time. */
  readonly writer: ByteWriter;
  /** What was pushed and is not written to the socket yet. Unit: bytes. */
  readonly pendingBytes: number;
  /** Whether the connection may be silent for as long as it likes. */
  isSubscriber: boolean;
  /** Has what was appended written as soon as no reply is in the way. */
  wake(): void;
  /** Closes the connection at once. */
  cutOff(): void;
}

/** One client's subscriptions. Thread: the connection's I/O thread. */
export class Subscriber {
  /** The client. */
  readonly client: ClientState;
  /** Its connection. */
  readonly target: PushTarget;
  /** Names of channels, one character per byte. */
  readonly channels = new Set<string>();
  /** Names of shard channels. */
  readonly shardChannels = new Set<string>();
  /** Patterns. */
  readonly patterns = new Set<string>();
  /** Bytes of all names. */
  nameBytes = 0;
  /** Since when too much is pending, ms by `performance.now()`; 0 = it is not. */
  overSoftLimitSinceMs = 0;
  /** Something was appended since it was woken last. */
  isTouched = false;
  /** It is being closed: nothing more is pushed to it. */
  isOver = false;

  /** Subscribes to nothing yet. */
  constructor(client: ClientState, target: PushTarget) {
    this.client = client;
    this.target = target;
  }

  /** Subscriptions of all kinds. */
  get count(): number {
    return this.channels.size + this.shardChannels.size + this.patterns.size;
  }

  /** Whether another name of so many bytes would be too much. */
  isFull(count: number, nameBytes: number): boolean {
    return this.count + count > SUBSCRIPTIONS_MAX ||
      this.nameBytes + nameBytes > SUBSCRIPTION_NAMES_MAX_BYTES;
  }
}
