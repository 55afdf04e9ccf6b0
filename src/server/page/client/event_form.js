/**
 * Sends events: one, with its reply shown, or a burst.
 *
 * @module
 */

import { ask, PasswordWanted } from "./api.js";
import { byId, setText } from "./dom.js";
import { formatCount, formatDuration } from "./format.js";

/** What replies to a burst look like. */
/** @typedef {{ accepted: number, rejected: number, first_rejected_line?: number, errors?: { reason: string }[] }} BurstReply */

/**
 * Makes the form work.
 *
 * @param {(error: PasswordWanted) => void} onPasswordWanted
 */
export function startEventForm(onPasswordWanted) {
  const form = byId("event-form", HTMLFormElement);
  const one = byId("event-reply", HTMLElement);
  const many = byId("burst-reply", HTMLElement);
  const button = byId("burst", HTMLButtonElement);
  const size = byId("burst-size", HTMLSelectElement);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void report(one, () => sendOne(new FormData(form)));
  });
  button.addEventListener("click", () => {
    const isWaiting = button.getAttribute("aria-disabled") === "true";
    if (isWaiting) return;
    button.setAttribute("aria-disabled", "true");
    void report(many, () => sendBurst(Number(size.value)))
      .finally(() => button.removeAttribute("aria-disabled"));
  });

  /**
   * @param {HTMLElement} output
   * @param {() => Promise<string>} send
   */
  async function report(output, send) {
    setText(output, "Sending …");
    try {
      setText(output, await send());
    } catch (error) {
      if (error instanceof PasswordWanted) {
        setText(output, "Not sent: the server wants a password.");
        return onPasswordWanted(error);
      }
      setText(output, "Not sent: the server cannot be reached.");
    }
  }
}

/**
 * @param {FormData} fields
 * @returns {Promise<string>}
 */
async function sendOne(fields) {
  const user = JSON.stringify(fields.get("user") ?? "");
  const action = JSON.stringify(fields.get("action") ?? "");
  // As it was typed: a number of JavaScript's would lose digits.
  const typed = String(fields.get("amount") ?? "").trim();
  const amount = /^-?\d+$/.test(typed)
    ? typed.replace(/^(-?)0+(?=\d)/, "$1")
    : JSON.stringify(typed);
  const startedAtMs = performance.now();
  const response = await ask("events?wait=2s", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: `{"user":${user},"action":${action},"amount":${amount}}`,
  });
  const body = await response.text();
  const tookMs = performance.now() - startedAtMs;
  return `${response.status} in ${formatDuration(tookMs)}\n${body}`;
}

/**
 * @param {number} count
 * @returns {Promise<string>}
 */
async function sendBurst(count) {
  const lines = Array.from(
    { length: count },
    (_, index) => `{"user":"burst-${index % 100}","action":"burst","amount":1}`,
  );
  const startedAtMs = performance.now();
  const response = await ask("events", {
    method: "POST",
    headers: { "Content-Type": "application/x-ndjson" },
    body: lines.join("\n"),
  });
  const text = await response.text();
  const took = formatDuration(performance.now() - startedAtMs);
  /** @type {BurstReply | undefined} */
  let reply;
  try {
    reply = JSON.parse(text);
  } catch {
    // Shown as it is.
  }
  if (reply === undefined || typeof reply.accepted !== "number") {
    return `${response.status} in ${took}\n${text}`;
  }
  const counts = `${formatCount(count)} sent: ${formatCount(reply.accepted)} accepted, ` +
    `${formatCount(reply.rejected)} refused`;
  const reason = reply.errors?.[0]?.reason;
  const why = reply.rejected === 0 || reason === undefined
    ? ""
    : ` (${reason}, from event ${formatCount(reply.first_rejected_line)} on)`;
  return `${counts}${why}, in ${took}`;
}
