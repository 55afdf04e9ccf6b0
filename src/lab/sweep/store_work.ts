/**
 * What a thread does to a store: reads and writes of integers at random keys.
 *
 * It sleeps on a word that only it knows:
 *
 * ```text
 * byte 0   0 for ever; nobody notifies it, a sleep ends by the clock
 * ```
 *
 * @module
 */

import { assert } from "../../base/assert.ts";
import { Int64 } from "../../base/int64.ts";
import { Key } from "../../store/key.ts";
import { BALANCE_DATABASE, Store, type StoreMemory, WriteStatus } from "../../store/store.ts";
import type { CrewWork } from "../crew/tasks.ts";

/** Keys of such a store, all alike probable. */
export const STORE_KEYS = 4096;
const KEY_BYTES = 8;
/** Operations between two looks at whether the round is over, where they take no time. */
const TURN = 200;
/** Operation in the text of a fault. */
const OPERATION = 1;

/** Order to use a store. */
export interface StoreTask {
  /** What the task is. */
  readonly kind: "store";
  /** The store; its keys are those of {@link keyNames}. */
  readonly memory: StoreMemory;
  /** The thread's id in the store. */
  readonly threadId: number;
  /** How long each operation sleeps with the lock held; 0 = it does not. Unit: ms. */
  readonly heldMs: number;
  /** Start of the random numbers. */
  readonly seed: number;
}

/** The keys' names, one behind the other, so that a key is a view and not a new string. */
export function keyNames(): Uint8Array {
  const names = new Uint8Array(STORE_KEYS * KEY_BYTES);
  for (let i = 0; i < STORE_KEYS; i++) {
    new TextEncoder().encodeInto(
      `key:${String(i).padStart(4, "0")}`,
      names.subarray(i * KEY_BYTES),
    );
  }
  return names;
}

/** Points a key at name `index` of `names`, located. */
export function pickKey(store: Store, key: Key, names: Uint8Array, index: number): void {
  store.locate(key.set(names, index * KEY_BYTES, (index + 1) * KEY_BYTES));
}

/** Makes a thread ready to use a store. Thread: one of the crew. */
export function prepareStoreWork(task: StoreTask): CrewWork {
  return new StoreWork(task);
}

/** Half of the operations add 1 to a key's integer, half of them read it. */
class StoreWork implements CrewWork {
  readonly turn: number;
  writeCount = 0;
  readonly #store: Store;
  readonly #heldMs: number;
  readonly #names = keyNames();
  readonly #key = new Key();
  readonly #one = Int64.fromNumber(1);
  readonly #sum = new Int64();
  readonly #pillow = new Int32Array(new SharedArrayBuffer(4));
  #random: number;

  constructor({ memory, threadId, heldMs, seed }: StoreTask) {
    this.turn = heldMs > 0 ? 1 : TURN;
    this.#store = Store.attach(memory, threadId, false);
    this.#store.nowMs = Date.now();
    this.#heldMs = heldMs;
    this.#random = seed >>> 0;
  }

  run(count: number): void {
    for (let i = 0; i < count; i++) {
      this.#random = (Math.imul(this.#random, 1664525) + 1013904223) >>> 0;
      pickKey(this.#store, this.#key, this.#names, (this.#random >>> 8) % STORE_KEYS);
      this.#operate((this.#random >>> 31) === 1);
    }
  }

  #operate(isWrite: boolean): void {
    const { locks } = this.#store;
    const { shard } = this.#key;
    locks.lock(shard, isWrite);
    try {
      if (this.#heldMs > 0) Atomics.wait(this.#pillow, 0, 0, this.#heldMs);
      if (isWrite) this.#write();
      else this.#read();
    } catch (error) {
      // What may be half done must not become visible, and nobody may wait for it for ever (C4).
      locks.poison(shard, OPERATION);
      throw error;
    }
    locks.unlock(shard, isWrite);
  }

  #write(): void {
    const status = this.#store.addInteger(BALANCE_DATABASE, this.#key, this.#one, this.#sum);
    assert(status === WriteStatus.OK, "a key that exists has room for a larger number");
    this.writeCount++;
  }

  #read(): void {
    const entry = this.#store.peek(BALANCE_DATABASE, this.#key);
    assert(entry !== 0 && this.#store.readInteger(entry, this.#sum), "the key holds an integer");
  }
}
