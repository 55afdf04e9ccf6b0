/**
 * Why a server could not start.
 *
 * @module
 */

/**
 * Thrown when something outside the program keeps the server from starting: a port in use, an
 * address that is not ours, a file that cannot be read. Its message is one line for the user and
 * says what to do; the process ends with exit code 1.
 */
export class StartError extends Error {
  /** Always `"StartError"`. */
  override readonly name = "StartError";
}
