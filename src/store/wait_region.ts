/**
 * Clients that wait for a key to have something: the part that every thread can see.
 *
 * Each I/O thread has waiters and nodes of its own and is the only one to hand them out. A waiter is
 * one blocked client; a node is its place in the queue of one key, so a client that waits for
 * several keys has as many.
 *
 * ```text
 * byte 0    header, one line: magic, threads, waiters per thread, nodes per thread, clients that
 *           wait for keys (atomic), clients that wait for the outcome of an event (atomic)
 * 64        threads, one line each: word 0 (atomic): 1 = messages to the thread were lost
 * …         waiters, one line each, index = thread * waiters per thread + slot
 *             word 0  state (atomic): FREE, WAITING, SERVED, CANCELLED
 *             word 1  generation, counts up each time the waiter is taken
 *             word 2  operation, as the command layer numbers them
 *             word 3  most elements that it takes
 *             word 4  what it got: a shared value (`Store.share`), 0 = nothing yet
 *             word 5  which of its keys it got that from
 *             word 6  done (atomic): 1 when words 4 and 5 are written
 * …         nodes, half a line each, index = thread * nodes per thread + slot
 *             word 0  next node of the queue + 1   word 1  previous one + 1, 0 = none
 *             word 2  waiter                       word 3  database of the key
 *             word 4  which of the waiter's keys it is
 *             word 5  state: FREE, TAKEN and in no queue, QUEUED
 * ```
 *
 * Who may touch what: state and done are atomics. A waiter's other words are written by its owner
 * before its first node is in a queue, and, words 4 and 5, by whoever moved it to SERVED, until that
 * thread sets done. A node's words are guarded by the lock of its key's shard while it is in a queue,
 * else they are its owner's.
 *
 * A waiter is given back only when none of its nodes is in a queue. So whoever finds a node in a
 * queue, under the lock, finds the waiter that it was made for.
 *
 * @module
 */

import { assert } from "../base/assert.ts";

/** What a waiter is doing. */
export const WaiterState = {
  /** Nobody's. */
  FREE: 0,
  /** Its client waits. */
  WAITING: 1,
  /** Another thread has taken something for it. */
  SERVED: 2,
  /** Its client waits no more: time was up, it left, or somebody ended it. */
  CANCELLED: 3,
} as const;

/** One of the values of {@link WaiterState}. */
export type WaiterState = (typeof WaiterState)[keyof typeof WaiterState];

/** Where a node is. */
export const NodeState = {
  /** Nobody's. */
  FREE: 0,
  /** A waiter's, and in no queue: not yet, or no more. */
  TAKEN: 1,
  /** In the queue of its key. */
  QUEUED: 2,
} as const;

/** Shared memory of the region; structured-cloneable. */
export interface WaitMemory {
  /** The region. */
  readonly buffer: SharedArrayBuffer;
}

/** What a region is created with. */
export interface WaitOptions {
  /** Threads that serve clients. */
  readonly threadCount: number;
  /** Clients of one thread that can wait at a time. */
  readonly waitersPerThread: number;
  /** Keys that the clients of one thread can wait for at a time, each counted once per client. */
  readonly nodesPerThread: number;
}

/** Words of a waiter; see the drawing above. */
export const Waiter = {
  STATE: 0,
  GENERATION: 1,
  OPERATION: 2,
  COUNT: 3,
  RESULT: 4,
  RESULT_KEY: 5,
  DONE: 6,
} as const;

/** Words of a node; see the drawing above. */
export const WaitNode = {
  NEXT: 0,
  PREVIOUS: 1,
  WAITER: 2,
  DATABASE: 3,
  KEY_INDEX: 4,
  STATE: 5,
} as const;

const MAGIC = 0x53574149;
const WAITING_COUNT = 4;
const EVENT_WAIT_COUNT = 5;
const HEADER_BYTES = 64;
const THREAD_BYTES = 64;
const WAITER_BYTES = 64;
const NODE_BYTES = 32;

/** Typed views over the region. Thread: any. */
export class WaitRegion {
  /** What other threads attach with. */
  readonly memory: WaitMemory;
  /** The region as words. */
  readonly words: Int32Array<SharedArrayBuffer>;
  /** Threads that serve clients. */
  readonly threadCount: number;
  /** Waiters of each of them. */
  readonly waitersPerThread: number;
  /** Nodes of each of them. */
  readonly nodesPerThread: number;
  readonly #waitersAt: number;
  readonly #nodesAt: number;

  private constructor(memory: WaitMemory) {
    this.memory = memory;
    const words = new Int32Array(memory.buffer);
    assert(words[0] === MAGIC, "the buffer is a wait region of this version");
    this.words = words;
    this.threadCount = words[1]!;
    this.waitersPerThread = words[2]!;
    this.nodesPerThread = words[3]!;
    this.#waitersAt = (HEADER_BYTES + this.threadCount * THREAD_BYTES) / 4;
    this.#nodesAt = this.#waitersAt + this.threadCount * this.waitersPerThread * WAITER_BYTES / 4;
  }

  /** Makes a region in which nobody waits. Thread: the one that starts the server. */
  static create(options: WaitOptions): WaitRegion {
    const { threadCount, waitersPerThread, nodesPerThread } = options;
    const buffer = new SharedArrayBuffer(
      HEADER_BYTES +
        threadCount *
          (THREAD_BYTES + waitersPerThread * WAITER_BYTES + nodesPerThread * NODE_BYTES),
    );
    new Int32Array(buffer).set([MAGIC, threadCount, waitersPerThread, nodesPerThread]);
    return new WaitRegion({ buffer });
  }

  /** Opens a region that another thread made. */
  static attach(memory: WaitMemory): WaitRegion {
    return new WaitRegion(memory);
  }

  /** Clients that wait for keys, of all threads. */
  get waitingCount(): number {
    return Atomics.load(this.words, WAITING_COUNT);
  }

  /** Counts a client that waits from now on, or does no more. */
  countWaiting(change: 1 | -1): void {
    Atomics.add(this.words, WAITING_COUNT, change);
  }

  /** Clients that wait for keys or for the outcome of an event, of all threads. */
  get blockedCount(): number {
    return this.waitingCount + Atomics.load(this.words, EVENT_WAIT_COUNT);
  }

  /** Counts a client that waits for the outcome of an event from now on, or does no more. */
  countEventWait(change: 1 | -1): void {
    Atomics.add(this.words, EVENT_WAIT_COUNT, change);
  }

  /** Notes that a thread could not be told of something; it looks at all of its waiters then. */
  noteLost(thread: number): void {
    Atomics.store(this.words, (HEADER_BYTES + thread * THREAD_BYTES) / 4, 1);
  }

  /** Whether messages to a thread were lost since it asked last. */
  takeLost(thread: number): boolean {
    return Atomics.exchange(this.words, (HEADER_BYTES + thread * THREAD_BYTES) / 4, 0) !== 0;
  }

  /** Word index of a waiter. */
  waiterAt(waiter: number): number {
    return this.#waitersAt + waiter * (WAITER_BYTES / 4);
  }

  /** Word index of a node. */
  nodeAt(node: number): number {
    return this.#nodesAt + node * (NODE_BYTES / 4);
  }

  /** State of a waiter. */
  stateOf(waiter: number): WaiterState {
    return Atomics.load(this.words, this.waiterAt(waiter) + Waiter.STATE) as WaiterState;
  }

  /**
   * Moves a waiter from WAITING to `state`.
   *
   * @returns whether this thread did it; if not, another one was first
   */
  tryMove(waiter: number, state: WaiterState): boolean {
    const at = this.waiterAt(waiter) + Waiter.STATE;
    return Atomics.compareExchange(this.words, at, WaiterState.WAITING, state) ===
      WaiterState.WAITING;
  }

  /** The I/O thread, counted from 0, that a waiter belongs to. */
  threadOf(waiter: number): number {
    return Math.floor(waiter / this.waitersPerThread);
  }

  /** Hands a waiter that is SERVED what it got. */
  finish(waiter: number, result: number, keyIndex: number): void {
    const at = this.waiterAt(waiter);
    this.words[at + Waiter.RESULT] = result;
    this.words[at + Waiter.RESULT_KEY] = keyIndex;
    // Publishes the two words above; pairs with the load in WaitSlots.result.
    Atomics.store(this.words, at + Waiter.DONE, 1);
  }
}

/** What a waiter's thread is told. */
export const WaitNews = {
  /** It was served. */
  SERVED: 0,
  /** It should look for itself. */
  LOOK: 1,
} as const;

/** One of the values of {@link WaitNews}. */
export type WaitNews = (typeof WaitNews)[keyof typeof WaitNews];

/**
 * The waiters and nodes of one I/O thread.
 *
 * Thread: that one.
 */
export class WaitSlots {
  readonly #region: WaitRegion;
  readonly #thread: number;
  readonly #freeWaiters: number[] = [];
  readonly #freeNodes: number[] = [];
  #freshWaiters = 0;
  #freshNodes = 0;

  /**
   * Takes charge of a thread's part.
   *
   * @param thread number of the I/O thread, counted from 0
   */
  constructor(region: WaitRegion, thread: number) {
    assert(thread < region.threadCount, `thread ${thread} has a part of the region`);
    this.#region = region;
    this.#thread = thread;
  }

  /** Waiters that are taken. */
  get waiterCount(): number {
    return this.#freshWaiters - this.#freeWaiters.length;
  }

  /** Nodes that are taken. */
  get nodeCount(): number {
    return this.#freshNodes - this.#freeNodes.length;
  }

  /**
   * Takes a waiter in state WAITING, with no result.
   *
   * @returns its index; -1 when all are taken
   */
  takeWaiter(operation: number, count: number): number {
    const region = this.#region;
    let slot = this.#freeWaiters.pop();
    if (slot === undefined) {
      if (this.#freshWaiters === region.waitersPerThread) return -1;
      slot = this.#freshWaiters++;
    }
    const waiter = this.#thread * region.waitersPerThread + slot;
    const { words } = region;
    const at = region.waiterAt(waiter);
    words[at + Waiter.GENERATION]!++;
    words[at + Waiter.OPERATION] = operation;
    words[at + Waiter.COUNT] = count;
    words.fill(0, at + Waiter.RESULT, at + Waiter.DONE + 1);
    Atomics.store(words, at + Waiter.STATE, WaiterState.WAITING);
    return waiter;
  }

  /** Gives a waiter back; none of its nodes may be in a queue. */
  giveWaiter(waiter: number): void {
    const region = this.#region;
    assert(region.threadOf(waiter) === this.#thread, "a waiter goes back to its thread");
    Atomics.store(region.words, region.waiterAt(waiter) + Waiter.STATE, WaiterState.FREE);
    this.#freeWaiters.push(waiter - this.#thread * region.waitersPerThread);
  }

  /** Generation of a waiter; messages about an earlier one are late. */
  generationOf(waiter: number): number {
    return this.#region.words[this.#region.waiterAt(waiter) + Waiter.GENERATION]! >>> 0;
  }

  /** Whether a waiter that is SERVED has been handed what it got. */
  isDone(waiter: number): boolean {
    const { words } = this.#region;
    return Atomics.load(words, this.#region.waiterAt(waiter) + Waiter.DONE) === 1;
  }

  /**
   * Takes a node for one of a waiter's keys; it is in no queue yet.
   *
   * @returns its index; -1 when all are taken
   */
  takeNode(waiter: number, database: number, keyIndex: number): number {
    const region = this.#region;
    let slot = this.#freeNodes.pop();
    if (slot === undefined) {
      if (this.#freshNodes === region.nodesPerThread) return -1;
      slot = this.#freshNodes++;
    }
    const node = this.#thread * region.nodesPerThread + slot;
    const at = region.nodeAt(node);
    region.words.fill(0, at, at + NODE_BYTES / 4);
    region.words[at + WaitNode.WAITER] = waiter;
    region.words[at + WaitNode.DATABASE] = database;
    region.words[at + WaitNode.KEY_INDEX] = keyIndex;
    region.words[at + WaitNode.STATE] = NodeState.TAKEN;
    return node;
  }

  /** Gives a node back; it must be in no queue. */
  giveNode(node: number): void {
    const region = this.#region;
    const stateAt = region.nodeAt(node) + WaitNode.STATE;
    assert(
      region.words[stateAt] === NodeState.TAKEN,
      "a node that is given back is taken, and in no queue",
    );
    region.words[stateAt] = NodeState.FREE;
    this.#freeNodes.push(node - this.#thread * region.nodesPerThread);
  }

  /**
   * Checks that what this thread takes for free is nobody's, once, and all else somebody's.
   *
   * @throws {AssertionFault} naming what does not add up
   */
  assertInvariants(): void {
    const region = this.#region;
    const { waitersPerThread, nodesPerThread } = region;
    const firstWaiter = this.#thread * waitersPerThread;
    const firstNode = this.#thread * nodesPerThread;
    const freeWaiters = new Set(this.#freeWaiters);
    const freeNodes = new Set(this.#freeNodes);
    assert(freeWaiters.size === this.#freeWaiters.length, "a free waiter is free once");
    assert(freeNodes.size === this.#freeNodes.length, "a free node is free once");
    for (let slot = 0; slot < waitersPerThread; slot++) {
      const isFree = slot >= this.#freshWaiters || freeWaiters.has(slot);
      const state = region.stateOf(firstWaiter + slot);
      assert((state === WaiterState.FREE) === isFree, `waiter ${firstWaiter + slot}: is free`);
    }
    for (let slot = 0; slot < nodesPerThread; slot++) {
      const isFree = slot >= this.#freshNodes || freeNodes.has(slot);
      const state = region.words[region.nodeAt(firstNode + slot) + WaitNode.STATE];
      assert((state === NodeState.FREE) === isFree, `node ${firstNode + slot}: is free`);
    }
  }
}
