/** A real browser, over HTTP and HTTPS: a page from `/static/`, and what its script may do. */

import assert from "node:assert/strict";
import { isInstalled, PROGRAM, ServerProcess } from "../helpers/server_process.ts";
import { testCertificate, tlsFlags } from "../helpers/tls.ts";

const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Sluice in a browser</title>
<link rel="stylesheet" href="style.css">
<h1>é€😀</h1>
<output id="reply"></output>
<output id="balance"></output>
<script type="module" src="app.js"></script>
</html>
`;

const STYLE = `h1 { color: rgb(1, 2, 3); }\n/* ${"filling ".repeat(500)} */\n`;

const SCRIPT = `
const show = (id, text) => document.getElementById(id).textContent = text;
const socket = new WebSocket(new URL("/ws", location.href.replace(/^http/, "ws")));
socket.onopen = () => socket.send(JSON.stringify(
  { type: "event", user: "browser", action: "visit", amount: 7, wait_ms: 10000 },
));
socket.onmessage = async ({ data }) => {
  show("reply", data);
  show("balance", await (await fetch("/users/browser")).text());
};
socket.onerror = () => show("reply", "no WebSocket");
`;

const PROGRAMS = ["chromium", "chromium-browser", "google-chrome"];
const installed = await Promise.all(PROGRAMS.map((program) => isInstalled(program)));
const browserName = PROGRAMS[installed.indexOf(true)];

async function pathOf(program: string): Promise<string> {
  const { stdout } = await new Deno.Command("which", { args: [program] }).output();
  return new TextDecoder().decode(stdout).trim();
}

const suffix = browserName === undefined ? " (no chromium)" : "";

Deno.test(`browser: loads a page over HTTP and HTTPS and talks over its WebSocket${suffix}`, {
  ignore: browserName === undefined,
}, async (t) => {
  const site = await Deno.makeTempDir({ prefix: "sluice-page-" });
  try {
    await Deno.writeTextFile(`${site}/index.html`, PAGE);
    await Deno.writeTextFile(`${site}/style.css`, STYLE);
    await Deno.writeTextFile(`${site}/app.js`, SCRIPT);
    await using plain = await start(site);
    await using secured = await start(site, tlsFlags(testCertificate("one")));
    const problems = await visit([
      `http://localhost:${plain.port("http")}/static/`,
      `https://localhost:${secured.port("http")}/static/`,
    ]);
    for (const scheme of ["http:", "https:"]) {
      await t.step(scheme, () => assert.equal(problems.get(scheme), null));
    }
  } finally {
    await Deno.remove(site, { recursive: true });
  }
});

function start(site: string, flags: readonly string[] = []): Promise<ServerProcess> {
  const permissions = ["--allow-net", "--allow-read", "--allow-env=SLUICE_*,NO_COLOR"];
  return ServerProcess.start(["--static-dir", site, ...flags], {
    denoArgs: ["run", "--no-prompt", ...permissions, PROGRAM],
  });
}

/** Opens the pages, in a process that may do everything: what drives the browser looks at /proc. */
async function visit(urls: readonly string[]): Promise<ReadonlyMap<string, string | null>> {
  const script = new URL("../helpers/browser_visit_main.ts", import.meta.url).href;
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", "--no-check", script, await pathOf(browserName!), ...urls],
  });
  const { code, stdout, stderr } = await command.output();
  const lines = new TextDecoder().decode(stdout).trim().split("\n");
  assert.equal(code, 0, [...lines, new TextDecoder().decode(stderr)].join("\n"));
  return new Map(lines.map((line) => JSON.parse(line)).map(({ name, problem }) => [name, problem]));
}
