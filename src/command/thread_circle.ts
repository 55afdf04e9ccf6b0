/**
 * Asking all I/O threads something that each knows only about itself.
 *
 * @module
 */

/**
 * One thread's way to all of them.
 *
 * Thread: one per I/O thread.
 */
export interface ThreadCircle {
  /** Has questions on `topic` answered; takes and gives structured-cloneables. */
  answer(topic: string, answerer: (question: unknown) => unknown): void;
  /**
   * Asks every I/O thread, this one included. Never rejects; a thread that is busy for a second or
   * gone is left out.
   */
  ask(topic: string, question: unknown): Promise<{ readonly answers: readonly unknown[] }>;
}
