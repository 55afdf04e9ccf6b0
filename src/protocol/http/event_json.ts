/**
 * Reads an event from JSON without building anything from it.
 *
 * The text is checked as strictly as `JSON.parse` and a fatal `TextDecoder` would, but its known
 * fields are kept as ranges of the input instead of strings and numbers. So `amount` keeps every
 * digit, `1.0` can be told from `1`, and an event costs no garbage; tests hold it against
 * `JSON.parse` on random input.
 *
 * @module
 */

import { type Int64, parseInt64 } from "../../base/int64.ts";
import {
  type ByteSlice,
  type EventFields,
  MAX_ACTION_BYTES,
  MAX_ID_BYTES,
  MAX_USER_BYTES,
} from "../../base/job.ts";
import { AMOUNT_RULE, eventDefect, idRule } from "../../command/event.ts";
import type { EventGate, GateRefusal } from "../../command/event_gate.ts";
import { encodeText, equalBytes } from "./characters.ts";
import { JsonKind, JsonScanner, JsonToken } from "./json_scanner.ts";
import { unescapeJson } from "./json_unescape.ts";

const USER = encodeText("user");
const ACTION = encodeText("action");
const AMOUNT = encodeText("amount");
const ID = encodeText("id");
const TYPE = encodeText("type");
const METRICS = encodeText("metrics");

/** Most input bytes that make one byte of text: `\u0061`. */
const ESCAPE_BYTES = 6;
/** Room for the longest key that matters, unescaped, and a little. */
const KEY_SCRATCH_BYTES = 64;

/**
 * Decodes one event at a time.
 *
 * {@link EventJsonDecoder.scan} checks the text and finds the fields, then
 * {@link EventJsonDecoder.isMetricsRequest} and {@link EventJsonDecoder.read} say what they mean.
 * The same key twice: the last one counts, as for `JSON.parse`. Unknown fields are ignored.
 *
 * Thread: one per I/O thread; a decoded event is valid until the next `scan`, and no longer than
 * the input.
 *
 * @example
 * ```ts
 * import { EventFields } from "../../base/job.ts";
 * import { EventJsonDecoder } from "./event_json.ts";
 *
 * const body = new TextEncoder().encode('{"user":"al","action":"buy","amount":9007199254740993}');
 * const decoder = new EventJsonDecoder();
 * const event = new EventFields();
 * if (!decoder.scan(body, 0, body.length)) throw new Error("Cannot decode: not JSON");
 * if (decoder.read(event) !== undefined) throw new Error("Cannot decode: not an event");
 * if (event.amount.toString() !== "9007199254740993") throw new Error("Cannot decode: lost digits");
 * ```
 *
 * @see https://www.rfc-editor.org/rfc/rfc8259
 */
export class EventJsonDecoder {
  readonly #scanner = new JsonScanner();
  readonly #user = new JsonToken();
  readonly #action = new JsonToken();
  readonly #amount = new JsonToken();
  readonly #id = new JsonToken();
  readonly #type = new JsonToken();
  readonly #key = new JsonToken();
  readonly #value = new JsonToken();
  /** Where the values of the further fields are, in the order in which they were asked for. */
  readonly extras: readonly JsonToken[];
  readonly #extraKeys: readonly Uint8Array[];
  readonly #gate: EventGate | undefined;
  /** Where the fields that the gate knows begin in `extras`. */
  readonly #firstGateField: number;
  readonly #keyScratch: Uint8Array;
  readonly #userScratch = new Uint8Array(MAX_USER_BYTES * ESCAPE_BYTES);
  readonly #actionScratch = new Uint8Array(MAX_ACTION_BYTES * ESCAPE_BYTES);
  readonly #idScratch = new Uint8Array(MAX_ID_BYTES * ESCAPE_BYTES);
  #bytes: Uint8Array = new Uint8Array(0);
  #isObject = false;

  /**
   * Makes a decoder.
   *
   * @param extraKeys fields to find besides those of events; mostly none
   * @param gate knows which further fields events have; left out: they have none
   */
  constructor(extraKeys: readonly string[] = [], gate?: EventGate) {
    const fieldNames = gate?.fieldNames ?? [];
    this.#gate = gate;
    this.#firstGateField = extraKeys.length;
    this.#extraKeys = [...extraKeys, ...fieldNames].map(encodeText);
    this.extras = this.#extraKeys.map(() => new JsonToken());
    const longestName = Math.max(0, ...fieldNames.map((name) => name.length));
    this.#keyScratch = new Uint8Array(Math.max(KEY_SCRATCH_BYTES, longestName * ESCAPE_BYTES));
  }

  /** Where the value of `type` is. */
  get type(): JsonToken {
    return this.#type;
  }

  /**
   * Checks that `bytes[start, end)` is one JSON text in UTF-8 and finds the fields of an event.
   *
   * A byte order mark in front is skipped.
   *
   * @returns false when it is not JSON
   */
  scan(bytes: Uint8Array, start: number, end: number): boolean {
    this.#bytes = bytes;
    this.#user.kind = JsonKind.MISSING;
    this.#action.kind = JsonKind.MISSING;
    this.#amount.kind = JsonKind.MISSING;
    this.#id.kind = JsonKind.MISSING;
    this.#type.kind = JsonKind.MISSING;
    const { extras } = this;
    for (let i = 0; i < extras.length; i++) extras[i]!.kind = JsonKind.MISSING;
    const scanner = this.#scanner;
    scanner.begin(bytes, start, end);
    this.#isObject = scanner.enterObject();
    if (!this.#isObject) return scanner.value(this.#value) && scanner.atEnd();
    while (scanner.nextMember(this.#key)) {
      if (!scanner.value(this.#tokenFor(this.#key))) return false;
    }
    return scanner.atEnd();
  }

  /** Whether the text is an object with `"type":"metrics"`. */
  get isMetricsRequest(): boolean {
    const { kind, start, end } = this.#type;
    return kind === JsonKind.STRING && equalBytes(this.#bytes, start, end, METRICS);
  }

  /**
   * Fills in user, action, id and amount of `event`.
   *
   * @returns undefined, or which field breaks which rule
   */
  read(event: EventFields): string | undefined {
    if (!this.#isObject) return "the event must be a JSON object";
    return this.#readText(this.#user, "user", event.user, this.#userScratch) ??
      this.#readText(this.#action, "action", event.action, this.#actionScratch) ??
      this.#readAmount(event.amount) ??
      this.#readId(event) ??
      eventDefect(event);
  }

  /**
   * Has the gate look at an event that {@link EventJsonDecoder.read} found good, and at its further
   * fields.
   *
   * @returns why it does not get through; undefined when it does, or there is no gate
   */
  admit(event: EventFields): GateRefusal | undefined {
    const gate = this.#gate;
    if (gate === undefined) return undefined;
    const values: Record<string, unknown> = {};
    const names = gate.fieldNames;
    for (let i = 0; i < names.length; i++) {
      const { kind, start, end } = this.extras[this.#firstGateField + i]!;
      if (kind === JsonKind.MISSING) continue;
      const quoteBytes = kind === JsonKind.STRING ? 1 : 0;
      values[names[i]!] = gate.parseValue(this.#bytes, start - quoteBytes, end + quoteBytes);
    }
    return gate.admit(event, values);
  }

  #tokenFor(key: JsonToken): JsonToken {
    let bytes = this.#bytes;
    let { start, end } = key;
    if (key.hasEscape) {
      if (end - start > this.#keyScratch.length) return this.#value;
      end = unescapeJson(bytes, start, end, this.#keyScratch);
      start = 0;
      bytes = this.#keyScratch;
    }
    switch (end - start) {
      case 2:
        return equalBytes(bytes, start, end, ID) ? this.#id : this.#extraFor(bytes, start, end);
      case 4:
        if (equalBytes(bytes, start, end, USER)) return this.#user;
        return equalBytes(bytes, start, end, TYPE) ? this.#type : this.#extraFor(bytes, start, end);
      case 6:
        if (equalBytes(bytes, start, end, ACTION)) return this.#action;
        return equalBytes(bytes, start, end, AMOUNT)
          ? this.#amount
          : this.#extraFor(bytes, start, end);
      default:
        return this.#extraFor(bytes, start, end);
    }
  }

  #extraFor(bytes: Uint8Array, start: number, end: number): JsonToken {
    const keys = this.#extraKeys;
    for (let i = 0; i < keys.length; i++) {
      if (equalBytes(bytes, start, end, keys[i]!)) return this.extras[i]!;
    }
    return this.#value;
  }

  #readText(
    token: JsonToken,
    field: string,
    text: ByteSlice,
    scratch: Uint8Array,
  ): string | undefined {
    if (token.kind === JsonKind.MISSING) return `${field} is missing`;
    if (token.kind !== JsonKind.STRING) return `${field} must be a string`;
    // Text that is too long for the scratch is too long for the field, escapes or not.
    if (!token.hasEscape || token.end - token.start > scratch.length) {
      text.set(this.#bytes, token.start, token.end);
      return undefined;
    }
    const byteCount = unescapeJson(this.#bytes, token.start, token.end, scratch);
    if (byteCount < 0) return `${field} must be UTF-8: it has half of a surrogate pair`;
    text.set(scratch, 0, byteCount);
    return undefined;
  }

  #readAmount(amount: Int64): string | undefined {
    const { kind, start, end } = this.#amount;
    if (kind === JsonKind.MISSING) return "amount is missing";
    if (kind !== JsonKind.INTEGER) return AMOUNT_RULE;
    if (parseInt64(this.#bytes, start, end, amount)) return undefined;
    // The one integer token that is no canonical integer.
    if (end - start !== 2 || this.#bytes[start + 1] !== 0x30) return AMOUNT_RULE;
    amount.setNumber(0);
    return undefined;
  }

  #readId(event: EventFields): string | undefined {
    if (this.#id.kind === JsonKind.MISSING) {
      event.id.clear();
      return undefined;
    }
    return this.#readText(this.#id, "id", event.id, this.#idScratch) ??
      (event.id.length === 0 ? idRule() : undefined);
  }
}
