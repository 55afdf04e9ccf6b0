/**
 * Makes the pictures of the live page in `docs/page/`: `deno task docs:screenshots`.
 *
 * A server of its own gets two minutes of uneven load, and a browser (Chromium, Debian's or another)
 * looks at it: wide in light and in dark, and as narrow as a phone. `--seconds 30` is quicker and
 * shows less of a history.
 *
 * @module
 */

import { type Browser, chromium, type Page } from "playwright-core";
import { V8_FLAGS } from "../src/base/v8_flags.ts";

const ROOT = new URL("../", import.meta.url);
const TARGET = new URL("docs/page/", ROOT);
const BROWSERS = ["chromium", "chromium-browser", "google-chrome"];

/** Work that makes workers wait for each other, and a queue that is soon full. */
const FLAGS = [
  ...["--http-port", "0", "--resp-port", "0", "--proto-port", "off", "--log-format", "json"],
  ...["--workers", "4", "--work-ms", "2", "--hold-ms", "2", "--channel-capacity", "400"],
];

/** A picture. */
interface Shot {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly colorScheme: "light" | "dark";
  /** Where to look; the top when left out. */
  readonly at?: string;
}

const SHOTS: readonly Shot[] = [
  { name: "light", width: 1440, height: 1180, colorScheme: "light" },
  { name: "dark", width: 1440, height: 1180, colorScheme: "dark" },
  { name: "locks", width: 1440, height: 780, colorScheme: "light", at: "#locks" },
  { name: "keys", width: 1440, height: 700, colorScheme: "dark", at: "#keys" },
  { name: "narrow", width: 400, height: 1600, colorScheme: "light" },
];

/** A server that runs. */
interface Server extends AsyncDisposable {
  readonly http: number;
  readonly resp: number;
}

async function startServer(folder: string): Promise<Server> {
  const process = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--no-prompt", `--v8-flags=${V8_FLAGS}`, "--allow-net", "--allow-read"],
      ...["--allow-write", "--allow-env=SLUICE_*", "main.ts", ...FLAGS, "--data-dir", folder],
    ],
    cwd: ROOT,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const ports = new Map<string, number>();
  const ready = Promise.withResolvers<void>();
  const reading = (async () => {
    let rest = "";
    for await (const text of process.stderr.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) {
        const { event, protocol, port } = JSON.parse(line);
        if (event === "listening") ports.set(protocol, port);
        if (event === "ready") ready.resolve();
      }
    }
    ready.reject(new Error("Cannot take pictures: the server did not start"));
  })();
  reading.catch(() => {});
  await ready.promise;
  return {
    http: ports.get("http")!,
    resp: ports.get("resp")!,
    [Symbol.asyncDispose]: async () => {
      process.kill("SIGTERM");
      await process.status;
    },
  };
}

/** Some users are busier than others. */
function anyUser(): string {
  return `user-${Math.floor(40 * Math.random() ** 3)}`;
}

/** Events by HTTP: a wave of ten seconds, at whose top the queue fills. */
async function sendEvents(port: number, signal: AbortSignal): Promise<void> {
  for (let tick = 0; !signal.aborted; tick++) {
    const count = Math.round(40 + 45 * Math.sin(tick / 16) + 25 * Math.random());
    const body = Array.from(
      { length: Math.max(1, count) },
      () => JSON.stringify({ user: anyUser(), action: "buy", amount: 5 }),
    ).join("\n");
    const headers = { "Content-Type": "application/x-ndjson" };
    const response = await fetch(`http://localhost:${port}/events`, {
      ...{ method: "POST", headers, body },
    });
    await response.body?.cancel();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Commands by RESP, pipelined. */
async function sendCommands(port: number, signal: AbortSignal): Promise<void> {
  using connection = await Deno.connect({ hostname: "localhost", port });
  const encoder = new TextEncoder();
  const replies = new Uint8Array(65536);
  await connection.write(encoder.encode(
    "HSET profile:alice name Alice city Lisbon plan gold\r\nRPUSH jobs a b c d\r\n" +
      "ZADD scores 12.5 alice 9 bob 30 carol\r\nSET greeting hello EX 86400\r\nSADD tags red green\r\n",
  ));
  for (let tick = 0; !signal.aborted; tick++) {
    const count = Math.round(60 + 40 * Math.sin(tick / 45));
    const lines = Array.from({ length: count }, (_, i) => {
      const key = `session:${Math.floor(3000 * Math.random() ** 2)}`;
      return i % 3 === 0 ? `SET ${key} ${"x".repeat(300)} EX 600` : `GET ${key}`;
    });
    await connection.write(encoder.encode(`${lines.join("\r\n")}\r\n`));
    await connection.read(replies);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

async function take(browser: Browser, url: string, shot: Shot): Promise<Page> {
  const { width, height, colorScheme } = shot;
  const page = await browser.newPage({ viewport: { width, height }, colorScheme });
  await page.goto(url);
  return page;
}

async function save(page: Page, { name, at }: Shot): Promise<void> {
  if (at === "#keys") {
    await page.fill("#pattern", "*[esg]");
    await page.click("#key-form button");
    await page.locator("#key-rows button", { hasText: "profile:alice" }).click();
    await page.locator("#key-detail table").waitFor();
  }
  if (at !== undefined) {
    await page.evaluate(
      `document.querySelector(${JSON.stringify(at)}).scrollIntoView({ behavior: "instant" })`,
    );
  }
  await page.screenshot({ path: decodeURIComponent(new URL(`${name}.png`, TARGET).pathname) });
}

async function browserPath(): Promise<string> {
  for (const name of BROWSERS) {
    const { success, stdout } = await new Deno.Command("which", { args: [name] }).output();
    if (success) return new TextDecoder().decode(stdout).trim();
  }
  throw new Error(`Cannot take pictures: none of ${BROWSERS.join(", ")} is installed`);
}

const at = Deno.args.indexOf("--seconds");
const seconds = at < 0 ? 125 : Number(Deno.args[at + 1]);
await Deno.mkdir(TARGET, { recursive: true });
const folder = await Deno.makeTempDir({ prefix: "sluice-pictures-" });
const browser = await chromium.launch({
  executablePath: await browserPath(),
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
});
try {
  await using server = await startServer(folder);
  const url = `http://localhost:${server.http}/`;
  const load = new AbortController();
  const loads = [sendEvents(server.http, load.signal), sendCommands(server.resp, load.signal)];
  const pages = await Promise.all(SHOTS.map((shot) => take(browser, url, shot)));
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  for (const [index, page] of pages.entries()) {
    await page.bringToFront();
    await page.waitForTimeout(500);
    await save(page, SHOTS[index]!);
  }
  load.abort();
  await Promise.all(loads);
} finally {
  await browser.close();
  await Deno.remove(folder, { recursive: true });
}
