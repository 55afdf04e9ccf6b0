/**
 * The last two minutes, as series of numbers.
 *
 * @module
 */

/** @typedef {import("../frame.ts").PageFrame} PageFrame */

/** How far back. Unit: s. */
export const HISTORY_S = 120;

/** Rates are taken over so long. Unit: ms. Reason: as the server's percentiles. */
const RATE_WINDOW_MS = 1000;

/** No update for longer than this is a gap, which no line may cross. Unit: ms. */
const GAP_MS = 1500;

/** The time and the value of each series at that time. */
/** @typedef {{ atMs: number, values: Readonly<Record<string, number | null>> }} Point */

/**
 * How each counter grew in the last second.
 *
 * @param {PageFrame} frame
 * @returns {Record<string, number>}
 */
function countersOf({ events, protocols, log }) {
  return {
    accepted: events.received - events.dropped,
    refused: events.dropped,
    failed: events.failed,
    processed: events.processed,
    http: protocols.http.commands,
    resp: protocols.resp.commands,
    proto: protocols.proto.commands,
    syncs: log?.syncs ?? 0,
    syncSumMs: log?.sync_sum_ms ?? 0,
  };
}

/**
 * Makes points of updates and keeps those of the last two minutes.
 */
export class History {
  /** @type {{ atMs: number, counters: Record<string, number> }[]} */
  #recent = [];
  /** @type {Point[]} Oldest first. */
  points = [];
  /** When the last update came, by the reader's clock. */
  #cameAtMs = 0;

  /**
   * Takes an update.
   *
   * @param {PageFrame} frame
   * @param {number} [nowMs] on a clock of the reader's that does not go back
   * @returns {Point | undefined} undefined for the very first one, which has nothing to compare with
   */
  add(frame, nowMs = performance.now()) {
    const atMs = frame.at_ms;
    const last = this.#recent.at(-1);
    const isOtherProcess = last !== undefined && atMs < last.atMs;
    // Its clock and counters begin anew. What was before is what a reader wants to see then.
    if (isOtherProcess) this.#moveTo(atMs - (nowMs - this.#cameAtMs), last.atMs);
    this.#cameAtMs = nowMs;
    const recent = this.#recent;
    if (isOtherProcess || (last !== undefined && atMs - last.atMs > GAP_MS)) {
      recent.length = 0;
      if (this.points.length > 0) this.points.push({ atMs: atMs - 1, values: {} });
    }
    const counters = countersOf(frame);
    recent.push({ atMs, counters });
    while (recent.length > 2 && atMs - (recent[1]?.atMs ?? 0) >= RATE_WINDOW_MS) recent.shift();
    const first = recent[0];
    if (first === undefined || first.atMs === atMs) return undefined;
    const point = { atMs, values: valuesOf(frame, counters, first, atMs) };
    this.points.push(point);
    while ((this.points[0]?.atMs ?? atMs) < atMs - HISTORY_S * 1000) this.points.shift();
    return point;
  }

  /**
   * Moves all points to another clock.
   *
   * @param {number} lastMs when the last update came, by the new clock
   * @param {number} wasMs and by the old one
   */
  #moveTo(lastMs, wasMs) {
    // Copies: a picture that is kept still has the old ones.
    this.points = this.points.map(({ atMs, values }) => ({ atMs: atMs - wasMs + lastMs, values }));
  }
}

/**
 * @param {PageFrame} frame
 * @param {Record<string, number>} counters
 * @param {{ atMs: number, counters: Record<string, number> }} first
 * @param {number} atMs
 * @returns {Record<string, number | null>}
 */
function valuesOf(frame, counters, first, atMs) {
  const seconds = (atMs - first.atMs) / 1000;
  /** @param {string} name */
  const grown = (name) => (counters[name] ?? 0) - (first.counters[name] ?? 0);
  /** @param {string} name */
  const rate = (name) => Math.max(0, grown(name)) / seconds;
  const { latency, channel, memory, protocols, log } = frame;
  const syncs = grown("syncs");
  return {
    acceptedRate: rate("accepted"),
    refusedRate: rate("refused"),
    failedRate: rate("failed"),
    processedRate: rate("processed"),
    httpRate: rate("http"),
    respRate: rate("resp"),
    protoRate: rate("proto"),
    ...percentiles("settlement", latency.settlement),
    ...percentiles("http", latency.http),
    ...percentiles("resp", latency.resp),
    ...percentiles("proto", latency.proto),
    depth: channel.depth,
    deepest: channel.deepest,
    capacity: channel.capacity,
    highWater: channel.high_water_mark,
    httpActive: protocols.http.active,
    respActive: protocols.resp.active,
    protoActive: protocols.proto.active,
    memoryUsed: memory.used,
    memoryMax: memory.max,
    memoryClients: memory.clients,
    memoryResident: memory.resident,
    syncMean: log === null || syncs <= 0 ? null : grown("syncSumMs") / syncs,
    syncP99: log === null || syncs <= 0 ? null : log.sync_p99_ms,
  };
}

/**
 * @param {string} name
 * @param {PageFrame["latency"]["http"]} window
 * @returns {Record<string, number | null>}
 */
function percentiles(name, window) {
  const isQuiet = window.count === 0;
  return {
    [`${name}P50`]: isQuiet ? null : window.p50_ms,
    [`${name}P99`]: isQuiet ? null : window.p99_ms,
    [`${name}P999`]: isQuiet ? null : window.p999_ms,
  };
}

/**
 * The series for a plot: times in seconds before the last point, and their values.
 *
 * @param {readonly Point[]} points
 * @param {readonly string[]} names
 * @returns {[number[], ...(number | null)[][]]}
 */
export function seriesOf(points, names) {
  const lastMs = points.at(-1)?.atMs ?? 0;
  return [
    points.map(({ atMs }) => (atMs - lastMs) / 1000),
    ...names.map((name) => points.map(({ values }) => values[name] ?? null)),
  ];
}

/**
 * The point at most so many seconds before the last one; the rows of tables.
 *
 * @param {readonly Point[]} points
 * @param {number} secondsAgo
 * @returns {Point | undefined} undefined when history does not go back so far
 */
export function pointBefore(points, secondsAgo) {
  const atMs = (points.at(-1)?.atMs ?? 0) - secondsAgo * 1000;
  if (points.length === 0 || (points[0]?.atMs ?? 0) > atMs) return undefined;
  return points.find((point) => point.atMs >= atMs);
}
