/**
 * Writes `docs/commands.md` from the command table: `deno task docs:commands`.
 */

import { commandManual } from "../src/command/manual.ts";
import { makeCommandTable } from "../src/command/table.ts";

const page = new URL("commands.md", import.meta.url);
await Deno.writeTextFile(page, commandManual(makeCommandTable()));
