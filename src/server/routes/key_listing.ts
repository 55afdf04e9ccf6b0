/**
 * `GET /keys`: which keys there are.
 *
 * @module
 */

import { MAX_PATTERN_BYTES } from "../../command/handlers/scan_options.ts";
import { ReplyCode } from "../../command/reply_code.ts";
import type { CommandRow } from "../../command/row.ts";
import { type CapturedReply, ReplyKind } from "../../protocol/captured_reply.ts";
import { encodeText } from "../../protocol/http/characters.ts";
import { type CommandClient, type CommandQuery, Word } from "../../protocol/command_client.ts";
import { ContentType, type HttpExchange } from "../../protocol/http/exchange.ts";
import { addDecoded } from "../../protocol/http/percent_decoding.ts";
import { ParamCount, QueryParam } from "../../protocol/http/query.ts";
import type { HttpRequest } from "../../protocol/http/request.ts";
import { clientTextJson } from "./client_text.ts";
import type { CodedBodies } from "./coded_body.ts";
import { errorReply } from "./replies.ts";

/** Keys that a page has at most, unless the client asks for another number. */
const DEFAULT_COUNT = 100;

/** Keys that a client may ask for. Reason: a page stays a small part of a batch's output. */
const MAX_COUNT = 10_000;

const CURSOR = encodeText("cursor");
const COUNT = encodeText("count");
const MATCH = encodeText("match");
const START = encodeText("0");

/**
 * Lists keys, a page at a time.
 *
 * Reply: `{"cursor":"17179869184","keys":["alice",{"encoded":"caf%E9"}]}`. A key that is UTF-8 is a
 * string; any other is an object with the key as it stands in a path, `/keys/caf%E9`. The cursor
 * leads to the next page, `"0"` says that there is none. A page may have a few more keys than asked
 * for, or fewer, even none, and a key may come twice if keys are added or removed meanwhile, but one that is there
 * all the time is never left out.
 *
 * Thread: one per I/O thread.
 */
export class KeyListing {
  readonly #commands: CommandClient;
  readonly #bodies: CodedBodies;
  readonly #row: CommandRow;
  readonly #param = new QueryParam();
  readonly #storageUnavailable = errorReply(503, "storage_unavailable");

  /** Makes the route. */
  constructor(commands: CommandClient, bodies: CodedBodies) {
    this.#bodies = bodies;
    this.#commands = commands;
    this.#row = commands.row("scan");
  }

  /** Answers with one page. */
  list(exchange: HttpExchange): void | Promise<void> {
    const query = this.#commands.take(this.#row);
    const problem = this.#addArguments(query, exchange.request);
    if (problem !== undefined) {
      this.#commands.give(query);
      return exchange.sendError(400, `invalid_${problem[0]}`, `${problem[0]} must ${problem[1]}`);
    }
    const pending = this.#commands.run(query);
    if (pending !== undefined) return pending.then(() => this.#reply(exchange, query));
    return this.#reply(exchange, query);
  }

  /** `SCAN cursor COUNT n MATCH pattern`. Returns the parameter that is wrong, and its rule. */
  #addArguments(
    query: CommandQuery,
    request: HttpRequest,
  ): readonly [name: string, rule: string] | undefined {
    const param = this.#param;
    const cursor = this.#text(request, CURSOR, "0");
    if (!/^\d{1,15}$/.test(cursor)) return ["cursor", "be one that an earlier reply gave"];
    query.add(cursor === "0" ? START : encodeText(String(Number(cursor))));
    const count = this.#text(request, COUNT, String(DEFAULT_COUNT));
    if (!/^[1-9]\d{0,4}$/.test(count) || Number(count) > MAX_COUNT) {
      return ["count", `be a whole number from 1 to ${MAX_COUNT}`];
    }
    query.add(Word.COUNT);
    query.add(encodeText(count));
    const matchCount = param.find(request, MATCH);
    if (matchCount === ParamCount.NONE) return undefined;
    query.add(Word.MATCH);
    const byteCount = addDecoded(query, request.bytes, param.start, param.end, true);
    return matchCount === ParamCount.MANY || byteCount > MAX_PATTERN_BYTES
      ? ["match", `be one pattern of at most ${MAX_PATTERN_BYTES} bytes`]
      : undefined;
  }

  /** A parameter's text; nothing that any rule allows when it is repeated. */
  #text(request: HttpRequest, name: Uint8Array, fallback: string): string {
    switch (this.#param.find(request, name)) {
      case ParamCount.NONE:
        return fallback;
      case ParamCount.ONE:
        return this.#param.text(request);
      default:
        return "";
    }
  }

  #reply(exchange: HttpExchange, query: CommandQuery): void | Promise<void> {
    const { reply } = query;
    if (reply.kind === ReplyKind.ERROR && reply.code === ReplyCode.STORAGE_UNAVAILABLE) {
      this.#commands.give(query);
      return exchange.send(this.#storageUnavailable);
    }
    if (reply.kind !== ReplyKind.LIST) {
      throw new TypeError(`Cannot list keys: SCAN was refused with code ${reply.code}`);
    }
    const { scratch } = exchange;
    scratch.ascii(`{"cursor":"`);
    scratch.copy(reply.bytes, reply.elementStart(0), reply.elementEnd(0));
    scratch.ascii(`","keys":[`);
    for (let index = 1; index < reply.elementCount; index++) {
      if (index > 1) scratch.ascii(",");
      scratch.utf8(keyJson(reply, index));
    }
    scratch.ascii("]}");
    this.#commands.give(query);
    return this.#bodies.send(exchange, ContentType.JSON, scratch.view());
  }
}

function keyJson(reply: CapturedReply, index: number): string {
  const key = reply.bytes.subarray(reply.elementStart(index), reply.elementEnd(index));
  return JSON.stringify(clientTextJson(key));
}
