/**
 * What the main isolate and its I/O threads tell each other by message; everything else goes through
 * shared memory.
 *
 * @module
 */

import type { LogMessage } from "../base/log.ts";
import type { LifelineSpec } from "../worker/lifeline.ts";
import type { Config } from "./config.ts";
import type { ServerPorts } from "./server_view.ts";
import type { SharedMemory } from "./shared_parts.ts";
import type { Answers } from "./thread_questions.ts";
import type { TlsMaterial } from "./tls/material.ts";

/** What an I/O thread is made from. */
export interface IoOrders {
  /** Its thread id. */
  readonly threadId: number;
  /** What it is to hold for life. */
  readonly lifeline: LifelineSpec;
  /** The settings. */
  readonly config: Config;
  /** The shared memory. */
  readonly memory: SharedMemory;
  /** What TLS is spoken with; undefined = it is not spoken. */
  readonly tls: TlsMaterial | undefined;
}

/** Something that an I/O thread is asked to do; the reply comes when it is done. */
export type IoCommand =
  /** The first: be made. */
  | { readonly kind: "open"; readonly orders: IoOrders }
  /** Listen on these ports, shared with the other threads. */
  | { readonly kind: "listen"; readonly ports: ServerPorts }
  /** Use this for TLS handshakes from now on. */
  | { readonly kind: "replaceTls"; readonly material: TlsMaterial }
  /** See the methods of these names of `IoService`. */
  | { readonly kind: "closeListeners" }
  | {
    readonly kind: "settleRequests" | "closeConnections";
    /** What is left of the step's budget. */
    readonly remainingMs: number;
  }
  /** A question of another thread. */
  | { readonly kind: "answer"; readonly topic: string; readonly question: unknown }
  /** The last: let go of everything and end. */
  | { readonly kind: "end" };

/** A message to an I/O thread. */
export type ToIoThread =
  /** Do this. */
  | { readonly kind: "call"; readonly id: number; readonly command: IoCommand }
  /** Whatever step is under way has no time left. */
  | { readonly kind: "hurry" }
  /** What the others said to an `ask`. */
  | { readonly kind: "answers"; readonly id: number; readonly answers: Answers };

/** A message from an I/O thread. */
export type FromIoThread =
  /** A client asked for the server to stop. */
  | { readonly kind: "stopWish" }
  /** It holds its lifeline. */
  | { readonly kind: "holding" }
  /** A call is done. */
  | { readonly kind: "done"; readonly id: number; readonly value: unknown }
  /** A call failed. */
  | {
    readonly kind: "failed";
    readonly id: number;
    /** Text of the error, with its stack unless it is a `StartError`. */
    readonly error: string;
    /** Whether it is a `StartError`. */
    readonly isStartError: boolean;
  }
  /** A question to all other threads. */
  | {
    readonly kind: "ask";
    readonly id: number;
    readonly topic: string;
    readonly question: unknown;
  }
  /** A log record. */
  | LogMessage;
