/**
 * Draws plots without a browser: Plot makes SVG in linkedom's document, and what both add that a
 * self-contained file does not need is taken out again.
 *
 * Both libraries are loaded here and nowhere else, when the first plot is drawn.
 *
 * @module
 */

import { colour } from "./palette.ts";
import { escapeText } from "./text.ts";

/** The parts of a document that this module uses; the project has no types of the DOM. */
interface Element {
  innerHTML: string;
  readonly attributes: Iterable<{ readonly name: string; value: string }>;
  remove(): void;
  removeAttribute(name: string): void;
  setAttribute(name: string, value: string): void;
  querySelectorAll(selector: string): Iterable<Element>;
}

interface Document {
  createElementNS(namespace: string, name: string): Element;
}

/** The libraries, loaded. */
export interface PlotTools {
  /** Observable Plot. */
  readonly Plot: typeof import("@observablehq/plot");
  /** Where it draws. */
  readonly document: unknown;
}

/** What `Plot.plot` is given. */
export type PlotOptions = NonNullable<Parameters<PlotTools["Plot"]["plot"]>[0]>;

/** One of its marks. */
export type PlotMark = NonNullable<PlotOptions["marks"]>[number];

/** What function marks get from Plot, as far as this module needs it. */
export interface MarkSpace {
  /** From a value to pixels. */
  readonly x: (value: number) => number;
  /** From a value to pixels. */
  readonly y: (value: number) => number;
  /** Unit: pixels. */
  readonly top: number;
  /** Unit: pixels. */
  readonly bottom: number;
  /** Unit: pixels. */
  readonly right: number;
}

/** A text at the end of a line. */
export interface EndLabel {
  /** Where the line ends, as values of the axes. */
  readonly x: number;
  /** Where the line ends, as values of the axes. */
  readonly y: number;
  /** What it says; not escaped. */
  readonly text: string;
  /** E.g. `var(--done)`. */
  readonly fill: string;
}

const SVG = "http://www.w3.org/2000/svg";
/** Attributes that hold coordinates. */
const COORDINATES = "d transform x y x1 x2 y1 y2 cx cy r width height points".split(" ");
const LABEL_GAP_PX = 15;

/** Loads the libraries; a second call finds them loaded. */
export async function loadPlotTools(): Promise<PlotTools> {
  const [Plot, linkedom] = await Promise.all([
    import("@observablehq/plot"),
    import("linkedom"),
  ]);
  const { document } = linkedom.parseHTML("<!doctype html><html></html>") as {
    document?: unknown;
  };
  return { Plot, document };
}

/**
 * Draws a plot.
 *
 * @param tools from {@link loadPlotTools}
 * @param options as for `Plot.plot`, with `width` and `height`
 * @returns what is inside of the `<svg>` element, without style
 */
export function drawPlot(tools: PlotTools, options: PlotOptions): string {
  const svg = tools.Plot.plot({
    ...options,
    document: tools.document as never,
  }) as unknown as Element;
  for (const style of svg.querySelectorAll("style")) style.remove();
  for (const element of svg.querySelectorAll("*")) {
    // A drawing has one text for those who do not see it; its parts say nothing of their own.
    element.removeAttribute("aria-label");
    element.removeAttribute("aria-hidden");
    for (const attribute of element.attributes) {
      if (COORDINATES.includes(attribute.name)) attribute.value = rounded(attribute.value);
    }
  }
  return svg.innerHTML;
}

/** A tenth of a pixel is more than anyone sees, and files are a third as long. */
function rounded(text: string): string {
  return text.replace(
    /-?\d*\.\d{2,}(?:e-?\d+)?/g,
    (number) => String(Math.round(Number(number) * 10) / 10),
  );
}

/**
 * A mark that writes its own markup.
 *
 * @param draw gives markup for the space it is shown; texts in it must be escaped
 */
export function markupMark(draw: (space: MarkSpace) => string): PlotMark {
  const render = (
    _index: unknown,
    scales: { x?: MarkSpace["x"]; y?: MarkSpace["y"] },
    _values: unknown,
    dimensions: { marginTop: number; marginBottom: number; marginRight: number } & {
      width: number;
      height: number;
    },
    context: { document: unknown },
  ): Element => {
    const group = (context.document as Document).createElementNS(SVG, "g");
    group.innerHTML = draw({
      x: scales.x ?? (() => 0),
      y: scales.y ?? (() => 0),
      top: dimensions.marginTop,
      bottom: dimensions.height - dimensions.marginBottom,
      right: dimensions.width - dimensions.marginRight,
    });
    return group;
  };
  return render as unknown as PlotMark;
}

/**
 * Texts at the ends of lines, moved apart where lines end at the same place.
 *
 * @param labels one per line
 */
export function endLabels(labels: readonly EndLabel[]): PlotMark {
  return markupMark((space) => {
    const placed = labels.map((label) => ({ label, y: space.y(label.y) }))
      .toSorted((a, b) => a.y - b.y);
    for (let i = 1; i < placed.length; i++) {
      placed[i]!.y = Math.max(placed[i]!.y, placed[i - 1]!.y + LABEL_GAP_PX);
    }
    let lowest = space.bottom;
    for (const entry of placed.toReversed()) {
      entry.y = Math.min(entry.y, lowest);
      lowest = entry.y - LABEL_GAP_PX;
    }
    return placed.map(({ label, y }) =>
      textAt(space.x(label.x) + 8, y + 4, label.text, { fill: label.fill, anchor: "start" })
    ).join("");
  });
}

/** How a text is set. */
export interface TextStyle {
  /** Default: the letters' colour. */
  readonly fill?: string;
  /** Default `"start"`. */
  readonly anchor?: "start" | "middle" | "end";
  /** Unit: pixels; default: the drawing's. */
  readonly size?: number;
  /** Default: normal. */
  readonly weight?: number;
  /** Colour of a rim that keeps the text apart from what is behind it; default: none. */
  readonly halo?: boolean;
}

/**
 * Markup of one line of text.
 *
 * @param x Unit: pixels
 * @param y where letters stand. Unit: pixels
 * @param text any text; is escaped
 * @param style see {@link TextStyle}
 */
export function textAt(x: number, y: number, text: string, style: TextStyle = {}): string {
  const attributes = [
    `x="${rounded(String(x))}"`,
    `y="${rounded(String(y))}"`,
    `text-anchor="${style.anchor ?? "start"}"`,
    style.fill === undefined ? "" : `fill="${style.fill}"`,
    style.size === undefined ? "" : `font-size="${style.size}"`,
    style.weight === undefined ? "" : `font-weight="${style.weight}"`,
    style.halo
      ? `stroke="${colour("paper")}" stroke-width="3" stroke-linejoin="round" paint-order="stroke"`
      : "",
  ];
  return `<text ${attributes.filter((part) => part !== "").join(" ")}>${escapeText(text)}</text>`;
}
