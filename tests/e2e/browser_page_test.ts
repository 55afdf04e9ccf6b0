/** A real browser, over HTTP and HTTPS: a page from `/static/`, and what its script may do. */

import assert from "node:assert/strict";
import { isInstalled, ServerProcess } from "../helpers/server_process.ts";
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

for (const scheme of ["http", "https"]) {
  const suffix = browserName === undefined ? " (no chromium)" : "";
  Deno.test(`browser: loads a page over ${scheme} and talks over its WebSocket${suffix}`, {
    ignore: browserName === undefined,
  }, async () => {
    const site = await Deno.makeTempDir({ prefix: "sluice-page-" });
    try {
      await Deno.writeTextFile(`${site}/index.html`, PAGE);
      await Deno.writeTextFile(`${site}/style.css`, STYLE);
      await Deno.writeTextFile(`${site}/app.js`, SCRIPT);
      await using server = await ServerProcess.start(
        ["--static-dir", site, ...(scheme === "https" ? tlsFlags(testCertificate("one")) : [])],
        {
          denoArgs: [
            "run",
            "--no-prompt",
            "--allow-net",
            "--allow-read",
            "--allow-env=SLUICE_*,NO_COLOR",
            "main.ts",
          ],
        },
      );
      await visit(`${scheme}://localhost:${server.port("http")}/static/`);
    } finally {
      await Deno.remove(site, { recursive: true });
    }
  });
}

/** Opens the page, in a process that may do everything: what drives the browser looks at /proc. */
async function visit(url: string): Promise<void> {
  const script = new URL("../helpers/browser_visit_main.ts", import.meta.url).href;
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", "--no-check", script, await pathOf(browserName!), url],
  });
  const { code, stderr } = await command.output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
}
