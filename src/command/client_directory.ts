/**
 * Who is connected: what `CLIENT LIST` and `CLIENT KILL` look at.
 *
 * @module
 */

import type { ClientState } from "./client_state.ts";

/**
 * Which clients are meant; one that is left out does not matter. Plain data, so that it can go to
 * another thread.
 */
export interface ClientFilter {
  /** One of these numbers. */
  readonly ids?: readonly number[];
  /** Peer, `address:port`. */
  readonly address?: string;
  /** Own end, `address:port`. */
  readonly localAddress?: string;
  /** Connected for at least so long. Unit: s. */
  readonly minAgeSeconds?: number;
  /** Everybody but this number. */
  readonly exceptId?: number;
  /** Only those who subscribe to something, or only the others. */
  readonly isSubscriber?: boolean;
}

/**
 * All clients of the server that speak RESP.
 *
 * An answer may come later, when other threads have to be asked.
 *
 * Thread: one per I/O thread.
 */
export interface ClientDirectory {
  /** A line for each of the clients, each with its line end, in the order of their numbers. */
  list(filter: ClientFilter): string | Promise<string>;
  /**
   * Ends connections behind the output that they have, the caller's own included if the filter
   * means it.
   *
   * @returns how many
   */
  kill(filter: ClientFilter): number | Promise<number>;
  /**
   * Ends the blocking command that the client `id` waits for, as if its time were up or with an
   * error.
   *
   * @returns whether it waited
   */
  unblock(id: number, withError: boolean): boolean | Promise<boolean>;
}

/** Who comes and goes. Thread: one per I/O thread. */
export interface ClientRegistry {
  /** A client came. */
  add(client: ClientState): void;
  /** It went. */
  remove(client: ClientState): void;
}

/**
 * Clients that are described before others have their turn.
 *
 * Reason: some 2 µs each; ten thousand of them at once would hold up everybody (C14).
 */
const CLIENTS_PER_TURN = 256;

/**
 * The clients of one I/O thread.
 *
 * Thread: that thread.
 */
export class LocalClients implements ClientDirectory, ClientRegistry {
  readonly #clients = new Map<number, ClientState>();
  readonly #clock: () => number;

  /** Starts empty; `clock` is the time of day in ms since the epoch. */
  constructor(clock: () => number = Date.now) {
    this.#clock = clock;
  }

  /** How many there are. */
  get size(): number {
    return this.#clients.size;
  }

  /** See {@link ClientRegistry.add}. */
  add(client: ClientState): void {
    this.#clients.set(client.id, client);
  }

  /** See {@link ClientRegistry.remove}. */
  remove(client: ClientState): void {
    this.#clients.delete(client.id);
  }

  /** See {@link ClientDirectory.list}; at once when there are few. */
  list(filter: ClientFilter): string | Promise<string> {
    if (this.#clients.size > CLIENTS_PER_TURN) return this.#listInTurns(filter);
    let text = "";
    for (const client of this.#matching(filter)) text += describeClient(client, this.#clock());
    return text;
  }

  /** See {@link ClientDirectory.kill}. */
  kill(filter: ClientFilter): number {
    let count = 0;
    for (const client of this.#matching(filter)) {
      client.end();
      count++;
    }
    return count;
  }

  /** See {@link ClientDirectory.unblock}. */
  unblock(id: number, withError: boolean): boolean {
    return this.#clients.get(id)?.unblock?.(withError) ?? false;
  }

  async #listInTurns(filter: ClientFilter): Promise<string> {
    let text = "";
    let count = 0;
    // Who comes meanwhile is at the end and seen; who goes is not.
    for (const client of this.#clients.values()) {
      if (++count % CLIENTS_PER_TURN === 0) await turn();
      if (matches(client, filter, this.#clock())) text += describeClient(client, this.#clock());
    }
    return text;
  }

  *#matching(filter: ClientFilter): Generator<ClientState> {
    const nowMs = this.#clock();
    for (const client of this.#clients.values()) {
      if (matches(client, filter, nowMs)) yield client;
    }
  }
}

/**
 * One client as `CLIENT INFO` and `CLIENT LIST` show it, with its line end.
 *
 * Shape: `id=3 addr=127.0.0.1:50000 laddr=127.0.0.1:6379 name= age=1 idle=0 flags=N db=0 …`
 *
 * Thread: the client's.
 */
export function describeClient(client: ClientState, nowMs: number): string {
  const { subscriptions } = client;
  const flags = `${client.isMonitor ? "O" : ""}${client.subscriptionCount > 0 ? "P" : ""}` +
      `${client.unblock === undefined ? "" : "b"}${client.noEvict ? "e" : ""}` +
      `${client.noTouch ? "T" : ""}` || "N";
  return `id=${client.id} addr=${client.address} laddr=${client.localAddress} ` +
    `name=${client.name} age=${ageSeconds(client, nowMs)} ` +
    `idle=${secondsSince(client.lastSeenMs, nowMs)} flags=${flags} db=${client.database} ` +
    `sub=${subscriptions?.channels.size ?? 0} psub=${subscriptions?.patterns.size ?? 0} ` +
    `ssub=${subscriptions?.shardChannels.size ?? 0} ` +
    `cmd=${client.lastRow?.name ?? "NULL"} user=default redir=-1 resp=${client.protocol} ` +
    `lib-name=${client.libraryName} lib-ver=${client.libraryVersion}\n`;
}

function matches(client: ClientState, filter: ClientFilter, nowMs: number): boolean {
  const { ids, address, localAddress, minAgeSeconds, exceptId, isSubscriber } = filter;
  return !client.ended &&
    (ids === undefined || ids.includes(client.id)) &&
    (address === undefined || client.address === address) &&
    (localAddress === undefined || client.localAddress === localAddress) &&
    (minAgeSeconds === undefined || ageSeconds(client, nowMs) >= minAgeSeconds) &&
    (isSubscriber === undefined || client.subscriptionCount > 0 === isSubscriber) &&
    client.id !== exceptId;
}

function ageSeconds(client: ClientState, nowMs: number): number {
  return secondsSince(client.connectedAtMs, nowMs);
}

function secondsSince(thenMs: number, nowMs: number): number {
  return Math.max(0, Math.floor((nowMs - thenMs) / 1000));
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}
