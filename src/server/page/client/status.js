/**
 * Whether what the page shows is live, and if not, why.
 *
 * @module
 */

import { byId, setText } from "./dom.js";

/** @typedef {import("./stream.js").Connection} Connection */

/**
 * What the reader is told.
 *
 * @typedef {{ kind: string, short: string, long: string }} Told
 */

/**
 * @param {Connection} connection
 * @param {string} readiness what the server last said of itself
 * @param {boolean} isPaused
 * @param {boolean} isLogFailed whether what is changed cannot be kept
 * @returns {Told}
 */
export function statusOf(connection, readiness, isPaused, isLogFailed) {
  switch (connection.kind) {
    case "connecting":
      return { kind: "waiting", short: "Connecting", long: "" };
    case "locked":
      return { kind: "lost", short: "Locked", long: "The server wants a password." };
    case "resting":
      return { kind: "waiting", short: "Resting", long: "Not updated while nobody looks." };
    case "lost": {
      const again = "Everything below is as it last was. Trying again.";
      return readiness === "shutting_down"
        ? { kind: "lost", short: "Stopped", long: `The server has stopped. ${again}` }
        : {
          kind: "lost",
          short: "Connection lost",
          long: `Connection lost: ${connection.reason}. ${again}`,
        };
    }
    default:
      if (readiness === "shutting_down") {
        return {
          kind: "stopping",
          short: "Stopping",
          long: "The server is stopping: it finishes what it accepted and takes nothing new.",
        };
      }
      if (isLogFailed) {
        return {
          kind: "lost",
          short: "Log failed",
          long: "The log cannot be written: the server refuses every change until it can. " +
            `Its own messages say why.${isPaused ? " (Paused.)" : ""}`,
        };
      }
      return isPaused
        ? {
          kind: "paused",
          short: "Paused",
          long: "Paused. The server goes on, and so does recording.",
        }
        : { kind: "live", short: "Live", long: "" };
  }
}

/** Shows it, and tells it once to who listens. */
export class Status {
  #pill = byId("status", HTMLElement);
  #banner = byId("banner", HTMLElement);
  #spoken = byId("status-spoken", HTMLElement);
  /** @type {Connection} */
  #connection = { kind: "connecting" };
  #readiness = "ready";
  #isPaused = false;
  #isLogFailed = false;
  #wasLost = false;

  /** @param {Connection} connection */
  setConnection(connection) {
    // A try that may fail like the one before is no news.
    if (connection.kind === "connecting" && this.#wasLost) return;
    this.#connection = connection;
    this.#wasLost = connection.kind === "lost";
    this.#show();
  }

  /**
   * @param {string} readiness
   * @param {boolean} isLogFailed
   */
  setServer(readiness, isLogFailed) {
    if (readiness === this.#readiness && isLogFailed === this.#isLogFailed) return;
    this.#readiness = readiness;
    this.#isLogFailed = isLogFailed;
    this.#show();
  }

  /** @param {boolean} isPaused */
  setPaused(isPaused) {
    this.#isPaused = isPaused;
    this.#show();
  }

  #show() {
    const told = statusOf(this.#connection, this.#readiness, this.#isPaused, this.#isLogFailed);
    this.#pill.dataset.kind = told.kind;
    setText(this.#pill, told.short);
    this.#banner.hidden = told.long === "";
    this.#banner.dataset.kind = told.kind;
    setText(this.#banner, told.long);
    setText(this.#spoken, told.long === "" ? told.short : told.long);
  }
}
