/**
 * What a load's connections send.
 *
 * @module
 */

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { sizeDelimitedEncode } from "@bufbuild/protobuf/wire";
import { ClientMessageSchema } from "../../protocol/protobuf/gen/sluice/v1/messages_pb.ts";
import type { LoadPlan } from "./plan.ts";

/** Every event's action. */
const ACTION = "stress";
/** Every event's amount: so a balance says how many events there were for its user. */
const AMOUNT = 1;
const ZERO = 0x30;

const encoder = new TextEncoder();

/** Whom requests are for. */
export type RequestTarget = Pick<LoadPlan, "protocol" | "hostname" | "port" | "password">;

/**
 * Writes the events of one connection.
 *
 * Requests for users with equally many digits differ in these digits only, so each such request is
 * made once and then written over: no request costs memory.
 *
 * Thread: belongs to one connection, of which one request at a time is under way.
 */
export class EventRequests {
  readonly #target: RequestTarget;
  /** By number of digits. */
  readonly #requests: (Request | undefined)[] = [];

  /** Makes nothing yet. */
  constructor(target: RequestTarget) {
    this.#target = target;
  }

  /** The request for `user<number>`; good until the next call. */
  forUser(number: number): Uint8Array<ArrayBuffer> {
    const digitCount = digitsOf(number);
    const request = this.#requests[digitCount] ??= makeRequest(this.#target, digitCount);
    const { bytes } = request;
    let rest = number;
    for (let at = request.digitsEnd - 1; at >= request.digitsEnd - digitCount; at--) {
      const quotient = Math.floor(rest / 10);
      bytes[at] = ZERO + rest - quotient * 10;
      rest = quotient;
    }
    return bytes;
  }
}

/** What a connection sends first; null when that is nothing. */
export function authRequest({ protocol, password }: RequestTarget): Uint8Array<ArrayBuffer> | null {
  if (password === undefined || protocol === "http") return null;
  return protocol === "resp"
    ? respCommand("AUTH", password)
    : protoMessage({ case: "authRequest", value: { password } });
}

interface Request {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Behind the last digit of the user. */
  readonly digitsEnd: number;
}

function digitsOf(number: number): number {
  let count = 1;
  for (let bound = 10; number >= bound; bound *= 10) count++;
  return count;
}

function makeRequest(target: RequestTarget, digitCount: number): Request {
  const user = `user${"0".repeat(digitCount)}`;
  const bytes = eventRequest(target, user);
  // The name stands in it once; the word `user` alone may be there more often.
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  return { bytes, digitsEnd: text.lastIndexOf(user) + user.length };
}

function eventRequest(target: RequestTarget, user: string): Uint8Array<ArrayBuffer> {
  switch (target.protocol) {
    case "http":
      return httpEvent(target, user);
    case "resp":
      return respCommand("EVENT", user, ACTION, String(AMOUNT));
    case "proto":
      return protoMessage({
        case: "event",
        value: { user, action: ACTION, amount: BigInt(AMOUNT) },
      });
  }
}

function httpEvent(
  { hostname, port, password }: RequestTarget,
  user: string,
): Uint8Array<ArrayBuffer> {
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  const body = JSON.stringify({ user, action: ACTION, amount: AMOUNT });
  return encoder.encode(
    `POST /events HTTP/1.1\r\nHost: ${host}:${port}\r\n` +
      (password === undefined ? "" : `Authorization: Bearer ${password}\r\n`) +
      `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
}

function respCommand(...words: string[]): Uint8Array<ArrayBuffer> {
  const parts = words.map((word) => `$${encoder.encode(word).length}\r\n${word}\r\n`);
  return encoder.encode(`*${words.length}\r\n${parts.join("")}`);
}

type Ask = NonNullable<MessageInitShape<typeof ClientMessageSchema>["message"]>;

function protoMessage(message: Ask): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(
    sizeDelimitedEncode(ClientMessageSchema, create(ClientMessageSchema, { message })),
  );
}
