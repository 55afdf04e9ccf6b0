/**
 * First-come queues of clients that wait for a key.
 *
 * A key that somebody waits for has an entry in a hidden table, in the shard that its bytes choose
 * and guarded by that shard's lock: the first and the last node of its queue (wait_region.ts). The
 * key's bytes alone name the queue; clients that wait for the key of that name in another database
 * are in the same one, and whoever serves skips them. The shard block counts the nodes of its
 * shard: where nobody waits for anything, a push looks at that one word.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { type ControlRegion, Shard, SpecialTable } from "./control.ts";
import type { Key } from "./key.ts";
import { NodeState, WaitNode, type WaitRegion } from "./wait_region.ts";
import { WriteStatus } from "./entry_writer.ts";

/** What the queues need of a store: byte strings by table and key. */
export interface QueueHeads {
  /** Address of an entry; 0 = none. Is no access to a key. */
  peek(table: number, key: Key): number;
  /** Copies its bytes to `target[offset…]`. */
  copyString(entry: number, target: Uint8Array, offset: number): number;
  /** Writes an entry. */
  setString(
    table: number,
    key: Key,
    value: Uint8Array,
    start: number,
    end: number,
    expireAtMs: number,
  ): WriteStatus;
  /** Deletes an entry. */
  remove(table: number, key: Key): boolean;
}

const HEAD_BYTES = 8;

/**
 * The queues of all keys.
 *
 * Thread: one instance per thread; every call needs the exclusive lock of the key's shard. Nodes are
 * named by index + 1 here, so that 0 means none.
 */
export class WaitQueues {
  readonly #heads: QueueHeads;
  readonly #region: WaitRegion;
  readonly #control: ControlRegion;
  readonly #bytes = new Uint8Array(HEAD_BYTES);
  readonly #ends = new DataView(this.#bytes.buffer);

  /** Wires the parts of one thread together. */
  constructor(heads: QueueHeads, region: WaitRegion, control: ControlRegion) {
    this.#heads = heads;
    this.#region = region;
    this.#control = control;
  }

  /** Nodes in the queues of a shard; any lock of the shard is enough. */
  countOf(shard: number): number {
    return this.#control.words[this.#control.shardAt(shard) + Shard.WAITERS]!;
  }

  /**
   * Puts a node at the end of a key's queue.
   *
   * @param key located
   * @returns OUT_OF_MEMORY or KEY_TOO_LONG when it cannot be; nothing was changed then
   */
  enqueue(key: Key, node: number): WriteStatus {
    const { words } = this.#region;
    const hasQueue = this.#read(key);
    const first = hasQueue ? this.#ends.getUint32(0, true) : node + 1;
    const last = hasQueue ? this.#ends.getUint32(4, true) : 0;
    const status = this.#write(key, first, node + 1);
    if (status !== WriteStatus.OK) return status;
    const at = this.#region.nodeAt(node);
    assert(words[at + WaitNode.STATE] === NodeState.TAKEN, "a node is in one queue");
    words[at + WaitNode.STATE] = NodeState.QUEUED;
    words[at + WaitNode.NEXT] = 0;
    words[at + WaitNode.PREVIOUS] = last;
    if (last !== 0) words[this.#region.nodeAt(last - 1) + WaitNode.NEXT] = node + 1;
    this.#count(key.shard, 1);
    return WriteStatus.OK;
  }

  /** Takes a node out of its key's queue; nothing happens when it is in none. Cannot fail. */
  remove(key: Key, node: number): void {
    const { words } = this.#region;
    const at = this.#region.nodeAt(node);
    if (words[at + WaitNode.STATE] !== NodeState.QUEUED) return;
    const next = words[at + WaitNode.NEXT]!;
    const previous = words[at + WaitNode.PREVIOUS]!;
    words[at + WaitNode.STATE] = NodeState.TAKEN;
    if (next !== 0) words[this.#region.nodeAt(next - 1) + WaitNode.PREVIOUS] = previous;
    if (previous !== 0) words[this.#region.nodeAt(previous - 1) + WaitNode.NEXT] = next;
    this.#count(key.shard, -1);
    if (next !== 0 && previous !== 0) return;
    const known = this.#read(key);
    assert(known, "a queue with a node has its entry");
    if (next === 0 && previous === 0) {
      this.#heads.remove(SpecialTable.WAITED_KEYS, key);
      return;
    }
    const first = previous === 0 ? next : this.#ends.getUint32(0, true);
    const last = next === 0 ? previous : this.#ends.getUint32(4, true);
    const status = this.#write(key, first, last);
    assert(status === WriteStatus.OK, "an entry that keeps its size is written in place");
  }

  /**
   * The first node in a key's queue, whatever database its client waits in.
   *
   * @returns its index; -1 = nobody waits
   */
  first(key: Key): number {
    return this.#read(key) ? this.#ends.getUint32(0, true) - 1 : -1;
  }

  /** The next one behind `node`; -1 = it was the last. */
  after(node: number): number {
    return this.#region.words[this.#region.nodeAt(node) + WaitNode.NEXT]! - 1;
  }

  /** Whether a node is in a queue. */
  isQueued(node: number): boolean {
    return this.#region.words[this.#region.nodeAt(node) + WaitNode.STATE] === NodeState.QUEUED;
  }

  /** The database that a node's client waits in. */
  databaseOf(node: number): number {
    return this.#region.words[this.#region.nodeAt(node) + WaitNode.DATABASE]!;
  }

  /** The waiter that a node stands for. */
  waiterOf(node: number): number {
    return this.#region.words[this.#region.nodeAt(node) + WaitNode.WAITER]!;
  }

  /** Which of its waiter's keys a node stands for. */
  keyIndexOf(node: number): number {
    return this.#region.words[this.#region.nodeAt(node) + WaitNode.KEY_INDEX]!;
  }

  #read(key: Key): boolean {
    const entry = this.#heads.peek(SpecialTable.WAITED_KEYS, key);
    if (entry === 0) return false;
    this.#heads.copyString(entry, this.#bytes, 0);
    return true;
  }

  #write(key: Key, first: number, last: number): WriteStatus {
    this.#ends.setUint32(0, first, true);
    this.#ends.setUint32(4, last, true);
    return this.#heads.setString(SpecialTable.WAITED_KEYS, key, this.#bytes, 0, HEAD_BYTES, 0);
  }

  #count(shard: number, change: 1 | -1): void {
    this.#control.words[this.#control.shardAt(shard) + Shard.WAITERS]! += change;
  }
}
