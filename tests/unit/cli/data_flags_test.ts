import assert from "node:assert/strict";
import { parseCommandLine } from "../../../src/cli/command_line.ts";
import type { DataOrder } from "../../../src/cli/data_flags.ts";
import { defaultConfig } from "../../../src/server/config.ts";

function parse(line: string, variables: Record<string, string> = {}) {
  return parseCommandLine(line.split(" "), {
    environment: (name) => variables[name],
    columns: 80,
    defaults: defaultConfig(2),
  });
}

function orderOf(line: string, variables?: Record<string, string>): DataOrder {
  const request = parse(line, variables);
  assert.ok(request.kind === "data", JSON.stringify(request));
  return request.order;
}

function errorOf(line: string): string {
  const request = parse(line);
  assert.ok(request.kind === "usage_error", JSON.stringify(request));
  return request.message;
}

Deno.test("repair: changes something only when told to", () => {
  assert.deepEqual(orderOf("repair data"), {
    kind: "repair",
    path: "data",
    isTruncating: false,
    isJson: false,
    maxMemoryBytes: undefined,
  });
  assert.deepEqual(orderOf("repair --truncate data --json --max-memory 1gb"), {
    kind: "repair",
    path: "data",
    isTruncating: true,
    isJson: true,
    maxMemoryBytes: 2 ** 30,
  });
});

Deno.test("dump: everything to standard output, or a part, or to a file", () => {
  assert.deepEqual(orderOf("dump data"), {
    kind: "dump",
    path: "data",
    output: "-",
    database: undefined,
    pattern: undefined,
    isSalvaging: false,
    maxMemoryBytes: undefined,
  });
  assert.deepEqual(orderOf("dump data --output out --database 15 --match user:* --salvage"), {
    kind: "dump",
    path: "data",
    output: "out",
    database: 15,
    pattern: "user:*",
    isSalvaging: true,
    maxMemoryBytes: undefined,
  });
});

Deno.test("load: any number of files, and the largest value of the server", () => {
  assert.deepEqual(orderOf("load data a - b"), {
    kind: "load",
    path: "data",
    files: ["a", "-", "b"],
    isAdded: false,
    skipsUnsupported: false,
    isJson: false,
    maxMemoryBytes: undefined,
    maxValueBytes: 16 * 2 ** 20,
  });
  const order = orderOf("load data a --add --skip-unsupported --json", {
    SLUICE_MAX_VALUE_BYTES: "1mb",
    SLUICE_MAX_MEMORY: "1mb",
  });
  assert.deepEqual(order, {
    kind: "load",
    path: "data",
    files: ["a"],
    isAdded: true,
    skipsUnsupported: true,
    isJson: true,
    maxMemoryBytes: undefined,
    maxValueBytes: 2 ** 20,
  });
});

Deno.test("data commands: what is wrong with the arguments is said", () => {
  for (const command of ["repair", "dump", "load"]) {
    assert.equal(errorOf(command), "the data directory is missing; name it behind the command");
    assert.match(
      errorOf(`${command} data a --max-memory 5`),
      /--max-memory "5" must be a size|unknown/,
    );
    assert.match(errorOf(`${command} data --bogus`), /unknown option/);
  }
  assert.match(errorOf("repair data other"), /unknown command or argument "other"/);
  assert.match(errorOf("dump data other"), /unknown command or argument "other"/);
  assert.match(errorOf("dump data --database 16"), /--database "16" must be a number from 0 to 15/);
  assert.match(errorOf("dump data --database x"), /--database "x" must be/);
  assert.match(errorOf("load data"), /there is no file to load/);
  assert.match(errorOf("load data - -"), /standard input can be read once only/);
  assert.match(errorOf("load data a --max-value-bytes 1tb"), /--max-value-bytes "1tb" must be/);
});

Deno.test("data commands: their help has their flags and exit codes", () => {
  const flags: Record<string, string[]> = {
    repair: ["--truncate", "--json", "--max-memory"],
    dump: ["--output", "--database", "--match", "--salvage", "--max-memory"],
    load: ["--add", "--skip-unsupported", "--json", "--max-memory", "--max-value-bytes"],
  };
  for (const [command, names] of Object.entries(flags)) {
    const request = parse(`${command} --help`);
    assert.ok(request.kind === "print");
    for (const name of [...names, "Exit codes:"]) assert.ok(request.text.includes(name), name);
    assert.ok(request.text.split("\n").every(({ length }) => length <= 81), request.text);
  }
});
