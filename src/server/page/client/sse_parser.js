/**
 * Server-sent events, read from a stream by hand: the browser's own reader cannot send a password.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
 *
 * @module
 */

/**
 * One event.
 *
 * @typedef {{ name: string, data: string }} ServerEvent
 */

/**
 * Takes text as it comes, cut anywhere, and gives whole events.
 */
export class SseParser {
  /** @type {(event: ServerEvent) => void} */
  #onEvent;
  #line = "";
  /** The last character was a CR: an LF behind it belongs to it. */
  #endedWithCr = false;
  #name = "";
  /** @type {string[]} */
  #data = [];
  #isFirst = true;

  /** @param {(event: ServerEvent) => void} onEvent */
  constructor(onEvent) {
    this.#onEvent = onEvent;
  }

  /** @param {string} text */
  push(text) {
    let start = 0;
    if (this.#isFirst && text.length > 0) {
      this.#isFirst = false;
      if (text.charCodeAt(0) === 0xfeff) start = 1;
    }
    for (let at = start; at < text.length; at++) {
      const character = text[at];
      if (character !== "\r" && character !== "\n") {
        this.#endedWithCr = false;
        continue;
      }
      if (character === "\n" && this.#endedWithCr) {
        this.#endedWithCr = false;
        start = at + 1;
        continue;
      }
      this.#endedWithCr = character === "\r";
      this.#take(this.#line + text.slice(start, at));
      this.#line = "";
      start = at + 1;
    }
    this.#line += text.slice(start);
  }

  /** @param {string} line */
  #take(line) {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "data") this.#data.push(value);
    else if (field === "event") this.#name = value;
  }

  #dispatch() {
    const data = this.#data;
    const name = this.#name || "message";
    this.#name = "";
    if (data.length === 0) return;
    this.#data = [];
    this.#onEvent({ name, data: data.join("\n") });
  }
}
