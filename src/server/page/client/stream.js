/**
 * The updates of the page: asked for, read, and asked for again when they end.
 *
 * @module
 */

import { ask, PasswordWanted } from "./api.js";
import { SseParser } from "./sse_parser.js";

/** @typedef {import("../frame.ts").PageFrame} PageFrame */

/** How often updates come. Unit: ms. */
const INTERVAL_MS = 200;

/** An update is late after so long: the connection is dead, whatever the network says. Unit: ms. */
const SILENCE_MS = 6000;

/** Waits before another try; the last one is repeated. Unit: ms. */
const RETRY_MS = [500, 1000, 2000, 4000];

/** A page that nobody has seen for so long lets go of its connection. Unit: ms. */
const HIDDEN_MS = 60_000;

/**
 * What became of the connection.
 *
 * @typedef {{ kind: "connecting" } | { kind: "live" } | { kind: "resting" }
 *   | { kind: "locked", isWrong: boolean }
 *   | { kind: "lost", retryMs: number, reason: string }} Connection
 */

/** Keeps a stream of updates. */
export class Stream {
  /** @type {(frame: PageFrame) => void} */
  #onFrame;
  /** @type {(connection: Connection) => void} */
  #onChange;
  /** @type {AbortController | undefined} */
  #abort;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #failures = 0;

  /**
   * @param {(frame: PageFrame) => void} onFrame
   * @param {(connection: Connection) => void} onChange
   */
  constructor(onFrame, onChange) {
    this.#onFrame = onFrame;
    this.#onChange = onChange;
    document.addEventListener("visibilitychange", () => this.#seen());
    // One that was opened in the background has not changed.
    if (document.visibilityState === "hidden") this.#seen();
  }

  /** Begins, or begins again, at once. */
  open() {
    this.#close();
    const abort = this.#abort = new AbortController();
    this.#onChange({ kind: "connecting" });
    void this.#run(abort);
  }

  #close() {
    clearTimeout(this.#timer);
    this.#abort?.abort();
    this.#abort = undefined;
  }

  /** A browser gives an origin six connections: pages in the background must not keep them. */
  #seen() {
    clearTimeout(this.#hiddenTimer);
    if (document.visibilityState === "visible") {
      if (this.#abort === undefined) this.open();
      return;
    }
    this.#hiddenTimer = setTimeout(() => {
      if (this.#abort === undefined) return;
      this.#close();
      this.#onChange({ kind: "resting" });
    }, HIDDEN_MS);
  }

  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #hiddenTimer;

  /** @param {AbortController} abort */
  async #run(abort) {
    let reason = "the server ended the stream";
    try {
      const response = await ask(`metrics/stream?view=page&interval=${INTERVAL_MS}ms`, {
        signal: abort.signal,
      });
      if (response.ok && response.body !== null) await this.#read(response.body, abort);
      else reason = `the server answered ${response.status}`;
    } catch (error) {
      if (error instanceof PasswordWanted) {
        if (this.#abort === abort) this.#close();
        return this.#onChange({ kind: "locked", isWrong: error.isWrong });
      }
      reason = "the server cannot be reached";
    }
    // Somebody else has begun anew, or nobody wants to know any more.
    if (this.#abort !== abort) return;
    const retryMs = RETRY_MS[Math.min(this.#failures++, RETRY_MS.length - 1)] ?? 1000;
    this.#onChange({ kind: "lost", retryMs, reason });
    this.#timer = setTimeout(() => this.open(), retryMs);
  }

  /**
   * @param {ReadableStream<Uint8Array<ArrayBuffer>>} body
   * @param {AbortController} abort
   */
  async #read(body, abort) {
    const parser = new SseParser(({ name, data }) => {
      if (name !== "page" || this.#abort !== abort) return;
      this.#failures = 0;
      this.#onChange({ kind: "live" });
      this.#onFrame(JSON.parse(data));
    });
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      /** @type {ReturnType<typeof setTimeout> | undefined} */
      let alarm;
      const silence = new Promise((_, reject) => {
        alarm = setTimeout(() => reject(new Error("Cannot wait: no updates")), SILENCE_MS);
      });
      try {
        const { done, value } = await Promise.race([reader.read(), silence]);
        if (done) return;
        parser.push(value);
      } catch (error) {
        void reader.cancel().catch(() => {});
        throw error;
      } finally {
        clearTimeout(alarm);
      }
    }
  }
}
