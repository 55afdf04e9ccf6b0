/**
 * Cases that are known to fail, because what they ask for is not done yet. A case that passes
 * although it is listed here is reported, and fails a strict run.
 *
 * @module
 */

/** Names of cases, and what is missing. */
export const PENDING: Readonly<Record<string, string>> = {};

/** Names of rows whose facts are known to be wrong. */
export const PENDING_FACTS: readonly string[] = [];
