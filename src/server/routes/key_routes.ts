/**
 * `/keys/:key` and `/keys`: keys and values of database 0 as bytes.
 *
 * @module
 */

import { parseDuration } from "../../base/units.ts";
import { ReplyCode } from "../../command/reply_code.ts";
import type { CommandRow } from "../../command/row.ts";
import { CannedReply } from "../../protocol/http/canned_reply.ts";
import { ReplyKind } from "../../protocol/captured_reply.ts";
import { encodeText } from "../../protocol/http/characters.ts";
import { type CommandClient, type CommandQuery, Word } from "../../protocol/command_client.ts";
import { ContentType, type HttpExchange } from "../../protocol/http/exchange.ts";
import { addDecoded } from "../../protocol/http/percent_decoding.ts";
import { ParamCount, QueryParam } from "../../protocol/http/query.ts";
import type { CodedBodies } from "./coded_body.ts";
import { KeyInfo } from "./key_info.ts";
import { KeyListing } from "./key_listing.ts";
import { errorReply } from "./replies.ts";

/** Longest key that the store takes. Unit: bytes. */
const MAX_KEY_BYTES = 4096;

/** How often a `PUT` whose key comes and goes meanwhile tries to tell which it was. */
const PUT_ATTEMPTS = 16;

const TTL = encodeText("ttl");
const CONTENT_RANGE = encodeText("content-range");
const TTL_RULE = "ttl must be a duration such as 500ms or 60s, at least 1ms";

/** Makes a reply from the query's. Returns a promise when it has to ask again. */
type Finish = (exchange: HttpExchange, query: CommandQuery) => void | Promise<void>;

/**
 * Reads and writes keys.
 *
 * Thread: one per I/O thread.
 */
export class KeyRoutes {
  readonly #commands: CommandClient;
  readonly #getRow: CommandRow;
  readonly #setRow: CommandRow;
  readonly #delRow: CommandRow;
  readonly #listing: KeyListing;
  readonly #info: KeyInfo;
  readonly #param = new QueryParam();
  readonly #created = new CannedReply({ status: 201 });
  readonly #done = new CannedReply({ status: 204 });
  readonly #unknownKey = errorReply(404, "unknown_key");
  readonly #keyTooLong = errorReply(
    414,
    "key_too_long",
    `a key must have at most ${MAX_KEY_BYTES} bytes`,
  );
  readonly #valueTooLarge = errorReply(
    413,
    "value_too_large",
    "the value is above --max-value-bytes",
  );
  readonly #wrongType = errorReply(409, "wrong_type");
  readonly #outOfMemory = errorReply(507, "out_of_memory");
  readonly #storageUnavailable = errorReply(503, "storage_unavailable");

  readonly #finishGet: Finish = (exchange, query) => this.#replyToGet(exchange, query);
  readonly #finishPut: Finish = (exchange, query) => this.#replyToPut(exchange, query);
  readonly #finishDelete: Finish = (exchange, query) => this.#replyToDelete(exchange, query);

  /** Makes the routes. */
  constructor(commands: CommandClient, bodies: CodedBodies) {
    this.#commands = commands;
    this.#getRow = commands.row("get");
    this.#setRow = commands.row("set");
    this.#delRow = commands.row("del");
    this.#listing = new KeyListing(commands, bodies);
    this.#info = new KeyInfo(commands, bodies);
  }

  /** `GET /keys/:key`: 200 and the bytes. */
  get(exchange: HttpExchange): void | Promise<void> {
    const query = this.#queryFor(exchange, this.#getRow);
    if (query !== undefined) return this.#run(exchange, query, this.#finishGet);
  }

  /** `DELETE /keys/:key`: 204. */
  delete(exchange: HttpExchange): void | Promise<void> {
    const query = this.#queryFor(exchange, this.#delRow);
    if (query !== undefined) return this.#run(exchange, query, this.#finishDelete);
  }

  /** `PUT /keys/:key?ttl=60s`: 201 when the key is new, 204 when it had a value. */
  put(exchange: HttpExchange): void | Promise<void> {
    const { request } = exchange;
    if (request.findField(CONTENT_RANGE) >= 0) {
      // RFC 9110 section 14.5: a part must not be taken for the whole.
      return exchange.sendError(400, "bad_request", "Content-Range is not for PUT");
    }
    const ttlMs = this.#ttlMs(exchange);
    if (ttlMs < 0) return;
    const query = this.#queryFor(exchange, this.#setRow);
    if (query === undefined) return;
    query.add(request.bytes, request.bodyStart, request.bodyEnd);
    if (ttlMs > 0) {
      query.add(Word.PX);
      query.add(encodeText(String(ttlMs)));
    }
    query.add(Word.NX);
    return this.#run(exchange, query, this.#finishPut);
  }

  /** `GET /keys/:key/info` */
  info(exchange: HttpExchange): void | Promise<void> {
    return this.#info.info(exchange);
  }

  /** `GET /keys?match=&cursor=&count=` */
  list(exchange: HttpExchange): void | Promise<void> {
    return this.#listing.list(exchange);
  }

  /**
   * Sets the key if it is not there, then if it is there, and so on: each time is atomic, and the
   * one that works tells whether the key is new.
   */
  #replyToPut(exchange: HttpExchange, query: CommandQuery): void | Promise<void> {
    const { reply } = query;
    if (reply.kind === ReplyKind.NIL) {
      query.attempt++;
      if (query.attempt === PUT_ATTEMPTS) query.dropLast();
      else query.replaceLast(query.attempt % 2 === 0 ? Word.NX : Word.XX);
      reply.clear(0);
      return this.#run(exchange, query, this.#finishPut);
    }
    const isNew = query.attempt % 2 === 0 && query.attempt < PUT_ATTEMPTS;
    if (reply.kind === ReplyKind.ERROR) this.#refuse(exchange, query);
    else exchange.send(isNew ? this.#created : this.#done);
    this.#commands.give(query);
  }

  /** Time to live, 0 = for ever. Unit: ms. -1 when it was refused. */
  #ttlMs(exchange: HttpExchange): number {
    const { request } = exchange;
    const count = this.#param.find(request, TTL);
    if (count === ParamCount.NONE) return 0;
    const ttlMs = count === ParamCount.ONE ? parseDuration(this.#param.text(request)) : null;
    if (ttlMs !== null && ttlMs >= 1 && Number.isSafeInteger(ttlMs)) return ttlMs;
    exchange.sendError(400, "invalid_ttl", TTL_RULE);
    return -1;
  }

  /** A query with the key as its first argument; undefined when the key was refused. */
  #queryFor(exchange: HttpExchange, row: CommandRow): CommandQuery | undefined {
    const { request, params } = exchange;
    const query = this.#commands.take(row);
    const byteCount = addDecoded(query, request.bytes, params.start(0), params.end(0));
    if (byteCount <= MAX_KEY_BYTES) return query;
    this.#commands.give(query);
    exchange.send(this.#keyTooLong);
    return undefined;
  }

  #run(exchange: HttpExchange, query: CommandQuery, finish: Finish): void | Promise<void> {
    const pending = this.#commands.run(query);
    return pending === undefined
      ? finish(exchange, query)
      : pending.then(() => finish(exchange, query));
  }

  #replyToGet(exchange: HttpExchange, query: CommandQuery): void {
    const { reply } = query;
    if (reply.kind === ReplyKind.BYTES) {
      const { bytes } = reply;
      exchange.sendBody(200, ContentType.OCTETS, bytes, reply.elementStart(0), reply.elementEnd(0));
    } else if (reply.kind === ReplyKind.SOURCE) {
      exchange.sendSource(200, ContentType.OCTETS, reply.takeSource());
    } else if (reply.kind === ReplyKind.NIL) {
      exchange.send(this.#unknownKey);
    } else {
      this.#refuse(exchange, query);
    }
    this.#commands.give(query);
  }

  #replyToDelete(exchange: HttpExchange, query: CommandQuery): void {
    const { reply } = query;
    if (reply.kind !== ReplyKind.NUMBER) this.#refuse(exchange, query);
    else exchange.send(reply.number.lo === 0 ? this.#unknownKey : this.#done);
    this.#commands.give(query);
  }

  #refuse(exchange: HttpExchange, { reply }: CommandQuery): void {
    switch (reply.code) {
      case ReplyCode.WRONG_TYPE:
        return exchange.send(this.#wrongType);
      case ReplyCode.OUT_OF_MEMORY:
        return exchange.send(this.#outOfMemory);
      case ReplyCode.STORAGE_UNAVAILABLE:
        return exchange.send(this.#storageUnavailable);
      case ReplyCode.VALUE_TOO_LARGE:
        return exchange.send(this.#valueTooLarge);
      case ReplyCode.KEY_TOO_LONG:
        return exchange.send(this.#keyTooLong);
      case ReplyCode.BAD_ARGUMENT:
        // The only argument that the route cannot judge itself: a time beyond the store's calendar.
        return exchange.sendError(400, "invalid_ttl", TTL_RULE);
      default:
        throw new TypeError(`Cannot answer: a key command was refused with code ${reply.code}`);
    }
  }
}
