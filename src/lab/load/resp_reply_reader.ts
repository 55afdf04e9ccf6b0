/**
 * Reads replies in RESP, as far as events and `AUTH` need it: one line each.
 *
 * @see https://redis.io/docs/latest/develop/reference/protocol-spec/
 * @module
 */

import { KeptBytes, Outcome, type ReplyReader, shortText } from "./reply_reader.ts";

const encoder = new TextEncoder();
const ACCEPTED = encoder.encode("+ACCEPTED");
const BUSY = encoder.encode("-BUSY ");
const LF = 0x0a;

/** Longest line. Unit: bytes. */
const LINE_MAX_BYTES = 65_536;

/** A reader of one-line replies. Thread: belongs to one connection. */
export class RespReplyReader implements ReplyReader {
  outcome: Outcome = Outcome.ERROR;
  isLast = false;

  readonly #line = new KeptBytes();
  #lineBytes = 0;

  begin(): void {
    this.#line.length = 0;
    this.#lineBytes = 0;
    this.isLast = false;
  }

  feed(bytes: Uint8Array, start: number, end: number): number {
    const found = bytes.indexOf(LF, start);
    const isWhole = found >= 0 && found < end;
    const stop = isWhole ? found : end;
    this.#line.append(bytes, start, stop);
    this.#lineBytes += stop - start;
    if (!isWhole && this.#lineBytes <= LINE_MAX_BYTES) return -1;
    this.#complete(isWhole);
    return isWhole ? stop + 1 : stop;
  }

  close(): boolean {
    return false;
  }

  text(): string {
    const text = this.#line.text();
    return shortText(text.startsWith("-") ? text.slice(1) : `unexpected reply ${text}`);
  }

  /** Whether the last reply is the one to the right password. */
  isLoggedIn(): boolean {
    return this.#line.text().trimEnd() === "+OK";
  }

  #complete(isWhole: boolean): void {
    const line = this.#line;
    if (line.startsWith(ACCEPTED)) this.outcome = Outcome.ACCEPTED;
    else if (line.startsWith(BUSY)) this.outcome = Outcome.REFUSED;
    else {
      this.outcome = Outcome.ERROR;
      // Whatever else it is may go on behind its first line.
      this.isLast = !isWhole || !/^[-+:]/.test(line.text());
    }
  }
}
