/**
 * One running command, as its handler sees it.
 *
 * @module
 */

import { Int64 } from "../base/int64.ts";
import { EventFields } from "../base/job.ts";
import type { NotifyClass } from "../pubsub/keyspace_events.ts";
import type { Notifier } from "../pubsub/notifier.ts";
import { Key } from "../store/key.ts";
import type { Store } from "../store/store.ts";
import type { CommandArguments } from "./arguments.ts";
import type { ClientState } from "./client_state.ts";
import { KeyHashes } from "./key_hashes.ts";
import type { LockSet } from "../store/lock_set.ts";
import type { ReplySink } from "./reply_sink.ts";
import type { CommandRow, HandlerStatus } from "./row.ts";
import type { CommandServices } from "./services.ts";
import { Slices, SliceTurns } from "./slices.ts";

/** Room for a prefixed key to start with; a longer one gets its own. */
const SCRATCH_BYTES = 256;

/**
 * The arguments, the reply and the scratch objects of one command.
 *
 * A dispatcher has one and reuses it; a parked command gets its own, because other commands run
 * while it waits.
 *
 * Thread: one I/O thread.
 */
export class CommandCall {
  /** What the server offers. */
  readonly services: CommandServices;
  /** Shortcut for `services.store`. */
  readonly store: Store;
  /** The row that runs. */
  row!: CommandRow;
  /** The arguments, the name first. */
  args!: CommandArguments;
  /** Where the reply goes. */
  sink!: ReplySink;
  /** Who asks. */
  client!: ClientState;

  /** The key located last; for a command with one key, that key. */
  readonly key: Key = new Key();
  /** Scratch: a number from an argument. */
  readonly operand: Int64 = new Int64();
  /** Scratch: a number from the store. */
  readonly result: Int64 = new Int64();
  /** Scratch: an event from arguments. */
  readonly event: EventFields = new EventFields("resp");

  /**
   * What a handler that returns `HandlerStatus.LATER` leaves here: it resolves when the reply has
   * been written.
   *
   * The promise's code must use a {@link CommandCall.detach}ed call: this one serves others
   * meanwhile. The connection executes nothing else until it is done, so it must end in bounded
   * time.
   */
  later: Promise<HandlerStatus> | undefined = undefined;
  /**
   * Whether the command is part of a transaction, which holds the locks that it needs: it must run
   * to its end at once, and what would wait for other clients gives up instead.
   */
  inTransaction = false;

  readonly #turns: SliceTurns;
  readonly #notifier: Notifier | undefined;
  #scratch = new Uint8Array(SCRATCH_BYTES);
  #locatedIndex = 0;
  /** What was hashed last of a key that may come again. */
  #lastHash = 0;
  #lastHashHigh = 0;
  /** Made by the first command with several keys. */
  #hashes: KeyHashes | undefined = undefined;
  /** Whether keys of the command are in {@link CommandCall.#hashes}. */
  #remembersKeys = false;

  /**
   * Makes an empty call; {@link CommandCall.begin} fills it.
   *
   * @param turns those of the thread's long commands
   */
  constructor(services: CommandServices, turns: SliceTurns = new SliceTurns()) {
    this.services = services;
    this.#turns = turns;
    this.store = services.store;
    this.#notifier = services.notifier;
  }

  /** Starts a command. */
  begin(row: CommandRow, args: CommandArguments, sink: ReplySink, client: ClientState): void {
    this.row = row;
    this.args = args;
    this.sink = sink;
    this.client = client;
    this.#locatedIndex = 0;
    this.#remembersKeys = false;
    this.stampAccess();
  }

  /**
   * Chooses the locks of the command: those of its keys, or all. What was hashed for that is not
   * hashed again when the handler asks for the keys.
   */
  collectShards(lockSet: LockSet): void {
    const { row, args } = this;
    const hashes = this.#hashes ??= new KeyHashes(this.store);
    hashes.begin(this.database);
    this.#remembersKeys = true;
    lockSet.clear();
    if (row.access === "all") lockSet.addAll();
    else if (row.findKeys !== undefined) {
      row.findKeys(args, (index) => this.#collectShard(index, lockSet, hashes));
    } else {
      const last = row.lastKeyOf(args.count);
      for (let i = row.firstKey; i <= last; i += row.keyStep) {
        this.#collectShard(i, lockSet, hashes);
      }
    }
    lockSet.seal();
    hashes.end();
  }

  #collectShard(index: number, lockSet: LockSet, hashes: KeyHashes): void {
    const key = this.keyAt(index);
    lockSet.add(key.shard);
    hashes.remember(index, key);
  }

  /**
   * Lets the store know how the command's looks at keys count: whether as use (`CLIENT NO-TOUCH`),
   * and whether among the hits and misses.
   */
  stampAccess(): void {
    const { access } = this.store;
    access.stamps = !this.client.noTouch;
    access.counts = this.row.countsLookups;
  }

  /** A call of its own for a command that has to wait. */
  detach(): CommandCall {
    const own = new CommandCall(this.services, this.#turns);
    // The arguments of a queued command are gone when its transaction has run.
    const args = this.inTransaction ? this.args.copy() : this.args;
    own.begin(this.row, args, this.sink, this.client);
    own.inTransaction = this.inTransaction;
    return own;
  }

  /** Begins the slices of a long command; they outlive the call. */
  slices(): Slices {
    const { store, services } = this;
    return new Slices({
      locks: store.locks,
      turns: this.#turns,
      refreshClock: () => void (store.nowMs = services.clock()),
      operation: this.row.operation,
      isAtomic: this.inTransaction,
    });
  }

  /**
   * Says that something happened to a key of the command; published when its locks are given back.
   * Costs a comparison where nobody wants to know. Call it once nothing can fail any more.
   *
   * @param kind one of `NotifyClass`
   * @param event as Redis calls it, e.g. `"set"`
   * @param key default: the key located last
   * @param database default: the command's
   */
  notify(kind: NotifyClass, event: string, key: Key = this.key, database = this.database): void {
    const notifier = this.#notifier;
    if (notifier === undefined || !notifier.wants(kind)) return;
    notifier.note(kind, event, database, key);
  }

  /** Whether {@link CommandCall.notify} does anything for a class. */
  wantsToKnow(kind: NotifyClass): boolean {
    return this.#notifier !== undefined && this.#notifier.wants(kind);
  }

  /** The database that the command's keys are in. */
  get database(): number {
    return this.row.keyPrefix.length === 0 ? this.client.database : 0;
  }

  /**
   * Makes {@link CommandCall.key} the key that argument `index` names.
   *
   * @returns that key, located
   */
  keyAt(index: number): Key {
    const key = this.key;
    if (index === this.#locatedIndex) return key;
    const { args, row } = this;
    if (row.keyPrefix.length > 0) return this.#prefixedKey(index);
    if (row.hasCollection && !this.#remembersKeys) return this.#collectionKey(index);
    key.set(args.bytes, args.starts[index]!, args.ends[index]!);
    this.#locatedIndex = index;
    if (this.#remembersKeys && this.#hashes!.recall(index, key)) return key;
    this.#locate(index);
    return key;
  }

  /** The key that is the row's prefix and argument `index`. */
  #prefixedKey(index: number): Key {
    const { args, key } = this;
    const prefix = this.row.keyPrefix;
    const byteCount = prefix.length + args.length(index);
    if (byteCount > this.#scratch.length) this.#scratch = new Uint8Array(byteCount);
    this.#scratch.set(prefix);
    this.#scratch.set(
      args.bytes.subarray(args.starts[index]!, args.ends[index]!),
      prefix.length,
    );
    this.store.locate(key.set(this.#scratch, 0, byteCount));
    this.#locatedIndex = index;
    return key;
  }

  /**
   * Locates {@link CommandCall.key}, which is argument `index`: by the hash that came with it, if there
   * is one.
   */
  #locate(index: number): void {
    const { args, key } = this;
    if (args.hashedIndex !== index) return this.store.locate(key);
    key.hash = args.hash >>> 0;
    key.hashHigh = args.hashHigh >>> 0;
    key.derive(this.store.shardCount);
  }

  /**
   * The key of a collection, to which the next command often is, too: at the second time it is
   * remembered, and from then on neither hashed nor looked up as long as it comes again.
   */
  #collectionKey(index: number): Key {
    const { args, key } = this;
    const start = args.starts[index]!;
    const end = args.ends[index]!;
    this.#locatedIndex = index;
    if (key.trySetSame(args.bytes, start, end)) return key;
    key.set(args.bytes, start, end);
    this.#locate(index);
    const { hash, hashHigh } = key;
    if (hash === this.#lastHash && hashHigh === this.#lastHashHigh) key.remember();
    this.#lastHash = hash;
    this.#lastHashHigh = hashHigh;
    return key;
  }

  /** The key that argument `index` names, as an object of its own, for commands with several. */
  ownKeyAt(index: number): Key {
    const { args } = this;
    const key = new Key().set(args.bytes, args.starts[index]!, args.ends[index]!);
    this.store.locate(key);
    return key;
  }
}
