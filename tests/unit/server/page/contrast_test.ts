/** The colours of the live page can be told from what is behind them, in the light and in the dark. */

import assert from "node:assert/strict";

const CLIENT = new URL("../../../../src/server/page/client/", import.meta.url);
/** Least contrast of text, and of lines that say something (WCAG 2.2, AA: 1.4.3 and 1.4.11). */
const TEXT_LEAST = 4.5;
const LINE_LEAST = 3;
/** What text may stand on. */
const GROUNDS = ["ground", "paper", "calm-ground"];
const THEMES = ["light", "dark"] as const;

type Theme = (typeof THEMES)[number];

async function readStyles(): Promise<string> {
  const files = ["style.css", "parts.css"].map((name) => Deno.readTextFile(new URL(name, CLIENT)));
  return (await Promise.all(files)).join("\n").replaceAll(/\/\*.*?\*\//gs, "");
}

/** The colours by name, light and dark. */
function coloursOf(styles: string): Map<string, Record<Theme, string>> {
  const colours = new Map<string, Record<Theme, string>>();
  for (
    const [, name, light, dark] of styles.matchAll(
      /--([\w-]+):\s*light-dark\((#[0-9a-f]{6}),\s*(#[0-9a-f]{6})\)/g,
    )
  ) colours.set(name!, { light: light!, dark: dark! });
  return colours;
}

/** As WCAG defines it. */
function luminance(colour: string): number {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const part = parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
}

function contrast(one: string, other: string): number {
  const [low, high] = [luminance(one), luminance(other)].toSorted((a, b) => a - b);
  return (high! + 0.05) / (low! + 0.05);
}

/** Pairs of text and what it stands on, as the rules have them. */
function textPairs(styles: string): Set<string> {
  const pairs = new Set<string>();
  for (const [, selector, body] of styles.matchAll(/([^{}]+)\{([^{}]*)\}/g)) {
    const text = /(?:^|[\s;])color:\s*var\(--([\w-]+)\)/.exec(body!)?.[1];
    const ground = /(?:^|[\s;])background:\s*var\(--([\w-]+)\)/.exec(body!)?.[1];
    if (text !== undefined && ground !== undefined) pairs.add(`${text} ${ground}`);
    else if (text !== undefined) { for (const other of GROUNDS) pairs.add(`${text} ${other}`); }
    // What has a ground and no text of its own has that of the page.
    const isText = /banner|card|paper|numbers|pill|header|dialog|detail/.test(selector!);
    if (text === undefined && ground !== undefined && isText && !selector!.includes("::")) {
      if (/ground|paper/.test(ground)) pairs.add(`ink ${ground}`).add(`muted ${ground}`);
    }
  }
  return pairs;
}

Deno.test("page: contrasts are computed as WCAG has them", () => {
  assert.equal(contrast("#000000", "#ffffff"), 21);
  assert.equal(contrast("#777777", "#ffffff").toFixed(2), "4.48");
  assert.equal(contrast("#123456", "#123456"), 1);
});

Deno.test("page: every text can be read on what it stands on, in both themes", async () => {
  const styles = await readStyles();
  const colours = coloursOf(styles);
  const pairs = textPairs(styles);
  assert.ok(pairs.size > 20 && pairs.has("ink fail-ground"), `${[...pairs]}`);
  const low: string[] = [];
  for (const pair of pairs) {
    const [text, ground] = pair.split(" ");
    for (const theme of THEMES) {
      const ratio = contrast(colours.get(text!)![theme], colours.get(ground!)![theme]);
      if (ratio < TEXT_LEAST) low.push(`${text} on ${ground}, ${theme}: ${ratio.toFixed(2)}`);
    }
  }
  assert.deepEqual(low, []);
});

Deno.test("page: lines, marks and the frames of fields stand out from the paper, in both themes", async () => {
  const colours = coloursOf(await readStyles());
  const names = [
    ...["done", "lost", "error", "pass", "fail", "field", "hold", "line0", "line1", "line2"],
    ...["line3", "line4", "heat5"],
  ];
  const low: string[] = [];
  for (const name of names) {
    for (const theme of THEMES) {
      const ratio = contrast(colours.get(name)![theme], colours.get("paper")![theme]);
      if (ratio < LINE_LEAST) low.push(`${name}, ${theme}: ${ratio.toFixed(2)}`);
    }
  }
  assert.deepEqual(low, []);
});
