/**
 * Notes what happens to keys by itself, for keyspace notifications.
 *
 * @module
 */

import { KeyEvent, type KeyWatcher } from "../store/key_watcher.ts";
import type { Key } from "../store/key.ts";
import { NotifyClass } from "./keyspace_events.ts";
import type { Notifier } from "./notifier.ts";

const NAMES = {
  [KeyEvent.NEW]: "new",
  [KeyEvent.EXPIRED]: "expired",
  [KeyEvent.EVICTED]: "evicted",
};
const CLASSES = {
  [KeyEvent.NEW]: NotifyClass.NEW,
  [KeyEvent.EXPIRED]: NotifyClass.EXPIRED,
  [KeyEvent.EVICTED]: NotifyClass.EVICTED,
};

/** Passes the events of a thread's store on to its notifier. Thread: theirs. */
export class KeyNotes implements KeyWatcher {
  readonly #notifier: Notifier;

  /** Notes with `notifier`, which somebody must flush. */
  constructor(notifier: Notifier) {
    this.#notifier = notifier;
  }

  /** See {@link KeyWatcher.wants}. */
  wants(event: KeyEvent): boolean {
    return this.#notifier.wants(CLASSES[event]);
  }

  /** See {@link KeyWatcher.note}. */
  note(event: KeyEvent, database: number, key: Key): void {
    this.#notifier.note(CLASSES[event], NAMES[event], database, key);
  }
}
