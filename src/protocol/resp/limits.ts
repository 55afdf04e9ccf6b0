/**
 * Bounds of the Redis protocol on the way in.
 *
 * @module
 */

/**
 * Longest inline request and longest length line (`*3`, `$5`), without its line end.
 *
 * Unit: bytes. Source: Redis closes a connection whose line passes 64 KiB.
 */
export const RESP_MAX_LINE_BYTES = 65536;

/**
 * Most arguments that a request may claim.
 *
 * Unit: arguments, the name included. Reason: two 4-byte offsets are kept for each, and only for
 * those that arrived. Source: the bound of Redis before version 7.
 */
export const RESP_MAX_ARGUMENTS = 1048576;

/**
 * Most arguments, and longest of them, that a client may claim before it presented the password.
 *
 * Unit: arguments; bytes. Reason: `HELLO 3 AUTH default password SETNAME name` has seven, and
 * somebody who may do nothing may not make the server keep much either. Source: Redis.
 */
export const RESP_MAX_UNAUTHENTICATED_ARGUMENTS = 10;
/** See {@link RESP_MAX_UNAUTHENTICATED_ARGUMENTS}. */
export const RESP_MAX_UNAUTHENTICATED_BULK_BYTES = 16384;

/**
 * Longest argument that a request may claim.
 *
 * Unit: bytes. Source: `proto-max-bulk-len` of Redis, 512 MiB. `--max-request-bytes` is tighter in
 * practice; this bound decides which of the two errors a client sees.
 */
export const RESP_MAX_BULK_BYTES = 536870912;
