/**
 * One plot over the last two minutes: lines, their values as text, and a table for who cannot see
 * them.
 *
 * @module
 */

import { make, setText } from "./dom.js";
import { formatSpan, niceBytes, niceCeiling } from "./format.js";
import { HISTORY_S, pointBefore, seriesOf } from "./history.js";
import { colour, onThemeChange, paleColour } from "./theme.js";

/** @typedef {import("./history.js").Point} Point */
/** @typedef {import("uplot")} Plot */

/** @type {typeof import("uplot")} */
const PlotLibrary = Reflect.get(globalThis, "uPlot");

const HEIGHT = 180;
const FONT = `12px system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif`;

/** Rows of a table: so long before now. Unit: s. */
const TABLE_ROWS_S = [0, 10, 20, 30, 45, 60, 90, 119];

/** What bytes are counted in on an axis. */
const POWERS_OF_TWO = Array.from({ length: 50 }, (_, exponent) => 2 ** exponent);

/** Plots show the same moment under the pointer. */
const SYNC = PlotLibrary.sync("sluice");

/**
 * One line.
 *
 * @typedef {{
 *   name: string,
 *   label: string,
 *   colour: string,
 *   dash?: number[],
 *   isFilled?: boolean,
 *   isQuiet?: boolean,
 * }} Line
 */

/**
 * @typedef {{
 *   card: HTMLElement,
 *   lines: readonly Line[],
 *   format: (value: number | null) => string,
 *   least?: number,
 *   isLogarithmic?: boolean,
 *   isBytes?: boolean,
 * }} PlotOptions
 */

/** A card with a plot. */
export class PlotCard {
  #options;
  /** @type {Plot} */
  #plot;
  #field;
  /** @type {Map<string, HTMLElement>} */
  #values = new Map();
  #when;
  #table;
  /** @type {readonly Point[]} */
  #points = [];
  /** @type {readonly Line[]} */
  #lines;
  #shownAtMs = 0;

  /** @param {PlotOptions} options */
  constructor(options) {
    this.#options = options;
    this.#lines = options.lines;
    const { card } = options;
    const title = card.querySelector("h3")?.textContent ?? "";
    const legend = make("dl", { class: "legend" });
    for (const line of options.lines) {
      const value = make("dd", {}, "–");
      const mark = make("i", { class: `mark ${line.dash ? "dashed" : ""}`, "aria-hidden": "true" });
      mark.style.setProperty("--mark", `var(--${line.colour})`);
      legend.append(make("div", {}, make("dt", {}, mark, line.label), value));
      this.#values.set(line.name, value);
    }
    this.#when = make("span", { class: "when", "aria-hidden": "true" }, "now");
    this.#field = make("div", { class: "plot", role: "img", "aria-label": `${title}, plotted` });
    const head = make("tr", {}, make("th", { scope: "col" }, "Before"));
    for (const { label } of options.lines) head.append(make("th", { scope: "col" }, label));
    this.#table = make("tbody");
    const details = make(
      "details",
      {},
      make("summary", {}, "Table"),
      make(
        "div",
        { class: "scroll", tabindex: "0", role: "region", "aria-label": `${title}, table` },
        make("table", {}, make("thead", {}, head), this.#table),
      ),
    );
    details.addEventListener("toggle", () => this.#showTable());
    card.append(legend, this.#field, make("div", { class: "plot-head" }, details, this.#when));
    this.#plot = this.#makePlot();
    new ResizeObserver(() => this.#resize()).observe(this.#field);
    onThemeChange(() => this.#plot.redraw(true, true));
  }

  /**
   * Shows other series under the same labels.
   *
   * @param {(name: string) => string} rename
   */
  setSource(rename) {
    this.#lines = this.#options.lines.map((line) => ({ ...line, source: rename(line.name) }))
      .map(({ source, ...line }) => ({ ...line, name: source }));
    this.show(this.#points);
  }

  /**
   * Shows the points that there are now.
   *
   * @param {readonly Point[]} points
   * @param {boolean} isTextDue whether the values change as well, or only the lines
   */
  show(points, isTextDue = true) {
    // A copy: what is under the pointer stays right while the reader has it paused.
    this.#points = [...points];
    this.#plot.setData(seriesOf(points, this.#lines.map(({ name }) => name)));
    if (isTextDue) this.#showValues();
    const atMs = points.at(-1)?.atMs ?? 0;
    if (Math.abs(atMs - this.#shownAtMs) < 1000) return;
    this.#shownAtMs = atMs;
    this.#showTable();
  }

  #showValues() {
    const { idx } = this.#plot.cursor;
    const index = typeof idx === "number" ? idx : this.#points.length - 1;
    const point = this.#points[index];
    const lastMs = this.#points.at(-1)?.atMs ?? 0;
    const ago = lastMs - (point?.atMs ?? lastMs);
    setText(this.#when, typeof idx === "number" ? `${formatSpan(ago)} before` : "now");
    for (const [at, line] of this.#lines.entries()) {
      const element = this.#values.get(this.#options.lines[at]?.name ?? "");
      if (element) setText(element, this.#options.format(point?.values[line.name] ?? null));
    }
  }

  #showTable() {
    if (!(this.#table.closest("details")?.open)) return;
    const rows = TABLE_ROWS_S.map((seconds) => {
      const point = pointBefore(this.#points, seconds);
      const row = make(
        "tr",
        {},
        make("th", { scope: "row" }, seconds === 0 ? "now" : `${seconds} s`),
      );
      for (const { name } of this.#lines) {
        row.append(make("td", {}, this.#options.format(point?.values[name] ?? null)));
      }
      return row;
    });
    this.#table.replaceChildren(...rows);
  }

  #resize() {
    const width = this.#field.clientWidth;
    if (width > 0 && width !== this.#plot.width) this.#plot.setSize({ width, height: HEIGHT });
  }

  /** @returns {Plot} */
  #makePlot() {
    const { lines, isLogarithmic = false, isBytes = false, least = 1, format } = this.#options;
    const axis = { stroke: () => colour("muted"), font: FONT, ticks: { show: false } };
    const end = isBytes ? niceBytes : niceCeiling;
    const grid = { stroke: () => colour("rule"), width: 1 };
    return new PlotLibrary(
      {
        width: Math.max(200, this.#field.clientWidth),
        height: HEIGHT,
        padding: [8, 16, 0, 0],
        legend: { show: false },
        cursor: {
          sync: { key: SYNC.key },
          drag: { x: false, y: false },
          points: { size: 7, width: 2 },
          y: false,
        },
        scales: {
          x: { time: false, range: [-HISTORY_S, 0] },
          y: isLogarithmic
            ? { distr: 3, range: (_, low, high) => decades(low, high) }
            : { range: (_, __, high) => [0, end(Math.max(high ?? 0, least))] },
        },
        axes: [
          {
            ...axis,
            grid: { show: false },
            size: 26,
            splits: (plot) => plot.width < 420 ? [-120, -60, 0] : [-120, -90, -60, -30, 0],
            values: (_, splits) => splits.map((value) => value === 0 ? "now" : `−${-value} s`),
          },
          {
            ...axis,
            grid,
            size: 68,
            space: 36,
            ...(isBytes ? { incrs: POWERS_OF_TWO } : {}),
            values: (_, splits) => splits.map((value) => value === null ? "" : format(value)),
            ...(isLogarithmic
              ? { filter: wholeDecades, grid: { ...grid, filter: wholeDecades } }
              : {}),
          },
        ],
        series: [{}, ...lines.map((line) => seriesFor(line))],
        hooks: { setCursor: [() => this.#showValues()] },
      },
      [[], ...lines.map(() => [])],
      this.#field,
    );
  }
}

/**
 * @param {Line} line
 * @returns {import("uplot").Series}
 */
function seriesFor({ colour: name, dash, isFilled = false, isQuiet = false, label }) {
  return {
    label,
    stroke: () => isQuiet ? paleColour(name, 0.6) : colour(name),
    width: isQuiet ? 1 : 1.5,
    points: { show: false },
    ...(dash ? { dash } : {}),
    ...(isFilled ? { fill: () => paleColour(name, 0.14) } : {}),
  };
}

/**
 * @param {number | null} low
 * @param {number | null} high
 * @returns {[number, number]}
 */
function decades(low, high) {
  const bottom = Math.min(0.1, low ?? 0.1);
  const top = Math.max(10, high ?? 10);
  return [10 ** Math.floor(Math.log10(Math.max(bottom, 1e-3))), 10 ** Math.ceil(Math.log10(top))];
}

/**
 * @param {Plot} _
 * @param {number[]} splits
 * @returns {(number | null)[]}
 */
function wholeDecades(_, splits) {
  return splits.map((value) => Math.abs(Math.log10(value) % 1) < 1e-6 ? value : null);
}
