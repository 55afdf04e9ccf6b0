/**
 * Takes RESP2 and RESP3 replies apart, strictly: for tests that want every reply well-formed,
 * whatever was asked.
 *
 * @module
 */

import { MalformedReply } from "./http_reply_parser.ts";

/** One reply: its type byte, its text or number of parts, its parts. */
export interface ParsedRespReply {
  /** `+ - : $ *`, in version 3 also `_ # , ( ! = % ~ >`. */
  readonly type: string;
  /** What it says, one character per byte; null for nil; empty for a collection. */
  readonly text: string | null;
  /** The parts of a collection; keys and values of a map in turn. */
  readonly parts: readonly ParsedRespReply[];
}

/** A version of the protocol. */
export type RespVersion = 2 | 3 | "either";

/** What the parser knows of the requests. */
export interface RespReplyContext {
  /** The version spoken; `either` when the client may have changed it on the way. */
  readonly version: RespVersion;
  /** The connection was reset, so the last reply may be cut off. */
  readonly cutOff: boolean;
}

const COUNT = /^(0|[1-9]\d{0,9})$/;
const INTEGER = /^(0|-?[1-9]\d{0,18})$/;
const DOUBLE = /^(-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?|-?inf|nan)$/;
const ERROR = /^[A-Z][A-Z0-9_]* .+$/;
// deno-lint-ignore no-control-regex -- they are what must not be there
const CONTROLS = /[\x00-\x08\x0a-\x1f]/;
const MAX_DEPTH = 16;

/** Thrown when the text ends inside a reply. */
class Unfinished extends Error {}

/**
 * Takes everything that a connection received apart.
 *
 * @param text one character per byte
 * @throws {MalformedReply} when anything is not as the specification wants it
 * @see https://redis.io/docs/latest/develop/reference/protocol-spec/
 */
export function parseRespReplies(
  text: string,
  context: RespReplyContext = { version: 2, cutOff: false },
): ParsedRespReply[] {
  const parser = new RespReplyParser(text, context.version);
  const replies: ParsedRespReply[] = [];
  while (parser.at < text.length) {
    const start = parser.at;
    try {
      replies.push(parser.known() ?? parser.value(0));
      parser.remember(start, replies.at(-1)!);
    } catch (error) {
      if (!(error instanceof Unfinished)) throw error;
      if (context.cutOff) break;
      throw new MalformedReply("a reply that is cut off", start, text);
    }
  }
  return replies;
}

/** Replies from this length on are remembered. Unit: characters. */
const KNOWN_MIN_LENGTH = 4096;
/** So many of them. */
const KNOWN_MAX_COUNT = 8;

/** Long replies that were taken apart already, the latest last. */
const knownReplies: { version: RespVersion; text: string; reply: ParsedRespReply }[] = [];

class RespReplyParser {
  at = 0;
  readonly #text: string;
  readonly #version: RespVersion;

  constructor(text: string, version: RespVersion) {
    this.#text = text;
    this.#version = version;
  }

  /**
   * The next reply, if the same characters were taken apart before: whatever follows them, they
   * are the same reply again. `COMMAND`, asked for hundreds of times, is most of what a fuzzer gets.
   */
  known(): ParsedRespReply | undefined {
    if (this.#text.length - this.at < KNOWN_MIN_LENGTH) return undefined;
    const found = knownReplies.find(({ version, text }) =>
      version === this.#version && this.#text.startsWith(text, this.at)
    );
    if (found !== undefined) this.at += found.text.length;
    return found?.reply;
  }

  /** Keeps a reply that began at `start` and ends here, if that is worth it. */
  remember(start: number, reply: ParsedRespReply): void {
    if (this.at - start < KNOWN_MIN_LENGTH) return;
    if (knownReplies.some((known) => known.reply === reply)) return;
    if (knownReplies.length === KNOWN_MAX_COUNT) knownReplies.shift();
    const text = this.#text.slice(start, this.at);
    knownReplies.push({ version: this.#version, text, reply });
  }

  value(depth: number): ParsedRespReply {
    const start = this.at;
    if (depth > MAX_DEPTH) this.#fail("too deep", start);
    const type = this.#text[start];
    if (type === undefined) throw new Unfinished();
    const known = this.#version === 2 ? "+-:$*" : "+-:$*_#,(!=%~>";
    if (!known.includes(type)) this.#fail(`a type ${JSON.stringify(type)}`, start);
    this.at++;
    const line = this.#line();
    switch (type) {
      case "+":
        return this.#leaf(type, line, line.length > 0 && !CONTROLS.test(line), start);
      case "-":
        return this.#leaf(type, line, ERROR.test(line) && !CONTROLS.test(line), start);
      case ":":
      case "(":
        return this.#leaf(type, line, INTEGER.test(line), start);
      case "_":
        return this.#leaf(type, null, line === "", start);
      case "#":
        return this.#leaf(type, line, line === "t" || line === "f", start);
      case ",":
        return this.#leaf(type, line, DOUBLE.test(line), start);
      case "$":
      case "!":
      case "=":
        return this.#bulk(type, line, start);
      default:
        return this.#collection(type, line, depth, start);
    }
  }

  #leaf(type: string, text: string | null, isWell: boolean, start: number): ParsedRespReply {
    if (!isWell) this.#fail(`a value of type ${type}`, start);
    return { type, text, parts: [] };
  }

  #bulk(type: string, line: string, start: number): ParsedRespReply {
    if (type === "$" && line === "-1" && this.#version !== 3) {
      return { type, text: null, parts: [] };
    }
    if (!COUNT.test(line)) this.#fail("a length", start);
    const end = this.at + Number(line);
    if (end + 2 > this.#text.length) throw new Unfinished();
    if (this.#text.slice(end, end + 2) !== "\r\n") this.#fail("a bulk's end", end);
    const text = this.#text.slice(this.at, end);
    if (type === "=" && !/^(txt|mkd):/.test(text)) this.#fail("a verbatim text", start);
    this.at = end + 2;
    return { type, text, parts: [] };
  }

  #collection(type: string, line: string, depth: number, start: number): ParsedRespReply {
    if (type === "*" && line === "-1" && this.#version !== 3) {
      return { type, text: null, parts: [] };
    }
    if (!COUNT.test(line)) this.#fail("a count", start);
    const count = Number(line) * (type === "%" ? 2 : 1);
    const parts: ParsedRespReply[] = [];
    for (let i = 0; i < count; i++) parts.push(this.value(depth + 1));
    return { type, text: "", parts };
  }

  #line(): string {
    const end = this.#text.indexOf("\r\n", this.at);
    if (end < 0) throw new Unfinished();
    const line = this.#text.slice(this.at, end);
    this.at = end + 2;
    return line;
  }

  #fail(problem: string, offset: number): never {
    throw new MalformedReply(problem, offset, this.#text);
  }
}
