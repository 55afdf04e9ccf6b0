/**
 * Requests of several connections, executed one right after the other, and then their replies, written
 * in a row.
 *
 * A write to a client that sleeps has to wake it, which costs the writer more than everything else
 * about it: 22 µs against 10 µs on a virtual machine. A thread that answers fifty busy connections
 * in turn wakes the same client program fifty times, because that has read one reply, and sleeps
 * again, before the next one is made. When the replies are made first and then written in a row,
 * only the first write finds the client asleep.
 *
 * So a reply waits until the connections whose requests are already there have made theirs. Nobody
 * waits for a request that is still to come, and nobody for long: see {@link WRITE_TURN_MAX_MS}.
 *
 * And before the first of them is executed, all can say which memory they will need: it comes sooner
 * when it is asked for together.
 *
 * ```text
 * one by one   read A  execute A  WRITE A  read B  execute B  WRITE B  …
 * in turns     read A  read B  …  look ahead  execute A  execute B  …  WRITE A  write B  …
 * ```
 *
 * With `--fsync always` a reply waits for the disk as well, if it tells of something that is not there
 * yet. Those that wait are written in a row, too; the others do not wait for them.
 *
 * @module
 */

import type { Told } from "../durability/told.ts";

/**
 * Replies wait no longer than this, and what is being executed just then. Unit: ms.
 *
 * Reason: long against what a write costs, short against what a client notices.
 */
export const WRITE_TURN_MAX_MS = 0.5;

/** Who has a reply to write. */
export interface TurnWriter {
  /** What the reply tells of. */
  readonly told: Told;
  /** Begins to write it. Must not throw. */
  writeNow(): void;
}

/** Who has received requests. */
export interface TurnMember extends TurnWriter {
  /**
   * Says what it will look for, see {@link AheadLook}. Must not throw.
   *
   * @returns false when that has to wait until those who have said so before were executed
   */
  lookAhead(): boolean;
  /**
   * Executes what it has received, unless it is better to wait. Must not throw.
   *
   * @returns whether it has a reply that may be written now; all else it does when it goes on
   */
  executeNow(): boolean;
}

/** Brings into the processor's caches what members of a turn said that they will look for. */
export interface AheadLook {
  /** To be called before the first of them is executed. */
  touch(): void;
  /** They were executed, or will not be now. */
  end(): void;
}

/** Keeps replies back until what they tell is safe. */
export interface ReplyGate {
  /** What is executed is told by a connection, until {@link ReplyGate.end}. */
  begin(told: Told): void;
  /** What is executed from now on is not. */
  end(): void;
  /** What ended later than its execution tells what it tells. */
  finish(told: Told): void;
  /** A connection tells of all that can be seen now. */
  touchAll(told: Told): void;
  /** Whether all that it tells is safe. */
  isSafe(told: Told): boolean;
  /** Resolves when it is, or when that may take long; never rejects. */
  untilSafe(piece: number): Promise<void>;
  /** Resolves when it is worth another look, and now and then; never rejects. */
  nextChange(): Promise<void>;
}

/** Where the effects of commands go that are executed in a row. */
export interface TurnLog {
  /** They are from now on: what they do may be put into the log together. */
  beginTurn(): void;
  /** No more are. */
  endTurn(): void;
}

/** Replies that are going to be written in a row. */
interface Turn {
  readonly writers: TurnWriter[];
  readonly over: PromiseWithResolvers<void>;
}

/**
 * The requests of one I/O thread that are read and not yet executed, and the replies that are made and
 * not yet written.
 *
 * Thread: the I/O thread that made it.
 */
export class WriteTurns {
  /** Called before the replies of a turn are written, which takes a while. Must not throw. */
  beforeWrites: (() => void) | undefined = undefined;
  /** Asked before replies are written; undefined: nobody is. */
  gate: ReplyGate | undefined = undefined;
  /** Told when a connection's commands are executed; undefined: there is no log. */
  log: TurnLog | undefined = undefined;
  /** Told when members have looked ahead; undefined: they do not. */
  ahead: AheadLook | undefined = undefined;

  /** Those who have received requests, which were not executed yet. */
  #members: TurnMember[] = [];
  /** The list that is not in use. */
  #spareMembers: TurnMember[] = [];
  #writers: TurnWriter[] = [];
  /** The list that is not in use. */
  #spare: TurnWriter[] = [];
  #turn: PromiseWithResolvers<void> | undefined;
  /** Replies of this turn that have to wait for the disk. */
  #held: Turn | undefined;
  #startedAtMs = 0;
  /** When {@link WriteTurns.endIfDue} was called last. */
  #lastMs = 0;
  #seenCount = 0;
  /** How many have come or have a reply. */
  #count = 0;

  /** A connection's commands are executed now, until {@link WriteTurns.end} or until one of them waits. */
  begin(writer: Pick<TurnWriter, "told">): void {
    if (this.log === undefined) return;
    this.log.beginTurn();
    if (this.gate !== undefined) this.gate.begin(writer.told);
  }

  /** None are any more. */
  end(): void {
    if (this.log === undefined) return;
    this.log.endTurn();
    if (this.gate !== undefined) this.gate.end();
  }

  /**
   * Adds received requests to the turn. They are executed when everybody who is ready has come.
   *
   * @param nowMs a recent reading of `performance.now()`
   * @returns resolves when that was done, and the reply's write has begun if there is one that may be
   *   written; never rejects
   */
  come(member: TurnMember, nowMs: number): Promise<void> {
    this.#members.push(member);
    this.#countIn(nowMs);
    return (this.#turn ??= Promise.withResolvers()).promise;
  }

  /**
   * Adds a reply to the turn.
   *
   * @param nowMs a recent reading of `performance.now()`
   * @returns resolves when the writer was told to begin, or when what it tells will not be safe soon:
   *   then it has to see for itself when it may write; never rejects
   */
  join(writer: TurnWriter, nowMs: number): Promise<void> {
    const turn = this.gate === undefined || this.gate.isSafe(writer.told)
      ? this.#joinWriters(writer)
      : this.#joinHeld(writer);
    this.#countIn(nowMs);
    return turn.promise;
  }

  #countIn(nowMs: number): void {
    if (this.#count++ > 0) return;
    this.#startedAtMs = nowMs;
    this.#seenCount = 1;
    queueMicrotask(this.#look);
  }

  #joinWriters(writer: TurnWriter): PromiseWithResolvers<void> {
    this.#writers.push(writer);
    return this.#turn ??= Promise.withResolvers();
  }

  #joinHeld(writer: TurnWriter): PromiseWithResolvers<void> {
    const held = this.#held ??= { writers: [], over: Promise.withResolvers() };
    held.writers.push(writer);
    return held.over;
  }

  /**
   * Ends the turn if it has lasted for {@link WRITE_TURN_MAX_MS}; to be called before anything that
   * takes time. Those who have come are executed then, and may end or close whoever calls.
   *
   * @param nowMs a recent reading of `performance.now()`
   */
  endIfDue(nowMs: number): void {
    this.#lastMs = nowMs;
    if (this.#count > 0 && nowMs - this.#startedAtMs >= WRITE_TURN_MAX_MS) this.#finish();
  }

  /**
   * Microtasks run in the order in which they came: those who were ready when the last look was
   * taken have joined by now. When nobody has, nobody is ready.
   */
  readonly #look = (): void => {
    if (this.#count === 0) return;
    if (this.#count > this.#seenCount) {
      this.#seenCount = this.#count;
      queueMicrotask(this.#look);
    } else {
      this.#finish();
    }
  };

  /** Nobody is left in the turn: who came and was not executed would be told to go on twice. */
  #finish(): void {
    try {
      if (this.#members.length > 0) this.#execute();
    } finally {
      // Whatever happens: a turn that does not end keeps all connections of the thread waiting.
      this.#end();
    }
  }

  /** Nobody goes on in between: what members wait for is resolved by a later microtask. */
  #execute(): void {
    const members = this.#members;
    this.#members = this.#spareMembers;
    for (let start = 0; start < members.length;) {
      try {
        const end = this.#lookAhead(members, start);
        this.#executeThose(members, start, end);
        start = end;
      } finally {
        // Whatever happens: buffers that are remembered will have other bytes.
        this.ahead?.end();
      }
    }
    members.length = 0;
    this.#spareMembers = members;
  }

  #executeThose(members: TurnMember[], start: number, end: number): void {
    for (let i = start; i < end; i++) {
      const member = members[i]!;
      if (!member.executeNow()) continue;
      if (this.gate !== undefined && !this.gate.isSafe(member.told)) continue;
      this.#writers.push(member);
      // The turn may have ended since the member came, because it lasted too long.
      if (this.#count++ === 0) this.#startedAtMs = this.#lastMs;
    }
  }

  /**
   * Members look ahead, from `start` on and as many as can together.
   *
   * @returns the one behind them
   */
  #lookAhead(members: TurnMember[], start: number): number {
    const { ahead } = this;
    const { length } = members;
    if (ahead === undefined) return length;
    let end = start + 1;
    // One alone looks ahead when it executes.
    if (end === length) return end;
    members[start]!.lookAhead();
    while (end < length && members[end]!.lookAhead()) end++;
    ahead.touch();
    return end;
  }

  #end(): void {
    this.#count = 0;
    const held = this.#held;
    this.#held = undefined;
    const turn = this.#turn;
    this.#turn = undefined;
    const writers = this.#writers;
    this.#writers = this.#spare;
    this.beforeWrites?.();
    for (const writer of writers) writer.writeNow();
    writers.length = 0;
    this.#spare = writers;
    turn?.resolve();
    if (held !== undefined) void this.#release(held);
  }

  /** Writes what waits for the disk when it is there. Never rejects. */
  async #release({ writers, over }: Turn): Promise<void> {
    const gate = this.gate!;
    // Numbers go round, but what waits is of the same few.
    let { piece } = writers[0]!.told;
    for (const { told } of writers) if ((told.piece - piece | 0) > 0) piece = told.piece;
    await gate.untilSafe(piece);
    for (const writer of writers) if (gate.isSafe(writer.told)) writer.writeNow();
    over.resolve();
  }
}
