import assert from "node:assert/strict";
import { say } from "../helpers/say.ts";
import { makeCommandTable } from "../../src/command/table.ts";
import { recordedFacts } from "./command_facts.ts";
import { compatibilityPage } from "./compatibility.ts";
import { allRows, factFault, isNonGoal, missingOfRedis } from "./facts.ts";
import { PENDING_FACTS } from "./pending.ts";

const IS_STRICT = Deno.env.get("SLUICE_VECTORS") === "strict";

const table = makeCommandTable();
const facts = await recordedFacts();
const factOf = new Map(facts.map((fact) => [fact[0], fact]));

Deno.test("facts: arity, flags and keys of every row are those of Redis 7", () => {
  const faults: string[] = [];
  const pendingFaults: string[] = [];
  for (const row of allRows(table)) {
    const fact = factOf.get(row.name);
    // What is always refused is refused whatever its arguments and flags are.
    if (fact === undefined || isNonGoal(row.name)) continue;
    const fault = factFault(row, fact);
    if (fault !== "") (PENDING_FACTS.includes(row.name) ? pendingFaults : faults).push(fault);
  }
  assert.equal(faults.length, 0, faults.join("\n"));
  if (IS_STRICT) assert.deepEqual([pendingFaults, PENDING_FACTS], [[], []]);
});

Deno.test("facts: a row with other facts is noticed", () => {
  const row = table.named("get")!;
  const fact = factOf.get("get")!;
  assert.equal(factFault(row, fact), "");
  assert.match(factFault(row, ["get", -2, fact[2], fact[3]]), /arity 2, Redis has -2/);
  assert.match(factFault(row, ["get", 2, "fast write", fact[3]]), /without write; with readonly/);
  assert.match(factFault(row, ["get", 2, fact[2], [1, -1, 1]]), /keys 1 1 1, Redis has 1 -1 1/);
});

Deno.test("facts: what this server is not meant to have, it refuses, and the rest it has", () => {
  const served = allRows(table).filter((row) =>
    isNonGoal(row.name) && row.replies.length > 0 && !/^acl\|whoami$|\|help$/.test(row.name)
  );
  assert.deepEqual(served.map(({ name }) => name), []);
  const { others } = missingOfRedis(table, facts);
  if (IS_STRICT) assert.deepEqual(others, []);
  if (others.length > 0) say(`Redis has, and this server not yet: ${others.join(", ")}`);
});

Deno.test("docs/compatibility.md is made from the list of differences", async () => {
  const page = await Deno.readTextFile(new URL("../../docs/compatibility.md", import.meta.url));
  // The formatter has the last word on line breaks and widths of columns.
  const plain = (text: string): string => text.replaceAll(/[\s|-]+/g, " ");
  assert.equal(plain(page), plain(compatibilityPage()), "deno task docs:compatibility");
});
