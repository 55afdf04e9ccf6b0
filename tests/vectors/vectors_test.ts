import assert from "node:assert/strict";
import { makeCommandTable } from "../../src/command/table.ts";
import { say } from "../helpers/say.ts";
import { ServerProcess } from "../helpers/server_process.ts";
import { FAMILIES } from "./cases/all.ts";
import { isSameReply, parseStep, readRecorded, type RecordedCase } from "./format.ts";
import { PENDING } from "./pending.ts";
import { missingCommands, Replay } from "./replay.ts";

/** With SLUICE_VECTORS=strict nothing may be left out. */
const IS_STRICT = Deno.env.get("SLUICE_VECTORS") === "strict";

/** With SLUICE_VECTORS_ONLY only the families of that name. */
const ONLY = Deno.env.get("SLUICE_VECTORS_ONLY");

const table = makeCommandTable();
const leftOut = new Map<string, number>();
const soon: string[] = [];
let playedCount = 0;

/** Plays the cases of a family; returns what failed. */
async function playFamily(family: string, port: number): Promise<string[]> {
  const failures: string[] = [];
  const replay = await Replay.open(port, table);
  for (const recorded of await readRecorded(family)) {
    const missing = missingCommands(table, recorded);
    for (const name of missing) leftOut.set(name, (leftOut.get(name) ?? 0) + 1);
    if (missing.length > 0) continue;
    const fault = await replay.run(recorded, 2) || await replay.run(recorded, 3);
    playedCount++;
    if (recorded.name in PENDING) {
      if (fault === "") soon.push(recorded.name);
      continue;
    }
    if (fault !== "") failures.push(`${recorded.name}\n  ${fault}`);
  }
  await replay.end();
  return failures;
}

Deno.test("vectors: every recorded reply of Redis 7 is ours, or is a difference with a reason", async (t) => {
  await using server = await ServerProcess.start();
  for (const family of Object.keys(FAMILIES)) {
    if (ONLY !== undefined && ONLY !== family) continue;
    await t.step(family, async () => {
      const failures = await playFamily(family, server.port("resp"));
      assert.equal(failures.length, 0, `${failures.length} cases:\n${failures.join("\n")}`);
    });
  }
  const missing = [...leftOut].toSorted().map(([name, count]) => `${name} (${count})`);
  say(`${playedCount} cases played, twice each`);
  if (missing.length > 0) say(`not yet: ${missing.join(", ")}`);
  if (soon.length > 0) say(`pass although they are pending: ${soon.join("; ")}`);
  if (IS_STRICT) assert.deepEqual([missing, soon, Object.keys(PENDING)], [[], [], []]);
});

Deno.test("vectors: what is recorded is what the cases say", async () => {
  let commandCount = 0;
  for (const [family, cases] of Object.entries(FAMILIES)) {
    const recorded = await readRecorded(family);
    const plain = (each: RecordedCase) => [each.name, ...each.steps.map(([line]) => line)];
    assert.deepEqual(
      recorded.map(plain),
      cases.map(({ name, steps }) => [name, ...steps]),
      `${family}: deno task vectors:record`,
    );
    for (const { steps } of recorded) commandCount += steps.length;
  }
  assert.ok(commandCount >= 1500, `${commandCount} commands`);
});

Deno.test("vectors: a reply that is another is noticed", () => {
  const reply = "*2\r\n$1\r\na\r\n$1\r\nb\r\n";
  const turned = "*2\r\n$1\r\nb\r\n$1\r\na\r\n";
  assert.ok(isSameReply(turned, reply, "unordered"));
  assert.ok(!isSameReply(turned, reply, "exact"));
  assert.ok(!isSameReply(turned, reply, "pairs"));
  assert.ok(!isSameReply("*2\r\n$1\r\na\r\n$1\r\na\r\n", reply, "unordered"));
  assert.ok(!isSameReply("~2\r\n$1\r\na\r\n$1\r\nb\r\n", reply, "unordered"));
  assert.ok(isSameReply("*2\r\n$1\r\nx\r\n$2\r\nyy\r\n", reply, "shape"));
  assert.ok(!isSameReply("*1\r\n$1\r\nx\r\n", reply, "shape"));
  assert.ok(isSameReply(":99999\r\n", ":100000\r\n", "near"));
  assert.ok(!isSameReply(":90000\r\n", ":100000\r\n", "near"));
  assert.ok(!isSameReply("$5\r\n99999\r\n", ":100000\r\n", "near"));
});

Deno.test("vectors: steps are taken apart as redis-cli does", () => {
  assert.deepEqual(parseStep(`% B| SET "a\\x00\\"b" '' c`), {
    connection: "B",
    comparison: "pairs",
    words: ["SET", `a\0"b`, "", "c"],
    reads: true,
  });
  assert.deepEqual(parseStep("C<").words, []);
  assert.equal(parseStep("C> BLPOP k 0").reads, false);
});
