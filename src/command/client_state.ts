/**
 * What the server remembers about one client between its commands.
 *
 * @module
 */

import type { ClientMemory } from "../base/client_memory.ts";
import type { PushTarget, Subscriber } from "./pubsub/subscriber.ts";
import type { CommandRow } from "./row.ts";
import type { Transaction, WatchedKeys } from "./transaction.ts";

/**
 * Most bytes of lines of a monitor that may wait for a client.
 *
 * Reason: who is so far behind does not read; a thousand lines fit many times.
 */
export const PUSHED_BYTES_MAX = 1_048_576;

/** Which replies a client gets; see `CLIENT REPLY`. */
export const ReplyMode = {
  /** All of them. */
  ON: 0,
  /** None. */
  OFF: 1,
  /** The running command's reply and the next one are left out. */
  SKIP_NEXT: 2,
  /** The running command's reply is left out, the next one is sent. */
  SKIP: 3,
} as const;

/** One of the values of {@link ReplyMode}. */
export type ReplyMode = (typeof ReplyMode)[keyof typeof ReplyMode];

/** A connection, as far as its client's state goes. */
export interface ClientOrigin {
  /** Ends the connection: at once if it only waits, else behind the output that it has. */
  end?: () => void;
  /** Where to push what answers no command; when left out, it cannot subscribe. */
  pushTarget?: PushTarget;
  /**
   * Told when a command begins to wait for something that may never come: what to call when the
   * client goes; and, with undefined, when it waits no more.
   */
  waiting?: (leave: (() => void) | undefined) => void;
  /** Number of the connection, unique in this process and never used again. */
  id: number;
  /** Peer as `address:port`; may be empty. */
  address?: string;
  /** Own end as `address:port`; may be empty. */
  localAddress?: string;
  /** Peer without its port, as `parseAddress` reads it; may be empty. */
  hostname?: string;
  /** Whether what it says and hears is encrypted on its way. */
  isSecure?: boolean;
  /** When it opened, ms since the epoch. */
  connectedAtMs: number;
  /** Lends what is kept for the client between its commands. */
  memory?: ClientMemory | undefined;
}

/**
 * One client's state.
 *
 * Thread: belongs to one connection.
 */
export class ClientState {
  /** Number of the connection. */
  readonly id: number;
  /** RESP version of its replies, 2 or 3. */
  protocol: 2 | 3 = 2;
  /** Database that its keys are in. */
  database = 0;
  /** Which replies it gets. */
  replyMode: ReplyMode = ReplyMode.ON;
  /** Set by `CLIENT SETNAME`. */
  name = "";
  /** Set by `CLIENT SETINFO LIB-NAME`. */
  libraryName = "";
  /** Set by `CLIENT SETINFO LIB-VER`. */
  libraryVersion = "";
  /** Set by `CLIENT NO-EVICT`. */
  noEvict = false;
  /** Set by `CLIENT NO-TOUCH`. */
  noTouch = false;

  /** Whether it presented the password, or none is asked for. */
  authenticated: boolean;
  /** Wrong passwords that it presented. */
  wrongPasswords = 0;
  /** When it sent something last, ms since the epoch. */
  lastSeenMs: number;
  /** What it called last. */
  lastRow: CommandRow | undefined = undefined;
  /** Another client had it closed: nothing more of it is executed. */
  ended = false;
  /** What was queued since `MULTI`; undefined outside of a transaction. */
  transaction: Transaction | undefined = undefined;
  /** What it watches, if anything. */
  watchedKeys: WatchedKeys | undefined = undefined;

  /** Code of the error that it was replied last; -1 = none since somebody looked. */
  lastError: number = -1;
  /** It is shown every command. */
  isMonitor = false;
  /** Ends the blocking command that it waits for, if it does; see `CLIENT UNBLOCK`. */
  unblock: ((withError: boolean) => boolean) | undefined = undefined;
  /** What it subscribes to; undefined until it does for the first time. */
  subscriptions: Subscriber | undefined = undefined;
  /** Channels, shard channels and patterns that it subscribes to. */
  subscriptionCount = 0;

  readonly #origin: ClientOrigin;

  /**
   * Starts as a client that has said nothing yet.
   *
   * @param origin is asked whenever somebody wants to know
   * @param authenticated false when it must present a password first
   */
  constructor(origin: ClientOrigin, authenticated: boolean) {
    this.authenticated = authenticated;
    this.id = origin.id;
    this.lastSeenMs = origin.connectedAtMs;
    this.#origin = origin;
  }

  /** Peer as `address:port`; empty when not told. */
  get address(): string {
    return this.#origin.address ?? "";
  }

  /** Own end as `address:port`; empty when not told. */
  get localAddress(): string {
    return this.#origin.localAddress ?? "";
  }

  /** When it opened, ms since the epoch. */
  get connectedAtMs(): number {
    return this.#origin.connectedAtMs;
  }

  /** Lends what is kept for it between its commands. */
  get memory(): ClientMemory | undefined {
    return this.#origin.memory;
  }

  /** Where to push what answers no command. */
  get pushTarget(): PushTarget | undefined {
    return this.#origin.pushTarget;
  }

  /** Tells its connection that a command waits and how to end that, or that it waits no more. */
  waiting(leave: (() => void) | undefined): void {
    this.#origin.waiting?.(leave);
  }

  /** What is kept for it between its commands. Unit: bytes. */
  get heldBytes(): number {
    return (this.transaction?.heldBytes ?? 0) + (this.watchedKeys?.heldBytes ?? 0);
  }

  /** Ends its transaction, if there is one, and watches nothing any more. */
  discard(): void {
    this.transaction?.clear();
    this.transaction = undefined;
    this.unwatch();
  }

  /** Watches nothing any more. */
  unwatch(): void {
    this.watchedKeys?.clear();
    this.watchedKeys = undefined;
  }

  /** Goes back to how it was when it connected; who it is stays known. */
  reset(authenticated: boolean): void {
    this.discard();
    this.authenticated = authenticated;
    this.protocol = 2;
    this.database = 0;
    this.replyMode = ReplyMode.ON;
    this.name = "";
    this.noEvict = false;
    this.noTouch = false;
  }

  /**
   * Sends bytes that answer nothing, between replies.
   *
   * @returns false when it cannot be pushed to, or does not take what it was sent so far
   */
  push(bytes: Uint8Array): boolean {
    const target = this.pushTarget;
    if (target === undefined) return false;
    const { pendingBytes } = target;
    if (pendingBytes > 0 && pendingBytes + bytes.length > PUSHED_BYTES_MAX) return false;
    target.writer.copy(bytes);
    target.wake();
    return true;
  }

  /** Ends the connection behind the output that it has. */
  end(): void {
    this.ended = true;
    this.#origin.end?.();
  }
}
