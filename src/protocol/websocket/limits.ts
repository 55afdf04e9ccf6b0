/**
 * Bounds of WebSocket connections, besides `--max-request-bytes` for messages.
 *
 * @module
 */

/** Longest payload of a control frame. Unit: bytes. Source: RFC 6455 section 5.5. */
export const MAX_CONTROL_BYTES = 125;

/**
 * Frames that are read before whoever reads them looks at the clock.
 *
 * Reason: a message may come in frames of no bytes at all, and so do not end for a megabyte; so many
 * take some 20 µs.
 */
export const FRAMES_PER_STEP = 256;

/**
 * A client that was silent for so long is sent a ping.
 *
 * Unit: s. Reason: below the 30 to 60 s after which address translation and proxies forget a silent
 * connection.
 */
export const PING_AFTER_S = 20;

/** One that says nothing for so long after the ping has gone out is cut off. Unit: s. */
export const PONG_WITHIN_S = 20;

/**
 * What was pushed to a client has to have left the server within this time.
 *
 * Unit: s. Reason: as long as replies have without progress; the system's own buffer comes on top.
 */
export const PUSH_WITHIN_S = 15;
