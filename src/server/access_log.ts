/**
 * `--access-log`: one line per HTTP request.
 *
 * @module
 */

import { getLogger } from "../base/log.ts";
import { encodeText } from "../protocol/http/characters.ts";
import type { HttpExchange } from "../protocol/http/exchange.ts";
import { METHOD_NAMES } from "../protocol/http/method.ts";

const USER_AGENT = encodeText("user-agent");

/** Stands for what a request does not say, or what was not understood. */
const UNKNOWN = "-";

/** How long a text of a client's may be in a line. Unit: characters. */
const TEXT_MAX_LENGTH = 512;

const decoder = new TextDecoder();

/**
 * Makes the lines.
 *
 * Shape: `{ event: "request", request_id: "9f3a01c4-1a", peer: "10.0.0.7:51234", method: "GET",
 * target: "/users/alice?x=1", status: 200, request_bytes: 0, reply_bytes: 31, duration_ms: 0.214,
 * user_agent: "curl/8.1" }`; the bytes are those of the bodies.
 *
 * Thread: one I/O thread.
 *
 * @returns told of every request that was answered, when its reply is complete or the client gone
 */
export function createAccessLog(): (exchange: HttpExchange) => void {
  const log = getLogger("access");
  return (exchange) => {
    const { request, startedAtMs } = exchange;
    const agent = request.findField(USER_AGENT);
    log.info("request", {
      event: "request",
      request_id: exchange.requestId || UNKNOWN,
      peer: exchange.client.address || UNKNOWN,
      method: METHOD_NAMES[request.method] ?? UNKNOWN,
      target: targetOf(exchange),
      status: exchange.status,
      request_bytes: request.bodyEnd - request.bodyStart,
      reply_bytes: exchange.bodyBytes,
      duration_ms: Math.round((performance.now() - startedAtMs) * 1000) / 1000,
      user_agent: agent < 0
        ? UNKNOWN
        : textOf(request.bytes, request.valueStart(agent), request.valueEnd(agent)),
    });
  };
}

function targetOf({ request }: HttpExchange): string {
  const { bytes, pathStart, pathEnd, queryStart, queryEnd } = request;
  if (pathEnd === 0) return UNKNOWN;
  const path = textOf(bytes, pathStart, pathEnd) || "/";
  return queryEnd > queryStart ? `${path}?${textOf(bytes, queryStart, queryEnd)}` : path;
}

function textOf(bytes: Uint8Array, start: number, end: number): string {
  return decoder.decode(bytes.subarray(start, Math.min(end, start + TEXT_MAX_LENGTH)));
}
