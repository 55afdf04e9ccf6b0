/**
 * What a listener and its connections need to know about their protocol.
 *
 * @module
 */

import type { ClientOrigin } from "../command/client_state.ts";
import type { ProtocolLabel } from "../metrics/names.ts";
import type { Session } from "../protocol/session.ts";

/**
 * Where a front's connections are counted: ids of the thread's counter block, as in
 * `PROTOCOL_COUNTERS` of the metrics.
 *
 * Shape: `{ accepted: 16, active: 17, refused: 18, refusedPerIp: 22, refusedDenied: 23,
 * bytesRead: 20, bytesWritten: 21 }`.
 */
export interface FrontCounterIds {
  /** Connections let in since start. */
  readonly accepted: number;
  /** Connections open now. */
  readonly active: number;
  /** Connections turned away at the cap. */
  readonly refused: number;
  /** Connections turned away at the cap of their address. */
  readonly refusedPerIp: number;
  /** Connections turned away because of their address. */
  readonly refusedDenied: number;
  /** Bytes read from clients. */
  readonly bytesRead: number;
  /** Bytes written to clients. */
  readonly bytesWritten: number;
}

/**
 * One protocol as the connection layer sees it.
 *
 * Thread: one object per I/O thread.
 */
export interface Front {
  /** The protocol's name in logs and counters. */
  readonly protocol: ProtocolLabel;
  /** Makes the conversation of a new connection. */
  createSession(origin: ClientOrigin): Session;
  /** Unit: ms without a byte in either direction until the connection is closed; 0 = never. */
  readonly idleTimeoutMs: number;
  /** Unit: ms that a request's head may take to arrive, from its first byte; 0 = any time. */
  readonly headTimeoutMs: number;
  /**
   * Slowest transfer of a request's body, or of a reply, that is put up with; 0 = any.
   *
   * Unit: bytes per second.
   */
  readonly minTransferRate: number;
  /**
   * Sent before closing a connection whose request did not arrive in time; may be empty.
   *
   * Read it each time: there may be a date in it.
   */
  readonly timeoutReply: Uint8Array<ArrayBuffer>;
  /** Sent before closing a connection above one of the caps; the same holds for it. */
  readonly fullReply: Uint8Array<ArrayBuffer>;
  /** Where its connections are counted. */
  readonly counterIds: FrontCounterIds;
  /** Where it is recorded how long batches took from their read to their reply. */
  readonly latency?: LatencyRecorder;
}

/** Counts durations. Thread: the one that owns the histogram behind it. */
export interface LatencyRecorder {
  /** Counts one duration. Unit: ms. */
  recordMs(durationMs: number): void;
}
