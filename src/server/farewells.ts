/**
 * What a client is told by the connection layer itself, before any session is asked.
 *
 * @module
 */

import { ByteWriter } from "../base/bytes.ts";
import { CannedReply, type CannedReplyContent } from "../protocol/http/canned_reply.ts";
import { Disposition } from "../protocol/http/disposition.ts";
import { ReplyDate } from "../protocol/http/reply_date.ts";
import type { ProtoFraming } from "../protocol/protobuf/framing.ts";
import { encodePlainError, PlainErrorCode } from "../protocol/protobuf/plain_error.ts";

const NO_LINES = new Uint8Array(0);

/** To a RESP client above `--max-connections`, as Redis puts it. */
export const RESP_FULL_REPLY: Uint8Array<ArrayBuffer> = new TextEncoder().encode(
  "-ERR max number of clients reached\r\n",
);

/** RESP closes without a word on a request that does not arrive in time, as Redis does. */
export const RESP_TIMEOUT_REPLY: Uint8Array<ArrayBuffer> = new Uint8Array(0);

/**
 * One thing that HTTP clients are told, with the date of the day.
 *
 * Thread: one I/O thread.
 */
export class HttpFarewell {
  readonly #reply: CannedReply;
  readonly #clock: () => number;
  readonly #date = new ReplyDate();
  #second = -1;
  #bytes = new Uint8Array(0);

  /**
   * Encodes `content`.
   *
   * @param clock time of day, ms since the epoch
   */
  constructor(content: CannedReplyContent, clock: () => number = Date.now) {
    this.#reply = new CannedReply(content);
    this.#clock = clock;
  }

  /** The reply; another array when the second has changed, as the last one may be on its way. */
  get bytes(): Uint8Array<ArrayBuffer> {
    this.#date.update(this.#clock());
    if (this.#second !== this.#date.second) {
      this.#second = this.#date.second;
      const output = new ByteWriter();
      this.#reply.write(output, this.#date, Disposition.CLOSE, false, NO_LINES);
      this.#bytes = output.view().slice();
    }
    return this.#bytes;
  }
}

/** To a client above `--max-connections`. Thread: the I/O thread that made it. */
export function httpFullReply(): HttpFarewell {
  return new HttpFarewell({
    status: 503,
    headers: [["Retry-After", "1"]],
    body: `{"status":"rejected","reason":"too_many_connections"}`,
  });
}

/** To a client whose request did not arrive in time. Thread: the I/O thread that made it. */
export function httpTimeoutReply(): HttpFarewell {
  return new HttpFarewell({
    status: 408,
    body: `{"status":"error","reason":"request_timeout"}`,
  });
}

/** What the connection layer tells Protobuf clients. */
export interface ProtoFarewells {
  /** To a client above `--max-connections`. */
  readonly full: Uint8Array<ArrayBuffer>;
  /** To a client whose message did not arrive in time. */
  readonly timeout: Uint8Array<ArrayBuffer>;
}

/** Encodes what Protobuf clients are told. */
export function protoFarewells(framing: ProtoFraming): ProtoFarewells {
  const { TOO_MANY_CONNECTIONS, TIMEOUT } = PlainErrorCode;
  return {
    full: encodePlainError(framing, TOO_MANY_CONNECTIONS, "there are too many connections"),
    timeout: encodePlainError(framing, TIMEOUT, "the message did not arrive in time"),
  };
}
