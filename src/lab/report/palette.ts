/**
 * The report's colours, for light and for dark surroundings.
 *
 * One pair runs through all plots: blue is work that gets done, orange is work that is turned away
 * or waits. They differ in lightness as well as in hue, so that they stay apart for every kind of
 * colour vision and on a grey printer. Lines and letters keep a contrast of at least 4.5 to 1.
 *
 * @module
 */

/** One colour, twice. */
interface Shades {
  readonly light: string;
  readonly dark: string;
}

const COLOURS: Readonly<Record<string, Shades>> = {
  ink: { light: "#1d2126", dark: "#e7e9ec" },
  muted: { light: "#5b626b", dark: "#a3abb5" },
  paper: { light: "#ffffff", dark: "#191d22" },
  done: { light: "#0b66b0", dark: "#62aef2" },
  lost: { light: "#b84b08", dark: "#f2964f" },
  error: { light: "#8a1c5b", dark: "#f08cc4" },
  // Few shards to many shards.
  line0: { light: "#c04f07", dark: "#f2964e" },
  line1: { light: "#ae2f6d", dark: "#f287b7" },
  line2: { light: "#7747b3", dark: "#bd9ff5" },
  line3: { light: "#3560c0", dark: "#86aaf7" },
  line4: { light: "#006d84", dark: "#55c6dd" },
  // Nothing to very much.
  heat0: { light: "#edeff2", dark: "#252b32" },
  heat1: { light: "#fbe3bd", dark: "#5a3919" },
  heat2: { light: "#f6bd74", dark: "#8a4e16" },
  heat3: { light: "#e0842f", dark: "#bd6a14" },
  heat4: { light: "#ad4a0c", dark: "#f0a24a" },
  heat5: { light: "#5f2206", dark: "#ffe3ba" },
};

/** How many steps the scale of heat has, "nothing" included. */
export const HEAT_STEP_COUNT = 6;

/** How many lines of one plot have a colour of their own. */
export const LINE_COLOUR_COUNT = 5;

/**
 * The colour as plots write it; what it is, the page or the file around the plot says.
 *
 * @param name e.g. `"done"`
 */
export function colour(name: string): string {
  return `var(--${name})`;
}

/**
 * The colour of a plot's n-th line.
 *
 * @param index from 0; repeats after {@link LINE_COLOUR_COUNT}
 */
export function lineColour(index: number): string {
  return colour(`line${index % LINE_COLOUR_COUNT}`);
}

/**
 * Declarations of all colours, as custom properties.
 *
 * @param mode which shades
 */
export function colourProperties(mode: "light" | "dark"): string {
  return Object.entries(COLOURS).map(([name, shades]) => `--${name}:${shades[mode]}`).join(";");
}

/**
 * Writes light colours into a drawing in the place of custom properties, which many programs that
 * show SVG files do not know.
 *
 * @param body markup with `var(--…)`
 */
export function withLightColours(body: string): string {
  return body.replace(
    /(fill|stroke)="var\(--(\w+)\)"/g,
    (whole, attribute, name) =>
      COLOURS[name] === undefined ? whole : `${attribute}="${COLOURS[name].light}"`,
  );
}

/** Rules that turn light colours of {@link withLightColours} into dark ones. */
export function darkRules(): string {
  const rules = Object.values(COLOURS).map(({ light, dark }) =>
    `[fill="${light}"]{fill:${dark}}[stroke="${light}"]{stroke:${dark}}`
  );
  return `svg{color:${COLOURS.ink!.dark}}${rules.join("")}`;
}

/** Colour of letters in light surroundings. */
export const LIGHT_INK: string = COLOURS.ink!.light;
