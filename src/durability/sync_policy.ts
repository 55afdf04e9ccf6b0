/**
 * When what was written to the log is on the disk.
 *
 * @module
 */

/** Every {@link SyncPolicy}. */
export const SYNC_POLICIES = ["always", "everysec", "no"] as const;

/**
 * When the log is synced.
 *
 * - `always`: before anybody is told of what is in it.
 * - `everysec`: every second; a crash of the machine takes at most that.
 * - `no`: when the system likes to.
 */
export type SyncPolicy = typeof SYNC_POLICIES[number];
