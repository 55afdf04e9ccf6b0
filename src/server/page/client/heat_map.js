/**
 * The shards as a field of cells: how much each is used, and how often its lock was found taken.
 *
 * @module
 */

import { byId, make, setText } from "./dom.js";
import { formatCount, formatRate, formatShare } from "./format.js";
import { follow, gridFor, HEAT_STEPS, heatStep } from "./heat_scale.js";
import { colour, onThemeChange } from "./theme.js";

/** @typedef {import("../frame.ts").PageFrame["shards"]} Shards */

/** Rows of the table of busiest shards. */
const TABLE_ROWS = 8;

/** Height of a field, of few shards and of many. Unit: px. */
const HEIGHT = 190;
const TALL_HEIGHT = 320;
const MANY_SHARDS = 256;

/** Both fields. */
export class HeatMap {
  #fields;
  #readout = byId("shard-readout", HTMLElement);
  #table = byId("shard-table", HTMLElement);
  /** @type {Float64Array} */
  #operations = new Float64Array(0);
  /** @type {Float64Array} */
  #contended = new Float64Array(0);
  #selected = -1;
  #tableAtMs = 0;

  constructor() {
    const choose = (/** @type {number} */ shard, /** @type {boolean} */ isSpoken) => {
      this.#selected = shard;
      this.#showSelected(isSpoken);
      this.draw();
    };
    this.#fields = [
      new Field(
        byId("heat-operations", HTMLCanvasElement),
        byId("heat-operations-most", HTMLElement),
        choose,
      ),
      new Field(
        byId("heat-contended", HTMLCanvasElement),
        byId("heat-contended-most", HTMLElement),
        choose,
      ),
    ];
    this.#table.closest("details")?.addEventListener("toggle", () => this.#showTable());
    onThemeChange(() => this.draw());
  }

  /** @param {Shards} shards */
  add({ ms, operations, contended }) {
    if (operations.length !== this.#operations.length) {
      this.#operations = new Float64Array(operations.length);
      this.#contended = new Float64Array(operations.length);
      if (this.#selected >= operations.length) this.#selected = -1;
    }
    if (ms === 0) return;
    for (let shard = 0; shard < operations.length; shard++) {
      const operationRate = ((operations[shard] ?? 0) * 1000) / ms;
      const contendedRate = ((contended[shard] ?? 0) * 1000) / ms;
      this.#operations[shard] = follow(this.#operations[shard] ?? 0, operationRate, ms);
      this.#contended[shard] = follow(this.#contended[shard] ?? 0, contendedRate, ms);
    }
  }

  draw() {
    const [operations, contended] = this.#fields;
    operations?.draw(this.#operations, this.#selected);
    contended?.draw(this.#contended, this.#selected);
    this.#showSelected(false);
    const nowMs = performance.now();
    if (nowMs - this.#tableAtMs < 1000) return;
    this.#tableAtMs = nowMs;
    this.#showTable();
  }

  /** @param {boolean} isSpoken */
  #showSelected(isSpoken) {
    const text = this.#selected < 0
      ? `Point at one of the ${formatCount(this.#operations.length)} shards, ` +
        "or choose one with the arrow keys, to see its numbers."
      : this.#describe(this.#selected);
    setText(this.#readout, text);
    if (isSpoken) { for (const field of this.#fields) field.say(this.#selected, text); }
  }

  /** @param {number} shard */
  #describe(shard) {
    const operations = this.#operations[shard] ?? 0;
    const contended = this.#contended[shard] ?? 0;
    const share = operations > 0 ? ` (${formatShare(Math.min(1, contended / operations))})` : "";
    return `Shard ${shard}: ${formatRate(operations)} operations, ${
      formatRate(contended)
    } contended${share}`;
  }

  #showTable() {
    if (!this.#table.closest("details")?.open) return;
    const busiest = Array.from(this.#operations, (_, shard) => shard)
      .sort((a, b) => (this.#operations[b] ?? 0) - (this.#operations[a] ?? 0) || a - b)
      .slice(0, TABLE_ROWS);
    this.#table.replaceChildren(...busiest.map((shard) =>
      make(
        "tr",
        {},
        make("th", { scope: "row" }, String(shard)),
        make("td", {}, formatRate(this.#operations[shard] ?? 0)),
        make("td", {}, formatRate(this.#contended[shard] ?? 0)),
      )
    ));
  }
}

/** One field. */
class Field {
  #canvas;
  #most;
  #choose;
  #columns = 1;
  #count = 0;
  #selected = -1;
  /** The scale's upper end, which falls slowly so that colours stay calm. */
  #largest = 0;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {HTMLElement} most
   * @param {(shard: number, isSpoken: boolean) => void} choose
   */
  constructor(canvas, most, choose) {
    this.#canvas = canvas;
    this.#most = most;
    this.#choose = choose;
    canvas.addEventListener("pointermove", (event) => choose(this.#shardAt(event), false));
    canvas.addEventListener("pointerdown", (event) => choose(this.#shardAt(event), false));
    canvas.addEventListener("pointerleave", ({ pointerType }) => {
      // A finger that is lifted leaves what it pointed at; its numbers would be gone at once.
      if (pointerType === "mouse") choose(-1, false);
    });
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("blur", () => choose(-1, false));
  }

  /**
   * @param {Float64Array} values
   * @param {number} selected
   */
  draw(values, selected) {
    const canvas = this.#canvas;
    const width = canvas.clientWidth;
    const context = canvas.getContext("2d");
    if (context === null || width === 0 || values.length === 0) return;
    const height = values.length > MANY_SHARDS ? TALL_HEIGHT : HEIGHT;
    const { columns, rows } = gridFor(values.length, width, height);
    const ratio = devicePixelRatio;
    const cell = Math.max(1, Math.floor((Math.min(width / columns, height / rows, 48)) * ratio));
    if (canvas.width !== columns * cell || canvas.height !== rows * cell) {
      canvas.width = columns * cell;
      canvas.height = rows * cell;
      canvas.style.aspectRatio = `${columns} / ${rows}`;
      canvas.style.maxWidth = `${Math.ceil((columns * cell) / ratio)}px`;
    }
    this.#columns = columns;
    this.#count = values.length;
    this.#selected = selected;
    const largest = values.reduce((most, value) => Math.max(most, value), 0);
    this.#largest = largest > 0 ? Math.max(largest, this.#largest * 0.98) : 0;
    const gap = cell >= 6 * ratio ? Math.round(ratio) : 0;
    const fills = Array.from({ length: HEAT_STEPS }, (_, step) => colour(`heat${step}`));
    context.clearRect(0, 0, canvas.width, canvas.height);
    for (let shard = 0; shard < values.length; shard++) {
      context.fillStyle = fills[heatStep(values[shard] ?? 0, this.#largest)] ?? "";
      const x = (shard % columns) * cell;
      const y = Math.floor(shard / columns) * cell;
      context.fillRect(x, y, cell - gap, cell - gap);
    }
    if (selected >= 0) {
      const x = (selected % columns) * cell;
      const y = Math.floor(selected / columns) * cell;
      // Two rings: whatever the cell's colour is, one of them can be seen.
      // Small cells have no room for both; the outer one is around them.
      const outermost = cell >= 8 * ratio ? 1 : -1;
      for (const [ring, name] of ["ink", "paper"].entries()) {
        const inset = (outermost + 2 * ring) * ratio;
        const side = Math.max(2, cell - gap - 2 * inset);
        context.strokeStyle = colour(name);
        context.lineWidth = 2 * ratio;
        context.strokeRect(x + inset, y + inset, side, side);
      }
    }
    setText(this.#most, `busiest: ${formatRate(largest)}`);
  }

  /**
   * Tells who cannot see it what was chosen; not what becomes of it, which would never end.
   *
   * @param {number} shard
   * @param {string} text
   */
  say(shard, text) {
    this.#canvas.setAttribute("aria-valuemax", String(this.#count - 1));
    this.#canvas.setAttribute("aria-valuenow", String(shard));
    this.#canvas.setAttribute("aria-valuetext", text);
  }

  /** @param {PointerEvent} event */
  #shardAt(event) {
    const { width, height } = this.#canvas.getBoundingClientRect();
    const rows = Math.ceil(this.#count / this.#columns);
    const column = Math.floor((event.offsetX / width) * this.#columns);
    const row = Math.floor((event.offsetY / height) * rows);
    const shard = row * this.#columns + column;
    const isInside = column >= 0 && column < this.#columns && shard >= 0 && shard < this.#count;
    return isInside ? shard : -1;
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const last = this.#count - 1;
    const now = Math.max(0, this.#selected);
    const next = new Map([
      ["ArrowRight", this.#selected < 0 ? 0 : now + 1],
      ["ArrowLeft", now - 1],
      ["ArrowDown", this.#selected < 0 ? 0 : now + this.#columns],
      ["ArrowUp", now - this.#columns],
      ["Home", 0],
      ["End", last],
    ]).get(event.key);
    if (event.key === "Escape") return this.#choose(-1, false);
    if (next === undefined) return;
    event.preventDefault();
    if (next >= 0 && next <= last) this.#choose(next, true);
  }
}
