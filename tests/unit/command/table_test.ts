import assert from "node:assert/strict";
import { CommandTable, FIRST_COMMAND_OPERATION } from "../../../src/command/lookup.ts";
import { CommandRow, HandlerStatus } from "../../../src/command/row.ts";
import { makeCommandTable } from "../../../src/command/table.ts";
import { Harness, latin1, request, settled } from "./harness.ts";

const table = makeCommandTable();

/** All rows, each with the words that a client sends for it. */
const rows = table.rows.flatMap((row) => [
  { row, words: [row.name] },
  ...(row.subcommands?.rows ?? []).map((subrow) => ({
    row: subrow,
    words: subrow.name.split("|"),
  })),
]);

/** Upper, lower and mixed case. */
function spellings(words: string[]): string[][] {
  return [
    words.map((word) => word.toUpperCase()),
    words,
    words.map((word) => Array.from(word, (c, i) => i % 2 ? c.toUpperCase() : c).join("")),
  ];
}

for (const { row, words } of rows) {
  Deno.test(`makeCommandTable: ${row.name} is found in any case`, () => {
    for (const [first, second] of spellings(words)) {
      const found = table.find(latin1(first!), 0, first!.length);
      const last = second === undefined
        ? found
        : found?.subcommands?.find(latin1(second), 0, second.length);
      assert.equal(last, row);
      assert.equal(table.named(words.join("|").toUpperCase()), row);
    }
  });

  Deno.test(`makeCommandTable: ${row.name} enforces its number of arguments`, async () => {
    const harness = new Harness();
    const prefix = row.name === "exec" ? "EXECABORT Transaction discarded because of:" : "ERR";
    const refusal = `-${prefix} wrong number of arguments for '${row.name}' command\r\n`;
    const fill = (count: number) =>
      request(...words, ...new Array<string>(Math.max(0, count - words.length)).fill("1"));
    for (const spelled of spellings(words)) {
      const enough = [
        ...spelled,
        ...new Array(Math.max(0, row.minArguments - words.length)).fill("1"),
      ];
      // A timeout, if it waits.
      if (row.flags.includes("blocking")) enough[enough.length - 1] = "0.01";
      const reply = await settled(harness.ask(request(...enough)));
      assert.doesNotMatch(reply, /unknown command|wrong number/, row.name);
    }
    if (row.minArguments > words.length) {
      assert.equal(await harness.ask(fill(row.minArguments - 1)), refusal);
    }
    if (row.maxArguments < 100) {
      assert.equal(await harness.ask(fill(row.maxArguments + 1)), refusal);
    }
  });
}

function hasKeys(row: CommandRow): boolean {
  return row.firstKey > 0 || row.findKeys !== undefined;
}

Deno.test("makeCommandTable: describes every row", () => {
  for (const { row } of rows) {
    assert.match(row.summary, /^[A-Z].*\.$/, row.name);
    assert.match(row.since, /^\d+\.\d+\.\d+$/, row.name);
    // Channels are locked as keys are, but they are none.
    if (row.group !== "pubsub") {
      assert.equal(
        row.flags.includes("write") && hasKeys(row),
        row.access === "write",
        row.name,
      );
    }
    // As in Redis, WATCH reads without saying so: a replica, for one, takes it anyway.
    if (row.access === "read" && row.group !== "pubsub" && row.name !== "watch") {
      assert.ok(row.flags.includes("readonly"), row.name);
    }
    if (row.cost === "constant") assert.equal(row.complexity, "O(1)", row.name);
    else assert.notEqual(row.complexity, "O(1)", row.name);
  }
});

Deno.test("makeCommandTable: a fault's operation number names the command", () => {
  assert.equal(table.operationName(table.named("get")!.operation), "get");
  assert.equal(table.operationName(FIRST_COMMAND_OPERATION - 1), undefined);
  assert.equal(table.operationName(FIRST_COMMAND_OPERATION + table.rows.length), undefined);
});

function makeRow(name: string): CommandRow {
  return new CommandRow({
    name,
    arity: 1,
    summary: "Does nothing.",
    group: "server",
    since: "0.1.0",
    flags: [],
    reply: "ok",
    handler: () => HandlerStatus.DONE,
  });
}

Deno.test("CommandTable: finds exactly the names it was given, collisions included", () => {
  // Same length, same first, middle and last letters: all in one slot.
  const names = Array.from({ length: 26 }, (_, i) => `a${String.fromCharCode(97 + i)}bxc`);
  const collisions = new CommandTable(names.map(makeRow));
  for (const name of names) {
    assert.equal(collisions.find(latin1(name.toUpperCase()), 0, 5)?.name, name);
  }
  for (const absent of ["a1bxc", "aabxd", "aabx", "aabxcc", "A\x00bxc", "aabx\x03"]) {
    const bytes = latin1(absent);
    assert.equal(collisions.find(bytes, 0, bytes.length), undefined, absent);
  }
  assert.equal(collisions.find(latin1(""), 0, 0), undefined);
});

Deno.test("CommandTable: only letters ignore their case bit", () => {
  const dashed = new CommandTable([makeRow("no-op"), makeRow("x1")]);
  assert.equal(dashed.find(latin1("NO-OP"), 0, 5)?.name, "no-op");
  assert.equal(dashed.find(latin1("NO\rOP"), 0, 5), undefined);
  assert.equal(dashed.find(latin1("X\x11"), 0, 2), undefined);
});

Deno.test("CommandTable: refuses a name that occurs twice", () => {
  assert.throws(() => new CommandTable([makeRow("a"), makeRow("a")]), /command a occurs once/);
});

Deno.test("CommandRow: refuses a definition that contradicts itself", () => {
  const base = {
    name: "x",
    arity: 2,
    summary: "",
    group: "server",
    since: "0.1.0",
    flags: [],
    reply: "ok",
    handler: () => HandlerStatus.DONE,
  } as const;
  assert.throws(() => new CommandRow({ ...base, name: "X" }), /lower case/);
  assert.throws(() => new CommandRow({ ...base, arity: 0 }), /arity/);
  assert.throws(() => new CommandRow({ ...base, firstKey: 1 }), /locks exactly if it has keys/);
  assert.throws(() => new CommandRow({ ...base, access: "read" }), /locks exactly if it has keys/);
  assert.throws(() => new CommandRow({ ...base, firstKey: 2, access: "read" }), /first key/);
  assert.throws(
    () =>
      new CommandRow({
        ...base,
        arity: -2,
        firstKey: 1,
        lastKey: -1,
        access: "read",
        keyPrefix: "p",
      }),
    /one key/,
  );
});
