/** Transactions: MULTI EXEC DISCARD WATCH UNWATCH. */

import assert from "node:assert/strict";
import { hookWith } from "../store/helpers.ts";
import {
  TRANSACTION_ARGUMENTS_MAX,
  TRANSACTION_COMMANDS_MAX,
  WATCHED_KEYS_MAX,
} from "../../../src/base/limits.ts";
import { CommandTable } from "../../../src/command/lookup.ts";
import { CommandRow, type Handler, HandlerStatus } from "../../../src/command/row.ts";
import { makeCommandTable } from "../../../src/command/table.ts";
import { Store } from "../../../src/store/store.ts";
import { Harness, pause, request, settled } from "./harness.ts";

const ABORTED = "-EXECABORT Transaction discarded because of previous errors.\r\n";

/** Lines that a client sends, and what it is answered, line by line; as Redis 7.0.15 does it. */
const CASES: readonly { name: string; lines: string[]; replies: string[] }[] = [
  { name: "EXEC needs MULTI", lines: ["EXEC"], replies: ["-ERR EXEC without MULTI"] },
  { name: "DISCARD needs MULTI", lines: ["DISCARD"], replies: ["-ERR DISCARD without MULTI"] },
  {
    name: "an empty transaction is an empty array",
    lines: ["MULTI", "EXEC"],
    replies: ["+OK", "*0"],
  },
  {
    name: "a nested MULTI is refused and does no harm",
    lines: ["MULTI", "MULTI", "SET a 1", "EXEC"],
    replies: ["+OK", "-ERR MULTI calls can not be nested", "+QUEUED", "*1", "+OK"],
  },
  {
    name: "WATCH inside is refused and does no harm",
    lines: ["MULTI", "WATCH a", "PING", "EXEC"],
    replies: ["+OK", "-ERR WATCH inside MULTI is not allowed", "+QUEUED", "*1", "+PONG"],
  },
  {
    name: "an unknown command spoils it",
    lines: ["MULTI", "SET a 1", "FOO x", "SET b 1", "EXEC", "EXEC", "EXISTS a b"],
    replies: [
      "+OK",
      "+QUEUED",
      "-ERR unknown command 'FOO', with args beginning with: 'x' ",
      "+QUEUED",
      ABORTED.trim(),
      "-ERR EXEC without MULTI",
      ":0",
    ],
  },
  {
    name: "a wrong number of arguments spoils it",
    lines: ["MULTI", "GET", "EXEC"],
    replies: ["+OK", "-ERR wrong number of arguments for 'get' command", ABORTED.trim()],
  },
  {
    name: "so does that of MULTI and DISCARD",
    lines: ["MULTI", "MULTI x", "PING", "EXEC", "MULTI", "DISCARD x", "EXEC"],
    replies: [
      "+OK",
      "-ERR wrong number of arguments for 'multi' command",
      "+QUEUED",
      ABORTED.trim(),
      "+OK",
      "-ERR wrong number of arguments for 'discard' command",
      ABORTED.trim(),
    ],
  },
  {
    name: "an unknown subcommand spoils it",
    lines: ["MULTI", "CLIENT FOO", "EXEC"],
    replies: ["+OK", "-ERR unknown subcommand 'FOO'. Try CLIENT HELP.", ABORTED.trim()],
  },
  {
    name: "an event cannot be part of it",
    lines: ["MULTI", "EVENT u a 1", "EXEC"],
    replies: ["+OK", "-ERR Command not allowed inside a transaction", ABORTED.trim()],
  },
  {
    name: "a balance can be read",
    lines: ["SET balance:u 7", "MULTI", "BALANCE u", "EXEC"],
    replies: ["+OK", "+OK", "+QUEUED", "*1", ":7"],
  },
  {
    name: "a command that fails is its own reply, the others run",
    lines: ["MULTI", "SET a x", "INCR a", "SET b 2", "EXEC", "GET b"],
    replies: [
      "+OK",
      "+QUEUED",
      "+QUEUED",
      "+QUEUED",
      "*3",
      "+OK",
      "-ERR value is not an integer or out of range",
      "+OK",
      "$1",
      "2",
    ],
  },
  {
    name: "SELECT holds for what is queued behind it, and afterwards",
    lines: ["MULTI", "SELECT 3", "SET a 1", "SELECT 99", "EXEC", "GET a", "SELECT 0", "GET a"],
    replies: [
      "+OK",
      "+QUEUED",
      "+QUEUED",
      "+QUEUED",
      "*3",
      "+OK",
      "+OK",
      "-ERR DB index is out of range",
      "$1",
      "1",
      "+OK",
      "$-1",
    ],
  },
  {
    name: "RESET discards it",
    lines: ["MULTI", "SET a 1", "RESET", "EXEC", "EXISTS a"],
    replies: ["+OK", "+QUEUED", "+RESET", "-ERR EXEC without MULTI", ":0"],
  },
  {
    name: "DISCARD discards it",
    lines: ["MULTI", "SET a 1", "DISCARD", "EXEC", "EXISTS a"],
    replies: ["+OK", "+QUEUED", "+OK", "-ERR EXEC without MULTI", ":0"],
  },
  {
    name: "UNWATCH inside is too late to change anything",
    lines: [
      "UNWATCH",
      "WATCH a",
      "SET a 1",
      "MULTI",
      "UNWATCH",
      "EXEC",
      "MULTI",
      "UNWATCH",
      "EXEC",
    ],
    replies: ["+OK", "+OK", "+OK", "+OK", "+QUEUED", "*-1", "+OK", "+QUEUED", "*1", "+OK"],
  },
  {
    name: "replies of a subcommand and of several keys",
    lines: ["MULTI", "SET a 1", "CLIENT GETNAME", "DEL a b", "DBSIZE", "EXEC"],
    replies: ["+OK", "+QUEUED", "+QUEUED", "+QUEUED", "+QUEUED", "*4", "+OK", "$-1", ":1", ":0"],
  },
];

for (const { name, lines, replies } of CASES) {
  Deno.test(`Transaction: ${name}`, async () => {
    const harness = new Harness();
    const client = harness.connect();
    // Each in a read of its own, so that nothing is left in the buffer of what is queued.
    let text = "";
    for (const line of lines) text += await settled(client.send(`${line}\r\n`));
    assert.deepEqual(text.split("\r\n").slice(0, -1), replies);
    assert.equal(client.session.client.heldBytes, 0);
    assert.equal(harness.store.locks.heldBy(0), -1);
  });
}

Deno.test("Transaction: QUIT ends the conversation at once", async () => {
  const client = new Harness().connect();
  assert.equal(await client.send("MULTI\r\nSET a 1\r\nQUIT\r\n"), "+OK\r\n+QUEUED\r\n+OK\r\n");
  assert.equal(client.closed, true);
});

Deno.test("Transaction: an aborted one is nil in both versions of the protocol", async () => {
  const harness = new Harness();
  const client = harness.connect();
  await client.send("HELLO 3\r\n");
  const replies = await client.send("WATCH a\r\nSET a 1\r\nMULTI\r\nPING\r\nEXEC\r\n");
  assert.equal(replies, "+OK\r\n+OK\r\n+OK\r\n+QUEUED\r\n_\r\n");
});

Deno.test("Transaction: what is queued outlives the read buffer, and counts as client memory", async () => {
  const harness = new Harness({ maxMemoryBytes: 32 * 2 ** 20 });
  const client = harness.connect();
  const values = ["x".repeat(10_000), "", "y".repeat(300_000), "\r\n\0", "z".repeat(65_536)];
  await client.send("MULTI\r\n");
  for (const [i, value] of values.entries()) {
    assert.equal(await client.send(request("SET", `k${i}`, value)), "+QUEUED\r\n");
  }
  const held = client.session.client.heldBytes;
  assert.ok(held >= 375_536 && held < 2 * 375_536, `${held} bytes`);
  assert.equal(await client.send("EXEC\r\n"), "*5\r\n" + "+OK\r\n".repeat(5));
  assert.equal(client.session.client.heldBytes, 0);
  for (const [i, value] of values.entries()) {
    assert.equal(await client.send(`GET k${i}\r\n`), `$${value.length}\r\n${value}\r\n`);
  }
});

Deno.test("Transaction: a client that leaves drops its queue and what it watches", async () => {
  const harness = new Harness();
  const client = harness.connect();
  await client.send("WATCH a\r\nMULTI\r\nSET a 1\r\n");
  assert.ok(client.session.client.heldBytes > 0);
  client.session.close();
  assert.equal(client.session.client.heldBytes, 0);
  assert.equal(await harness.ask("EXISTS a\r\n"), ":0\r\n");
});

Deno.test("Transaction: too many commands or arguments are refused, and then all", async () => {
  for (
    const [line, count] of [
      ["PING\r\n", TRANSACTION_COMMANDS_MAX],
      ["EXISTS" + " a".repeat(499) + "\r\n", TRANSACTION_ARGUMENTS_MAX / 500],
      ["CLIENT LIST\r\n", Math.floor(TRANSACTION_COMMANDS_MAX / 64)],
    ] as const
  ) {
    const client = new Harness().connect(65_536);
    const fits = await client.send("MULTI\r\n" + line.repeat(count));
    assert.equal(fits, "+OK\r\n" + "+QUEUED\r\n".repeat(count), line);
    assert.match(await client.send(line), /^-ERR transaction is too long, at most /);
    assert.equal(client.session.client.heldBytes, 0, "what cannot run is not kept");
    assert.equal(await client.send("PING\r\nEXEC\r\n"), "+QUEUED\r\n" + ABORTED);
  }
});

Deno.test("Transaction: too many watched keys are refused", async () => {
  const client = new Harness().connect(65_536);
  const keys = Array.from({ length: WATCHED_KEYS_MAX }, (_, i) => `k${i}`);
  assert.equal(await client.send(request("WATCH", ...keys)), "+OK\r\n");
  assert.match(await client.send("WATCH more\r\n"), /^-ERR too many watched keys, at most 4096/);
  assert.equal(await client.send("MULTI\r\nPING\r\nEXEC\r\n"), "+OK\r\n+QUEUED\r\n*1\r\n+PONG\r\n");
  assert.equal(await client.send("WATCH more\r\n"), "+OK\r\n");
});

/** What somebody else does between WATCH and EXEC, and whether that aborts the transaction. */
const CHANGES: readonly { name: string; before: string; change: string; aborts: boolean }[] = [
  { name: "nothing", before: "SET k 1\r\n", change: "GET k\r\n", aborts: false },
  { name: "nothing, and there is no key", before: "", change: "GET k\r\n", aborts: false },
  { name: "another key", before: "SET k 1\r\n", change: "SET l 1\r\n", aborts: false },
  { name: "the same value again", before: "SET k 1\r\n", change: "SET k 1\r\n", aborts: true },
  { name: "another value in place", before: "SET k 1\r\n", change: "INCR k\r\n", aborts: true },
  { name: "removal", before: "SET k 1\r\n", change: "DEL k\r\n", aborts: true },
  {
    name: "removal and the same value again",
    before: "SET k 1\r\n",
    change: "DEL k\r\nSET k 1\r\n",
    aborts: true,
  },
  { name: "creation", before: "", change: "SET k 1\r\n", aborts: true },
  { name: "creation and removal", before: "", change: "SET k 1\r\nDEL k\r\n", aborts: true },
  { name: "removal of nothing", before: "", change: "DEL k\r\n", aborts: false },
  {
    name: "creation in another database",
    before: "SET k 1\r\n",
    change: "SELECT 1\r\nSET k 1\r\n",
    aborts: false,
  },
  { name: "a write that failed", before: "SET k x\r\n", change: "INCR k\r\n", aborts: false },
  {
    name: "another transaction",
    before: "SET k 1\r\n",
    change: "MULTI\r\nSET k 2\r\nEXEC\r\n",
    aborts: true,
  },
];

for (const { name, before, change, aborts } of CHANGES) {
  Deno.test(`WATCH: ${name} ${aborts ? "aborts" : "does not abort"} the transaction`, async () => {
    const harness = new Harness({ shardCount: 2 });
    const client = harness.connect();
    await client.send(before + "WATCH j k\r\nMULTI\r\nSET done 1\r\n");
    await harness.ask(change);
    assert.equal(await client.send("EXEC\r\n"), aborts ? "*-1\r\n" : "*1\r\n+OK\r\n");
    assert.equal(await client.send("EXISTS done\r\n"), aborts ? ":0\r\n" : ":1\r\n");
    // Nothing is watched any more.
    await harness.ask("SET k 9\r\n");
    assert.match(await client.send("MULTI\r\nPING\r\nEXEC\r\n"), /PONG/);
  });
}

Deno.test("WATCH: a key that expires meanwhile has changed, one that had expired has not", async () => {
  const harness = new Harness();
  const client = harness.connect();
  await client.send("SET k 1 PX 100\r\nWATCH k\r\nMULTI\r\nPING\r\n");
  harness.nowMs += 101;
  assert.equal(await client.send("EXEC\r\n"), "*-1\r\n");
  assert.match(await client.send("WATCH k\r\nMULTI\r\nPING\r\nEXEC\r\n"), /PONG/);
  // What replaces an expired key and expires itself was there for a while.
  await client.send("WATCH k\r\nMULTI\r\nPING\r\n");
  await harness.ask("SET k 2 PX 100\r\n");
  harness.nowMs += 101;
  assert.equal(await client.send("EXEC\r\n"), "*-1\r\n");
});

Deno.test("WATCH: of a key watched twice, the older version counts", async () => {
  const harness = new Harness();
  const client = harness.connect();
  await client.send("WATCH k\r\n");
  await harness.ask("SET k 1\r\n");
  assert.equal(await client.send("WATCH k\r\nMULTI\r\nEXEC\r\n"), "+OK\r\n+OK\r\n*-1\r\n");
});

Deno.test("WATCH: a turnover of the shard aborts, also when everything is back in its place", async () => {
  const harness = new Harness({ shardCount: 1 });
  const client = harness.connect();
  await client.send("SET k 1\r\nWATCH k\r\nMULTI\r\n");
  harness.store.locks.lock(0, true);
  harness.store.versions.noteTurnover(0);
  harness.store.locks.unlock(0, true);
  assert.equal(await client.send("EXEC\r\n"), "*-1\r\n");
});

for (const lockKind of ["mutex", "rwlock"] as const) {
  Deno.test(`EXEC: waits for a ${lockKind} that is held, and then sees what changed`, async () => {
    const harness = new Harness({ shardCount: 1, lockKind });
    const other = Store.attach(harness.store.memory, 1);
    const [first, second] = [harness.connect(), harness.connect()];
    await first.send("WATCH k\r\nMULTI\r\nSET k 1\r\n");
    await second.send("MULTI\r\nINCR n\r\nINCR n\r\n");
    other.locks.lock(0, true);
    const replies = [first.send("EXEC\r\n"), second.send("EXEC\r\nGET n\r\n")];
    await pause();
    other.locks.unlock(0, true);
    assert.deepEqual(await settled(Promise.all(replies)), [
      "*1\r\n+OK\r\n",
      "*2\r\n:1\r\n:2\r\n$1\r\n2\r\n",
    ]);
    assert.equal(harness.store.locks.heldBy(0), -1);
    assert.equal(first.session.client.heldBytes, 0);
  });
}

Deno.test("EXEC: transactions that only read share an rwlock", async () => {
  const harness = new Harness({ shardCount: 1, lockKind: "rwlock" });
  const other = Store.attach(harness.store.memory, 1);
  other.locks.lock(0, false);
  assert.match(
    await harness.ask("MULTI\r\nGET a\r\nEXISTS a\r\nEXEC\r\n"),
    /\*2\r\n\$-1\r\n:0\r\n$/,
  );
  other.locks.unlock(0, false);
});

/** A table with a command that runs `handler` on one key, or on none, beside all others. */
function tableWith(handler: Handler, hasKey: boolean): CommandTable {
  const probe = new CommandRow({
    name: "probe",
    arity: hasKey ? 2 : 1,
    summary: "Runs the test's code.",
    group: "server",
    since: "0.1.0",
    flags: ["write"],
    ...(hasKey ? { access: "write", firstKey: 1 } as const : {}),
    reply: "ok",
    handler,
  });
  return new CommandTable([...makeCommandTable().rows, probe]);
}

Deno.test("EXEC: a reply that comes later keeps its place", async () => {
  const gates: (() => void)[] = [];
  const table = tableWith((call) => {
    assert.equal(call.inTransaction, true);
    const own = call.detach();
    call.later = new Promise<void>((resolve) => gates.push(resolve)).then(() => {
      own.sink.bulk(own.args.bytes, own.args.starts[0]!, own.args.ends[0]!);
      return HandlerStatus.DONE;
    });
    return HandlerStatus.LATER;
  }, false);
  const harness = new Harness({ table });
  const client = harness.connect();
  await client.send("MULTI\r\nSET a 1\r\nprobe\r\nGET a\r\nPROBE\r\nINCR a\r\n");
  const reply = client.send("EXEC\r\n");
  await pause();
  assert.equal(await harness.ask("GET a\r\n"), "$1\r\n2\r\n", "no lock is held while it waits");
  for (const open of gates.toReversed()) open();
  assert.equal(
    await reply,
    "*5\r\n+OK\r\n$5\r\nprobe\r\n$1\r\n1\r\n$5\r\nPROBE\r\n:2\r\n",
  );
});

Deno.test("EXEC: a fault in the middle leaves all its shards torn", async () => {
  const table = tableWith(() => assert.fail("a fault"), true);
  const harness = new Harness({ table, shardCount: 1 });
  const client = harness.connect();
  await client.send("MULTI\r\nSET a 1\r\nPROBE a\r\n");
  await assert.rejects(client.send("EXEC\r\n"), /a fault/);
  assert.throws(() => harness.store.locks.tryLock(0, true), /torn|poison/i);
});

Deno.test("EXEC: all its effects are told before the first lock is given back, as of a command on several keys", async () => {
  const harness = new Harness();
  const log: string[] = [];
  harness.store.hook = hookWith({
    written: () => void log.push("written"),
    removed: () => void log.push("removed"),
  });
  harness.store.locks.effects = { publish: () => void log.push("|") };
  await harness.ask("MULTI\r\nSET a 1\r\nSET b 2\r\nDEL a b\r\nGET a\r\nEXEC\r\n");
  assert.match(log.splice(0).join(" "), /^written written removed removed \|/);
  await harness.ask("SET a 1\r\nSET b 2\r\n");
  assert.deepEqual(log.splice(0), ["written", "|", "written", "|"]);
  await harness.ask("DEL a b\r\n");
  assert.match(log.join(" "), /^removed removed \|/);
});

Deno.test("EXEC: whichever allocation fails, each command ran or replied that memory is short", async () => {
  const commands = [
    "SET a 1",
    `SET b ${"x".repeat(40_000)}`,
    "INCR c",
    "SET a long-enough-to-move",
    "DEL c",
  ];
  let refusedCount = 0;
  for (let k = 0;; k++) {
    const harness = new Harness({ shardCount: 2 });
    const client = harness.connect(65_536);
    await client.send(`MULTI\r\n${commands.join("\r\n")}\r\n`);
    harness.store.failAllocationAfter(k);
    const replies = (await settled(client.send("EXEC\r\n"))).split("\r\n").slice(1, -1);
    harness.store.failAllocationAfter(-1);
    assert.equal(replies.length, commands.length, `k = ${k}`);
    const failed = replies.map((reply) => reply.startsWith("-OOM"));
    const value = async (key: string) => (await harness.ask(`GET ${key}\r\n`)).split("\r\n")[1];
    assert.equal(
      await value("a"),
      failed[3] ? (failed[0] ? "" : "1") : "long-enough-to-move",
    );
    assert.equal(await value("b"), failed[1] ? "" : "x".repeat(40_000));
    assert.equal(replies[4], failed[2] ? ":0" : ":1");
    harness.store.assertInvariants();
    if (failed.includes(true)) refusedCount++;
    else break;
  }
  assert.ok(refusedCount >= 3, `${refusedCount} allocations failed`);
});
