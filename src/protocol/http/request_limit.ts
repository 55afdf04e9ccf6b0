/**
 * How many requests one client may send, as HTTP sees it.
 *
 * @module
 */

/**
 * Counts the requests of clients by their address.
 *
 * Thread: one object per I/O thread; the counts may be shared.
 */
export interface RequestLimit {
  /** Requests that one client may send in a window. */
  readonly count: number;
  /**
   * What {@link RequestLimit.tryTake} wants to know about a client; found once per connection.
   *
   * @param hostname IP address; one that is none shares its allowance with all that are none
   */
  keyOf(hostname: string): ClientKey;
  /**
   * Takes one request of the client's allowance.
   *
   * @param nowMs time of day; may go back when the clock is set, which opens a new window
   * @returns false when there is none left
   */
  tryTake(client: ClientKey, nowMs: number): boolean;
  /** What was left of the last client's allowance. */
  readonly remaining: number;
  /** How long it takes until the last client's allowance is back, at least 1. Unit: s. */
  readonly resetS: number;
}

/** A client, as a {@link RequestLimit} knows it. */
export type ClientKey = object;
