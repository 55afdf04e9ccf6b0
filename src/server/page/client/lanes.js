/**
 * The event workers, each with a lane: what it was seen doing in the last two minutes.
 *
 * @module
 */

import { make, setText } from "./dom.js";
import { formatShare } from "./format.js";
import { colour, onThemeChange } from "./theme.js";

/** @typedef {import("../frame.ts").LaneJson} LaneJson */

/** Updates that a lane has room for: two minutes of them. */
const COLUMNS = 600;
const ROWS = 28;

/** Lanes beyond this are not drawn. */
const MOST_LANES = 64;

/** Updates that the text sums up: about a second. */
const SUMMED = 5;

/** What is drawn of a worker, from the bottom up; idle is what is left. */
const STATES = /** @type {const} */ ([
  { index: 3, name: "holding", colour: "hold" },
  { index: 2, name: "waiting", colour: "lost" },
  { index: 1, name: "working", colour: "work" },
]);

/** The share of looks at which a lane was in each state. */
/** @typedef {{ looks: readonly number[], shard: number } | null} Seen */

class Lane {
  /** @type {Seen[]} */
  #seen = [];
  #parts = STATES.map(({ name }) => make("span", { class: "none" }, `– ${name}`));
  #shard = make("span");
  #context;
  row;

  /** @param {number} index */
  constructor(index) {
    const canvas = make("canvas", { width: String(COLUMNS), height: String(ROWS), role: "img" });
    canvas.setAttribute("aria-label", `worker ${index}, the last two minutes`);
    this.row = make(
      "li",
      {},
      make("span", { class: "lane-name" }, `worker ${index}`),
      canvas,
      make("span", { class: "lane-text" }, ...this.#parts, this.#shard),
    );
    this.#context = canvas.getContext("2d");
  }

  /** @param {Seen} seen */
  add(seen) {
    this.#seen.push(seen);
    if (this.#seen.length > COLUMNS) this.#seen.shift();
  }

  /** Draws what was added since the last call. */
  drawLast() {
    const context = this.#context;
    if (context === null) return;
    context.globalCompositeOperation = "copy";
    context.drawImage(context.canvas, -1, 0);
    context.globalCompositeOperation = "source-over";
    this.#drawColumn(context, COLUMNS - 1, this.#seen.at(-1) ?? null);
  }

  drawAll() {
    const context = this.#context;
    if (context === null) return;
    context.clearRect(0, 0, COLUMNS, ROWS);
    const first = COLUMNS - this.#seen.length;
    for (const [index, seen] of this.#seen.entries()) {
      this.#drawColumn(context, first + index, seen);
    }
  }

  showText() {
    const sums = [0, 0, 0, 0];
    let shard = -1;
    for (const seen of this.#seen.slice(-SUMMED)) {
      if (seen === null) continue;
      for (const [state, looks] of seen.looks.entries()) sums[state] = (sums[state] ?? 0) + looks;
      if (seen.shard >= 0) shard = seen.shard;
    }
    const all = sums.reduce((sum, looks) => sum + looks, 0);
    for (const [at, { index, name }] of STATES.entries()) {
      const share = all === 0 ? 0 : (sums[index] ?? 0) / all;
      const part = this.#parts[at];
      if (part === undefined) continue;
      setText(part, `${formatShare(share)} ${name}`);
      part.className = share === 0 ? "none" : "";
    }
    setText(this.#shard, shard < 0 ? "" : `shard ${shard}`);
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {number} column
   * @param {Seen} seen
   */
  #drawColumn(context, column, seen) {
    if (seen === null) return;
    const all = seen.looks.reduce((sum, looks) => sum + looks, 0);
    let bottom = ROWS;
    for (const { index, colour: name } of STATES) {
      const height = ((seen.looks[index] ?? 0) / all) * ROWS;
      if (!(height > 0)) continue;
      context.fillStyle = colour(name);
      context.fillRect(column, bottom - height, 1, height);
      bottom -= height;
    }
  }
}

/** All lanes. */
export class Lanes {
  #list;
  #note;
  /** @type {Lane[]} */
  #lanes = [];
  #count = -1;
  #undrawn = 0;
  #textAtMs = 0;

  /**
   * @param {HTMLElement} list
   * @param {HTMLElement} note
   */
  constructor(list, note) {
    this.#list = list;
    this.#note = note;
    onThemeChange(() => this.#drawAll());
  }

  /**
   * @param {readonly LaneJson[]} lanes
   * @param {number} running how many of the workers there are now
   */
  add(lanes, running) {
    const shown = lanes.slice(0, MOST_LANES);
    if (lanes.length !== this.#count) {
      this.#count = lanes.length;
      this.#lanes = shown.map((_, index) => new Lane(index));
      this.#list.replaceChildren(...this.#lanes.map(({ row }) => row));
    }
    setText(this.#note, noteOf(lanes.length, running));
    for (const [index, lane] of this.#lanes.entries()) lane.add(shown[index] ?? null);
    this.#undrawn++;
  }

  /** Leaves a gap: nothing is known. */
  addGap() {
    for (const lane of this.#lanes) lane.add(null);
    this.#undrawn++;
  }

  draw() {
    if (this.#undrawn === 1) { for (const lane of this.#lanes) lane.drawLast(); }
    else if (this.#undrawn > 1) this.#drawAll();
    this.#undrawn = 0;
    const nowMs = performance.now();
    if (nowMs - this.#textAtMs < 450) return;
    this.#textAtMs = nowMs;
    for (const lane of this.#lanes) lane.showText();
  }

  #drawAll() {
    for (const lane of this.#lanes) lane.drawAll();
  }
}

/**
 * What the lanes do not say themselves.
 *
 * @param {number} count
 * @param {number} running
 * @returns {string}
 */
function noteOf(count, running) {
  const notes = [];
  if (count > MOST_LANES) notes.push(`The first ${MOST_LANES} of ${count} workers.`);
  if (running < count) {
    notes.push(`${running} of ${count} run now; others are started when needed.`);
  }
  return notes.join(" ");
}
