/**
 * Bounds of what one connection takes of its thread, and of how long it may take to end.
 *
 * @module
 */

import { OUTPUT_PAUSE_BYTES } from "../protocol/session.ts";

/** A larger output is given back between the parts of a batch. Unit: bytes. */
export const KEPT_OUTPUT_BYTES: number = 2 * OUTPUT_PAUSE_BYTES;

/** Room that a batch waits for before it begins while memory is overdrawn. Unit: bytes. */
export const BATCH_ROOM_BYTES: number = 65536;

/**
 * Most that is written at a time of what is kept.
 *
 * Unit: bytes. Reason: the system takes as much in 0.15 to 0.3 ms, and in 16 parts in four times as
 * long; the largest file that is kept has room in it with its head.
 */
export const KEPT_PART_BYTES: number = (1 << 20) + 4096;

/** Batches that took and gave fewer bytes are not worth the reading of a clock. Unit: bytes. */
export const COSTLY_BYTES: number = 2048;

/**
 * How long a closing connection waits for its client to close first. Unit: ms.
 *
 * A socket closed with unread input resets the connection, and a reset can destroy the reply that
 * was written just before: the client would never see why.
 */
export const LINGER_MS: number = 1000;

/** How much a closing connection throws away before it closes anyway. Unit: bytes. */
export const LINGER_BYTES: number = 4 * 1024 * 1024;
