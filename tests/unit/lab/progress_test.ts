import assert from "node:assert/strict";
import { Progress } from "../../../src/lab/terminal/progress.ts";

Deno.test("Progress: a narrow terminal has a shorter bar, and the whole percentage", () => {
  for (const [columns, cells] of [[80, 24], [34, 21], [20, 7], [14, 1]] as const) {
    let shown = "";
    const output = { columns, write: (text: string) => void (shown += text), nowMs: () => 0 };
    new Progress("stage 5", output).show(0.97, "97 of 100 jobs done");
    const line = shown.replace("\r\x1b[2K", "");
    assert.match(line, /^stage 5 [█░]+ 97%/);
    assert.equal(line.match(/[█░]/g)!.length, cells, `${columns} columns`);
    assert.ok([...line].length < columns);
  }
});
