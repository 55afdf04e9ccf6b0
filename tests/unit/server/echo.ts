/**
 * A server that answers lines, for tests of everything below the protocols.
 *
 * @module
 */

import type { ByteWriter, InputBuffer } from "../../../src/base/bytes.ts";
import type { ClientOrigin } from "../../../src/command/client_state.ts";
import { type Session, SessionStep } from "../../../src/protocol/session.ts";
import { AddressFilter } from "../../../src/server/address_filter.ts";
import { ConnectionCensus } from "../../../src/server/connection_census.ts";
import { AcceptLoop, type ConnectionSource } from "../../../src/server/accept_loop.ts";
import { ConnectionSet } from "../../../src/server/connection_set.ts";
import type { Front } from "../../../src/server/front.ts";
import { listen } from "../../../src/server/listen.ts";
import { PROTOCOL_COUNTERS } from "../../../src/metrics/names.ts";

const NEWLINE = 0x0a;

/** A line that begins with `=` has no head: all of it is body. */
const BODY_MARK = 0x3d;
const encoder = new TextEncoder();

/** Hooks of a test into its sessions. */
export interface EchoControl {
  /** Lines `park` and `stay` wait for this. */
  parked?: Promise<void>;
  /** Bytes that lines `big` and `stay` are answered with. */
  bigBytes?: number;
  /** Times that a line `flush` asks for a flush. */
  flushes?: number;
  /** Sessions closed so far. */
  closedCount: number;
  /** Errors that sessions threw. */
  failures: unknown[];
  /** Called whenever a session is asked to process. */
  onProcess?: () => void;
  /** What connections held that were closed for it. */
  closedForMemory: number[];
}

/**
 * Echoes lines. `quit` closes behind the echo, `throw` throws, `park` waits for the control's
 * promise, `big` answers with many bytes, `stay` does and then waits, `flush` answers in pieces.
 */
export class EchoSession implements Session {
  midRequest = false;
  midBody = false;
  readonly #control: EchoControl;
  #flushes = 0;

  constructor(control: EchoControl) {
    this.#control = control;
  }

  process(input: InputBuffer, output: ByteWriter): SessionStep | Promise<SessionStep> {
    this.#control.onProcess?.();
    this.midBody = false;
    while (input.start < input.end) {
      const lineEnd = input.bytes.indexOf(NEWLINE, input.start);
      this.midRequest = lineEnd < 0 || lineEnd >= input.end;
      if (this.midRequest) {
        this.midBody = input.bytes[input.start] === BODY_MARK;
        return SessionStep.NEED_INPUT;
      }
      const line = new TextDecoder().decode(input.bytes.subarray(input.start, lineEnd));
      if (line === "flush" && this.#flushes++ < (this.#control.flushes ?? 0)) {
        output.ascii(`part ${this.#flushes}\n`);
        return SessionStep.FLUSH;
      }
      input.start = lineEnd + 1;
      if (line === "throw") throw new Error("Cannot echo: told to throw");
      if (line === "park") {
        return this.#control.parked!.then(() => {
          output.ascii("park\n");
          return this.process(input, output);
        });
      }
      if (line === "stay") {
        output.copy(new Uint8Array(this.#control.bigBytes ?? 0).fill(0x2e));
        return this.#control.parked!.then(() => SessionStep.NEED_INPUT);
      }
      if (line === "big") output.copy(new Uint8Array(this.#control.bigBytes ?? 0).fill(0x2e));
      output.ascii(`${line}\n`);
      if (line === "quit") return SessionStep.CLOSE;
    }
    this.midRequest = false;
    return SessionStep.NEED_INPUT;
  }

  close(): void {
    this.#control.closedCount++;
  }
}

/** What a test may set. */
export interface EchoServerOptions {
  maxConnections?: number;
  maxRequestBytes?: number;
  idleTimeoutMs?: number;
  headTimeoutMs?: number;
  minTransferRate?: number;
  maxMemoryBytes?: number;
  maxPerAddress?: number;
  allow?: string[];
  deny?: string[];
  /** Makes sessions that do something else. */
  createSession?: (origin: ClientOrigin) => Session;
  /** Clock of the sweeps, ms. */
  now?: () => number;
  /** Wraps the listener. */
  source?: (listener: Deno.TcpListener) => ConnectionSource;
}

/** A running echo server. */
export class EchoServer implements AsyncDisposable {
  readonly port: number;
  readonly control: EchoControl = { closedCount: 0, failures: [], closedForMemory: [] };
  /** Counters by id, as connections count them. */
  readonly counts = new Map<number, number>();
  readonly acceptErrors: unknown[] = [];
  readonly connections: ConnectionSet;
  readonly census: ConnectionCensus;
  readonly acceptLoop: AcceptLoop;
  /** What its connections are admitted with. */
  readonly front: Front;

  constructor(options: EchoServerOptions = {}) {
    const { idleTimeoutMs = 0, headTimeoutMs = 0 } = options;
    const timeouts = [idleTimeoutMs, headTimeoutMs].filter((value) => value > 0);
    let id = 0;
    this.census = ConnectionCensus.create({
      maxConnections: options.maxConnections ?? 1000,
      maxPerAddress: options.maxPerAddress ?? 0,
    });
    this.connections = new ConnectionSet({
      census: this.census,
      filter: new AddressFilter(options.allow ?? [], options.deny ?? []),
      maxMemoryBytes: options.maxMemoryBytes ?? 1 << 26,
      maxRequestBytes: options.maxRequestBytes ?? 1 << 20,
      counters: {
        add: (counter, amount = 1) =>
          void this.counts.set(counter, (this.counts.get(counter) ?? 0) + amount),
      },
      shortestTimeoutMs: timeouts.length > 0 ? Math.min(...timeouts) : 0,
      nextConnectionId: () => ++id,
      onSessionFailure: (_front, error) => void this.control.failures.push(error),
      onMemoryShort: (_front, heldBytes) => void this.control.closedForMemory.push(heldBytes),
      ...(options.now === undefined ? {} : { now: options.now }),
    });
    const front = this.front = {
      protocol: "http",
      createSession: options.createSession ?? (() => new EchoSession(this.control)),
      idleTimeoutMs,
      headTimeoutMs,
      minTransferRate: options.minTransferRate ?? 0,
      timeoutReply: encoder.encode("too slow\n"),
      fullReply: encoder.encode("full\n"),
      counterIds: PROTOCOL_COUNTERS.http,
    } satisfies Front;
    const listener = listen("http", "127.0.0.1", 0);
    this.port = listener.addr.port;
    this.acceptLoop = new AcceptLoop(options.source?.(listener) ?? listener, {
      onConnection: (socket) => this.connections.admit(socket, front),
      onAcceptError: (error) => void this.acceptErrors.push(error),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.acceptLoop[Symbol.asyncDispose]();
    this.connections[Symbol.dispose]();
    const { StopDeadline } = await import("../../../src/server/stop_deadline.ts");
    using deadline = new StopDeadline(1000);
    deadline.begin();
    await this.connections.waitUntilEmpty(deadline, 1000);
  }
}

/** Waits until `condition` holds; fails after a generous time. */
export async function eventually(condition: () => boolean, what: string): Promise<void> {
  const untilMs = performance.now() + 20_000;
  while (!condition()) {
    if (performance.now() > untilMs) throw new Error(`Cannot go on: ${what} did not happen`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
