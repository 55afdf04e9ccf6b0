/**
 * Asks a Redis server what it replies to tests/cases/string_lines.ts and writes it down:
 * `deno run -A tests/helpers/record_replies.ts PORT`. Empties the server's database.
 */

import { STRING_LINES } from "../cases/string_lines.ts";
import { latin1, skipValue, toLatin1 } from "../unit/command/harness.ts";

const target = new URL("../cases/string_replies.json", import.meta.url);
const connection = await Deno.connect({ port: Number(Deno.args[0]) });

/** One command, one reply. */
async function ask(line: string): Promise<string> {
  const bytes = latin1(`${line}\r\n`);
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
  let text = "";
  const buffer = new Uint8Array(65536);
  for (;;) {
    const count = await connection.read(buffer);
    if (count === null) throw new Error("Cannot record replies: the server has gone");
    text += toLatin1(buffer.subarray(0, count));
    try {
      if (skipValue(text, 0) <= text.length && text.endsWith("\r\n")) return text;
    } catch {
      // Not all of it yet.
    }
  }
}

const replies: Record<string, [string[], string[]]> = {};
for (const [name, lines] of STRING_LINES) {
  const both: [string[], string[]] = [[], []];
  for (const version of [2, 3] as const) {
    await ask(`HELLO ${version}`);
    await ask("FLUSHALL");
    for (const line of lines) both[version - 2]!.push(await ask(line));
  }
  replies[name] = both;
}
connection.close();
await Deno.writeTextFile(target, `${JSON.stringify(replies, null, 1)}\n`);
