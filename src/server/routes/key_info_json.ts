/**
 * The shape of `GET /keys/:key/info`. Types only, which scripts of the live page use as well.
 *
 * @module
 */

/** Text, or bytes in percent encoding, as a key stands in a path: `"alice"`, `{"encoded":"caf%E9"}`. */
export type ClientTextJson = string | { encoded: string };

/** One element that is shown. */
export interface PreviewPartJson {
  /** The field; of hashes only. */
  field?: ClientTextJson;
  /** The string's, list's, set's, field's, or the member. */
  value: ClientTextJson;
  /** The score; of sorted sets only. */
  score?: string;
  /** Length of the value. */
  bytes: number;
  /** Whether only its beginning, or the field's, is shown. */
  cut: boolean;
}

/** What there is to know of a key. */
export interface KeyInfoJson {
  /** As `TYPE` has it. */
  type: string;
  /** As `OBJECT ENCODING` has it. */
  encoding: string;
  /** Null: it does not expire. */
  ttl_ms: number | null;
  /** As `MEMORY USAGE` has it. */
  memory_bytes: number;
  /** Bytes of a string, elements of all else. */
  length: number;
  /** The value, or its beginning. */
  preview: PreviewPartJson[];
}
