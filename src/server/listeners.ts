/**
 * The listening sockets of one I/O thread.
 *
 * @module
 */

import type { Logger } from "../base/log.ts";
import { type ProtocolLabel, PROTOCOLS } from "../metrics/names.ts";
import { AcceptLoop } from "./accept_loop.ts";
import type { Config, Port } from "./config.ts";
import type { ConnectionSet } from "./connection_set.ts";
import type { Fronts } from "./fronts.ts";
import { listen } from "./listen.ts";
import type { ServerPorts } from "./server_view.ts";

/** Failed accepts are logged at most this often. Unit: ms. */
const ACCEPT_LOG_INTERVAL_MS = 1000;

/**
 * All listeners: bound together, so that nobody is served when one of them cannot be had.
 *
 * Thread: the I/O thread that serves what they accept.
 */
export class Listeners implements AsyncDisposable {
  readonly #listeners: ReadonlyMap<ProtocolLabel, Deno.TcpListener>;
  readonly #acceptLoops: AcceptLoop[] = [];
  readonly #log: Logger;
  #failures = 0;
  #nextFailureLogAtMs = 0;

  private constructor(listeners: ReadonlyMap<ProtocolLabel, Deno.TcpListener>, log: Logger) {
    this.#listeners = listeners;
    this.#log = log;
  }

  /**
   * Binds every port that is not off.
   *
   * @param isShared whether other threads bind the same ports, none of which is 0 then
   * @throws {StartError} when one cannot be had; none is bound then
   */
  static bind(config: Config, log: Logger, isShared = false): Listeners {
    const ports: Record<ProtocolLabel, Port> = {
      http: config.httpPort,
      resp: config.respPort,
      proto: config.protoPort,
    };
    const listeners = new Map<ProtocolLabel, Deno.TcpListener>();
    using bound = new DisposableStack();
    for (const protocol of PROTOCOLS) {
      const port = ports[protocol];
      if (port === "off") continue;
      listeners.set(protocol, bound.use(listen(protocol, config.host, port, isShared)));
    }
    bound.move();
    return new Listeners(listeners, log);
  }

  /** Where they listen. */
  get ports(): ServerPorts {
    return {
      http: this.#portOf("http"),
      resp: this.#portOf("resp"),
      proto: this.#portOf("proto"),
    };
  }

  /** Starts to accept. */
  serve(fronts: Fronts, connections: ConnectionSet): void {
    for (const [protocol, listener] of this.#listeners) {
      const front = fronts[protocol];
      this.#acceptLoops.push(
        new AcceptLoop(listener, {
          onConnection: (socket) => connections.admit(socket, front),
          onAcceptError: (error) => this.#noteFailure(protocol, error),
          turn: () => connections.park(performance.now()),
        }),
      );
    }
  }

  /** Closes them and waits until nothing more is accepted. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#acceptLoops.length === 0) {
      for (const listener of this.#listeners.values()) listener.close();
    }
    await Promise.all(this.#acceptLoops.map((loop) => loop[Symbol.asyncDispose]()));
  }

  #portOf(protocol: ProtocolLabel): number | null {
    return this.#listeners.get(protocol)?.addr.port ?? null;
  }

  /** A shortage of file descriptors fails twenty times a second; the log needs fewer lines. */
  #noteFailure(protocol: ProtocolLabel, error: unknown): void {
    this.#failures++;
    const nowMs = performance.now();
    if (nowMs < this.#nextFailureLogAtMs) return;
    this.#nextFailureLogAtMs = nowMs + ACCEPT_LOG_INTERVAL_MS;
    const failures = this.#failures;
    // The text only, never the error: with no file descriptor left, reading its stack makes the
    // runtime panic (seen on 2.9.6: the bounds of the thread's stack are looked up in a file).
    const reason = String(error);
    this.#log.warn("accept failed", { event: "accept_failed", protocol, failures, reason });
  }
}
