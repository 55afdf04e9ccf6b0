/** The live page in a real browser. */

import assert from "node:assert/strict";
import { isInstalled } from "../helpers/server_process.ts";

const PROGRAMS = ["chromium", "chromium-browser", "google-chrome"];
const installed = await Promise.all(PROGRAMS.map((program) => isInstalled(program)));
const browserName = PROGRAMS[installed.indexOf(true)];

async function pathOf(program: string): Promise<string> {
  const { stdout } = await new Deno.Command("which", { args: [program] }).output();
  return new TextDecoder().decode(stdout).trim();
}

/** In a process that may do everything: what drives the browser looks at /proc. */
async function visit(what: string): Promise<void> {
  const script = new URL("../helpers/browser_observatory_main.ts", import.meta.url).href;
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", "--no-check", script, await pathOf(browserName!), what],
  });
  const { code, stderr } = await command.output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
}

const VISITS = [
  ["use", "shows load and refusals, finds keys, and takes hostile names for text"],
  ["fit", "fits a phone and a wall, light and dark"],
  ["locked", "asks for the password and keeps it nowhere"],
  ["restart", "says that the server stops, has stopped, and is back"],
] as const;

for (const [what, name] of VISITS) {
  Deno.test(`live page: ${name}${browserName === undefined ? " (no chromium)" : ""}`, {
    ignore: browserName === undefined,
  }, () => visit(what));
}
