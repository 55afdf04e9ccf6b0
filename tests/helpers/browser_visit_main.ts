/**
 * Opens the page of `browser_page_test.ts` in a browser and checks what became of it: arguments are
 * the browser's path and the page's URLs. Says of each what was wrong, a line of JSON each:
 *
 * ```text
 * {"name":"https:","problem":null}
 * ```
 *
 * @module
 */

import assert from "node:assert/strict";
import { type Browser, chromium } from "playwright-core";
import { say } from "./say.ts";

/** Opens the page and looks at what became of it. */
async function visit(browser: Browser, url: string): Promise<void> {
  const page = await browser.newPage({ ignoreHTTPSErrors: true });
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  const response = await page.goto(url);
  assert.equal(response?.status(), 200);
  assert.match(response.headers()["content-type"] ?? "", /^text\/html; charset=utf-8$/);
  assert.equal(await page.title(), "Sluice in a browser");
  const protocol = await page.evaluate(
    "performance.getEntriesByType('navigation')[0].nextHopProtocol",
  );
  assert.equal(protocol, url.startsWith("https:") ? "h2" : "http/1.1");
  await page.locator("#balance").filter({ hasText: "balance" }).waitFor();
  assert.equal(await page.locator("h1").textContent(), "é€😀");
  const color = await page.evaluate("getComputedStyle(document.querySelector('h1')).color");
  assert.equal(color, "rgb(1, 2, 3)");
  const reply = JSON.parse(await page.locator("#reply").textContent() ?? "");
  assert.deepEqual(reply, { type: "reply", status: "processed", balance: 7 });
  const balance = JSON.parse(await page.locator("#balance").textContent() ?? "");
  assert.deepEqual(balance, { user: "browser", balance: 7 });
  // A second visit is answered from the browser's cache, after asking.
  const again = await page.reload();
  assert.ok([200, 304].includes(again!.status()));
  assert.equal(await page.title(), "Sluice in a browser");
  // The icon that browsers ask for by themselves is not there.
  assert.deepEqual(complaints.filter((text) => !/status of 404/.test(text)), []);
  await page.close();
}

const [browserPath, ...urls] = Deno.args;
const browser = await chromium.launch({
  executablePath: browserPath!,
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
});
try {
  for (const url of urls) {
    const problem = await visit(browser, url).then(
      () => null,
      (error) => error?.stack ?? String(error),
    );
    say(JSON.stringify({ name: new URL(url).protocol, problem }));
  }
} finally {
  await browser.close();
}
