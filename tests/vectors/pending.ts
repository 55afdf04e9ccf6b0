/**
 * Cases that are known to fail, because what they ask for is not done yet. A case that passes
 * although it is listed here is reported, and fails a strict run.
 *
 * @module
 */

/** Names of cases, and what is missing. */
export const PENDING: Readonly<Record<string, string>> = {
  "SET: two times": "the same time option twice is allowed",
  "SCAN: wrong arguments": "a negative cursor wraps around",
  "CLIENT KILL: wrong calls": "the error names the user",
  "CLIENT: switches": "CLIENT PAUSE",
  "plain: CLIENT PAUSE with too few and too many arguments": "CLIENT PAUSE",
  "COMMAND: LIST and INFO": "a filtered list is an array in RESP3, too",
  "INFO: sections": "an empty section has one line less",
  "plain: EXEC with too few and too many arguments": "EXEC with arguments ends the transaction",
  "EXEC: with arguments": "EXEC with arguments ends the transaction",
  "CONFIG: what both know": "CONFIG RESETSTAT",
};

/** Names of rows whose facts are known to be wrong. */
export const PENDING_FACTS: readonly string[] = [
  "echo",
  "client|no-evict",
  "shutdown",
  "replicaof",
  "slaveof",
  "module|list",
];
