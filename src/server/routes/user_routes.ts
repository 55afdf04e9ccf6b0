/**
 * `GET /users/:user`: balances.
 *
 * @module
 */

import { ByteSlice, MAX_USER_BYTES } from "../../base/job.ts";
import { isPlainText } from "../../command/event.ts";
import { ReplyCode } from "../../command/reply_code.ts";
import type { CommandRow } from "../../command/row.ts";
import { ReplyKind } from "../../protocol/captured_reply.ts";
import { encodeText } from "../../protocol/http/characters.ts";
import type { CommandClient, CommandQuery } from "../../protocol/command_client.ts";
import type { HttpExchange } from "../../protocol/http/exchange.ts";
import { addDecoded } from "../../protocol/http/percent_decoding.ts";
import { errorReply, writeJsonText } from "./replies.ts";

const USER_RULE = `user must be 1 to ${MAX_USER_BYTES} bytes of UTF-8 without control characters`;
const BALANCE_START = encodeText(`{"user":"`);
const BALANCE_MIDDLE = encodeText(`","balance":`);
const BALANCE_END = encodeText("}");

/** Index of the user among the arguments of `BALANCE user`. */
const USER = 1;

/**
 * Tells balances.
 *
 * Thread: one per I/O thread.
 */
export class UserRoutes {
  readonly #commands: CommandClient;
  readonly #row: CommandRow;
  readonly #user = new ByteSlice();
  readonly #unknownUser = errorReply(404, "unknown_user");
  readonly #wrongType = errorReply(409, "wrong_type");
  readonly #storageUnavailable = errorReply(503, "storage_unavailable");

  /** Makes the routes. */
  constructor(commands: CommandClient) {
    this.#commands = commands;
    this.#row = commands.row("balance");
  }

  /** `{"user":"alice","balance":100}` */
  balance(exchange: HttpExchange): void | Promise<void> {
    const { request, params } = exchange;
    const query = this.#commands.take(this.#row);
    const byteCount = addDecoded(query, request.bytes, params.start(0), params.end(0));
    const { args } = query;
    this.#user.set(args.bytes, args.starts[USER]!, args.ends[USER]!);
    if (byteCount > MAX_USER_BYTES || !isPlainText(this.#user)) {
      this.#commands.give(query);
      exchange.sendError(400, "invalid_user", USER_RULE);
      return;
    }
    const pending = this.#commands.run(query);
    if (pending !== undefined) return this.#replyLater(exchange, query, pending);
    this.#reply(exchange, query);
  }

  async #replyLater(
    exchange: HttpExchange,
    query: CommandQuery,
    pending: Promise<unknown>,
  ): Promise<void> {
    await pending;
    this.#reply(exchange, query);
  }

  #reply(exchange: HttpExchange, query: CommandQuery): void {
    switch (query.reply.kind) {
      case ReplyKind.NUMBER:
        sendBalance(exchange, query);
        break;
      case ReplyKind.NIL:
        exchange.send(this.#unknownUser);
        break;
      default:
        if (query.reply.code === ReplyCode.STORAGE_UNAVAILABLE) {
          exchange.send(this.#storageUnavailable);
          break;
        }
        // A key that holds no integer is of the wrong type for a balance, whatever the command says.
        exchange.send(this.#wrongType);
    }
    this.#commands.give(query);
  }
}

function sendBalance(exchange: HttpExchange, { args, reply }: CommandQuery): void {
  const { scratch } = exchange;
  scratch.copy(BALANCE_START);
  writeJsonText(scratch, args.bytes, args.starts[USER]!, args.ends[USER]!);
  scratch.copy(BALANCE_MIDDLE);
  scratch.int64(reply.number.hi, reply.number.lo);
  scratch.copy(BALANCE_END);
  exchange.sendScratch(200);
}
