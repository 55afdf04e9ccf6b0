/** What `COMMAND` and its subcommands say about commands. */

import assert from "node:assert/strict";
import { categories, shownFlags } from "../../../src/command/command_facts.ts";
import { CommandTable } from "../../../src/command/lookup.ts";
import { CommandRow, HandlerStatus } from "../../../src/command/row.ts";
import { parseSyntax, type SyntaxArgument } from "../../../src/command/syntax.ts";
import { makeCommandTable } from "../../../src/command/table.ts";
import { Harness } from "./harness.ts";

/** An argument in few words: `key:key`, `EX seconds:integer`, `oneof(…)?` optional, `…+` several. */
function inShort({ name, type, token, isOptional, isMultiple, parts }: SyntaxArgument): string {
  const marks = `${isOptional ? "?" : ""}${isMultiple ? "+" : ""}`;
  const word = token === undefined ? "" : `${token} `;
  if (parts.length > 0) return `${word}${type}(${parts.map(inShort).join(", ")})${marks}`;
  return (type === "pure-token" ? token : `${word}${name}:${type}`) + marks;
}

const SYNTAXES: readonly (readonly [string, string])[] = [
  ["", ""],
  ["key", "key:key"],
  ["key [key ...]", "key:key+"],
  ["key value [key value ...]", "block(key:key, value:string)+"],
  ["[name ...]", "name:string?+"],
  ["[pattern [pattern ...]]", "pattern:pattern?+"],
  ["key [GET type offset ...]", "key:key, block(GET type:string, offset:integer+)?"],
  [
    "key value [NX | XX] [GET] [EX seconds | PX ms | KEEPTTL]",
    "key:key, value:string, oneof(NX, XX)?, GET?, oneof(EX seconds:integer, PX ms:integer, KEEPTTL)?",
  ],
  [
    "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE SUM | MIN | MAX]",
    "destination:key, numkeys:integer, key:key+, WEIGHTS weight:string?+, AGGREGATE oneof(SUM, MIN, MAX)?",
  ],
  [
    "[FILTERBY MODULE name | ACLCAT category | PATTERN pattern]",
    "FILTERBY oneof(MODULE name:string, ACLCAT category:string, PATTERN pattern:pattern)?",
  ],
  ["ON | OFF", "oneof(ON, OFF)"],
];

for (const [syntax, expected] of SYNTAXES) {
  Deno.test(`parseSyntax: reads '${syntax}'`, () => {
    assert.equal(parseSyntax(syntax).map(inShort).join(", "), expected);
  });
}

Deno.test("parseSyntax: reads the syntax of every command, and no other", () => {
  for (const row of makeCommandTable().rows) {
    for (const { syntax, name } of [row, ...row.subcommands?.rows ?? []]) {
      assert.equal(parseSyntax(syntax).length === 0, syntax === "", name);
    }
  }
  for (const syntax of ["key]", "[key", "[[key]"]) {
    assert.throws(() => parseSyntax(syntax), SyntaxError, syntax);
  }
});

/** As `ZUNIONSTORE` finds its keys, and one with everything that makes flags and categories. */
const odd = new CommandRow({
  name: "odd",
  arity: -3,
  syntax: "destination numkeys key [key ...]",
  summary: "Is odd.",
  group: "sorted-set",
  since: "2.0.0",
  flags: ["write", "denyoom", "blocking"],
  access: "write",
  firstKey: 1,
  findKeys(args, visit) {
    const count = Number(args.text(2));
    if (!(count > 0 && count <= args.count - 3)) return false;
    visit(1);
    for (let i = 0; i < count; i++) visit(3 + i);
    return true;
  },
  reply: "integer",
  handler: () => HandlerStatus.DONE,
});

const harness = new Harness({ table: new CommandTable([...makeCommandTable().rows, odd]) });

/** Lines, and their replies with ¦ for line ends. */
const EXCHANGES: readonly (readonly [string, string])[] = [
  ["COMMAND GETKEYS odd d 2 a b x", "*3¦$1¦d¦$1¦a¦$1¦b¦"],
  ["COMMAND GETKEYS odd d 9 a b x", "-ERR Invalid arguments specified for command¦"],
  [
    "COMMAND GETKEYSANDFLAGS del a b",
    "*2¦*2¦$1¦a¦*2¦+RM¦+delete¦*2¦$1¦b¦*2¦+RM¦+delete¦",
  ],
  ["COMMAND GETKEYSANDFLAGS get a", "*1¦*2¦$1¦a¦*2¦+RO¦+access¦"],
  ["COMMAND GETKEYSANDFLAGS ping a", "-ERR The command has no key arguments¦"],
  ["COMMAND GETKEYS get", "-ERR wrong number of arguments for 'command|getkeys' command¦"],
  [
    "COMMAND INFO odd",
    "*1¦*10¦$3¦odd¦:-3¦*4¦+write¦+denyoom¦+blocking¦+movablekeys¦:1¦:1¦:1¦" +
    "*4¦+@write¦+@sortedset¦+@slow¦+@blocking¦*0¦*1¦*6¦$5¦flags¦*4¦+RW¦+access¦+update¦+incomplete¦" +
    "$12¦begin_search¦*4¦$4¦type¦$7¦unknown¦$4¦spec¦*0¦$9¦find_keys¦*4¦$4¦type¦$7¦unknown¦$4¦spec¦*0¦*0¦",
  ],
  // As Redis 7.0.15, but for `allow_busy`: no script ever keeps this server busy.
  [
    "COMMAND INFO watch",
    "*1¦*10¦$5¦watch¦:-2¦*4¦+noscript¦+loading¦+stale¦+fast¦:1¦:-1¦:1¦*2¦+@fast¦+@transaction¦*0¦*1¦*6¦" +
    "$5¦flags¦*1¦+RO¦$12¦begin_search¦*4¦$4¦type¦$5¦index¦$4¦spec¦*2¦$5¦index¦:1¦" +
    "$9¦find_keys¦*4¦$4¦type¦$5¦range¦$4¦spec¦*6¦$7¦lastkey¦:-1¦$7¦keystep¦:1¦$5¦limit¦:0¦*0¦",
  ],
  [
    "COMMAND INFO exec",
    "*1¦*10¦$4¦exec¦:1¦*4¦+noscript¦+loading¦+stale¦+skip_slowlog¦:0¦:0¦:0¦*2¦+@slow¦+@transaction¦*0¦*0¦*0¦",
  ],
  [
    "COMMAND DOCS select",
    "*2¦$6¦select¦*10¦$7¦summary¦$40¦Chooses the database of this connection.¦$5¦since¦$5¦1.0.0¦" +
    "$5¦group¦$10¦connection¦$10¦complexity¦$4¦O(1)¦$9¦arguments¦*1¦*4¦$4¦name¦$5¦index¦$4¦type¦$7¦integer¦",
  ],
  [
    "COMMAND LIST FILTERBY ACLCAT transaction",
    "*5¦$5¦multi¦$4¦exec¦$7¦discard¦$5¦watch¦$7¦unwatch¦",
  ],
  ["COMMAND LIST FILTERBY PATTERN CONFIG|G*", "*1¦$10¦config|get¦"],
];

for (const [line, expected] of EXCHANGES) {
  Deno.test(`COMMAND: ${line}`, async () => {
    const reply = await harness.ask(`${line}\r\n`);
    assert.equal(reply, expected.replaceAll("¦", "\r\n"));
  });
}

Deno.test("COMMAND: in RESP3 sets are sets and maps are maps", async () => {
  const client = harness.connect();
  await client.send("HELLO 3\r\n");
  const reply = await client.send("COMMAND INFO get\r\n");
  assert.match(reply, /^\*1\r\n\*10\r\n\$3\r\nget\r\n:2\r\n~2\r\n/);
  assert.match(reply, /~0\r\n~1\r\n%3\r\n\$5\r\nflags\r\n~2\r\n\+RO\r\n\+access\r\n/);
  assert.match(reply, /spec\r\n%3\r\n\$7\r\nlastkey\r\n:0\r\n.*~0\r\n$/s);
});

Deno.test("COMMAND: flags and categories follow from the rows", () => {
  assert.deepEqual(shownFlags(odd), ["write", "denyoom", "blocking", "movablekeys"]);
  for (const row of makeCommandTable().rows) {
    const found = categories(row);
    assert.equal(new Set(found).size, found.length, row.name);
    assert.ok(found.includes("@fast") !== found.includes("@slow"), row.name);
  }
});
