/**
 * How a handler refuses a request.
 *
 * @module
 */

/**
 * An error that the client is told: the reply is `{"status":"error","reason":…,"detail":…}` with
 * the status, and the connection is kept. Whatever else a handler throws is answered 500 without a
 * word of its text.
 *
 * @example
 * ```ts
 * import { HttpError } from "./http_error.ts";
 *
 * const error = new HttpError(416, "range_not_satisfiable", "the file has 10 bytes");
 * if (error.status !== 416) throw error;
 * ```
 */
export class HttpError extends Error {
  /** See `Error`. */
  override readonly name = "HttpError";
  /** Status code of the reply. */
  readonly status: number;
  /** Word for programs, e.g. `not_found`. */
  readonly code: string;
  /** Whole header lines that the reply carries besides the usual ones, e.g. `Allow: GET\r\n`. */
  readonly lines: string;

  /**
   * Makes an error.
   *
   * @param detail words for people; may be empty. They go to the client: nothing internal
   * @param lines whole header lines, each with its CR LF
   */
  constructor(status: number, code: string, detail = "", lines = "") {
    super(detail);
    this.status = status;
    this.code = code;
    this.lines = lines;
  }
}
