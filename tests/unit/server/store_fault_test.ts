import assert from "node:assert/strict";
import { makeCommandTable } from "../../../src/command/table.ts";
import { describeFault } from "../../../src/server/store_fault.ts";

Deno.test("describeFault: every operation that is no command has a name of its own", () => {
  const table = makeCommandTable();
  const texts = Array.from(
    { length: 9 },
    (_, i) => describeFault({ shard: 3, threadId: 2, operation: i + 1 }, table),
  );
  assert.equal(texts[0], "internal fault: shard 3 torn by thread 2 in event settlement");
  assert.equal(new Set(texts).size, 9);
  for (const text of texts) assert.doesNotMatch(text, /operation \d/);
});
