/**
 * The clients of the waiter stress that wait: what they send, and what they make of the replies.
 *
 * @module
 */

import type { Random } from "../helpers/fuzz/random.ts";
import {
  type Harness,
  latin1,
  request,
  settled,
  type TestClient,
} from "../unit/command/harness.ts";
import { type Frame, parseFrames } from "../vectors/format.ts";
import { faultInSealed } from "./command_evidence.ts";
import {
  fairList,
  type FairServing,
  ownList,
  ownSet,
  PUSHERS,
  SHARED_LISTS,
  SHARED_SETS,
} from "./waiter_evidence.ts";

/** What a client waits for. */
export type Wish = "shared lists" | "shared sets" | "a move" | "own keys" | "a fair turn";

/** What clients work with. */
export interface WaitingParts {
  readonly harness: Harness;
  readonly threads: number;
  readonly random: Random;
  /** Draws the next ticket. */
  readonly ticket: () => number;
  /** Notes an element that a client was given. */
  readonly take: (name: string) => void;
  readonly serve: (serving: FairServing) => void;
  readonly count: (what: string) => void;
  readonly violated: (what: string) => void;
}

/** The name that a sealed element says it has; tells of one that is torn. */
export function nameOf(element: string, violated: (what: string) => void): string {
  const name = element.slice(0, element.indexOf(":"));
  const fault = faultInSealed(name, element);
  if (fault !== "") violated(fault);
  return name;
}

/** One client that waits, again and again. */
export class WaitingClient {
  readonly wish: Wish;
  readonly #parts: WaitingParts;
  #client!: TestClient;
  #leave: (() => void) | undefined;
  #ticket = 0;
  #isGone = false;

  constructor(wish: Wish, parts: WaitingParts) {
    this.wish = wish;
    this.#parts = parts;
    this.#connect();
  }

  /** Its number, for CLIENT UNBLOCK. */
  get id(): number {
    return this.#client.session.client.id;
  }

  /** Whether it is in queues now. */
  get isWaiting(): boolean {
    return this.#leave !== undefined;
  }

  /** Whether it may go while it is served: what it would have got then comes back later. */
  get mayGo(): boolean {
    return this.wish === "shared lists" || this.wish === "shared sets";
  }

  /** Its connection ends. */
  go(): void {
    this.#isGone = true;
    this.#leave!();
  }

  /** Waits once. */
  async wait(): Promise<void> {
    const { random, count } = this.#parts;
    this.#ticket = 0;
    const timeout = random.oneIn(4) ? "0" : String((1 + random.below(30)) / 1000);
    const words = this.#words(timeout);
    const reply = await settled(this.#client.send(latin1(request(...words))));
    if (this.#isGone) {
      if (reply !== "") this.#parts.violated(`${words[0]} of a client that is gone got ${reply}`);
      count("gone");
      this.#connect();
      return;
    }
    const frame = parseFrames(reply)[0]!;
    if (frame.type === "-") {
      const isExpected = /^(UNBLOCKED|ERR server is shutting down)/.test(frame.text);
      if (!isExpected) this.#parts.violated(`${words.join(" ")}: ${frame.text}`);
      count("sent away");
    } else if (isNil(frame)) {
      count("time up");
    } else {
      count(this.#ticket === 0 ? "taken at once" : "served");
      this.#take(words[0]!, frame);
    }
  }

  #connect(): void {
    this.#isGone = false;
    const client = this.#parts.harness.connect(1 << 12);
    // Told of it under the locks of its keys, when it is in all of their queues.
    Object.defineProperty(client, "leave", {
      get: () => this.#leave,
      set: (leave: (() => void) | undefined) => {
        this.#leave = leave;
        if (leave !== undefined) this.#ticket = this.#parts.ticket();
      },
    });
    this.#client = client;
  }

  /** Some of the keys, in any order. */
  #some(keys: readonly string[], most = 3): string[] {
    const { random } = this.#parts;
    const first = random.below(keys.length);
    const count = 1 + random.below(Math.min(most, keys.length));
    return Array.from({ length: count }, (_, i) => keys[(first + i) % keys.length]!);
  }

  #words(timeout: string): string[] {
    const { random, threads } = this.#parts;
    const owners = Array.from({ length: threads * PUSHERS }, (_, i) => i);
    const lists = owners.map((i) => ownList(i >> 1, i & 1));
    const sets = owners.map((i) => ownSet(i >> 1, i & 1));
    switch (this.wish) {
      case "shared lists":
        return this.#popList(this.#some(SHARED_LISTS), timeout);
      case "shared sets":
        return this.#popSet(this.#some(SHARED_SETS), timeout);
      case "own keys":
        return random.oneIn(2)
          ? this.#popList(this.#some(lists, 8), timeout)
          : this.#popSet(this.#some(sets, 8), timeout);
      case "a move": {
        const [from, to] = this.#some(SHARED_LISTS, 1).concat(this.#some(SHARED_LISTS, 1));
        const ends = [random.pick(["LEFT", "RIGHT"]), random.pick(["LEFT", "RIGHT"])];
        return random.oneIn(3)
          ? ["BRPOPLPUSH", from!, to!, timeout]
          : ["BLMOVE", from!, to!, ...ends, timeout];
      }
      case "a fair turn": {
        const keys = this.#some(Array.from({ length: threads }, (_, i) => fairList(i)));
        return random.oneIn(3)
          ? ["BLMPOP", timeout, `${keys.length}`, ...keys, "LEFT"]
          : ["BLPOP", ...keys, timeout];
      }
    }
  }

  #popList(keys: string[], timeout: string): string[] {
    const { random } = this.#parts;
    if (random.oneIn(3)) {
      const count = random.oneIn(4) ? 100 : 1 + random.below(3);
      const end = random.pick(["LEFT", "RIGHT"]);
      return ["BLMPOP", timeout, `${keys.length}`, ...keys, end, "COUNT", `${count}`];
    }
    return [random.pick(["BLPOP", "BRPOP"]), ...keys, timeout];
  }

  #popSet(keys: string[], timeout: string): string[] {
    const { random } = this.#parts;
    if (random.oneIn(3)) {
      const end = random.pick(["MIN", "MAX"]);
      const count = `${1 + random.below(3)}`;
      return ["BZMPOP", timeout, `${keys.length}`, ...keys, end, "COUNT", count];
    }
    return [random.pick(["BZPOPMIN", "BZPOPMAX"]), ...keys, timeout];
  }

  /** Notes what a reply brought. */
  #take(command: string, frame: Frame): void {
    const { take, serve, violated } = this.#parts;
    if (this.wish === "a move") return void nameOf(frame.text, violated);
    const [key, second] = frame.parts;
    const elements = !command.includes("MPOP")
      ? [second!]
      : command === "BZMPOP"
      ? second!.parts.map(({ parts }) => parts[0]!)
      : second!.parts;
    for (const { text } of elements) {
      take(nameOf(text, violated));
      if (this.wish !== "a fair turn" || this.#ticket === 0) continue;
      const element = Number(text.split(":")[0]!.split(".").at(-1));
      serve([Number(key!.text.slice(1)), element, this.#ticket]);
    }
  }
}

function isNil({ type }: Frame): boolean {
  return type === "*-" || type === "$-";
}
