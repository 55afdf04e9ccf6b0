/**
 * Clients of one I/O thread that wait for a key to have something.
 *
 * A client that found nothing puts itself, under the locks of its keys, into their queues
 * (`store/wait_queues.ts`). From then on exactly one of these ends its wait, decided by one
 * compare-and-swap of the waiter's state: a thread that serves it, or this thread, because the time
 * is up, the client left, somebody unblocked it or the server is stopping. What a thread took for a
 * client that has left meanwhile goes back to where it came from.
 *
 * @module
 */

import { assert } from "../../base/assert.ts";
import type { Notifier } from "../../pubsub/notifier.ts";
import { Key } from "../../store/key.ts";
import { LockPoisonedError } from "../../store/locks.ts";
import { type Store, WriteStatus } from "../../store/store.ts";
import type { WaitQueues } from "../../store/wait_queues.ts";
import { Waiter, WaiterState, type WaitRegion, WaitSlots } from "../../store/wait_region.ts";
import type { CommandCall } from "../call.ts";
import { LockSet } from "../../store/lock_set.ts";
import { ReplyCode } from "../reply_code.ts";
import { HandlerStatus } from "../row.ts";
import { HandedElements } from "./hand_over.ts";
import { Take, WaitNews, WaitServer } from "./wait_server.ts";

/** How often lost news are looked for, while clients wait. Unit: ms. */
const LOST_INTERVAL_MS = 50;

/** Longer timers are made of several; a limit of `setTimeout`. Unit: ms. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** What a blocking command wants, and what it does with it. */
export interface BlockingPlan {
  /** What to take: a {@link Take}, with `TAKE_ITSELF` or without. */
  readonly operation: number;
  /** Most elements to take. */
  readonly count: number;
  /** Argument indexes of the keys to wait for. */
  readonly keys: readonly number[];
  /** Argument index of the key that receives what is taken; 0 = the client does. */
  readonly destination: number;
  /** How long to wait; 0 = for ever. Unit: ms. */
  readonly timeoutMs: number;
  /**
   * Takes what there is and replies, as when the command came; all locks are held.
   *
   * @returns undefined when there is nothing
   */
  attempt(call: CommandCall): HandlerStatus | undefined;
  /** Replies with what another thread took from `keys[keyIndex]`; no lock is held. */
  replyServed(call: CommandCall, taken: HandedElements, keyIndex: number): void;
  /** Replies that there was nothing in time. */
  replyTimeout(call: CommandCall): void;
  /** Puts back what was taken for a client that is gone; the lock of `keys[keyIndex]` is held. */
  putBack(call: CommandCall, taken: HandedElements, keyIndex: number): WriteStatus;
}

/** How somebody else ends a wait. */
export type UnblockKind = "timeout" | "error" | "stopping" | "gone" | "memory";

/** What a {@link BlockedClients} works with. */
export interface BlockedParts {
  /** The store. */
  readonly store: Store;
  /** Number of this I/O thread, counted from 0. */
  readonly thread: number;
  /** The shared part. */
  readonly region: WaitRegion;
  /** Tells another I/O thread; false when it cannot be told now. */
  send(thread: number, waiter: number, generation: number, news: WaitNews): boolean;
  /** Publishes what is taken for those who wait; undefined = nobody wants to know. */
  readonly notifier?: Notifier | undefined;
  /** Told of elements that could be given to nobody and not be put back, for lack of memory. */
  onLost(): void;
}

interface BlockedWait {
  readonly call: CommandCall;
  readonly plan: BlockingPlan;
  readonly waiter: number;
  readonly nodes: readonly number[];
  /** The keys that the nodes wait for: the arguments are gone when the nodes leave their queues. */
  readonly keys: readonly Key[];
  timer: ReturnType<typeof setTimeout> | undefined;
  resolve: (ending: UnblockKind | "served" | "attempted") => void;
  /** The client's connection has ended. */
  isGone: boolean;
  /** It is taking the locks of its keys to look for itself. */
  isLooking: boolean;
}

/**
 * The waits of one I/O thread.
 *
 * Thread: that one.
 */
export class BlockedClients {
  readonly #parts: BlockedParts;
  readonly #slots: WaitSlots;
  readonly #queues: WaitQueues;
  readonly #server: WaitServer;
  readonly #waits = new Map<number, BlockedWait>();
  #lostTimer: ReturnType<typeof setInterval> | undefined;
  #isStopping = false;

  /** Makes a set without waits. */
  constructor(parts: BlockedParts) {
    const { region, store, thread } = parts;
    this.#parts = parts;
    this.#slots = new WaitSlots(region, thread);
    this.#queues = store.waitQueues(region);
    this.#server = new WaitServer({
      store,
      region,
      queues: this.#queues,
      notifier: parts.notifier,
      tell: (waiter, generation, news) => this.#tell(waiter, generation, news),
    });
  }

  /** How many clients wait for keys or for the outcome of an event, on all threads. */
  get blockedCount(): number {
    return this.#parts.region.blockedCount;
  }

  /**
   * Lets the client of `call` wait; the exclusive locks of all its keys are held, and none has what
   * it wants.
   *
   * @returns LATER; RETRY without memory; DONE when the error is replied
   */
  begin(call: CommandCall, plan: BlockingPlan): HandlerStatus {
    if (this.#isStopping) {
      call.sink.error(ReplyCode.SHUTTING_DOWN);
      return HandlerStatus.DONE;
    }
    const slots = this.#slots;
    const waiter = slots.takeWaiter(plan.operation, plan.count);
    if (waiter < 0) return refuse(call, "too many clients wait for keys");
    const own = call.detach();
    const nodes: number[] = [];
    for (const [position, index] of plan.keys.entries()) {
      const node = slots.takeNode(waiter, own.database, position);
      if (node < 0) {
        this.#undo(own, plan, waiter, nodes);
        return refuse(call, "too many keys are waited for");
      }
      nodes.push(node);
      const status = this.#queues.enqueue(own.keyAt(index), node);
      if (status === WriteStatus.OK) continue;
      this.#undo(own, plan, waiter, nodes);
      if (status === WriteStatus.OUT_OF_MEMORY) return HandlerStatus.RETRY;
      call.sink.error(ReplyCode.KEY_TOO_LONG);
      return HandlerStatus.DONE;
    }
    const keys = plan.keys.map((index) => copyOf(own.keyAt(index)));
    call.later = this.#wait(own, plan, waiter, nodes, keys);
    return HandlerStatus.LATER;
  }

  /** Told of news about a waiter; those about an earlier wait are dropped. */
  hear(waiter: number, generation: number, news: WaitNews): void {
    const wait = this.#waits.get(waiter);
    if (wait === undefined || this.#slots.generationOf(waiter) !== generation) return;
    if (news === WaitNews.LOOK) void this.#look(wait);
    else if (this.#slots.isDone(waiter)) wait.resolve("served");
  }

  /** Has every waiter look, of all threads: keys have come to be that nobody noticed. */
  lookEverywhere(): void {
    const { region } = this.#parts;
    if (region.waitingCount === 0) return;
    for (let thread = 0; thread < region.threadCount; thread++) region.noteLost(thread);
  }

  /** A client's connection has ended. */
  #leave(wait: BlockedWait): void {
    wait.isGone = true;
    this.#end(wait, "gone");
  }

  /** Ends every wait, and refuses those that would begin later: the server is stopping. */
  giveUp(): void {
    this.#isStopping = true;
    for (const wait of [...this.#waits.values()]) this.#end(wait, "stopping");
  }

  /**
   * Checks this thread's part of the region when none of its clients is coming or going.
   *
   * @throws {AssertionFault} naming what does not add up
   */
  assertInvariants(): void {
    this.#slots.assertInvariants();
    assert(this.#slots.waiterCount === this.#waits.size, "every waiter that is taken waits");
    const nodeCount = [...this.#waits.values()].reduce((sum, { nodes }) => sum + nodes.length, 0);
    assert(this.#slots.nodeCount === nodeCount, "every node that is taken is one of theirs");
  }

  #tell(waiter: number, generation: number, news: WaitNews): void {
    const { region, send, thread } = this.#parts;
    const target = region.threadOf(waiter);
    // Not at once: a lock is held.
    if (target === thread) queueMicrotask(() => this.hear(waiter, generation, news));
    else if (!send(target, waiter, generation, news)) region.noteLost(target);
  }

  /** While clients wait, news that were lost are looked for now and then. */
  #watchForLost(): void {
    if (this.#lostTimer !== undefined || this.#waits.size === 0) return;
    this.#lostTimer = setInterval(() => {
      if (this.#waits.size === 0) {
        clearInterval(this.#lostTimer);
        this.#lostTimer = undefined;
      } else if (this.#parts.region.takeLost(this.#parts.thread)) {
        this.#lookAtAll();
      }
    }, LOST_INTERVAL_MS);
  }

  #lookAtAll(): void {
    for (const [waiter, wait] of [...this.#waits]) {
      if (this.#slots.isDone(waiter)) wait.resolve("served");
      else void this.#look(wait);
    }
  }

  #setTimer(wait: BlockedWait, leftMs: number): void {
    if (leftMs > LONGEST_TIMER_MS) {
      const goOn = () => this.#setTimer(wait, leftMs - LONGEST_TIMER_MS);
      wait.timer = setTimeout(goOn, LONGEST_TIMER_MS);
    } else {
      wait.timer = setTimeout(() => this.#end(wait, "timeout"), leftMs);
    }
  }

  #end(wait: BlockedWait, kind: UnblockKind): boolean {
    if (!this.#parts.region.tryMove(wait.waiter, WaiterState.CANCELLED)) return false;
    wait.resolve(kind);
    return true;
  }

  async #wait(
    call: CommandCall,
    plan: BlockingPlan,
    waiter: number,
    nodes: readonly number[],
    keys: readonly Key[],
  ): Promise<HandlerStatus> {
    const { promise, resolve } = Promise.withResolvers<UnblockKind | "served" | "attempted">();
    const wait: BlockedWait = {
      call,
      plan,
      waiter,
      nodes,
      keys,
      timer: undefined,
      resolve,
      isGone: false,
      isLooking: false,
    };
    if (plan.timeoutMs > 0) this.#setTimer(wait, plan.timeoutMs);
    const { client } = call;
    this.#waits.set(waiter, wait);
    this.#parts.region.countWaiting(1);
    this.#watchForLost();
    client.unblock = (withError) => this.#end(wait, withError ? "error" : "timeout");
    client.waiting(() => this.#leave(wait));
    const ending = await promise;
    clearTimeout(wait.timer);
    client.unblock = undefined;
    client.waiting(undefined);
    this.#waits.delete(waiter);
    this.#parts.region.countWaiting(-1);
    if (ending === "served") await this.#deliver(wait);
    else if (ending !== "attempted") replyEnding(wait, ending);
    void this.#cleanUp(wait);
    return HandlerStatus.DONE;
  }

  async #deliver(wait: BlockedWait): Promise<void> {
    const { call, plan, waiter } = wait;
    const { words } = this.#parts.region;
    const at = this.#parts.region.waiterAt(waiter);
    const result = call.store.openShared(words[at + Waiter.RESULT]! >>> 0);
    const keyIndex = words[at + Waiter.RESULT_KEY]!;
    const taken = new HandedElements(result, plan.operation >= Take.SCORE_MIN);
    result.release();
    if (wait.isGone) await this.#putBack(wait, taken, keyIndex);
    else plan.replyServed(call, taken, keyIndex);
  }

  async #putBack(wait: BlockedWait, taken: HandedElements, keyIndex: number): Promise<void> {
    const { call, plan } = wait;
    const { locks } = call.store;
    const { shard } = call.keyAt(plan.keys[keyIndex]!);
    let status: WriteStatus;
    do {
      await locks.lockAsync(shard, true);
      stampAccess(call);
      try {
        status = plan.putBack(call, taken, keyIndex);
      } catch (error) {
        locks.poison(shard, call.row.operation);
        throw error;
      }
      locks.unlock(shard, true);
      this.#publish();
    } while (status === WriteStatus.OUT_OF_MEMORY && call.store.reclaim());
    // Another type may be there by now; then there is no place to go back to.
    if (status !== WriteStatus.OK) this.#parts.onLost();
  }

  /** Tries the command again, because the thread that would have served it could not. */
  async #look(wait: BlockedWait): Promise<void> {
    if (wait.isLooking) return;
    wait.isLooking = true;
    const { call, plan, waiter } = wait;
    const { store } = call;
    const lockSet = new LockSet(store.locks, store.shardCount);
    for (const index of plan.keys) lockSet.add(call.keyAt(index).shard);
    if (plan.destination !== 0) lockSet.add(call.keyAt(plan.destination).shard);
    lockSet.seal();
    const { shard } = call.keyAt(plan.keys[0]!);
    for (;;) {
      await lockSet.lockAsync(true, shard);
      let status: HandlerStatus | undefined = undefined;
      // The wait may be over by now, and its waiter somebody else's.
      if (
        this.#waits.get(waiter) === wait &&
        this.#parts.region.stateOf(waiter) === WaiterState.WAITING
      ) {
        try {
          stampAccess(call);
          // Who came earlier is served, or told to look, first.
          const isItsTurn = wait.keys.some((key) => this.#server.serve(key, waiter));
          if (isItsTurn) status = plan.attempt(call);
          // Nobody else can serve it: that takes the lock of one of its keys.
          if (status === HandlerStatus.DONE) {
            this.#parts.region.tryMove(waiter, WaiterState.CANCELLED);
          }
        } catch (error) {
          lockSet.poison(call.row.operation);
          throw error;
        }
      }
      lockSet.unlock(true);
      this.#publish();
      if (status === HandlerStatus.DONE) wait.resolve("attempted");
      if (status !== HandlerStatus.RETRY) break;
      if (store.reclaim()) continue;
      if (this.#end(wait, "memory")) break;
    }
    wait.isLooking = false;
  }

  /** Publishes what happened to keys without a command behind it; no lock is held. */
  #publish(): void {
    const { notifier } = this.#parts;
    if (notifier !== undefined && notifier.noteCount > 0) notifier.flush();
  }

  /** Takes back what {@link BlockedClients.begin} did, under the same locks. */
  #undo(call: CommandCall, plan: BlockingPlan, waiter: number, nodes: readonly number[]): void {
    const slots = this.#slots;
    const queues = this.#queues;
    for (const [position, node] of nodes.entries()) {
      queues.remove(call.keyAt(plan.keys[position]!), node);
      slots.giveNode(node);
    }
    slots.giveWaiter(waiter);
  }

  /** Takes the nodes out of the queues, one lock at a time, then gives everything back. */
  async #cleanUp(wait: BlockedWait): Promise<void> {
    const { call, waiter, nodes, keys } = wait;
    const slots = this.#slots;
    const queues = this.#queues;
    const { locks } = call.store;
    try {
      for (const [position, node] of nodes.entries()) {
        // Who served the client took its node out.
        if (!queues.isQueued(node)) {
          slots.giveNode(node);
          continue;
        }
        const key = keys[position]!;
        const { shard } = key;
        if (!locks.tryLock(shard, true)) await locks.lockAsync(shard, true);
        try {
          stampAccess(call);
          queues.remove(key, node);
          // Those behind it may have waited for it to look.
          this.#server.serve(key);
        } catch (error) {
          locks.poison(shard, call.row.operation);
          throw error;
        }
        locks.unlock(shard, true);
        this.#publish();
        slots.giveNode(node);
      }
    } catch (error) {
      // The server is stopping for that reason; its memory goes with it.
      if (error instanceof LockPoisonedError) return;
      throw error;
    }
    slots.giveWaiter(waiter);
  }
}

/** Says when it is, and how looks at keys count: others have had their commands run meanwhile. */
function stampAccess(call: CommandCall): void {
  call.store.nowMs = call.services.clock();
  call.stampAccess();
}

function replyEnding({ call, plan }: BlockedWait, ending: UnblockKind): void {
  if (ending === "timeout") plan.replyTimeout(call);
  else if (ending === "error") call.sink.error(ReplyCode.UNBLOCKED);
  else if (ending === "memory") call.sink.error(ReplyCode.OUT_OF_MEMORY);
  else if (ending === "stopping") call.sink.error(ReplyCode.SHUTTING_DOWN);
}

function copyOf(key: Key): Key {
  const copy = new Key().set(key.bytes.slice(key.start, key.end), 0, key.end - key.start);
  copy.hash = key.hash;
  copy.hashHigh = key.hashHigh;
  copy.shard = key.shard;
  copy.tag = key.tag;
  return copy;
}

function refuse(call: CommandCall, text: string): HandlerStatus {
  call.sink.error(ReplyCode.BAD_ARGUMENT, text);
  return HandlerStatus.DONE;
}
