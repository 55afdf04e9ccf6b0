/**
 * Lines of text on their way to a file.
 *
 * @module
 */

/** Takes bytes, all of them, before it returns. */
export type ByteTaker = (bytes: Uint8Array) => void;

/** So much is collected before it is written. Unit: characters. */
const FULL_CHARACTERS = 2 ** 18;

/** Collects text and gives it on in large pieces. */
export class LineOutput {
  /** What was written, line ends included. Unit: bytes. */
  byteCount = 0;
  readonly #take: ByteTaker;
  readonly #encoder = new TextEncoder();
  #text = "";

  /** Gives everything to `take`. */
  constructor(take: ByteTaker) {
    this.#take = take;
  }

  /** Writes a piece of a line. */
  write(text: string): void {
    this.#text += text;
    if (this.#text.length >= FULL_CHARACTERS) this.flush();
  }

  /** Gives on what was collected. */
  flush(): void {
    if (this.#text === "") return;
    const bytes = this.#encoder.encode(this.#text);
    this.#text = "";
    this.byteCount += bytes.length;
    this.#take(bytes);
  }
}
