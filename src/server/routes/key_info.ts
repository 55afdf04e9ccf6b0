/**
 * `GET /keys/:key/info`: what a key of any type holds, at one glance.
 *
 * @module
 */

import { PREVIEW_HEAD_ELEMENTS, previewRow } from "../../command/handlers/preview.ts";
import { MAX_KEY_BYTES } from "../../store/entry.ts";
import { ReplyCode } from "../../command/reply_code.ts";
import { type CapturedReply, ReplyKind } from "../../protocol/captured_reply.ts";
import { encodeText } from "../../protocol/http/characters.ts";
import type { CommandClient, CommandQuery } from "../../protocol/command_client.ts";
import { ContentType, type HttpExchange } from "../../protocol/http/exchange.ts";
import { addDecoded } from "../../protocol/http/percent_decoding.ts";
import { clientTextJson } from "./client_text.ts";
import type { CodedBodies } from "./coded_body.ts";
import type { KeyInfoJson, PreviewPartJson } from "./key_info_json.ts";
import { errorReply } from "./replies.ts";

/**
 * Answers what a key holds. It is not used by that: neither is its access time changed nor does the
 * question count as a hit.
 *
 * Thread: one per I/O thread.
 */
export class KeyInfo {
  readonly #commands: CommandClient;
  readonly #bodies: CodedBodies;
  readonly #row = previewRow();
  /** It is counted and blamed as this command. */
  readonly #like;
  readonly #unknownKey = errorReply(404, "unknown_key");
  readonly #keyTooLong = errorReply(
    414,
    "key_too_long",
    `a key must have at most ${MAX_KEY_BYTES} bytes`,
  );
  readonly #storageUnavailable = errorReply(503, "storage_unavailable");

  /** Makes the route. */
  constructor(commands: CommandClient, bodies: CodedBodies) {
    this.#commands = commands;
    this.#bodies = bodies;
    this.#like = commands.row("type");
  }

  /** Answers. */
  info(exchange: HttpExchange): void | Promise<void> {
    const { request, params } = exchange;
    this.#row.statisticsAt = this.#like.statisticsAt;
    this.#row.operation = this.#like.operation;
    const query = this.#commands.take(this.#row);
    const byteCount = addDecoded(query, request.bytes, params.start(0), params.end(0));
    if (byteCount > MAX_KEY_BYTES) {
      this.#commands.give(query);
      return exchange.send(this.#keyTooLong);
    }
    const pending = this.#commands.run(query);
    if (pending !== undefined) return pending.then(() => this.#reply(exchange, query));
    return this.#reply(exchange, query);
  }

  #reply(exchange: HttpExchange, query: CommandQuery): void | Promise<void> {
    const { reply } = query;
    if (reply.kind !== ReplyKind.LIST) {
      const { kind, code } = reply;
      this.#commands.give(query);
      if (kind === ReplyKind.NIL) return exchange.send(this.#unknownKey);
      // The log failed, and nobody may learn what it has not.
      if (code === ReplyCode.STORAGE_UNAVAILABLE) return exchange.send(this.#storageUnavailable);
      throw new TypeError(`Cannot describe a key: refused with code ${code}`);
    }
    const body = encodeText(JSON.stringify(infoOf(reply)));
    this.#commands.give(query);
    return this.#bodies.send(exchange, ContentType.JSON, body);
  }
}

function infoOf(reply: CapturedReply): KeyInfoJson {
  const bytesAt = (index: number): Uint8Array =>
    reply.bytes.subarray(reply.elementStart(index), reply.elementEnd(index));
  const textAt = (index: number): string => decoder.decode(bytesAt(index));
  const [type, encoding, ttlMs, memory, length] = [0, 1, 2, 3, 4].map(textAt) as [
    ...[string, string, string, string, string],
  ];
  const isPaired = type === "hash" || type === "zset";
  const preview: PreviewPartJson[] = [];
  const step = isPaired ? 4 : 2;
  for (let at = PREVIEW_HEAD_ELEMENTS; at < reply.elementCount; at += step) {
    const first = partOf(Number(textAt(at)), bytesAt(at + 1));
    if (type === "hash") {
      const second = partOf(Number(textAt(at + 2)), bytesAt(at + 3));
      preview.push({ field: first.value, ...second, cut: first.cut || second.cut });
    } else if (type === "zset") {
      preview.push({ ...first, score: textAt(at + 3) });
    } else preview.push(first);
  }
  return {
    type,
    encoding,
    ttl_ms: ttlMs === "-1" ? null : Number(ttlMs),
    memory_bytes: Number(memory),
    length: Number(length),
    preview,
  };
}

function partOf(bytes: number, shown: Uint8Array): PreviewPartJson {
  const cut = shown.length < bytes;
  return { value: clientTextJson(shown, cut), bytes, cut };
}

const decoder = new TextDecoder();
