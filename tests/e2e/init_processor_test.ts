import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { isFull } from "../helpers/effort.ts";
import { PROGRAM } from "../helpers/server_process.ts";

const MAIN = fileURLToPath(new URL(`../../${PROGRAM}`, import.meta.url));

async function run(
  folder: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<{ code: number; text: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: folder,
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const decoder = new TextDecoder();
  return { code, text: decoder.decode(stdout) + decoder.decode(stderr) };
}

for (const file of ["mine.ts", "mine.js"]) {
  Deno.test(`init-processor: ${file} and its test are written, and the test passes`, async () => {
    const folder = await Deno.makeTempDir();
    try {
      const init = await run(folder, ["run", "-A", MAIN, "init-processor", file]);
      assert.equal(init.code, 0, init.text);
      const command = /SLUICE='(.*)' deno test -A (\S+)/.exec(init.text);
      assert.ok(command !== null, `it says how the test is run: ${init.text}`);
      const [, server = "", test = ""] = command;
      const words = [Deno.execPath(), ...server.split(" ").slice(1)];
      // Both ways to say it: as words, and as JSON where they may have spaces.
      const started = file.endsWith(".ts") ? words.join(" ") : JSON.stringify(words);
      // The types of what is written are checked in tests/unit/cli/init_processor_test.ts.
      const check = isFull() ? [] : ["--no-check"];
      const good = await run(folder, ["test", "-A", ...check, test], { SLUICE: started });
      assert.equal(good.code, 0, good.text);
      assert.match(good.text, /3 passed/);

      // A test that could not fail would be no example.
      const path = `${folder}/${file}`;
      const text = await Deno.readTextFile(path);
      await Deno.writeTextFile(path, text.replace("event.amount > points", "event.amount > 1000n"));
      const bad = await run(folder, ["test", "-A", "--no-check", test], { SLUICE: started });
      assert.notEqual(bad.code, 0, "nobody spends what is not there");
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}
