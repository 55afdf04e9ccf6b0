/**
 * The numbers at the top: how it is going, at one glance.
 *
 * @module
 */

import { byId, setText } from "./dom.js";
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatRate,
  formatShare,
  formatSpan,
} from "./format.js";

/** @typedef {import("../frame.ts").PageFrame} PageFrame */
/** @typedef {import("./history.js").Point} Point */

/**
 * Shows an update.
 *
 * @param {PageFrame} frame
 * @param {Point | undefined} point
 */
export function showNumbers(frame, point) {
  const { events, channel, memory, protocols, latency, server, log } = frame;
  /**
   * @param {string} name
   * @param {string} value
   * @param {string} note
   */
  const show = (name, value, note) => {
    const number = byId(`number-${name}`, HTMLElement);
    setText(number, value);
    number.toggleAttribute("data-zero", value === "0/s" || value === "–");
    setText(byId(`note-${name}`, HTMLElement), note);
  };
  const value = (/** @type {string} */ name) => point?.values[name];
  show(
    "accepted",
    formatRate(value("acceptedRate")),
    `${formatCount(events.received - events.dropped)} since start`,
  );
  show("refused", formatRate(value("refusedRate")), `${formatCount(events.dropped)} since start`);
  show("failed", formatRate(value("failedRate")), `${formatCount(events.failed)} since start`);
  show(
    "queue",
    formatCount(channel.depth),
    `of ${formatCount(channel.capacity)}, most ever ${formatCount(channel.high_water_mark)}`,
  );
  const { settlement } = latency;
  show(
    "latency",
    settlement.count === 0 ? "–" : formatDuration(settlement.p99_ms),
    settlement.count === 0
      ? "no event in the last second"
      : `half within ${formatDuration(settlement.p50_ms)}`,
  );
  const active = protocols.http.active + protocols.resp.active + protocols.proto.active;
  const refused = protocols.http.refused + protocols.resp.refused + protocols.proto.refused;
  show("connections", formatCount(active), `${formatCount(refused)} turned away`);
  show(
    "memory",
    formatBytes(memory.used),
    `${formatShare(memory.used / memory.max)} of ${formatBytes(memory.max)}`,
  );
  show("keys", formatCount(memory.keys), memory.keys === 1 ? "key" : "in all databases");
  const workers = `${server.workers.running} of ${server.workers.max} workers`;
  setText(
    byId("about", HTMLElement),
    `${server.version}, up ${formatSpan(server.uptime_ms)}, ${workers}, ` +
      `${server.io_threads} I/O ${server.io_threads === 1 ? "thread" : "threads"}, ${server.lock}` +
      (log === null ? "" : log.serving ? ", durable" : ", the log cannot be written"),
  );
}
