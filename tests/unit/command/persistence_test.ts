import assert from "node:assert/strict";
import { FakeStorage, Harness, request } from "./harness.ts";

async function ask(harness: Harness, ...words: string[]): Promise<string> {
  return await harness.connect().send(request(...words));
}

const MISCONF = /^-MISCONF Errors writing to the log/;

Deno.test("SAVE: replies when its snapshot is complete, and not before", async () => {
  const storage = new FakeStorage();
  storage.isSlow = true;
  const harness = new Harness({ storage });
  let reply = "";
  const asked = ask(harness, "SAVE").then((text) => reply = text);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(reply, "");
  assert.equal(await ask(harness, "PING"), "+PONG\r\n", "others are served");
  storage.snapshotCount++;
  await asked;
  assert.equal(reply, "+OK\r\n");
});

Deno.test("SAVE, BGSAVE: one snapshot at a time, and a failed one is told", async () => {
  const storage = new FakeStorage();
  const harness = new Harness({ storage });
  storage.snapshotRuns = true;
  const busy = "-ERR Background save already in progress\r\n";
  assert.equal(await ask(harness, "SAVE"), busy);
  assert.equal(await ask(harness, "BGSAVE"), busy);
  assert.equal(await ask(harness, "BGSAVE", "SCHEDULE"), "+Background saving scheduled\r\n");
  assert.equal(await ask(harness, "BGSAVE", "NOW"), "-ERR syntax error\r\n");
  storage.snapshotRuns = false;
  assert.equal(await ask(harness, "BGSAVE"), "+Background saving started\r\n");
  storage.fails = true;
  assert.match(await ask(harness, "SAVE"), MISCONF);
  assert.match(await ask(harness, "INFO", "persistence"), /rdb_last_bgsave_status:err\r\n/);
});

Deno.test("SAVE: does not wait for a log that cannot be written", async () => {
  const storage = new FakeStorage();
  storage.isSlow = true;
  const harness = new Harness({ storage });
  const asked = ask(harness, "SAVE");
  await new Promise((resolve) => setTimeout(resolve, 20));
  storage.takesWrites = false;
  assert.match(await asked, MISCONF);
});

Deno.test("LASTSAVE: when the last snapshot was complete", async () => {
  const storage = new FakeStorage();
  const harness = new Harness({ storage });
  storage.snapshotAtMs = 1_700_000_000_000;
  assert.equal(await ask(harness, "LASTSAVE"), ":1700000000\r\n");
});

Deno.test("SAVE and its kin are refused where there is no data directory", async () => {
  const harness = new Harness();
  for (const name of ["SAVE", "BGSAVE", "BGREWRITEAOF"]) {
    assert.match(await ask(harness, name), /^-ERR .*there is no data directory/);
  }
});

Deno.test("a log that cannot be written: what may change data is refused, the rest is not", async () => {
  const storage = new FakeStorage();
  const harness = new Harness({ storage });
  await ask(harness, "SET", "k", "v");
  storage.takesWrites = false;
  for (
    const words of [
      ["SET", "k", "x"],
      ["DEL", "k"],
      ["MSET", "a", "1", "b", "2"],
      ["FLUSHALL"],
      ["RPUSH", "l", "1"],
      ["EXPIRE", "k", "1"],
      ["BLPOP", "l", "1"],
      ["RENAME", "k", "j"],
      ["GETDEL", "k"],
    ]
  ) assert.match(await ask(harness, ...words), MISCONF, words.join(" "));
  assert.equal(await ask(harness, "GET", "k"), "$1\r\nv\r\n");
  assert.equal(await ask(harness, "KEYS", "*"), "*1\r\n$1\r\nk\r\n");
  assert.match(await ask(harness, "INFO", "persistence"), /aof_last_write_status:err\r\n/);
  assert.doesNotMatch(await ask(harness, "PUBLISH", "channel", "message"), MISCONF);
  assert.doesNotMatch(await ask(harness, "SUBSCRIBE", "channel"), MISCONF);
  const client = harness.connect();
  assert.equal(await client.send(request("MULTI")), "+OK\r\n");
  assert.match(await client.send(request("SET", "k", "x")), MISCONF);
  storage.takesWrites = true;
  assert.match(await client.send(request("EXEC")), /^-EXECABORT/);
  assert.equal(
    await client.send(request("MULTI") + request("SET", "k", "x")),
    "+OK\r\n+QUEUED\r\n",
  );
  storage.takesWrites = false;
  assert.match(await client.send(request("EXEC")), MISCONF);
  assert.equal(await client.send(request("GET", "k")), "$1\r\nv\r\n", "the transaction is over");
});
