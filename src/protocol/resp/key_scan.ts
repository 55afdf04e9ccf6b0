/**
 * Finds the keys of the requests that follow in a pipeline, or have arrived at several connections,
 * before these are parsed.
 *
 * It only skips from length to length, and looks at requests of the plain form with up to nine
 * arguments. What else there is, mistakes included, is left to the parser; the scan goes on behind
 * it. What the keys are for is in upcoming_keys.ts. Where many commands are for one large hash or set,
 * their members are found instead; see members_ahead.ts in the store.
 *
 * @module
 */

import type { InputBuffer } from "../../base/bytes.ts";
import type { CommandArguments } from "../../command/arguments.ts";
import { UpcomingKeys } from "../../command/upcoming_keys.ts";

const STAR = 0x2a;
const DOLLAR = 0x24;
const CARRIAGE_RETURN = 0x0d;
const DIGIT_0 = 0x30;

/** Two of the shortest requests with a key: less than that is no pipeline. Unit: bytes. */
const LEAST_PIPELINE_BYTES = 40;

/** Arguments whose length has more digits are not skipped. */
const MOST_LENGTH_DIGITS = 7;

/** Requests that are looked at in one go, whether they have keys or not. */
const MOST_REQUESTS = UpcomingKeys.CAPACITY;

/** Of a plain request: `*3\r\n$4\r\n` is before its name. */
const FIRST_NAME_AT = 8;

/** Fewer members are not worth while. */
const LEAST_MEMBERS = 3;

/**
 * Looks ahead in the input of one connection at a time, or of several that are going to be executed one
 * after the other:
 *
 * ```text
 * begin A  find, give …  clear                                           A alone
 * join A  join B  touch  begin A  give …  clear  begin B  give …  clear  end
 * ```
 *
 * Thread: one instance per I/O thread. From {@link KeyScan.begin} to {@link KeyScan.clear} no other
 * batch may begin, and the input must not move; nor may those that have joined, until
 * {@link KeyScan.end}.
 */
export class KeyScan {
  readonly #keys: UpcomingKeys;
  readonly #members: UpcomingKeys["members"];
  /** Requests from this offset on have not been looked at. */
  #until = Infinity;
  /** Where the key of the request is that was skipped last; behind its start: it has none. */
  #keyStart = 0;
  #keyEnd = 0;
  // Of each input that has joined:
  readonly #bytes: Uint8Array[] = [];
  readonly #starts = new Int32Array(MOST_REQUESTS);
  /** See {@link KeyScan.#until}. */
  readonly #untils = new Float64Array(MOST_REQUESTS);
  /** Its first key; then, where those of the next one begin. */
  readonly #firstKeys = new Int32Array(MOST_REQUESTS + 1);
  /** Inputs that have joined. */
  #joinedCount = 0;
  /** The first one whose batch has not begun yet. */
  #next = 0;
  /** Whether no more can join. */
  #isClosed = false;
  /** What the keys of those that have joined are in. */
  #database = 0;
  /** Whether keys are worth looking for. */
  #hasManyKeys = false;
  /** Of the argument read last. Unit: bytes. */
  #length = 0;

  /**
   * Has found nothing yet.
   *
   * @param keys takes what is found
   */
  constructor(keys: UpcomingKeys) {
    this.#keys = keys;
    this.#members = keys.members;
  }

  /**
   * Ends a batch: forgets everything of it. The buffer may become somebody else's, with other bytes at
   * the same places.
   */
  clear(): void {
    if (this.#joinedCount === 0) this.#keys.clear();
    else this.#keys.select(0, 0);
    this.#members.clear();
    this.#until = Infinity;
  }

  /**
   * Begins a batch.
   *
   * @param input what has arrived, from the start of a request
   * @param database the client's; -1: nothing is to be looked for, because nothing will be executed
   */
  begin(input: InputBuffer, database: number): void {
    this.clear();
    if (this.#joinedCount > 0) {
      this.#beginJoined(input);
      return;
    }
    const isPipeline = database >= 0 && input.end - input.start >= LEAST_PIPELINE_BYTES;
    this.#hasManyKeys = isPipeline && this.#keys.paysOff(database);
    // Where members were wanted last, they are probably wanted again, and of one key.
    this.#until = this.#hasManyKeys && !this.#members.isWanted ? input.start : Infinity;
  }

  /** Goes on with what was found when the input joined, and with nothing when it has not. */
  #beginJoined({ bytes, start }: InputBuffer): void {
    const count = this.#joinedCount;
    // Some that joined may not be executed now.
    let i = this.#next;
    while (i < count && (this.#bytes[i] !== bytes || this.#starts[i] !== start)) i++;
    // A scan makes room for its keys, but others' are still wanted.
    this.#hasManyKeys = false;
    if (i === count) return;
    this.#next = i + 1;
    this.#until = this.#untils[i]!;
    this.#keys.select(this.#firstKeys[i]!, this.#firstKeys[i + 1]!);
  }

  /** Finds the keys of the next requests, unless those found before are still to be parsed. */
  find(input: InputBuffer, database: number): void {
    if (input.start >= this.#until) this.#scan(input, database);
  }

  /**
   * Hands on what is known of a request that was parsed; see {@link UpcomingKeys.give}.
   *
   * @param input from behind the request on
   */
  give(args: CommandArguments, input: InputBuffer): void {
    this.#keys.give(args);
    if (!this.#members.isWanted || this.#noteMembers(args, input)) return;
    this.#members.clear();
    this.#members.failed();
    // Of other commands the keys are worth looking for.
    if (this.#hasManyKeys && this.#keys.count === 0) this.#until = input.start;
  }

  /**
   * Notes the member of a request, and those of the requests behind it that are like it: with as many
   * arguments and the same key. The rest is not looked at: a wrong guess is found out later.
   *
   * @returns false = there is nothing like that
   */
  #noteMembers(args: CommandArguments, input: InputBuffer): boolean {
    const members = this.#members;
    const { starts, ends, count } = args;
    const { bytes, end } = input;
    let at = input.start;
    if (count < 3 || count > 4) return at === end;
    if (!members.isEmpty) return !members.lagsBehind(starts[2]!);
    if (at === end) return true;
    members.begin(bytes);
    if (!members.note(starts[2]!, ends[2]!)) return false;
    const keyStart = starts[1]!;
    const keyBytes = ends[1]! - keyStart;
    // From `*` to the key, and on to behind it; of a name as long as this one's.
    const toKey = keyStart - starts[0]! + FIRST_NAME_AT;
    const toMember = toKey + keyBytes + 2;
    const countDigit = DIGIT_0 + count;
    // What lies behind the end is of an older request.
    while (at < end && bytes[at] === STAR && bytes[at + 1] === countDigit) {
      const key = at + toKey;
      let i = 0;
      while (i < keyBytes && bytes[key + i] === bytes[keyStart + i]) i++;
      if (i < keyBytes) break;
      const start = this.#argumentAt(bytes, at + toMember);
      const stop = start + this.#length;
      at = stop + 2;
      if (count > 3) at = this.#argumentAt(bytes, at) + this.#length + 2;
      // The last one may be there in part.
      if (at > end || !members.note(start, stop)) break;
    }
    // At the end of a batch there may be few.
    return at === end || members.count >= LEAST_MEMBERS;
  }

  /**
   * Reads the length of the argument whose `$` is at `at`, into `#length`; of what is none, anything.
   *
   * @returns where the argument begins
   */
  #argumentAt(bytes: Uint8Array, at: number): number {
    const most = at + 1 + MOST_LENGTH_DIGITS;
    let length = 0;
    for (at++; at < most; at++) {
      const digit = bytes[at]! - DIGIT_0;
      if (digit < 0 || digit > 9) break;
      length = length * 10 + digit;
    }
    this.#length = length | 0;
    return at + 2;
  }

  /**
   * Finds the keys of a connection's requests, besides those of others that are executed before it. When
   * not all of them can be found at once, nobody can join behind it.
   *
   * @param input as it will be when its batch begins
   * @param database the client's
   * @returns false when it cannot join, but when those that have joined were executed
   */
  join(input: InputBuffer, database: number): boolean {
    const keys = this.#keys;
    const index = this.#joinedCount;
    if (index === 0) {
      if (!keys.paysOff(database)) return true;
      keys.clear();
      this.#database = database;
    } else if (this.#isClosed || database !== this.#database) return false;
    const { bytes, start } = input;
    const firstKey = keys.count;
    const until = this.#noteAll(input, firstKey);
    // The members of a pipeline are looked for when it is executed.
    if (until < 0) return true;
    // A scan for the rest will forget the keys of all.
    this.#isClosed = until < Infinity || keys.isFull || index + 1 === MOST_REQUESTS;
    this.#bytes[index] = bytes;
    this.#starts[index] = start;
    this.#untils[index] = until;
    this.#firstKeys[index] = firstKey;
    this.#firstKeys[index + 1] = keys.count;
    this.#joinedCount = index + 1;
    return true;
  }

  /**
   * @returns what has not been looked at, see {@link KeyScan.#until}; -1 when nothing should be
   */
  #noteAll({ bytes, start, end }: InputBuffer, firstKey: number): number {
    const keys = this.#keys;
    let at = start;
    for (let i = 0; at < end; i++) {
      const isOver = i === MOST_REQUESTS || keys.isFull;
      const behind = isOver ? -1 : this.#skipRequest(bytes, at, end);
      // Where nothing was found, the scan goes on behind the request.
      if (behind < 0) return Math.max(at, start + 1);
      if (at === start && behind < end && this.#members.isWanted) return -1;
      at = behind;
      if (this.#keyEnd >= this.#keyStart) keys.note(bytes, this.#keyStart, this.#keyEnd);
      if (keys.isOneKey(firstKey)) break;
    }
    return Infinity;
  }

  /** Brings what belongs to the keys of all that have joined into the caches. */
  touch(): void {
    if (this.#joinedCount === 0) return;
    this.#isClosed = true;
    this.#keys.touch(this.#database);
  }

  /** Those that have joined were executed, or will not be now: they are forgotten. */
  end(): void {
    if (this.#joinedCount === 0) return;
    this.#joinedCount = this.#next = this.#bytes.length = 0;
    this.#isClosed = false;
    this.clear();
  }

  #scan(input: InputBuffer, database: number): void {
    const keys = this.#keys;
    const { bytes, end } = input;
    let at = input.start;
    keys.clear();
    // The scan begins anew after each slice.
    for (let i = 0; i < MOST_REQUESTS && !keys.isFull; i++) {
      const behind = this.#skipRequest(bytes, at, end);
      if (behind < 0) break;
      at = behind;
      // One alone is found as fast by who executes it.
      const isAlone = at === end && keys.count === 0;
      if (!isAlone && this.#keyEnd >= this.#keyStart) {
        keys.note(bytes, this.#keyStart, this.#keyEnd);
      }
      if (keys.isOneKey(0)) {
        this.#until = Infinity;
        return;
      }
    }
    this.#until = Math.max(at, input.start + 1);
    keys.touch(database);
  }

  /**
   * Finds where the request at `at` ends, and its key, if it is a whole one and plain.
   *
   * @returns the offset behind it; -1 when it is not
   */
  #skipRequest(bytes: Uint8Array, at: number, end: number): number {
    if (at + 4 > end || bytes[at] !== STAR || bytes[at + 2] !== CARRIAGE_RETURN) return -1;
    const count = bytes[at + 1]! - DIGIT_0;
    if (count < 1 || count > 9) return -1;
    this.#keyEnd = -1;
    at += 4;
    for (let index = 0; index < count; index++) {
      if (at >= end || bytes[at] !== DOLLAR) return -1;
      const behindLast = at + 1 + MOST_LENGTH_DIGITS;
      let length = 0;
      for (at++;; at++) {
        const digit = bytes[at]! - DIGIT_0;
        if (digit < 0 || digit > 9) break;
        if (at === behindLast) return -1;
        length = length * 10 + digit;
      }
      at += 2;
      if (index === 1) {
        this.#keyStart = at;
        this.#keyEnd = at + length;
      }
      at += length + 2;
      if (at > end) return -1;
    }
    return at;
  }
}
