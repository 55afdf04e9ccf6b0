import assert from "node:assert/strict";
import { commandManual } from "../../../src/command/manual.ts";
import { makeCommandTable } from "../../../src/command/table.ts";

/** What the project's formatter makes of Markdown. */
async function formatted(text: string): Promise<string> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--ext", "md", "-"],
    // Where deno.json is.
    cwd: new URL("../../../", import.meta.url),
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  });
  const process = command.spawn();
  const writer = process.stdin.getWriter();
  await writer.write(new TextEncoder().encode(text));
  await writer.close();
  const { success, stdout } = await process.output();
  assert.ok(success);
  return new TextDecoder().decode(stdout);
}

Deno.test("docs/commands.md: is what the command table says (deno task docs:commands)", async () => {
  const page = await Deno.readTextFile(new URL("../../../docs/commands.md", import.meta.url));
  assert.equal(page, await formatted(commandManual(makeCommandTable())));
});

Deno.test("commandManual: has every command and subcommand", () => {
  const page = commandManual(makeCommandTable());
  for (const row of makeCommandTable().rows) {
    assert.match(page, new RegExp(`^### ${row.name.toUpperCase()}$`, "m"));
    for (const { name } of row.subcommands?.rows ?? []) {
      assert.match(page, new RegExp(`^#### ${name.replace("|", " ").toUpperCase()}$`, "m"));
    }
  }
});
