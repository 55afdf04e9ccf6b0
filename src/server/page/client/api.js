/**
 * Requests to this server, with the password if it wants one.
 *
 * The password is in this module's memory only: it goes with the tab, and is never part of a URL.
 *
 * @module
 */

/** The server wants a password, or another one. */
export class PasswordWanted extends Error {
  /** @override */
  name = "PasswordWanted";

  /** @param {boolean} isWrong whether one was sent */
  constructor(isWrong) {
    super("Cannot go on: the server wants a password");
    this.isWrong = isWrong;
  }
}

let authorization = "";

/** Whether there is a password. */
export function hasPassword() {
  return authorization !== "";
}

/**
 * Has all requests from now on carry a password; an empty one is none.
 *
 * @param {string} password
 */
export function setPassword(password) {
  // The bytes of its UTF-8, as a field may have them.
  const bytes = new TextEncoder().encode(password);
  authorization = bytes.length === 0
    ? ""
    : `Bearer ${Array.from(bytes, (byte) => String.fromCharCode(byte)).join("")}`;
}

/**
 * Sends a request.
 *
 * @param {string} path relative to the page
 * @param {RequestInit} [init]
 * @returns {Promise<Response>}
 * @throws {PasswordWanted}
 */
export async function ask(path, init = {}) {
  const headers = new Headers(init.headers);
  const sent = authorization;
  if (sent !== "") headers.set("Authorization", sent);
  const response = await fetch(path, { ...init, headers, cache: "no-store", redirect: "error" });
  if (response.status === 401) {
    void response.body?.cancel();
    // One that was right once stays: the server may have been started again with another.
    if (sent === authorization) authorization = "";
    throw new PasswordWanted(sent !== "");
  }
  return response;
}
