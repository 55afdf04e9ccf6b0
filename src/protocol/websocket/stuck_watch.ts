/**
 * Notices a client that does not take what is pushed to it.
 *
 * @module
 */

import type { PushTarget } from "../../command/pubsub/subscriber.ts";
import { PUSH_WITHIN_S } from "./limits.ts";

/** Thread: belongs to one connection. */
export class StuckWatch {
  readonly #target: PushTarget;
  #beats = 0;

  /** Watches what waits for this target. */
  constructor(target: PushTarget) {
    this.#target = target;
  }

  /** To be called when nothing waited, and something more is pushed. */
  noteProgress(): void {
    this.#beats = 0;
  }

  /**
   * To be called once a second.
   *
   * @returns true when something has waited all the time for {@link PUSH_WITHIN_S}
   */
  beat(): boolean {
    this.#beats = this.#target.pendingBytes > 0 ? this.#beats + 1 : 0;
    return this.#beats > PUSH_WITHIN_S;
  }
}
