/**
 * What reading an event from JSON costs, here and with `JSON.parse`.
 *
 * {@link EventJsonDecoder} checks a text and finds the fields of an event in it. It is compared with
 *
 * - `JSON.parse, as strict`: refuses what ours refuses and keeps what ours keeps: UTF-8 is checked,
 *   every digit of `amount` is there (by the source text that `JSON.parse` hands to a reviver), the
 *   rules of an event's fields hold, and user and action end up as bytes;
 * - `JSON.parse alone`: a text decoded and parsed, nothing checked; amounts above 2^53 are rounded
 *   and bytes that are no UTF-8 replaced. It is the layer beneath of the former.
 *
 * One iteration is {@link BATCH_EVENTS} events, no two of them the same; divide by that.
 *
 *     deno bench bench/event_json_bench.ts
 *
 * @module
 */

import {
  EventFields,
  MAX_ACTION_BYTES,
  MAX_ID_BYTES,
  MAX_JOB_BYTES,
  MAX_USER_BYTES,
} from "../src/base/job.ts";
import { EventJsonDecoder } from "../src/protocol/http/event_json.ts";

/** Events in one iteration. */
const BATCH_EVENTS = 64;

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

const encoder = new TextEncoder();
const strictTextDecoder = new TextDecoder("utf-8", { fatal: true });
const laxTextDecoder = new TextDecoder();

/** What is known of an event when it was read; user, action and id are in {@link scratch}. */
interface PlainEvent {
  userBytes: number;
  actionBytes: number;
  idBytes: number;
  amount: bigint;
}

const scratch = new Uint8Array(MAX_JOB_BYTES);

/** Puts a text into {@link scratch}. @returns its length in bytes, or -1 when it breaks a rule */
function writeText(value: unknown, at: number, maxBytes: number): number {
  if (typeof value !== "string" || value === "") return -1;
  if (!value.isWellFormed() || /\p{Cc}/u.test(value)) return -1;
  const room = scratch.subarray(at, at + maxBytes);
  const { read, written } = encoder.encodeInto(value, room);
  return read === value.length ? written : -1;
}

/** Keeps the digits of `amount`: a string of JSON stays one, a number becomes an object. */
function keepDigits(key: string, value: unknown, context?: { source?: string }): unknown {
  return key === "amount" && typeof value === "number" ? { digits: context?.source } : value;
}

function readAmount(value: unknown): bigint | undefined {
  if (typeof value !== "object" || value === null || !("digits" in value)) return undefined;
  const digits = String(value.digits);
  if (!/^-?\d+$/.test(digits)) return undefined;
  const amount = BigInt(digits);
  return amount >= INT64_MIN && amount <= INT64_MAX ? amount : undefined;
}

/** As strict as the decoder. @returns undefined when the text is no event */
function parseStrictly(bytes: Uint8Array): PlainEvent | undefined {
  let value: unknown;
  try {
    value = JSON.parse(strictTextDecoder.decode(bytes), keepDigits);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const { user, action, amount: source, id } = value as Record<string, unknown>;
  const userBytes = writeText(user, 0, MAX_USER_BYTES);
  const actionBytes = writeText(action, MAX_USER_BYTES, MAX_ACTION_BYTES);
  const idAt = MAX_USER_BYTES + MAX_ACTION_BYTES;
  const idBytes = id === undefined ? 0 : writeText(id, idAt, MAX_ID_BYTES);
  const amount = readAmount(source);
  if (userBytes < 0 || actionBytes < 0 || idBytes < 0 || amount === undefined) return undefined;
  return { userBytes, actionBytes, idBytes, amount };
}

const decoder = new EventJsonDecoder();
const event = new EventFields();

/** What the server does with a body. @returns whether it is an event */
function decode(bytes: Uint8Array): boolean {
  return decoder.scan(bytes, 0, bytes.length) && decoder.read(event) === undefined;
}

/** Makes sure that both read the same from `bytes`, else they cannot be compared. */
function assertSame(bytes: Uint8Array, isEvent: boolean): void {
  const plain = parseStrictly(bytes);
  const same = plain === undefined
    ? !decode(bytes)
    : decode(bytes) && event.amount.toString() === plain.amount.toString() &&
      event.user.length === plain.userBytes && event.action.length === plain.actionBytes &&
      event.id.length === plain.idBytes;
  if (!same || isEvent !== (plain !== undefined)) {
    throw new Error(`Cannot compare: ${laxTextDecoder.decode(bytes)} is read in two ways`);
  }
}

const plainEvent = (i: number): string =>
  `{"user":"user${i}","action":"buy","amount":${100 + i * 7919}}`;

/** What a program sends that has more to tell than is asked for, line breaks and escapes included. */
const richEvent = (i: number): string =>
  `{
  "id": "0193-${i}",
  "user": "J\\u00fcrgen ${i}",
  "action": "buy",
  "amount": ${9007199254740993n + BigInt(i)},
  "at": "2026-01-01T00:00:${String(i % 60).padStart(2, "0")}Z",
  "price": {"value": 12.5e0, "currency": "EUR", "discounts": [0.1, 0.05]},
  "tags": ["a", "b\\n", null, true],
  "note": "she said \\"no\\" — twice"
}`;

interface Kind {
  name: string;
  isEvent: boolean;
  make: (index: number) => string;
}

const KINDS: readonly Kind[] = [
  { name: "plain events", isEvent: true, make: plainEvent },
  { name: "events with more fields and escapes", isEvent: true, make: richEvent },
  { name: "events cut off in the middle", isEvent: false, make: (i) => plainEvent(i).slice(0, 30) },
];

for (const { name, isEvent, make } of KINDS) {
  const texts = Array.from({ length: BATCH_EVENTS }, (_, i) => encoder.encode(make(i)));
  const byteCount = texts.reduce((sum, text) => sum + text.length, 0);
  const group = `${BATCH_EVENTS} ${name}, ${Math.round(byteCount / BATCH_EVENTS)} bytes each`;
  for (const text of texts) assertSame(text, isEvent);

  Deno.bench({ name: "EventJsonDecoder", group, baseline: true }, () => {
    for (const text of texts) {
      if (decode(text) !== isEvent) throw new Error("Cannot decode the event");
    }
  });
  Deno.bench({ name: "JSON.parse, as strict", group }, () => {
    for (const text of texts) {
      if ((parseStrictly(text) !== undefined) !== isEvent) {
        throw new Error("Cannot parse the event");
      }
    }
  });
  Deno.bench({ name: "JSON.parse alone", group }, () => {
    for (const text of texts) {
      try {
        JSON.parse(laxTextDecoder.decode(text));
      } catch {
        if (isEvent) throw new Error("Cannot parse the event");
      }
    }
  });
}
