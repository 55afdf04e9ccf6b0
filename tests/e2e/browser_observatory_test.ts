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
async function visit(): Promise<ReadonlyMap<string, string | null>> {
  const script = new URL("../helpers/browser_observatory_main.ts", import.meta.url).href;
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", "--no-check", script, await pathOf(browserName!)],
  });
  const { code, stdout, stderr } = await command.output();
  const lines = new TextDecoder().decode(stdout).trim().split("\n");
  assert.equal(code, 0, [...lines, new TextDecoder().decode(stderr)].join("\n"));
  return new Map(lines.map((line) => JSON.parse(line)).map(({ name, problem }) => [name, problem]));
}

const VISITS = [
  ["use", "shows load and refusals, finds keys, and takes hostile names for text"],
  ["fit", "fits a phone and a wall, light and dark"],
  ["guarded", "asks for the password, keeps it nowhere, and rests only when not looked at"],
  ["restart", "says that the server stops, has stopped, and is back"],
] as const;

Deno.test(`live page: in a browser${browserName === undefined ? " (no chromium)" : ""}`, {
  ignore: browserName === undefined,
}, async (t) => {
  const problems = await visit();
  for (const [what, name] of VISITS) {
    await t.step(name, () => assert.equal(problems.get(what), null));
  }
});
