/**
 * Opens the lab's report in a browser as a reader would, wide and narrow, in light and in dark:
 * arguments are the browser's path and URLs of files. Exit code 0 = all is well.
 *
 * @module
 */

import assert from "node:assert/strict";
import { chromium, type Page } from "playwright-core";
import { isFull } from "./effort.ts";

/** What the page itself can tell, in the browser's own words. */
const LOOK = `({
  overflow: document.documentElement.scrollWidth - innerWidth,
  ground: getComputedStyle(document.body).backgroundColor,
  drawings: [...document.querySelectorAll("svg")].filter((svg) => svg.checkVisibility()).map(
    (svg) => ({ kind: svg.getAttribute("class"), width: svg.getBoundingClientRect().width,
      height: svg.getBoundingClientRect().height }),
  ),
  paints: [...document.querySelectorAll("svg.wide [fill^='var']")].map(
    (element) => getComputedStyle(element).fill,
  ),
  clipped: [...document.querySelectorAll("svg")].filter((svg) => svg.checkVisibility()).flatMap(
    (svg) => {
      const frame = svg.getBoundingClientRect();
      return [...svg.querySelectorAll("text")].filter((text) => {
        const box = text.getBoundingClientRect();
        return box.left < frame.left - 1 || box.right > frame.right + 1 ||
          box.top < frame.top - 1 || box.bottom > frame.bottom + 1;
      }).map((text) => svg.parentElement.parentElement.id + ": " + text.textContent);
    },
  ),
})`;

interface Look {
  overflow: number;
  ground: string;
  drawings: { kind: string; width: number; height: number }[];
  paints: string[];
  clipped: string[];
}

/** One page for all: a new one is a new process, which takes longer than to look. */
class Looker {
  readonly #complaints: string[] = [];
  readonly #requests: string[] = [];

  constructor(readonly page: Page) {
    page.on("console", (message) => this.#complaints.push(message.text()));
    page.on("pageerror", (error) => this.#complaints.push(error.message));
    page.on("request", (request) => this.#requests.push(request.url()));
  }

  async look(url: string, width: number, colorScheme: "light" | "dark"): Promise<Look> {
    const { page } = this;
    await page.setViewportSize({ width, height: 900 });
    await page.emulateMedia({ colorScheme });
    this.#requests.length = 0;
    await page.goto(url);
    const seen = await page.evaluate(LOOK) as Look;
    assert.deepEqual(this.#complaints, [], `${width} px, ${colorScheme}`);
    assert.deepEqual(this.#requests, [url], `${width} px, ${colorScheme}`);
    return seen;
  }
}

const SCHEMES = ["light", "dark"] as const;

/** The first page is looked at in both schemes at every width, the others in one after the other. */
async function visit(looker: Looker, url: string, number: number): Promise<void> {
  const grounds = new Set<string>();
  const paints = new Set<string>();
  for (const [i, width] of [400, 1280, 2000].entries()) {
    for (const scheme of isFull() || number === 0 ? SCHEMES : [SCHEMES[(i + number) % 2]!]) {
      const seen = await looker.look(url, width, scheme);
      const where = `${width} px, ${scheme}`;
      assert.ok(seen.overflow <= 0, `${where}: ${seen.overflow} px too wide`);
      const kinds = new Set(seen.drawings.map(({ kind }) => kind));
      assert.deepEqual([...kinds], [width === 400 ? "narrow" : "wide"], where);
      for (const drawing of seen.drawings) {
        assert.ok(drawing.width > 250 && drawing.height > 100, JSON.stringify(drawing));
      }
      assert.deepEqual(seen.clipped, [], `${where}: all letters are inside of their drawing`);
      grounds.add(seen.ground);
      paints.add(seen.paints.join());
    }
  }
  assert.equal(grounds.size, 2, "light and dark differ");
  assert.equal(paints.size, 2, "plots follow");
  assert.ok([...paints].every((list) => list.startsWith("rgb(")), "colours are declared");
}

const [browserPath, ...urls] = Deno.args;
const browser = await chromium.launch({
  executablePath: browserPath!,
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
});
try {
  const looker = new Looker(await browser.newPage());
  for (const [i, url] of urls.entries()) await visit(looker, url, i);
} finally {
  await browser.close();
}
