/**
 * Looks at the live page as a reader would; the argument is the browser's path. Says of each visit
 * what was wrong, a line of JSON each:
 *
 * ```text
 * {"name":"use","problem":null}
 * ```
 *
 * It starts the servers itself, because it runs with all permissions: what drives the browser looks
 * at `/proc`.
 *
 * @module
 */

import assert from "node:assert/strict";
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Page,
} from "playwright-core";
import { isFull } from "./effort.ts";
import { RawClient, respCommand } from "./raw_client.ts";
import { say } from "./say.ts";
import { ServerProcess } from "./server_process.ts";

const PASSWORD = "pässword 7";
const HOSTILE = `<img src=x onerror="globalThis.wasRun=1">`;

/** A page, and everything that it was not meant to do. */
class Reader implements AsyncDisposable {
  readonly complaints: string[] = [];
  readonly foreign: string[] = [];
  readonly urls: string[] = [];

  private constructor(readonly page: Page, readonly url: string) {}

  /** @param page a new one */
  static async open(page: Page, url: string): Promise<Reader> {
    const reader = new Reader(page, url);
    page.on("console", (message) => reader.complaints.push(message.text()));
    page.on("pageerror", (error) => reader.complaints.push(error.message));
    page.on("request", (request) => {
      reader.urls.push(request.url());
      if (new URL(request.url()).origin !== new URL(url).origin) reader.foreign.push(request.url());
    });
    await page.addInitScript(`
      globalThis.violations = [];
      addEventListener("securitypolicyviolation",
        (event) => violations.push(event.violatedDirective + " " + event.blockedURI));
    `);
    const response = await page.goto(url);
    assert.equal(response?.status(), 200);
    // Whoever clicks would wait for each scrolling to end.
    await page.evaluate(`document.documentElement.style.scrollBehavior = "auto"`);
    return reader;
  }

  text(id: string): Promise<string> {
    return this.page.locator(`#${id}`).innerText();
  }

  /** Waits until an element's text fits. */
  async waitFor(id: string, pattern: RegExp): Promise<string> {
    const element = this.page.locator(`#${id}`).filter({ hasText: pattern });
    await element.waitFor({ state: "attached", timeout: 20_000 });
    return (await element.textContent())!;
  }

  /** Nothing was complained about that is not expected, and nobody else was asked. */
  async check(expected?: RegExp): Promise<void> {
    const surprises = this.complaints.filter((text) => expected?.test(text) !== true);
    assert.deepEqual(surprises, [], "the console is empty");
    assert.deepEqual(this.foreign, [], "no request leaves the server's origin");
    assert.deepEqual(await this.page.evaluate("violations"), [], "the policy holds");
    assert.equal(await this.page.evaluate("globalThis.wasRun"), undefined, "nothing was run");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.page.close();
  }
}

function start(flags: readonly string[]): Promise<ServerProcess> {
  return ServerProcess.start(flags);
}

function urlOf(server: ServerProcess): string {
  return `http://localhost:${server.port("http")}/`;
}

async function use(tabs: BrowserContext): Promise<void> {
  await using server = await start([
    "--channel-capacity",
    "20",
    "--work-ms",
    "10",
    "--workers",
    "2",
    // The keyboard goes from cell to cell, to the last one.
    "--shards",
    "64",
  ]);
  await using reader = await Reader.open(await tabs.newPage(), urlOf(server));
  const { page } = reader;
  await reader.waitFor("status", /^Live$/);
  await checkLoad(reader);
  await checkForms(reader);
  await checkKeys(reader, server);
  await checkKeyboard(reader);
  // The browser says so of the event that is none.
  await reader.check(/status of 400/);
  // A name that came from elsewhere is nothing but text.
  assert.equal(await page.locator("img").count(), 0);
  for (const url of reader.urls) assert.doesNotMatch(url, /[?&](password|token)/i);
}

async function checkLoad(reader: Reader): Promise<void> {
  await reader.waitFor("number-accepted", /^0\/s$/);
  // A rate stands there for a second; a busy machine may not get to look in that one.
  await reader.page.evaluate(`globalThis.shown = [];
    const number = document.querySelector("#number-accepted");
    new MutationObserver(() => shown.push(number.textContent))
      .observe(number, { childList: true, characterData: true, subtree: true });`);
  const body = Array.from({ length: 15 }, (_, i) => `{"user":"u${i}","action":"a","amount":1}`);
  // A page that has no processor for a whole second does not draw what was true in it.
  for (let attempt = 1;; attempt++) {
    await fetch(`${reader.url}events`, {
      method: "POST",
      headers: { "content-type": "application/x-ndjson" },
      body: body.join("\n"),
    }).then((response) => response.body?.cancel());
    await reader.waitFor("note-accepted", new RegExp(`^${attempt * body.length} since start$`));
    const shown = String(await reader.page.evaluate("shown.join()"));
    if (/(^|,)[1-9]/.test(shown)) break;
    assert.ok(attempt < 10, `a rate was shown: ${shown}`);
  }
  await reader.waitFor("number-keys", /^15$/);
  const lanes = reader.page.locator("#lanes li");
  assert.equal(await lanes.count(), 2, "each worker has a lane");
  await reader.page.locator("#plot-events summary").click();
  await reader.page.locator("#plot-events tbody td").first().filter({ hasText: "/s" }).waitFor();
  await reader.page.locator("#plot-events summary").click();
}

async function checkForms(reader: Reader): Promise<void> {
  const { page } = reader;
  await page.locator("#event-form input[name=user]").fill("zoe");
  await page.locator("#event-form input[name=amount]").fill("9007199254740993");
  await page.locator("#event-form button").click();
  const reply = await reader.waitFor("event-reply", /processed/);
  assert.match(reply, /^200 in .*\n.*"balance":9007199254740993/, "no digit is lost");
  await page.locator("#event-form input[name=amount]").fill("many");
  await page.locator("#event-form button").click();
  await reader.waitFor("event-reply", /^400 .*\n.*invalid_event/);
  await page.locator("#burst").click();
  const outcome = await reader.waitFor("burst-reply", /sent:/);
  const counts = /^1,000 sent: (\d+) accepted, (\d+) refused \(server_busy, from event \d+ on\)/
    .exec(outcome);
  assert.ok(counts !== null, outcome);
  const [accepted, refused] = [Number(counts[1]), Number(counts[2])];
  assert.ok(refused > 0 && accepted + refused === 1000, outcome);
  const shown = new RegExp(`^${refused} since start$`);
  await reader.waitFor("note-refused", shown);
}

async function checkKeys(reader: Reader, server: ServerProcess): Promise<void> {
  const { page } = reader;
  using client = await RawClient.connect(server.port("resp"));
  const commands: string[][] = [
    ["SET", "found", "the value"],
    ["SET", HOSTILE, `<script>globalThis.wasRun=2</script>`, "EX", "1000"],
    ["HSET", `h${HOSTILE}`, HOSTILE, HOSTILE],
  ];
  for (const command of commands) await client.send(respCommand(...command));
  await client.read("+OK\r\n+OK\r\n:1\r\n".length);
  await page.locator("#pattern").fill("fo*");
  await page.keyboard.press("Enter");
  await page.locator("#key-rows tr").filter({ hasText: /found\s*string\s*none\s*9 B/ }).waitFor();
  await reader.waitFor("key-state", /^1 key, these are all\.$/);
  await page.locator("#key-rows button").click();
  await page.locator("#key-detail pre").filter({ hasText: /^the value$/ }).waitFor();
  await page.locator("#pattern").fill("*onerror*");
  await page.keyboard.press("Enter");
  await reader.waitFor("key-state", /^2 keys, these are all\.$/);
  for (const name of [HOSTILE, `h${HOSTILE}`]) {
    const button = page.getByRole("button", { name, exact: true });
    await button.click();
    await page.locator("#key-detail h3").filter({ hasText: name }).waitFor();
  }
  await page.locator("#key-detail td", { hasText: HOSTILE }).first().waitFor();
  await page.locator("#key-detail button").focus();
  await client.send(respCommand("HSET", `h${HOSTILE}`, "late", "come"));
  await client.read(":1\r\n".length);
  await page.keyboard.press("Enter");
  await page.locator("#key-detail td", { hasText: "come" }).waitFor();
  assert.equal(await page.evaluate("document.activeElement.innerText"), "Read again");
  await checkNames(reader, client);
}

/** Names that are not what they seem. */
async function checkNames({ page }: Reader, client: RawClient): Promise<void> {
  for (const name of ["..", "sp  ace"]) await client.send(respCommand("SET", name, "x"));
  await client.read("+OK\r\n".repeat(2).length);
  for (
    const [name, pattern, outcome] of [
      ["..", "..", /A browser cannot ask for a key of this name/],
      ["sp  ace", "sp*", /stored as embstr/],
    ] as const
  ) {
    await page.locator("#pattern").fill(pattern);
    await page.keyboard.press("Enter");
    const button = page.locator("#key-rows button").getByText(name, { exact: true });
    await button.click();
    await page.locator("#key-detail").filter({ hasText: outcome }).waitFor();
    assert.equal(await button.innerText(), name);
  }
  await page.locator("#key-form button").click();
}

async function checkKeyboard(reader: Reader): Promise<void> {
  const { page } = reader;
  await page.evaluate("document.activeElement.blur(); scrollTo(0, 0)");
  await page.locator("h1").click();
  const reached = new Set<string>();
  for (let i = 0; i < 60; i++) {
    await page.keyboard.press("Tab");
    const [name, outline] = await page.evaluate(`[
      document.activeElement === document.body
        ? ""
        : document.activeElement.id || document.activeElement.textContent.trim().slice(0, 20),
      getComputedStyle(document.activeElement).outlineStyle,
    ]`) as [string, string];
    if (name !== "") assert.notEqual(outline, "none", `${name} shows that it has the focus`);
    reached.add(name);
  }
  const wanted = ["pause", "theme", "latency-source", "heat-operations", "heat-contended"];
  for (const name of [...wanted, "pattern", "burst", "burst-size", "Work", "Table"]) {
    assert.ok(
      reached.has(name),
      `${name} is reached with the keyboard: ${[...reached].join(", ")}`,
    );
  }
  await page.locator("#heat-operations").focus();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowRight");
  await reader.waitFor("shard-readout", /^Shard 1: .*\/s operations, .*\/s contended/);
  const spoken = await page.locator("#heat-operations").getAttribute("aria-valuetext");
  assert.match(spoken ?? "", /^Shard 1: /);
  await page.keyboard.press("End");
  await reader.waitFor("shard-readout", /^Shard 63: /);
  await page.locator("#pause").focus();
  await page.keyboard.press("Space");
  await reader.waitFor("status", /^Paused$/);
  assert.equal(await page.locator("#pause").getAttribute("aria-pressed"), "true");
  await page.keyboard.press("Space");
  await reader.waitFor("status", /^Live$/);
}

async function fit(tabs: BrowserContext, browser: Browser): Promise<void> {
  await using server = await start(["--workers", "0-2"]);
  using client = await RawClient.connect(server.port("resp"));
  await client.send(respCommand("SET", "k".repeat(1000), "v".repeat(10_000)));
  await client.send(respCommand("HSET", "h".repeat(300), "f".repeat(3000), "v".repeat(3000)));
  await client.read("+OK\r\n:1\r\n".length);
  await Promise.all([
    fitWidths(tabs, urlOf(server)),
    // What one page keeps is not to be the other's.
    checkTheme(tabs, urlOf(server).replace("localhost", "127.0.0.1")),
    checkTouch(browser, urlOf(server)),
  ]);
}

/** Height of the window; the widths come in turn. */
const HEIGHT = 900;

/** A scheme, and the widths from the one with which the page is opened. */
const FITTINGS = [
  { colorScheme: "light", widths: [320, 400, 1280, 2000] },
  { colorScheme: "dark", widths: [2000, 960, 400, 320] },
] as const;

/** Each begins where the other ends: a page must fit when it is opened and when it is resized. */
async function fitWidths(tabs: BrowserContext, url: string): Promise<void> {
  const page = await tabs.newPage();
  await page.setViewportSize({ width: FITTINGS[0].widths[0], height: HEIGHT });
  await page.emulateMedia({ reducedMotion: "reduce" });
  await using reader = await Reader.open(page, url);
  const grounds = new Set<string>();
  for (const [i, fitting] of FITTINGS.entries()) {
    await reader.page.emulateMedia({ colorScheme: fitting.colorScheme });
    // A window of its own would be two processes more.
    if (i > 0) await reader.page.reload();
    grounds.add(await fitScheme(reader, fitting));
  }
  assert.equal(grounds.size, FITTINGS.length, "light and dark differ");
  await reader.check();
}

/** Looks at every width, and says which colour the ground is. */
async function fitScheme(
  reader: Reader,
  { colorScheme, widths }: (typeof FITTINGS)[number],
): Promise<string> {
  const { page } = reader;
  await reader.waitFor("status", /^Live$/);
  await page.locator("#key-form button").click();
  await reader.waitFor("key-state", /these are all/);
  await reader.waitFor("number-connections", /^\d/);
  await reader.waitFor("lanes-note", /^0 of 2 run now/);
  // The scheme has no part in the layout: light is looked at without tables, and dark with them.
  for (const isOpen of isFull() ? [false, true] : [colorScheme === "dark"]) {
    if (isOpen) {
      for (const summary of await page.locator("summary:visible").all()) await summary.click();
    }
    for (const width of isFull() && isOpen ? widths.toReversed() : widths) {
      const where = `${width} px, ${colorScheme}${isOpen ? ", with tables" : ""}`;
      await page.setViewportSize({ width, height: HEIGHT });
      for (const index of [0, 1]) {
        await page.locator("#key-rows button").nth(index).click();
        const name = ["k".repeat(1000), "h".repeat(300)];
        await page.locator("#key-detail h3").filter({
          hasText: new RegExp(`^(${name.join("|")})$`),
        })
          .waitFor();
        assert.deepEqual(await tooWide(page), [], where);
      }
    }
  }
  return await page.evaluate("getComputedStyle(document.body).backgroundColor");
}

async function checkTouch(browser: Browser, url: string): Promise<void> {
  const options: BrowserContextOptions = {
    viewport: { width: 400, height: 800 },
    hasTouch: true,
    isMobile: true,
  };
  await using reader = await Reader.open(await browser.newPage(options), url);
  await reader.waitFor("heat-operations-most", /busiest/);
  await reader.page.locator("#heat-operations").tap({ position: { x: 5, y: 5 } });
  await reader.waitFor("shard-readout", /^Shard 0: /);
  // The finger is gone, and another update has come.
  const before = await reader.text("about");
  await reader.page.locator("#about").filter({ hasNotText: before }).waitFor();
  assert.match(await reader.text("shard-readout"), /^Shard 0: /);
  await reader.check();
}

async function checkTheme(tabs: BrowserContext, url: string): Promise<void> {
  await using reader = await Reader.open(await tabs.newPage(), url);
  const ground = (): Promise<string> =>
    reader.page.evaluate("getComputedStyle(document.body).backgroundColor");
  const light = await ground();
  for (let i = 0; i < 2; i++) await reader.page.locator("#theme").click();
  await reader.waitFor("theme", /^Theme: Dark$/);
  const dark = await ground();
  assert.notEqual(dark, light);
  await reader.page.reload();
  assert.equal(await ground(), dark, "the choice is remembered");
  await reader.waitFor("status", /^Live$/);
  await reader.check();
}

/** What sticks out at the right; what scrolls by itself may. */
function tooWide(page: Page): Promise<string[]> {
  return page.evaluate(`document.documentElement.scrollWidth <= innerWidth ? [] :
    [...document.querySelectorAll("body *")].filter((element) =>
      element.getBoundingClientRect().right > innerWidth + 0.5 && !element.closest(".scroll, .unseen")
    ).map(({ tagName, id, className }) => [tagName, id, className].join(" "))`);
}

async function guarded(tabs: BrowserContext, browser: Browser): Promise<void> {
  await using server = await start(["--password", PASSWORD]);
  await Promise.all([locked(tabs, urlOf(server)), rest(browser, urlOf(server))]);
}

async function locked(tabs: BrowserContext, url: string): Promise<void> {
  await using reader = await Reader.open(await tabs.newPage(), url);
  const { page } = reader;
  await page.locator("#password-dialog").waitFor();
  await reader.waitFor("status", /^Locked$/);
  // Browsers close a dialog at the second one.
  for (let i = 0; i < 4; i++) await page.keyboard.press("Escape");
  await page.locator("#password-dialog").waitFor();
  await page.locator("#password").fill("wrong");
  await page.keyboard.press("Enter");
  await reader.waitFor("password-problem", /not the password/);
  await page.locator("#password").fill(PASSWORD);
  await page.keyboard.press("Enter");
  await reader.waitFor("status", /^Live$/);
  await page.locator("#burst").click();
  await reader.waitFor("burst-reply", /^1,000 sent/);
  const kept = await page.evaluate(
    "JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href])",
  ) as string;
  assert.ok(!kept.includes("word"), kept);
  for (const url of reader.urls) assert.ok(!decodeURIComponent(url).includes("word 7"), url);
  await page.reload();
  await page.locator("#password-dialog").waitFor();
  await reader.waitFor("number-accepted", /^–$/);
  await reader.check(/status of 401/);
}

/** A page that is not looked at lets go of its connection, and one that is does not. */
async function rest(browser: Browser, url: string): Promise<void> {
  const page = await browser.newPage();
  await page.clock.install();
  await using reader = await Reader.open(page, url);
  const look = (state: "hidden" | "visible"): Promise<void> =>
    page.evaluate(`
      Object.defineProperty(document, "visibilityState", { value: "${state}", configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    `);
  await page.locator("#password-dialog").waitFor();
  // The password is fetched from somewhere else.
  await look("hidden");
  await look("visible");
  await page.locator("#password").fill(PASSWORD);
  await page.keyboard.press("Enter");
  await reader.waitFor("status", /^Live$/);
  await page.clock.fastForward(61_000);
  await reader.waitFor("status", /^Live$/);
  await reader.waitFor("number-accepted", /^0\/s$/);
  await look("hidden");
  await page.clock.fastForward(61_000);
  await reader.waitFor("status", /^Resting$/);
  await look("visible");
  await reader.waitFor("status", /^Live$/);
  await reader.check(/status of 401/);
}

async function restart(tabs: BrowserContext): Promise<void> {
  const first = await start(["--drain-delay", "1s"]);
  const port = first.port("http");
  await using reader = await Reader.open(await tabs.newPage(), urlOf(first));
  await reader.waitFor("status", /^Live$/);
  first.signal("SIGTERM");
  await reader.waitFor("status", /^Stopping$/);
  await first.waitForEnd();
  await reader.waitFor("status", /^Stopped$/);
  await reader.waitFor("banner", /Trying again/);
  await using second = await ServerProcess.start(["--http-port", String(port)]);
  await reader.waitFor("status", /^Live$/);
  // A connection that breaks without a word.
  second.signal("SIGKILL");
  await reader.waitFor("status", /^Connection lost$/);
  await reader.check(
    /ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|ERR_CONNECTION_RESET|ERR_EMPTY/,
  );
}

/** What each visit is called, in the order in which the test names them. */
const VISITS: Readonly<
  Record<string, (tabs: BrowserContext, browser: Browser) => Promise<void>>
> = {
  use,
  fit,
  guarded,
  restart,
};

const [browserPath] = Deno.args;
const browser = await chromium.launch({
  executablePath: browserPath!,
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
});
try {
  // Pages with nothing special are tabs of one window: each window takes a process of its own, too.
  const tabs = await browser.newContext({ colorScheme: "light" });
  // One browser, all at once: they mostly wait for their servers.
  await Promise.all(
    Object.entries(VISITS).map(async ([name, visit]) => {
      const problem = await visit(tabs, browser).then(
        () => null,
        (error) => error?.stack ?? String(error),
      );
      say(JSON.stringify({ name, problem }));
    }),
  );
} finally {
  await browser.close();
}
