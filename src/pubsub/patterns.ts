/**
 * All patterns that clients of the server subscribe to, kept up to date by one thread for itself.
 *
 * @module
 */

import { latin1Bytes, matchesGlobBytes } from "../base/glob.ts";
import type { PubSubRegion, SharedPattern } from "./region.ts";

interface KnownPattern extends SharedPattern {
  /** The pattern again. */
  readonly bytes: Uint8Array;
}

interface ThreadPatterns {
  version: number;
  patterns: readonly KnownPattern[];
}

/** What each thread has. Thread: belongs to one thread. */
export class PatternView {
  readonly #region: PubSubRegion;
  readonly #threads: ThreadPatterns[];

  /** Looks at `region`. */
  constructor(region: PubSubRegion) {
    this.#region = region;
    // Nobody has subscribed at version 0.
    this.#threads = Array.from(
      { length: region.ioThreadCount },
      () => ({ version: 0, patterns: [] }),
    );
  }

  /** Whether a thread has any patterns now; one atomic read when nothing has changed. */
  has(thread: number): boolean {
    return this.#current(thread).length > 0;
  }

  /**
   * How many subscriptions of a thread match a channel: a client counts once for each of its
   * patterns that do.
   *
   * The channel's name is `name[start, end)`.
   */
  count(thread: number, name: Uint8Array, start: number, end: number): number {
    let count = 0;
    for (const { bytes, subscriberCount } of this.#current(thread)) {
      if (matchesGlobBytes(bytes, name, start, end)) count += subscriberCount;
    }
    return count;
  }

  /** Different patterns over all threads. */
  distinctCount(): number {
    const names = new Set<string>();
    for (let thread = 0; thread < this.#threads.length; thread++) {
      for (const { pattern } of this.#current(thread)) names.add(pattern);
    }
    return names.size;
  }

  #current(thread: number): readonly KnownPattern[] {
    const known = this.#threads[thread]!;
    if (this.#region.patternVersion(thread) !== known.version) {
      const { version, patterns } = this.#region.readPatterns(thread);
      known.version = version;
      known.patterns = patterns.map((shared) => ({
        ...shared,
        bytes: latin1Bytes(shared.pattern),
      }));
    }
    return known.patterns;
  }
}
