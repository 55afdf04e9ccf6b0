/**
 * Reads what was dumped, or written by others in the same way, into a store.
 *
 * @module
 */

import { Int64, INT64_MAX_DECIMAL_BYTES, parseInt64 } from "../base/int64.ts";
import {
  type ByteSlice,
  encodeJob,
  EventFields,
  jobByteLength,
  MAX_ACTION_BYTES,
  MAX_ID_BYTES,
  MAX_USER_BYTES,
} from "../base/job.ts";
import { FIELDS_MAX_BYTES } from "../base/limits.ts";
import { EntryType } from "../store/store.ts";
import { DataError } from "./data_error.ts";
import { DUMP_VERSION, scoreFromJson, typeNamed } from "./dump_format.ts";
import type { Filler, KeyFacts } from "./filler.ts";
import { bytesFromJson } from "./json_bytes.ts";
import type { LineReader } from "./line_reader.ts";

/** A line as JSON has it. */
type Line = Readonly<Record<string, unknown>>;

/** A key whose value goes on in the next line. */
interface Unfinished {
  readonly facts: KeyFacts;
  readonly type: EntryType;
  /** Of a string. */
  readonly pieces: Uint8Array[];
}

const KEY_PROPERTIES: ReadonlySet<string> = new Set([
  ...["db", "key", "type", "value", "expire_at_ms", "balance", "continued", "more"],
]);
const encoder = new TextEncoder();

/** What is collected besides keys. */
export interface LoadedEvents {
  /** Events that were accepted and not settled: jobs (base/job.ts), in order. */
  readonly jobs: Uint8Array[];
}

/** Loads the lines of one file. Thread: the only one that uses the store. */
export class LineLoader {
  readonly #reader: LineReader;
  readonly #name: string;
  readonly #filler: Filler;
  readonly #events: LoadedEvents;
  readonly #number = new Int64();
  #unfinished: Unfinished | undefined;
  #keyCount = 0;
  #eventCount = 0;
  #hasHeader = false;
  #isAtEnd = false;

  /**
   * Loads from `reader`.
   *
   * @param name of the file, for messages
   */
  constructor(reader: LineReader, name: string, filler: Filler, events: LoadedEvents) {
    this.#reader = reader;
    this.#name = name;
    this.#filler = filler;
    this.#events = events;
  }

  /**
   * Loads the next line.
   *
   * @returns false at the end of the file
   * @throws {DataError} when the line is none of a dump, or the dump is not whole
   */
  step(): boolean {
    const text = this.#readText();
    if (text === undefined) {
      this.#finish();
      return false;
    }
    if (text.trim() === "") return true;
    if (this.#isAtEnd) this.#fail("it goes on behind its end");
    const line = this.#parse(text);
    if (this.#unfinished !== undefined && line["continued"] !== true) {
      this.#fail("the line before says that its value goes on here");
    }
    if ("key" in line) this.#loadKey(line);
    else if ("event" in line) this.#loadEvent(line);
    else if ("sluice_dump" in line) this.#loadHeader(line);
    else if ("end" in line) this.#loadEnd(line);
    else this.#fail("it is neither a key nor an event");
    return true;
  }

  #readText(): string | undefined {
    try {
      return this.#reader.next();
    } catch (error) {
      if (error instanceof RangeError) this.#fail(error.message);
      if (error instanceof TypeError) this.#fail("it is not UTF-8");
      throw error;
    }
  }

  #parse(text: string): Line {
    let line: unknown;
    try {
      line = JSON.parse(text);
    } catch {
      this.#fail("it is not JSON");
    }
    if (typeof line !== "object" || line === null || Array.isArray(line)) {
      this.#fail("it is no JSON object");
    }
    return line as Line;
  }

  #loadHeader(line: Line): void {
    if (line["sluice_dump"] !== DUMP_VERSION) {
      this.#fail(
        `the dump has version ${JSON.stringify(line["sluice_dump"])}; ` +
          `this program reads version ${DUMP_VERSION}`,
      );
    }
    this.#hasHeader = true;
  }

  #loadEnd(line: Line): void {
    const end = line["end"] as Line | null;
    if (end?.["keys"] !== this.#keyCount || end["events"] !== this.#eventCount) {
      this.#fail(
        `the end says ${JSON.stringify(end)}, and ${this.#keyCount} keys and ` +
          `${this.#eventCount} events are in front of it; without the first and the last line ` +
          "a part of a dump can be loaded",
      );
    }
    this.#isAtEnd = true;
  }

  #finish(): void {
    if (this.#unfinished !== undefined) this.#fail("the value of the last line goes on nowhere");
    if (this.#hasHeader && !this.#isAtEnd) {
      this.#fail(
        "the dump is not whole: its last line is missing; without the first line, too, " +
          "what is there can be loaded",
      );
    }
  }

  #loadKey(line: Line): void {
    for (const name in line) {
      if (!KEY_PROPERTIES.has(name)) this.#fail(`a key has no ${JSON.stringify(name)}`);
    }
    const type = typeNamed(line["type"]);
    if (type === undefined) this.#fail(`there is no type ${JSON.stringify(line["type"])}`);
    const isContinued = this.#flag(line, "continued");
    const unfinished = isContinued ? this.#continue(line, type!) : this.#begin(line, type!);
    if (type === EntryType.STRING) unfinished.pieces.push(this.#bytes(line["value"], "value"));
    else this.#addElements(line["value"], type!);
    if (this.#flag(line, "more")) {
      this.#unfinished = unfinished;
      return;
    }
    this.#unfinished = undefined;
    if (type === EntryType.STRING) {
      this.#filler.putString(unfinished.facts, joined(unfinished.pieces));
    } else this.#filler.endCollection();
  }

  #begin(line: Line, type: EntryType): Unfinished {
    const facts: KeyFacts = {
      database: this.#whole(line["db"] ?? 0, "db"),
      key: this.#bytes(line["key"], "key"),
      expireAtMs: this.#whole(line["expire_at_ms"] ?? 0, "expire_at_ms"),
      isBalance: this.#flag(line, "balance"),
    };
    this.#keyCount++;
    if (type !== EntryType.STRING) this.#filler.beginCollection(facts, type);
    return { facts, type, pieces: [] };
  }

  #continue(line: Line, type: EntryType): Unfinished {
    const unfinished = this.#unfinished;
    const key = this.#bytes(line["key"], "key");
    const isSame = unfinished !== undefined && unfinished.type === type &&
      unfinished.facts.database === (line["db"] ?? 0) && isEqual(unfinished.facts.key, key);
    if (!isSame) this.#fail("it continues a key that the line before does not begin");
    return unfinished!;
  }

  #addElements(value: unknown, type: EntryType): void {
    if (!Array.isArray(value)) this.#fail("the value of a collection is an array");
    for (const element of value as readonly unknown[]) {
      if (type === EntryType.LIST || type === EntryType.SET) {
        this.#filler.addElement(this.#bytes(element, "element"));
        continue;
      }
      if (!Array.isArray(element) || element.length !== 2) {
        this.#fail("an element of a hash or zset is an array of two");
      }
      const [name, second] = element as [unknown, unknown];
      const bytes = this.#bytes(name, "element");
      if (type === EntryType.HASH) this.#filler.addElement(bytes, this.#bytes(second, "value"));
      else this.#filler.addElement(bytes, undefined, this.#score(second));
    }
  }

  #loadEvent(line: Line): void {
    const event = line["event"] as Line;
    if (typeof event !== "object" || event === null) this.#fail("an event is an object");
    const fields = new EventFields();
    const put = (name: "user" | "action" | "id", least: number, most: number): void => {
      const bytes = this.#bytes(event[name] ?? "", name);
      if (bytes.length < least || bytes.length > most) {
        this.#fail(`${name} has ${bytes.length} bytes; ${least} to ${most} are possible`);
      }
      fields[name].set(bytes, 0, bytes.length);
    };
    put("user", 1, MAX_USER_BYTES);
    put("action", 1, MAX_ACTION_BYTES);
    put("id", 0, MAX_ID_BYTES);
    fields.amount.copyFrom(this.#amount(event["amount"]));
    if (event["fields"] !== undefined) this.#putFields(event["fields"], fields.fieldsJson);
    const acceptedAtMs = event["accepted_at_ms"] ?? 0;
    if (typeof acceptedAtMs !== "number" || !(acceptedAtMs >= 0 && acceptedAtMs < 2 ** 43)) {
      this.#fail("accepted_at_ms is a time in ms since 1970");
    }
    fields.acceptedAtMs = acceptedAtMs as number;
    fields.number = this.#events.jobs.length + 1;
    const job = new Uint8Array(jobByteLength(fields));
    encodeJob(fields, job, 0);
    this.#events.jobs.push(job);
    this.#eventCount++;
  }

  #putFields(value: unknown, target: ByteSlice): void {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      this.#fail("the fields of an event are an object");
    }
    const bytes = encoder.encode(JSON.stringify(value));
    if (bytes.length > FIELDS_MAX_BYTES) {
      this.#fail(`fields have ${bytes.length} bytes; ${FIELDS_MAX_BYTES} are possible`);
    }
    target.set(bytes, 0, bytes.length);
  }

  #amount(value: unknown): Int64 {
    const number = this.#number;
    if (Number.isSafeInteger(value)) return number.setNumber(value as number);
    const bytes = encoder.encode(typeof value === "string" ? value : "");
    const isNumber = bytes.length <= INT64_MAX_DECIMAL_BYTES &&
      parseInt64(bytes, 0, bytes.length, number);
    if (!isNumber) this.#fail("amount is a 64-bit integer, as text or as a number below 2^53");
    return number;
  }

  #bytes(value: unknown, what: string): Uint8Array {
    const bytes = bytesFromJson(value);
    if (bytes === undefined) this.#fail(`${what} is a string or {"base64":"…"}`);
    return bytes!;
  }

  #score(value: unknown): number {
    const score = scoreFromJson(value);
    if (score === undefined) this.#fail('a score is a number, "inf" or "-inf"');
    return score!;
  }

  #whole(value: unknown, what: string): number {
    if (!Number.isSafeInteger(value) || (value as number) < 0) {
      this.#fail(`${what} is a whole number`);
    }
    return value as number;
  }

  #flag(line: Line, name: string): boolean {
    const value = line[name] ?? false;
    if (typeof value !== "boolean") this.#fail(`${name} is true or false`);
    return value as boolean;
  }

  #fail(reason: string): never {
    throw new DataError(`Cannot load ${this.#name}: line ${this.#reader.lineNumber}: ${reason}`);
  }
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  if (pieces.length === 1) return pieces[0]!;
  const all = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
