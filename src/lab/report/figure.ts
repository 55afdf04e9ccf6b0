/**
 * A figure of the report: what it says in words, and its drawings for wide and for narrow places.
 *
 * Letters of a drawing that shrinks with its place cannot be read on a phone; so each figure is
 * drawn twice, and the page shows the one that fits.
 *
 * @module
 */

import { textAt } from "./drawing.ts";
import { colour, darkRules, LIGHT_INK, withLightColours } from "./palette.ts";
import { clipped, escapeText, wrapped } from "./text.ts";

/** Widths of drawings for wide places, by how many plots stand side by side. Unit: pixels. */
const WIDE_PX = [620, 720, 980] as const;
/** Width of drawings for narrow places. Unit: pixels. */
export const NARROW_PX = 340;

/** Size of letters. Unit: pixels. */
const FONT_PX = 12;
/** A letter's width, generously. Unit: pixels. */
const CHAR_PX = 6.6;
/** The same of the small plots' titles, which are larger and bold. */
const BOLD_CHAR_PX = 9;
const MAX_HEAD_LINES = 3;
const PANEL_GAP_PX = 28;
const LEGEND_LINE_PX = 20;

/** Markup that fits into an `<svg>` of that size. */
export interface Drawing {
  /** Unit: pixels. */
  readonly width: number;
  /** Unit: pixels. */
  readonly height: number;
  /** SVG elements. */
  readonly body: string;
}

/** One figure. */
export interface ReportPlot {
  /** Short and unique, fit for a file name: `"queue-depth-7-8"`. */
  readonly id: string;
  /** Stages that it shows; empty for those that belong to none. */
  readonly stages: readonly number[];
  /** What can be seen in it, from the numbers. */
  readonly title: string;
  /** How to read it. */
  readonly explanation: string;
  /** What it shows, for those who do not see it. */
  readonly alternative: string;
  /** For places at least about as wide as its own width. */
  readonly wide: Drawing;
  /** {@link NARROW_PX} wide. */
  readonly narrow: Drawing;
}

/** One of the small plots of a figure. */
export interface Panel {
  /** Above it; empty for none. */
  readonly title: string;
  /** Below its title: what is to be seen in it; empty for none. */
  readonly note: string;
  /** Draws it. */
  readonly draw: (width: number, isNarrow: boolean) => Omit<Drawing, "width">;
}

/** What a colour means. */
export interface LegendEntry {
  /** Its meaning. */
  readonly label: string;
  /** E.g. `var(--done)`. */
  readonly colour: string;
  /** How it is drawn. */
  readonly shape: "area" | "line" | "dashes";
}

/** What a figure is made of. */
export interface FigureParts extends Omit<ReportPlot, "wide" | "narrow"> {
  /** Small plots, in order. */
  readonly panels: readonly Panel[];
  /** How many stand side by side in a wide place, at most 3. */
  readonly columns: number;
  /** As wide as three plots side by side, however many there are. */
  readonly isLarge?: boolean;
  /** Meanings of colours, where labels in the plots do not say them. */
  readonly legend: readonly LegendEntry[];
}

/**
 * Draws a figure for both widths.
 *
 * @param parts see {@link FigureParts}
 */
export function makeFigure(parts: FigureParts): ReportPlot {
  const { panels, legend, ...words } = parts;
  const columns = Math.max(1, Math.min(parts.columns, panels.length, WIDE_PX.length));
  return {
    id: words.id,
    stages: words.stages,
    title: words.title,
    explanation: words.explanation,
    alternative: words.alternative,
    wide: compose(panels, columns, legend, parts.isLarge ? WIDE_PX[2] : WIDE_PX[columns - 1]!),
    narrow: compose(panels, 1, legend, NARROW_PX),
  };
}

function compose(
  panels: readonly Panel[],
  columns: number,
  legend: readonly LegendEntry[],
  width: number,
): Drawing {
  const panelWidth = Math.floor((width - PANEL_GAP_PX * (columns - 1)) / columns);
  const [parts, top] = legendMarkup(legend, width);
  let y = top;
  for (let first = 0; first < panels.length; first += columns) {
    const row = panels.slice(first, first + columns);
    const heads = row.map((panel) => headLines(panel, panelWidth));
    const headPx = Math.max(...heads.map((lines) => lines.length)) * 17 + 8;
    let rowHeight = 0;
    row.forEach((panel, i) => {
      const x = i * (panelWidth + PANEL_GAP_PX);
      heads[i]!.forEach(({ text, isTitle }, line) =>
        parts.push(textAt(x, y + 13 + line * 17, text, {
          ...(isTitle ? { weight: 600, size: 13 } : { fill: colour("muted") }),
        }))
      );
      const { height, body } = panel.draw(panelWidth, width === NARROW_PX);
      parts.push(`<g transform="translate(${x},${y + headPx})">${body}</g>`);
      rowHeight = Math.max(rowHeight, height);
    });
    y += headPx + rowHeight + (first + columns < panels.length ? PANEL_GAP_PX / 2 : 0);
  }
  return { width, height: y, body: parts.join("") };
}

function headLines(
  { title, note }: Panel,
  width: number,
): { text: string; isTitle: boolean }[] {
  const lines = (text: string, charPx: number, isTitle: boolean) => {
    const chars = Math.floor(width / charPx);
    const all = text === "" ? [] : wrapped(text, chars);
    // What does not fit is cut where it shows: with dots in the last line.
    const broken = all.length <= MAX_HEAD_LINES ? all : [
      ...all.slice(0, MAX_HEAD_LINES - 1),
      all.slice(MAX_HEAD_LINES - 1).join(" "),
    ];
    return broken.map((line) => ({ text: clipped(line, chars), isTitle }));
  };
  return [...lines(title, BOLD_CHAR_PX, true), ...lines(note, CHAR_PX, false)];
}

/** The legend's markup, and where it ends. */
function legendMarkup(legend: readonly LegendEntry[], width: number): [string[], number] {
  if (legend.length === 0) return [[], 0];
  const parts: string[] = [];
  let x = 0;
  let y = 0;
  for (const entry of legend) {
    const entryWidth = 22 + entry.label.length * CHAR_PX + 14;
    if (x > 0 && x + entryWidth - 14 > width) [x, y] = [0, y + LEGEND_LINE_PX];
    parts.push(swatch(entry, x, y), textAt(x + 20, y + 14, entry.label));
    x += entryWidth;
  }
  return [parts, y + LEGEND_LINE_PX + 8];
}

function swatch({ colour: paint, shape }: LegendEntry, x: number, y: number): string {
  if (shape === "area") {
    return `<rect x="${x}" y="${y + 4}" width="14" height="11" rx="2" fill="${paint}"/>`;
  }
  const dashes = shape === "dashes" ? ' stroke-dasharray="4 3"' : "";
  return `<line x1="${x}" x2="${x + 15}" y1="${y + 10}" y2="${y + 10}" stroke="${paint}" ` +
    `stroke-width="2"${dashes}/>`;
}

const GROUP = `fill="currentColor" font-family="system-ui, -apple-system, 'Segoe UI', Roboto, ` +
  `'Liberation Sans', sans-serif" font-size="${FONT_PX}" text-anchor="middle"`;

/**
 * The drawing as an element of a page that declares the colours.
 *
 * @param plot whose drawing it is
 * @param size which of its two
 */
export function inlineSvg(plot: ReportPlot, size: "wide" | "narrow"): string {
  const { width, height, body } = plot[size];
  return `<svg class="${size}" role="img" aria-label="${escapeText(plot.alternative)}" ` +
    `viewBox="0 0 ${width} ${Math.ceil(height)}" width="${width}" height="${Math.ceil(height)}">` +
    `<g ${GROUP}>${body}</g></svg>`;
}

/**
 * The wide drawing as a file of its own, with its title; it follows the reader's choice of light or
 * dark where it is shown, and has no background.
 *
 * @param plot which one
 */
export function standaloneSvg(plot: ReportPlot): string {
  const { width, height, body } = plot.wide;
  const lineChars = Math.floor(width / 9.8);
  const lines = wrapped(plot.title, lineChars);
  const headPx = lines.length * 21 + 12;
  const total = { width: width + 16, height: Math.ceil(height + headPx + 16) };
  const head = lines.map((line, i) =>
    textAt(0, 15 + i * 21, clipped(line, lineChars), { size: 16, weight: 600 })
  );
  return `<svg xmlns="${"http://www.w3.org/2000/svg"}" role="img" ` +
    `aria-labelledby="title description" viewBox="0 0 ${total.width} ${total.height}" ` +
    `width="${total.width}" height="${total.height}" color="${LIGHT_INK}">\n` +
    `<title id="title">${escapeText(plot.title)}</title>\n` +
    `<desc id="description">${escapeText(plot.alternative)}</desc>\n` +
    `<style>@media (prefers-color-scheme:dark){${darkRules()}}</style>\n` +
    `<g transform="translate(8,8)" ${GROUP}>${head.join("")}` +
    `<g transform="translate(0,${headPx})">${withLightColours(body)}</g></g>\n</svg>\n`;
}
