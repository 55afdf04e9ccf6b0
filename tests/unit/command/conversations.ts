/**
 * Conversations with a server in both protocol versions, said in a table.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Harness, request, settled } from "./harness.ts";

/** A command, its reply in version 2, and that in version 3 where it differs. */
export type Line = readonly [command: string, reply2: string, reply3?: string];

/** Words of a line; a word in quotes may have spaces or be empty. */
export function wordsOf(line: string): string[] {
  return (line.match(/"[^"]*"|\S+/g) ?? []).map((word) => word.replaceAll('"', ""));
}

/** Has the same conversation in both versions, each with a store of its own. */
export async function converse(lines: readonly Line[]): Promise<void> {
  for (const version of [2, 3]) {
    const harness = new Harness();
    const client = harness.connect();
    await client.send(`HELLO ${version}\r\n`);
    for (const [line, reply2, reply3] of lines) {
      const reply = await settled(client.send(request(...wordsOf(line))));
      assert.equal(reply, version === 3 ? reply3 ?? reply2 : reply2, `${line} in RESP${version}`);
    }
    harness.store.assertInvariants();
  }
}
