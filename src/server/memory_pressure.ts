/**
 * What happens when the connections of a thread want more memory than they may have.
 *
 * Who reads can wait: it is told when there is room. Who replies cannot, and overdraws; until that
 * is made good, no other connection begins a batch, so one batch is overdrawn at a time. In both
 * cases the connection that holds most is closed, then the next, until there is enough: when what
 * they hold comes back, once their reads and writes have ended.
 *
 * @module
 */

import type { ClientMemory } from "../base/client_memory.ts";

/** A connection, as far as its memory goes. */
export interface MemoryHolder {
  /** What its buffers hold. Unit: bytes. */
  readonly heldBytes: number;
  /** Whether a command of its is under way that may take long: only then its memory comes back. */
  readonly isExecuting: boolean;
  /** When its client last sent or took something. Unit: ms since the epoch. */
  readonly lastActivityMs: number;
  /** Ends it; its memory comes back a moment later. */
  close(): void;
}

interface Waiter {
  readonly holder: MemoryHolder;
  readonly byteCount: number;
  readonly resume: () => void;
}

/**
 * Closes the greediest connections when memory is short and lets others wait for it.
 *
 * Thread: one object per I/O thread.
 */
export class MemoryPressure<Holder extends MemoryHolder> {
  readonly #memory: ClientMemory;
  readonly #holders: Iterable<Holder>;
  readonly #onClosed: (holder: Holder) => void;
  /** In the order in which they came. */
  #waiters: Waiter[] = [];
  /** Closed, and their memory not back yet. */
  readonly #leaving = new Set<MemoryHolder>();

  /**
   * Watches over `memory`.
   *
   * @param holders the thread's open connections
   * @param onClosed told of each connection that was closed for its memory, before it is
   */
  constructor(
    memory: ClientMemory,
    holders: Iterable<Holder>,
    onClosed: (holder: Holder) => void,
  ) {
    this.#memory = memory;
    this.#holders = holders;
    this.#onClosed = onClosed;
  }

  /**
   * Waits until `byteCount` bytes may have become free, after they were not to be had; ask for them
   * then, and wait again if they are gone. Also ends when `holder` is closed, which this may do.
   */
  waitForRoom(holder: MemoryHolder, byteCount: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiters.push({ holder, byteCount, resume: resolve });
    const memory = this.#memory;
    memory.onGiven = () => this.#serve();
    this.relieve();
    // There is enough, but in pieces: somebody has to go all the same.
    const isInPieces = memory.shortBytes(byteCount) <= 0;
    if (isInPieces && this.#leaving.size === 0) this.#closeGreediest();
    return promise;
  }

  /** Sees to it that enough comes back for what is overdrawn and for who has waited longest. */
  relieve(): void {
    while (this.#shortBytes() > 0 && this.#closeGreediest());
  }

  /** Told that a connection is closed: it waits for nothing any more. */
  forget(holder: MemoryHolder): void {
    if (this.#waiters.length === 0) return;
    this.#waiters = this.#waiters.filter((waiter) => {
      if (waiter.holder !== holder) return true;
      waiter.resume();
      return false;
    });
    this.#rest();
  }

  /** Told that all memory of a closed connection is back. */
  departed(holder: MemoryHolder): void {
    if (this.#leaving.delete(holder) && this.#waiters.length > 0) this.#serve();
  }

  #closeGreediest(): boolean {
    const victim = this.#greediest();
    if (victim === undefined) return false;
    this.#leaving.add(victim);
    this.#onClosed(victim);
    victim.close();
    return true;
  }

  /** What is missing when everybody who is leaving has left; not positive when nothing is. */
  #shortBytes(): number {
    let comingBytes = 0;
    for (const holder of this.#leaving) comingBytes += holder.heldBytes;
    const wantedBytes = this.#waiters[0]?.byteCount ?? 0;
    return this.#memory.shortBytes(wantedBytes) - comingBytes;
  }

  /** Lets those go on for whom there is room, and makes room for the first of the others. */
  #serve(): void {
    let { freeBytes } = this.#memory;
    if (freeBytes > 0) {
      this.#waiters = this.#waiters.filter((waiter) => {
        if (waiter.byteCount > freeBytes) return true;
        freeBytes -= waiter.byteCount;
        waiter.resume();
        return false;
      });
    }
    this.#rest();
    if (this.#waiters.length > 0) this.relieve();
  }

  #rest(): void {
    if (this.#waiters.length === 0) this.#memory.onGiven = undefined;
  }

  /**
   * Who holds most; of equals, whose client has been silent longest. Who executes only when nobody
   * else holds anything, because its command keeps its memory for as long as it takes.
   */
  #greediest(): Holder | undefined {
    let found: Holder | undefined;
    for (const holder of this.#holders) {
      if (holder.heldBytes === 0 || this.#leaving.has(holder)) continue;
      if (found === undefined || isGreedier(holder, found)) found = holder;
    }
    return found;
  }
}

function isGreedier(one: MemoryHolder, other: MemoryHolder): boolean {
  if (one.isExecuting !== other.isExecuting) return other.isExecuting;
  if (one.heldBytes !== other.heldBytes) return one.heldBytes > other.heldBytes;
  return one.lastActivityMs < other.lastActivityMs;
}
