/**
 * Protobuf on one thread: executes messages and answers them.
 *
 * @module
 */

import { create } from "@bufbuild/protobuf";
import { assert } from "../../base/assert.ts";
import type { ByteWriter } from "../../base/bytes.ts";
import {
  ByteSlice,
  EventFields,
  MAX_ACTION_BYTES,
  MAX_ID_BYTES,
  MAX_USER_BYTES,
} from "../../base/job.ts";
import { EVENT_WAIT_MAX_MS } from "../../base/limits.ts";
import type { Authenticator } from "../../command/authenticator.ts";
import type { ClientState } from "../../command/client_state.ts";
import type { CounterSink } from "../../command/counters.ts";
import type { Dispatcher } from "../../command/dispatch.ts";
import { eventDefect, userDefect } from "../../command/event.ts";
import { type EventGate, GATE_FAILED_TEXT, type GateRefusal } from "../../command/event_gate.ts";
import { type EventIntake, EventOutcome } from "../../command/event_intake.ts";
import type { Settlement } from "../../command/event_waits.ts";
import type { CommandTable } from "../../command/lookup.ts";
import type { ServerPhase } from "../../command/phase.ts";
import { ReplyCode } from "../../command/reply_code.ts";
import type { CommandRow } from "../../command/row.ts";
import { ReplyKind } from "../captured_reply.ts";
import { CommandClient, type CommandQuery } from "../command_client.ts";
import { encodeFrame, encodeServerMessage, errorMessage, MessageDecoder } from "./codec.ts";
import { appendFrame, type ProtoFraming } from "./framing.ts";
import {
  AddResponseSchema,
  AuthReplySchema,
  BalanceReplySchema,
  EventReplySchema,
  ServerMessageSchema,
} from "./gen/sluice/v1/messages_pb.ts";
import {
  type AddRequest,
  type AuthRequest,
  type BalanceRequest,
  type ClientMessage,
  ErrorCode,
  type Event,
  type EventReply,
  EventStatus,
  type ServerMessage,
} from "./messages.ts";
import { TextBytes } from "./text_bytes.ts";

/** What a {@link ProtoService} is made from. */
export interface ProtoServiceOptions {
  /** How messages are told apart. */
  readonly framing: ProtoFraming;
  /** Executes commands. */
  readonly dispatcher: Dispatcher;
  /** Has `BALANCE`. */
  readonly table: CommandTable;
  /** Takes the events. */
  readonly intake: EventIntake;
  /** Knows the password. */
  readonly authenticator: Authenticator;
  /** The server's phase. */
  readonly phase: ServerPhase;
  /** `--max-request-bytes`. */
  readonly maxRequestBytes: number;
  /** This thread's counters. */
  readonly counters: CounterSink;
  /** Counter of the messages answered, whatever the answer. */
  readonly messagesProcessed: number;
  /** Told when an HTTP request came in, as a web page would send it; its connection is closed. */
  readonly onCrossProtocol?: (client: ClientState) => void;
  /** Time of day, ms since the epoch; `Date.now` when left out. */
  readonly clock?: () => number;
}

const INT32_MAX = 0x7fffffff;
const INT32_MIN = -0x80000000;

const NO_BYTES = new Uint8Array(0);
const NO_PASSWORD_TEXT = "this server has no password, so there is nothing to authenticate";

/**
 * Executes messages on behalf of all sessions of one thread.
 *
 * Thread: one per I/O thread.
 */
export class ProtoService {
  /** What it is made from. */
  readonly options: ProtoServiceOptions;
  /** Decodes messages; its findings are good until the next one. */
  readonly decoder: MessageDecoder = new MessageDecoder();

  readonly #balanceRow: CommandRow;
  readonly #commands: CommandClient;

  readonly #clock: () => number;
  #nowMs = 0;

  readonly #event = new EventFields("protobuf");
  readonly #user = new ByteSlice();
  readonly #userBytes = new TextBytes(MAX_USER_BYTES);
  readonly #actionBytes = new TextBytes(MAX_ACTION_BYTES);
  readonly #idBytes = new TextBytes(MAX_ID_BYTES);

  readonly #reply: ServerMessage = create(ServerMessageSchema);
  readonly #sum = create(AddResponseSchema);

  // Replies that are always the same.
  readonly #accepted: Uint8Array;
  readonly #authenticated: Uint8Array;
  readonly #unauthenticated: Uint8Array;
  readonly #shuttingDown: Uint8Array;

  /** Makes the service; sessions are made with it. */
  constructor(options: ProtoServiceOptions) {
    this.options = options;
    this.#clock = options.clock ?? Date.now;
    this.#commands = new CommandClient(options.dispatcher, options.table);
    this.#balanceRow = this.#commands.row("balance");
    const canned = (message: ServerMessage): Uint8Array => encodeFrame(options.framing, message);
    const accepted = create(EventReplySchema, { status: EventStatus.ACCEPTED });
    this.#accepted = canned(
      create(ServerMessageSchema, { message: { case: "eventReply", value: accepted } }),
    );
    this.#authenticated = canned(
      create(ServerMessageSchema, {
        message: { case: "authReply", value: create(AuthReplySchema) },
      }),
    );
    this.#unauthenticated = canned(
      errorMessage(ErrorCode.UNAUTHENTICATED, "send the password first, in an AuthRequest"),
    );
    this.#shuttingDown = canned(
      errorMessage(ErrorCode.SHUTTING_DOWN, "server is shutting down"),
    );
  }

  /** Takes the time once for the messages that follow in this turn of the event loop. */
  beginBatch(): void {
    this.options.dispatcher.beginBatch();
    this.#nowMs = this.#clock();
  }

  /**
   * Executes a message and writes its reply.
   *
   * @returns a promise when it has to wait; the reply is written before it is done
   */
  execute(
    { message }: ClientMessage,
    client: ClientState,
    output: ByteWriter,
  ): void | Promise<void> {
    if (message.case === "authRequest") return this.#authenticate(message.value, client, output);
    if (!client.authenticated) {
      if (this.options.authenticator.required) return output.copy(this.#unauthenticated);
      client.authenticated = true;
    }
    switch (message.case) {
      case "echoMessage":
        return this.#send(output, { case: "echoMessage", value: message.value });
      case "addRequest":
        return this.#add(message.value, output);
      case "event":
        return this.#offer(message.value, output);
      case "balanceRequest":
        return this.#askBalance(message.value, output);
      default:
        return this.sendError(
          output,
          ErrorCode.UNKNOWN_MESSAGE,
          "the message has none of the fields that this server knows",
        );
    }
  }

  /** Whether a message may take longer than replies that are ready should wait. */
  mayTakeLong({ message }: ClientMessage): boolean {
    return message.case === "authRequest" || message.case === "event" && message.value.waitMs > 0;
  }

  /** Writes an error. */
  sendError(output: ByteWriter, code: ErrorCode, text: string): void {
    appendFrame(output, this.options.framing, encodeServerMessage(errorMessage(code, text)));
  }

  /** Refuses a message that came while the server was stopping. */
  refuseLate(output: ByteWriter): void {
    output.copy(this.#shuttingDown);
  }

  #send(output: ByteWriter, message: ServerMessage["message"]): void {
    this.#reply.message = message;
    appendFrame(output, this.options.framing, encodeServerMessage(this.#reply));
    // Nothing that a client sent is kept.
    this.#reply.message = { case: undefined };
  }

  #add({ a, b }: AddRequest, output: ByteWriter): void {
    const result = a + b;
    if (result < INT32_MIN || result > INT32_MAX) {
      return this.sendError(output, ErrorCode.OVERFLOW, "the sum does not fit int32");
    }
    this.#sum.result = result;
    this.#send(output, { case: "addResponse", value: this.#sum });
  }

  #authenticate(
    { password }: AuthRequest,
    client: ClientState,
    output: ByteWriter,
  ): void | Promise<void> {
    const { authenticator } = this.options;
    if (!authenticator.required) {
      return this.sendError(output, ErrorCode.INVALID_ARGUMENT, NO_PASSWORD_TEXT);
    }
    const bytes = new TextEncoder().encode(password);
    if (authenticator.matches(bytes, 0, bytes.length)) {
      client.authenticated = true;
      return output.copy(this.#authenticated);
    }
    client.wrongPasswords++;
    return authenticator.refuse().then(() =>
      this.sendError(output, ErrorCode.WRONG_PASSWORD, "that is not the password")
    );
  }

  #offer(message: Event, output: ByteWriter): void | Promise<void> {
    const { user, action, amount, id, waitMs } = message;
    const { intake } = this.options;
    const event = this.#event;
    this.#userBytes.encode(user, event.user);
    this.#actionBytes.encode(action, event.action);
    this.#idBytes.encode(id, event.id);
    const defect = eventDefect(event);
    if (defect !== undefined) {
      intake.countInvalid();
      return this.sendError(output, ErrorCode.INVALID_EVENT, defect);
    }
    if (waitMs > EVENT_WAIT_MAX_MS) {
      intake.countInvalid();
      return this.sendError(
        output,
        ErrorCode.INVALID_ARGUMENT,
        `wait_ms must be at most ${EVENT_WAIT_MAX_MS}`,
      );
    }
    event.amount.hi = Number(amount >> 32n);
    event.amount.lo = Number(amount & 0xffffffffn);
    if (intake.gate !== undefined) {
      const refusal = this.#ask(intake.gate, message.fieldsJson);
      if (refusal !== undefined) return this.#refuseAtGate(refusal, output);
    }
    event.acceptedAtMs = this.#nowMs;
    const outcome = waitMs === 0 ? intake.offer(event) : intake.offerWaiting(event, waitMs);
    if (typeof outcome === "number") return this.#tellOutcome(outcome, output);
    return outcome.then((settlement) => this.#tellSettlement(settlement, output));
  }

  #ask(gate: EventGate, fieldsJson: string): GateRefusal | undefined {
    const bytes = fieldsJson === "" ? NO_BYTES : new TextEncoder().encode(fieldsJson);
    return gate.admitText(this.#event, bytes, 0, bytes.length, "fields_json");
  }

  #refuseAtGate(refusal: GateRefusal, output: ByteWriter): void {
    this.options.intake.countInvalid();
    return refusal.kind === "invalid"
      ? this.sendError(output, ErrorCode.INVALID_EVENT, refusal.detail)
      : this.sendError(output, ErrorCode.PROCESSOR_ERROR, GATE_FAILED_TEXT);
  }

  #tellOutcome(outcome: EventOutcome, output: ByteWriter): void {
    switch (outcome) {
      case EventOutcome.ACCEPTED:
        return output.copy(this.#accepted);
      case EventOutcome.SERVER_BUSY: {
        const status = EventStatus.BUSY;
        const retryAfterMs = this.options.intake.retryAfterMs();
        const value = create(EventReplySchema, { status, reason: "server_busy", retryAfterMs });
        return this.#send(output, { case: "eventReply", value });
      }
      case EventOutcome.OUT_OF_MEMORY: {
        const status = EventStatus.OUT_OF_MEMORY;
        const value = create(EventReplySchema, { status, reason: "out_of_memory" });
        return this.#send(output, { case: "eventReply", value });
      }
      case EventOutcome.STORAGE_UNAVAILABLE: {
        const status = EventStatus.STORAGE_UNAVAILABLE;
        const value = create(EventReplySchema, { status, reason: "storage_unavailable" });
        return this.#send(output, { case: "eventReply", value });
      }
      case EventOutcome.SHUTTING_DOWN:
        return this.refuseLate(output);
    }
  }

  #tellSettlement(settlement: Settlement, output: ByteWriter): void {
    if (settlement.kind === "pending") return output.copy(this.#accepted);
    const value = settlement.kind === "processed"
      ? processedReply(settlement)
      : create(EventReplySchema, { status: EventStatus.FAILED, reason: settlement.reason });
    this.#send(output, { case: "eventReply", value });
  }

  #askBalance({ user }: BalanceRequest, output: ByteWriter): void | Promise<void> {
    const name = this.#user;
    this.#userBytes.encode(user, name);
    const defect = userDefect(name);
    if (defect !== undefined) {
      return this.sendError(output, ErrorCode.INVALID_ARGUMENT, defect);
    }
    const query = this.#commands.take(this.#balanceRow);
    query.add(name.bytes, name.start, name.end);
    const pending = this.#commands.run(query);
    if (pending === undefined) return this.#tellBalance(user, query, output);
    return pending.then(() => this.#tellBalance(user, query, output));
  }

  #tellBalance(user: string, query: CommandQuery, output: ByteWriter): void {
    const { kind, number, code } = query.reply;
    if (kind === ReplyKind.ERROR && code === ReplyCode.STORAGE_UNAVAILABLE) {
      this.sendError(output, ErrorCode.STORAGE_UNAVAILABLE, "the log cannot be written");
    } else if (kind === ReplyKind.ERROR) {
      assert(
        code === ReplyCode.WRONG_TYPE || code === ReplyCode.NOT_AN_INTEGER,
        `BALANCE answers with an integer, nil or a wrong type, not with code ${code}`,
      );
      this.sendError(
        output,
        ErrorCode.WRONG_TYPE,
        "the key of this user's balance holds something else",
      );
    } else {
      const reply = create(BalanceReplySchema, { user });
      if (kind === ReplyKind.NUMBER) reply.balance = number.toBigInt();
      this.#send(output, { case: "balanceReply", value: reply });
    }
    this.#commands.give(query);
  }
}

function processedReply(
  { balance, result }: Extract<Settlement, { kind: "processed" }>,
): EventReply {
  const reply = create(EventReplySchema, { status: EventStatus.PROCESSED });
  if (balance !== undefined) reply.balance = balance.toBigInt();
  if (result !== undefined) reply.resultJson = result;
  return reply;
}
