/**
 * What readers of replies have in common.
 *
 * @module
 */

/** What a reply says about the request. */
export const Outcome = {
  /** The event was accepted. */
  ACCEPTED: 0,
  /** There was no room for it. */
  REFUSED: 1,
  /** Anything else. */
  ERROR: 2,
} as const;

/** One of the values of {@link Outcome}. */
export type Outcome = (typeof Outcome)[keyof typeof Outcome];

/** Most bytes of a reply that are kept to tell what it says. */
export const KEPT_BYTES = 1024;

/**
 * Reads one reply at a time, however the network cuts it.
 *
 * Thread: belongs to one connection.
 */
export interface ReplyReader {
  /** What the last whole reply says. */
  readonly outcome: Outcome;
  /** After it nothing more can be read from the connection. */
  readonly isLast: boolean;

  /** Forgets what it read: a new reply begins. */
  begin(): void;

  /**
   * Takes bytes of a reply.
   *
   * @returns where the reply ends in `bytes`, or -1 when it goes on behind `end`
   */
  feed(bytes: Uint8Array, start: number, end: number): number;

  /** Takes note that the server has closed; returns whether that completed the reply. */
  close(): boolean;

  /** The last whole reply in a few words, for an {@link Outcome} of `ERROR`. */
  text(): string;
}

/** Bytes that are kept of something longer. Thread: belongs to one reader. */
export class KeptBytes {
  /** Room. */
  readonly bytes: Uint8Array<ArrayBuffer> = new Uint8Array(KEPT_BYTES);
  /** How many there are. */
  length = 0;

  /** Keeps as much of `source[start, end)` as there is room for. */
  append(source: Uint8Array, start: number, end: number): void {
    const stop = Math.min(end, start + this.bytes.length - this.length);
    let { length } = this;
    // Mostly a few bytes: a view of the source would cost more than this loop.
    for (let i = start; i < stop; i++) this.bytes[length++] = source[i]!;
    this.length = length;
  }

  /** Whether the bytes begin with `prefix`. */
  startsWith(prefix: Uint8Array): boolean {
    return this.#matches(prefix, 0);
  }

  /** Whether `part` is somewhere in the bytes. */
  includes(part: Uint8Array): boolean {
    for (let at = 0; at + part.length <= this.length; at++) {
      if (this.#matches(part, at)) return true;
    }
    return false;
  }

  /** As text. */
  text(): string {
    return new TextDecoder().decode(this.bytes.subarray(0, this.length));
  }

  #matches(part: Uint8Array, at: number): boolean {
    if (at + part.length > this.length) return false;
    for (let i = 0; i < part.length; i++) if (this.bytes[at + i] !== part[i]) return false;
    return true;
  }
}

/** A text for a list of errors: one line, not too long, no control characters. */
export function shortText(text: string): string {
  // deno-lint-ignore no-control-regex
  const line = text.replace(/[\x00-\x20\x7f-\x9f]+/g, " ").trim();
  return line.length > 100 ? `${line.slice(0, 99)}…` : line;
}
