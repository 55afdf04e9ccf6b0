/**
 * Finds the keys of the requests that follow in a pipeline, before these are parsed.
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
import type { UpcomingKeys } from "../../command/upcoming_keys.ts";

const STAR = 0x2a;
const DOLLAR = 0x24;
const CARRIAGE_RETURN = 0x0d;
const DIGIT_0 = 0x30;

/** Two of the shortest requests with a key: less than that is no pipeline. Unit: bytes. */
const LEAST_PIPELINE_BYTES = 40;

/** Arguments whose length has more digits are not skipped. */
const MOST_LENGTH_DIGITS = 7;

/** Requests that are looked at in one go. */
const MOST_REQUESTS = 16;

/** Of a plain request: `*3\r\n$4\r\n` is before its name. */
const FIRST_NAME_AT = 8;

/** Fewer members are not worth while. */
const LEAST_MEMBERS = 3;

/**
 * Looks ahead in the input of one connection at a time.
 *
 * Thread: one instance per I/O thread. From {@link KeyScan.begin} to {@link KeyScan.clear} the input
 * must not move, and no other batch may begin.
 */
export class KeyScan {
  readonly #keys: UpcomingKeys;
  readonly #members: UpcomingKeys["members"];
  /** Requests from this offset on have not been looked at. */
  #until = Infinity;
  /** Where the key of the request is that was skipped last; behind its start: it has none. */
  #keyStart = 0;
  #keyEnd = 0;
  /** What the keys of several connections are in, which were noted and not touched yet; -1: none are. */
  #sharedDatabase = -1;
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
   * Ends a batch: forgets everything. The buffer may become somebody else's, with other bytes at the
   * same places.
   */
  clear(): void {
    this.#keys.clear();
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
    const isPipeline = database >= 0 && input.end - input.start >= LEAST_PIPELINE_BYTES;
    this.#hasManyKeys = isPipeline && this.#keys.paysOff(database);
    // Where members were wanted last, they are probably wanted again, and of one key.
    this.#until = this.#hasManyKeys && !this.#members.isWanted ? input.start : Infinity;
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
    if (this.#hasManyKeys && this.#keys.isEmpty) this.#until = input.start;
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
   * Notes the key of a connection's request for {@link KeyScan.touch}, if it is the only one there: a
   * pipeline is looked at as a whole when it is executed. Nothing may be executed in between.
   *
   * @param database the client's
   * @returns false when it is none: its batch has to be looked at
   */
  noteLone({ bytes, start, end }: InputBuffer, database: number): boolean {
    const keys = this.#keys;
    if (this.#sharedDatabase < 0) {
      if (!keys.paysOff(database)) return false;
      keys.clear();
      this.#sharedDatabase = database;
    } else if (this.#sharedDatabase !== database) return false;
    if (this.#skipRequest(bytes, start, end) !== end) return false;
    if (this.#keyEnd >= this.#keyStart) keys.note(bytes, this.#keyStart, this.#keyEnd);
    return true;
  }

  /** Brings what belongs to the keys that were noted for several connections into the caches. */
  touch(): void {
    if (this.#sharedDatabase < 0) return;
    this.#keys.touch(this.#sharedDatabase);
    this.#keys.clear();
    this.#sharedDatabase = -1;
  }

  #scan(input: InputBuffer, database: number): void {
    const keys = this.#keys;
    const { bytes, end } = input;
    let at = input.start;
    keys.clear();
    // So many requests at most, whether they have keys or not: the scan begins anew after each slice.
    for (let i = 0; i < MOST_REQUESTS && !keys.isFull; i++) {
      const behind = this.#skipRequest(bytes, at, end);
      if (behind < 0) break;
      at = behind;
      // One alone is found as fast by who executes it.
      const isAlone = at === end && keys.isEmpty;
      if (!isAlone && this.#keyEnd >= this.#keyStart) {
        keys.note(bytes, this.#keyStart, this.#keyEnd);
      }
      if (keys.isOneKey) {
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
