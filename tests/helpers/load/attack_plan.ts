/**
 * What hostile clients are told.
 *
 * @module
 */

/** Connections that all misbehave alike. */
export interface AttackGroup {
  /** Port on the loopback address. */
  readonly port: number;
  /** Connections. */
  readonly connectionCount: number;
  /** What each sends first, as fast as the server takes it. */
  readonly opening: string;
  /** Sent behind `opening`, this often. */
  readonly filler?: { readonly text: string; readonly times: number };
  /** Sent again and again behind that. */
  readonly drip?: string;
  /** Read at each drip; 0 = nothing is ever read. Unit: bytes. */
  readonly readBytes: number;
  /** Time between two drips. Unit: ms. */
  readonly dripMs: number;
  /** Size of the kernel's receive buffer; small ones make the server's replies pile up. */
  readonly receiveBytes?: number;
}

/** Connections that come and go. */
export interface FloodPlan {
  /** Ports on the loopback address and what a request on each begins with. */
  readonly targets: readonly { readonly port: number; readonly half: string }[];
  /** Connects. */
  readonly connectCount: number;
  /** Time for all of them. Unit: ms. */
  readonly durationMs: number;
  /** How long the ones that stay do so, unless they are refused. Unit: ms. */
  readonly stayMs: number;
}

/** What a flood did. */
export interface FloodReport {
  /** Connects that succeeded. */
  readonly connected: number;
  /** Connects that the system refused. */
  readonly failed: number;
  /** Connections that stayed and were ended by the server. */
  readonly turnedAway: number;
  /** Time that it took. Unit: ms. */
  readonly elapsedMs: number;
}
