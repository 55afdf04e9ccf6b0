/**
 * The ways in which the waiter stress makes keys poppable: a push, a transaction, and all commands
 * that put a list or a sorted set at a key. None of them overwrites what others pushed.
 *
 * @module
 */

import type { Random } from "../helpers/fuzz/random.ts";
import type { Frame } from "../vectors/format.ts";
import { sealedValue } from "./command_evidence.ts";
import { ownList, ownSet, SHARED_LISTS, SHARED_SETS } from "./waiter_evidence.ts";

/** Elements of a list that is sorted without its locks, and of which a client may take many. */
const MANY = 250;

/** What one pusher adds to every shared key at the end of a round. */
const PLENTY = 8;

/** What a pusher works with. */
export interface PusherParts {
  readonly thread: number;
  readonly pusher: number;
  readonly random: Random;
  /** Sends a command, and reads its reply; characters are bytes. */
  readonly ask: (...words: string[]) => Promise<Frame>;
  /** Told of every element before it is sent. */
  readonly note: (name: string) => void;
  /** Told of every element that it takes. */
  readonly take: (element: string) => void;
  /** Counts what happened. */
  readonly count: (what: string) => void;
}

/** One client that pushes. */
export class Pusher {
  readonly #parts: PusherParts;
  readonly #stage: string;
  readonly #ownList: string;
  readonly #ownSet: string;
  readonly #ways: readonly (readonly [string, () => Promise<void>])[];
  #made = 0;

  constructor(parts: PusherParts) {
    this.#parts = parts;
    const { thread, pusher } = parts;
    this.#stage = `stage${thread}.${pusher}`;
    this.#ownList = ownList(thread, pusher);
    this.#ownSet = ownSet(thread, pusher);
    this.#ways = [
      ["push", () => this.#push()],
      ["push", () => this.#push()],
      ["zadd", () => this.#zadd()],
      ["zadd", () => this.#zadd()],
      ["exec", () => this.#exec()],
      ["renamenx", () => this.#stageTo(["RENAMENX"])],
      ["copy", () => this.#stageTo(["COPY"])],
      ["restore", () => this.#restore()],
      ["watched sort", () => this.#watched(["SORT", this.#stage, "BY", "none", "STORE"])],
      ["watched rename", () => this.#watched(["RENAME", this.#stage])],
      ["sort", () => this.#overwrite(["SORT", this.#stage, "BY", "none", "STORE"])],
      ["rename", () => this.#overwrite(["RENAME", this.#stage])],
      ["move", () => this.#move()],
      ["zunionstore", () => this.#zunionstore()],
    ];
  }

  /** Pushes something, somehow. */
  async push(): Promise<void> {
    const [name, way] = this.#parts.random.pick(this.#ways);
    this.#parts.count(name);
    await way();
  }

  /** Takes what is left at the shared keys, so that clients wait for them again. */
  async takeRest(): Promise<void> {
    const { ask, take } = this.#parts;
    for (const key of SHARED_LISTS) {
      for (const { text } of (await ask("LPOP", key, "1000")).parts) take(text);
    }
    for (const key of SHARED_SETS) {
      const { parts } = await ask("ZPOPMIN", key, "1000");
      for (let i = 0; i < parts.length; i += 2) take(parts[i]!.text);
    }
  }

  /** Pushes more than enough for all who wait for a shared key. */
  async pushPlenty(): Promise<void> {
    const { ask } = this.#parts;
    for (const key of SHARED_LISTS) await ask("RPUSH", key, ...this.#elements(PLENTY));
    for (const key of SHARED_SETS) {
      await ask("ZADD", key, ...this.#elements(PLENTY).flatMap((member) => ["1", member]));
    }
  }

  #elements(count = 1 + this.#parts.random.below(3)): string[] {
    const { thread, pusher, random, note } = this.#parts;
    return Array.from({ length: count }, () => {
      const name = `${thread}.${pusher}.${this.#made++}`;
      note(name);
      // What is too long to be handed over, the client that waits takes itself.
      return sealedValue(name, "x".repeat(random.oneIn(40) ? 20_000 : random.below(20)));
    });
  }

  #end(): string {
    return this.#parts.random.pick(["LPUSH", "RPUSH"]);
  }

  #list(): string {
    return this.#parts.random.pick(SHARED_LISTS);
  }

  async #push(): Promise<void> {
    await this.#parts.ask(this.#end(), this.#list(), ...this.#elements());
  }

  async #zadd(key = this.#parts.random.pick(SHARED_SETS)): Promise<void> {
    const { ask, random } = this.#parts;
    const pairs = this.#elements().flatMap((member) => [String(random.below(1000)), member]);
    await ask("ZADD", key, ...pairs);
  }

  async #exec(): Promise<void> {
    const { ask } = this.#parts;
    await ask("MULTI");
    await ask(this.#end(), this.#list(), ...this.#elements());
    await ask(this.#end(), this.#ownList, ...this.#elements());
    await ask("ZADD", this.#ownSet, "1", this.#elements(1)[0]!);
    await ask("EXEC");
  }

  /** Puts elements where nobody waits for them. */
  async #prepare(count?: number): Promise<void> {
    await this.#parts.ask("RPUSH", this.#stage, ...this.#elements(count));
  }

  /** One by one, to where there may be something already. */
  async #moveStage(): Promise<void> {
    const { ask } = this.#parts;
    const to = this.#list();
    while ((await ask("LMOVE", this.#stage, to, "LEFT", "RIGHT")).type === "$");
  }

  async #stageTo([command]: readonly [string]): Promise<void> {
    const { ask } = this.#parts;
    await this.#prepare();
    const { text } = await ask(command, this.#stage, this.#list());
    if (text === "0") await this.#moveStage();
    else if (command === "COPY") await ask("DEL", this.#stage);
  }

  async #restore(): Promise<void> {
    const { ask, random } = this.#parts;
    await this.#prepare(random.oneIn(10) ? MANY : undefined);
    const { text: payload } = await ask("DUMP", this.#stage);
    const { type } = await ask("RESTORE", this.#list(), "0", payload);
    if (type === "+") await ask("DEL", this.#stage);
    else await this.#moveStage();
  }

  /** Overwrites a shared key in a transaction, if nothing is at it. */
  async #watched(command: readonly string[]): Promise<void> {
    const { ask, count } = this.#parts;
    await this.#prepare();
    const to = this.#list();
    await ask("WATCH", to);
    if ((await ask("EXISTS", to)).text !== "0") {
      await ask("UNWATCH");
      return await this.#moveStage();
    }
    await ask("MULTI");
    await ask(...command, to);
    await ask("DEL", this.#stage);
    // Aborted where somebody came first.
    if ((await ask("EXEC")).parts.length === 0) {
      count("aborted");
      await this.#moveStage();
    }
  }

  /** Overwrites a key that nobody else pushes to. */
  async #overwrite(command: readonly string[]): Promise<void> {
    const { ask, random } = this.#parts;
    await this.#prepare(random.oneIn(10) ? MANY : undefined);
    if ((await ask("EXISTS", this.#ownList)).text === "0") {
      await ask(...command, this.#ownList);
      await ask("DEL", this.#stage);
    } else {
      await this.#moveStage();
    }
  }

  async #move(): Promise<void> {
    const { ask } = this.#parts;
    const elements = this.#elements();
    await ask("SELECT", "1");
    await ask("RPUSH", this.#ownList, ...elements);
    const { text } = await ask("MOVE", this.#ownList, "0");
    if (text === "0") await ask("DEL", this.#ownList);
    await ask("SELECT", "0");
    if (text === "0") await ask("RPUSH", this.#ownList, ...elements);
  }

  async #zunionstore(): Promise<void> {
    const { ask } = this.#parts;
    if ((await ask("EXISTS", this.#ownSet)).text !== "0") return await this.#zadd();
    await this.#zadd(`z${this.#stage}`);
    await ask("ZUNIONSTORE", this.#ownSet, "1", `z${this.#stage}`);
    await ask("DEL", `z${this.#stage}`);
  }
}
