/**
 * One connection that speaks RESP.
 *
 * @module
 */

import type { ByteWriter, InputBuffer } from "../../base/bytes.ts";
import type { ClientMemory } from "../../base/client_memory.ts";
import type { KeyScan } from "./key_scan.ts";
import type { Authenticator } from "../../command/authenticator.ts";
import type { ArgumentsPool, CommandArguments } from "../../command/arguments.ts";
import { type ClientOrigin, ClientState, ReplyMode } from "../../command/client_state.ts";
import type { CounterSink } from "../../command/counters.ts";
import type { Rate } from "../../base/units.ts";
import type { ClientRegistry } from "../../command/client_directory.ts";
import { type Dispatcher, ExecuteStatus } from "../../command/dispatch.ts";
import type { CommandRow } from "../../command/row.ts";
import type { ServerPhase } from "../../command/phase.ts";
import { ReplyCode } from "../../command/reply_code.ts";
import { OUTPUT_PAUSE_BYTES, type Session, SessionStep } from "../session.ts";
import { CommandLimit } from "./command_limit.ts";
import { ParseResult } from "./request_parser.ts";
import type { RespWork, RespWorks } from "./resp_work.ts";

/**
 * What all RESP sessions of a thread share.
 *
 * Thread: one object per I/O thread.
 */
export interface RespSessionOptions {
  /** Executes the commands. */
  readonly dispatcher: Dispatcher;
  /** Lends offset arrays. */
  readonly argumentsPool: ArgumentsPool;
  /** Finds keys before their requests are parsed. One for all connections of a thread. */
  readonly keyScan: KeyScan;
  /** Lends what requests are read and replies written with. */
  readonly works: RespWorks;
  /** Knows the password. */
  readonly authenticator: Authenticator;
  /** Told who comes and goes. */
  readonly clients: ClientRegistry;
  /** The server's phase. */
  readonly phase: ServerPhase;
  /** `--resp-rate-limit`. */
  readonly rateLimit: Rate | null;
  /** This thread's counters. */
  readonly counters: CounterSink;
  /** Counter of the commands executed over RESP. */
  readonly commandsProcessed: number;
  /** Counter of the commands refused because there were too many. */
  readonly throttledCommands: number;
  /** Told when a client that may subscribe goes. */
  readonly pubsub?: { forget(client: ClientState): void } | undefined;
  /** Told of every command before it is executed, when that is wanted at all. */
  readonly onCommand?: CommandObserver | undefined;
  /** Told when an HTTP request came in, as a web page would send it; its connection is closed. */
  readonly onCrossProtocol?: (client: ClientState, line: string) => void;
}

/**
 * Most bytes of one reply that is not fetched piece by piece. Reason: it grows by doubling, and both
 * halves and what others hold have to fit.
 */
function mostReplyBytes(memory: ClientMemory | undefined): number {
  return memory === undefined ? Infinity : Math.max(LEAST_REPLY_BYTES, memory.maxBytes / 4);
}

/** Every client may have this much of a reply, however little memory there is. */
const LEAST_REPLY_BYTES = 2 ** 20;

/**
 * Looks at a command; `row` is undefined when there is none of that name. Must not keep `args`.
 */
export type CommandObserver = (
  client: ClientState,
  row: CommandRow | undefined,
  args: CommandArguments,
) => void;

/**
 * Executes the requests of one RESP connection, in order.
 *
 * Thread: belongs to one connection.
 */
export class RespSession implements Session {
  /** What is remembered about the client. */
  readonly client: ClientState;

  readonly #options: RespSessionOptions;
  readonly #mostReplyBytes: number;
  readonly #limit: CommandLimit | undefined;
  /** Held while processing, and while a part of a request or of a reply is there. */
  #work: RespWork | undefined;
  /** Held only while processing. */
  #args: CommandArguments | undefined;
  /** `#args` are a command that waits until the replies in front of it are written. */
  #isHeld = false;
  /** The request under way began before the server was told to stop, so it is still served. */
  #admitted = false;

  /**
   * Begins a conversation.
   *
   * @param origin what is known of the connection
   */
  constructor(options: RespSessionOptions, origin: ClientOrigin) {
    this.#options = options;
    this.client = new ClientState(origin, !options.authenticator.required);
    this.#mostReplyBytes = mostReplyBytes(origin.memory);
    this.#limit = options.rateLimit === null ? undefined : new CommandLimit(options.rateLimit);
    options.clients.add(this.client);
  }

  /** True when a request has been received only in part. */
  get midRequest(): boolean {
    return this.#work !== undefined && this.#work.parser.midRequest;
  }

  /** What is kept for the client between its commands. Unit: bytes. */
  get heldBytes(): number {
    return this.client.heldBytes + (this.#work?.sink.stream.heldBytes ?? 0);
  }

  /** Always false: a command has no head that would have to arrive in time. */
  get midBody(): boolean {
    return false;
  }

  /** True while a large reply goes out piece by piece. */
  get midReply(): boolean {
    return this.#work !== undefined && this.#work.sink.stream.isPending;
  }

  /** See {@link Session.lookAhead}. */
  lookAhead(input: InputBuffer): boolean {
    const { client } = this;
    if (!client.authenticated || client.ended || this.#isHeld) return true;
    return this.#options.keyScan.join(input, client.database);
  }

  /**
   * Executes the complete requests at the front of `input`; see {@link Session.process}.
   *
   * @throws whatever a handler throws, and {@link LockPoisonedError}: faults of ours
   */
  process(
    input: InputBuffer,
    output: ByteWriter,
    untilMs?: number,
  ): SessionStep | Promise<SessionStep> {
    const {
      dispatcher,
      argumentsPool,
      works,
      keyScan,
      counters,
      commandsProcessed,
      phase,
      onCommand,
    } = this.#options;
    const client = this.client;
    if (client.ended) return SessionStep.CLOSE;
    const { parser, sink, slice } = this.#work ??= works.take(client);
    const limit = this.#limit;
    const args = this.#args ??= argumentsPool.take();
    const stream = sink.stream;
    const { pause } = dispatcher.operations;
    sink.output = output;
    output.mostBytes = this.#mostReplyBytes;
    output.keptBytes = OUTPUT_PAUSE_BYTES;
    client.lastSeenMs = dispatcher.beginBatch();
    slice.begin(untilMs);
    if (this.#isHeld) {
      // What was pushed meanwhile goes first, when it is long.
      if (output.length >= OUTPUT_PAUSE_BYTES) return SessionStep.FLUSH;
      const before = output.length;
      return this.#resume(this.#executeBehindPause(args), before, input, output);
    }
    let executedCount = 0;
    keyScan.begin(input, client.authenticated ? client.database : -1);
    let step: SessionStep = SessionStep.NEED_INPUT;
    for (;;) {
      if (stream.isPending && !stream.fill(output, OUTPUT_PAUSE_BYTES)) {
        step = SessionStep.FLUSH;
        break;
      }
      if (output.length >= OUTPUT_PAUSE_BYTES && input.start < input.end) {
        step = SessionStep.FLUSH;
        break;
      }
      const requestStart = input.start;
      keyScan.find(input, client.database);
      const result = parser.parse(input, args);
      if (result === ParseResult.INCOMPLETE) break;
      if (result === ParseResult.ERROR) {
        sink.protocolError(parser.errorText);
        step = SessionStep.CLOSE;
        break;
      }
      if (args.count === 0) continue;
      keyScan.give(args, input);
      if (phase.stopping && !this.#admitted) {
        sink.error(ReplyCode.SHUTTING_DOWN);
        step = SessionStep.CLOSE;
        break;
      }
      this.#admitted = false;
      if (parser.inline && this.#isHttp(args)) {
        step = SessionStep.CLOSE;
        break;
      }
      const before = output.length;
      let status: ExecuteStatus | Promise<ExecuteStatus> = ExecuteStatus.CONTINUE;
      if (limit !== undefined && !limit.tryTake(dispatcher.nowMs) && !args.is(0, "QUIT")) {
        this.#throttle(limit);
      } else {
        if (onCommand !== undefined) onCommand(client, dispatcher.rowOf(args), args);
        executedCount++;
        status = pause.mayHold
          ? this.#executeBehindPause(args)
          : dispatcher.execute(args, sink, client);
      }
      if (typeof status !== "number") {
        keyScan.clear();
        counters.add(commandsProcessed, executedCount);
        return this.#resume(status, before, input, output);
      }
      if (status === ExecuteStatus.WRITE_FIRST) {
        keyScan.clear();
        counters.add(commandsProcessed, executedCount);
        this.#isHeld = true;
        return SessionStep.FLUSH;
      }
      const byteCount = input.start - requestStart + output.length - before;
      if (output.length >= OUTPUT_PAUSE_BYTES && output.isOver) this.#loseReply(output, before);
      if (client.replyMode !== ReplyMode.ON) this.#withhold(output, before);
      if (status === ExecuteStatus.CLOSE) {
        step = SessionStep.CLOSE;
        break;
      }
      if (slice.spend(byteCount) && input.start < input.end) {
        // What is in the output goes out: what is to come in between has to be kept out of it.
        stream.fill(output, 0);
        step = SessionStep.FLUSH;
        break;
      }
    }
    keyScan.clear();
    if (executedCount > 0) counters.add(commandsProcessed, executedCount);
    this.#settle();
    return step;
  }

  /** Gives back what the session borrowed, and lets go of what it has not replied yet. */
  close(): void {
    const { clients, dispatcher, pubsub } = this.#options;
    clients.remove(this.client);
    dispatcher.operations.monitors.remove(this.client);
    pubsub?.forget(this.client);
    this.client.discard();
    this.#giveBackArguments();
    // It may have a part of a request in it, or a command that goes on: it is nobody else's.
    this.#work?.sink.stream.clear();
  }

  /** Executes a command now, or when clients are no longer paused. */
  #executeBehindPause(args: CommandArguments): ExecuteStatus | Promise<ExecuteStatus> {
    const { dispatcher } = this.#options;
    const row = dispatcher.rowOf(args);
    if (!dispatcher.operations.pause.holds(row)) {
      return dispatcher.execute(args, this.#work!.sink, this.client);
    }
    // The replies in front of it need not wait.
    if (this.#work!.sink.isBehindOthers) return ExecuteStatus.WRITE_FIRST;
    return this.#waitAndExecute(row, args);
  }

  async #waitAndExecute(
    row: CommandRow | undefined,
    args: CommandArguments,
  ): Promise<ExecuteStatus> {
    const { dispatcher, phase } = this.#options;
    const { client } = this;
    await dispatcher.operations.pause.wait(row, () => client.ended);
    if (client.ended) return ExecuteStatus.CLOSE;
    if (phase.stopping) {
      this.#work!.sink.error(ReplyCode.SHUTTING_DOWN);
      return ExecuteStatus.CLOSE;
    }
    dispatcher.beginBatch();
    return await dispatcher.execute(args, this.#work!.sink, client);
  }

  #giveBackArguments(): void {
    if (this.#args !== undefined) this.#options.argumentsPool.give(this.#args);
    this.#args = undefined;
  }

  #giveBack(): void {
    this.#giveBackArguments();
    const work = this.#work;
    if (work !== undefined && work.isIdle) {
      this.#options.works.give(work);
      this.#work = undefined;
    }
  }

  /**
   * Comes back from a command that had to wait. What is behind it is for the next call: many that
   * waited may come back together, and before the next command whoever runs the connection looks
   * whether there is memory for it.
   */
  async #resume(
    pending: ExecuteStatus | Promise<ExecuteStatus>,
    before: number,
    input: InputBuffer,
    output: ByteWriter,
  ): Promise<SessionStep> {
    this.#isHeld = false;
    const status = await pending;
    if (output.isOver) this.#loseReply(output, before);
    if (this.client.replyMode !== ReplyMode.ON) this.#withhold(output, before);
    const { stream } = this.#work!.sink;
    const hasMore = input.start < input.end || stream.isPending;
    // What is in the output now goes out first: only from here on may a large value be behind it.
    stream.fill(output, 0);
    this.#settle();
    if (status === ExecuteStatus.CLOSE) return SessionStep.CLOSE;
    return hasMore ? SessionStep.FLUSH : SessionStep.NEED_INPUT;
  }

  /** Leaves a place from which the next call can go on. */
  #settle(): void {
    if (this.midRequest && !this.#options.phase.stopping) this.#admitted = true;
    this.#giveBack();
  }

  /** Refuses a command because there were too many before it. */
  #throttle(limit: CommandLimit): void {
    const { counters, throttledCommands, dispatcher } = this.#options;
    counters.add(throttledCommands);
    const retryMs = limit.retryAfterMs(dispatcher.nowMs);
    this.#work!.sink.error(ReplyCode.THROTTLED, `too many commands, retry in ${retryMs} ms`);
    dispatcher.operations.countError(this.client);
  }

  /** Says that a reply is too large, in place of it. */
  #loseReply(output: ByteWriter, before: number): void {
    output.recover(before);
    this.#work!.sink.stream.clear();
    this.#work!.sink.error(ReplyCode.REPLY_TOO_LARGE);
    this.#options.dispatcher.operations.countError(this.client);
  }

  /** Takes back a reply that the client does not want. */
  #withhold(output: ByteWriter, before: number): void {
    const client = this.client;
    output.length = before;
    this.#work!.sink.stream.clear();
    if (client.replyMode === ReplyMode.SKIP_NEXT) client.replyMode = ReplyMode.SKIP;
    else if (client.replyMode === ReplyMode.SKIP) client.replyMode = ReplyMode.ON;
  }

  /**
   * Whether a line is the beginning of an HTTP request. A web page can make a browser send one
   * here, with commands in its body, so the connection must end before the body is read.
   */
  #isHttp(args: CommandArguments): boolean {
    if (!args.is(0, "POST") && !args.is(0, "HOST:")) return false;
    this.#options.onCrossProtocol?.(this.client, args.text(0));
    return true;
  }
}
