/**
 * The server's phase as commands see it.
 *
 * @module
 */

/**
 * Shared by every session and command of one I/O thread; the server flips it when it stops.
 *
 * Shape: `{ stopping: false }`. Once true it never goes back.
 *
 * Thread: one object per I/O thread; what is behind it may be shared by all of them.
 */
export interface ServerPhase {
  /** True from the moment that requests which start are to be refused with `shutting_down`. */
  stopping: boolean;
}
