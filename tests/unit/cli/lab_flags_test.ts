import assert from "node:assert/strict";
import { parseCommandLine } from "../../../src/cli/command_line.ts";
import type { LabOrder } from "../../../src/cli/lab_flags.ts";
import { STAGES } from "../../../src/lab/stages/all.ts";
import { defaultConfig } from "../../../src/server/config.ts";

function parse(line: string): ReturnType<typeof parseCommandLine> {
  const words = line === "" ? [] : line.split(" ");
  return parseCommandLine(["lab", ...words], {
    environment: () => undefined,
    columns: 80,
    defaults: defaultConfig(2),
  });
}

function orderOf(line: string): LabOrder {
  const request = parse(line);
  assert.ok(request.kind === "lab", JSON.stringify(request));
  return request.order;
}

Deno.test("lab: without stages everything is run, and there is everything", () => {
  assert.deepEqual(STAGES.map(({ number }) => number), orderOf("").stages);
  assert.deepEqual(orderOf(""), {
    stages: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    hasSweep: true,
    jsonPath: null,
    reportDirectory: null,
  });
});

Deno.test("lab: runs the stages that are named, each once and in their order", () => {
  assert.deepEqual(orderOf("8 7 8").stages, [7, 8]);
  assert.equal(orderOf("8 7 8").hasSweep, false);
  assert.deepEqual(orderOf("10").stages, [10]);
  const { stages, hasSweep } = orderOf("sweep 9");
  assert.deepEqual([stages, hasSweep], [[9], true]);
  assert.deepEqual(orderOf("sweep").stages, []);
});

Deno.test("lab: knows where to write, whichever side of the stages that stands", () => {
  const { jsonPath, reportDirectory, stages } = orderOf("--json a.json 7 --report out 8");
  assert.deepEqual([jsonPath, reportDirectory, stages], ["a.json", "out", [7, 8]]);
  assert.equal(orderOf("1 --json -").jsonPath, "-");
});

Deno.test("lab: what is no stage is wrong usage", () => {
  for (const word of ["0", "11", "foo", "1.5", "1e1", "07x", "7,8", "1-3", "9999", "-1"]) {
    assert.deepEqual(parse(word), {
      kind: "usage_error",
      message: `${JSON.stringify(word)} must be a stage from 1 to 10, or sweep`,
    });
  }
  const cases: [line: string, message: RegExp][] = [
    ["--stages 7", /^unknown option '--stages'/],
    ["--json", /argument missing/],
    ["7 --report=", /^--report must name a directory$/],
    ["7 --json=", /^--json must name a file, or be -$/],
  ];
  for (const [line, message] of cases) {
    const request = parse(line);
    assert.ok(request.kind === "usage_error", line);
    assert.match(request.message, message);
  }
});

Deno.test("lab: its help names the stages, the flags and the exit codes", () => {
  const request = parse("--help");
  assert.ok(request.kind === "print");
  assert.match(request.text, /--json <file>[\s\S]+--report <dir>/);
  for (const { number, title } of STAGES) {
    assert.match(
      request.text,
      new RegExp(`\n +${number} {2}${title}\n`),
      "as the stage calls itself",
    );
  }
  assert.match(request.text, /Exit codes: 0 /);
  for (const line of request.text.split("\n")) assert.ok(line.length <= 90, line);
});
