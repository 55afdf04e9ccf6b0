import assert from "node:assert/strict";
import { Store } from "../../../src/store/store.ts";
import { Count, settled } from "../command/harness.ts";
import { readReplies, toLatin1 } from "../protocol/http/support.ts";
import { requestWithBody, TestServer } from "./http_world.ts";

Deno.test("/keys/:key: PUT creates and replaces, GET reads, DELETE removes", async () => {
  const server = new TestServer();
  assert.equal((await server.get("/keys/a")).status, 404);
  const created = await server.put("/keys/a", "one");
  assert.deepEqual([created.status, created.body], [201, ""]);
  const replaced = await server.put("/keys/a", "two");
  assert.deepEqual([replaced.status, replaced.body], [204, ""]);
  const read = await server.get("/keys/a");
  assert.deepEqual([read.status, read.body], [200, "two"]);
  assert.equal(read.headers.get("content-type"), "application/octet-stream");
  assert.equal(read.headers.get("x-content-type-options"), "nosniff");
  assert.equal(await server.harness.ask("GET a\r\n"), "$3\r\ntwo\r\n");
  assert.equal((await server.delete("/keys/a")).status, 204);
  const gone = await server.delete("/keys/a");
  assert.equal(gone.status, 404);
  assert.equal(gone.body, `{"status":"error","reason":"unknown_key"}`);
});

Deno.test("/keys/:key: keys and values are bytes of any kind", async () => {
  const server = new TestServer();
  const value = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  const paths = ["%00", "a%2Fb", "caf%C3%A9", "%FF%FE", "a+b", "..", "%25", "a:b@c;d=e,f"];
  for (const [index, path] of paths.entries()) {
    assert.equal((await server.put(`/keys/${path}`, value)).status, 201, path);
    const read = await server.get(`/keys/${path}?ignored=1`);
    assert.equal(read.body, toLatin1(value), path);
    assert.equal(server.harness.store.keyCount(0), index + 1, path);
  }
  assert.equal((await server.get("/keys/caf%c3%a9")).status, 200);
  assert.equal((await server.get("/keys/a%20b")).status, 404);
  assert.equal((await server.get("/keys/a/b")).status, 404);
  assert.equal((await server.get("/keys/")).status, 404);
});

Deno.test("/keys/:key: an empty value is a value", async () => {
  const server = new TestServer();
  assert.equal((await server.put("/keys/a", "")).status, 201);
  const read = await server.get("/keys/a");
  assert.deepEqual([read.status, read.body], [200, ""]);
});

Deno.test("/keys/:key: balances are keys, and numbers are read as text (P5)", async () => {
  const server = new TestServer();
  await server.harness.ask("INCRBY balance:alice 5\r\n");
  assert.equal((await server.get("/keys/balance:alice")).body, "5");
  await server.put("/keys/balance:alice", "70");
  assert.equal((await server.get("/users/alice")).body, `{"user":"alice","balance":70}`);
});

Deno.test("/keys/:key: ttl ends a key, and a PUT without one takes it away", async () => {
  const server = new TestServer();
  const { harness } = server;
  assert.equal((await server.put("/keys/a?ttl=60s", "x")).status, 201);
  assert.equal((await server.put("/keys/b?ttl=500ms", "x")).status, 201);
  assert.equal((await server.put("/keys/b", "y")).status, 204);
  harness.nowMs += 59_999;
  assert.equal((await server.get("/keys/a")).status, 200);
  harness.nowMs += 1;
  assert.equal((await server.get("/keys/a")).status, 404);
  assert.equal((await server.get("/keys/b")).status, 200);
  assert.equal((await server.put("/keys/a", "new")).status, 201);
});

Deno.test("/keys/:key: a ttl that is no time to live is refused, and nothing is written", async () => {
  const server = new TestServer();
  const wrong = ["", "0", "0s", "-1s", "10", "1.5", "1d", "s", "1s&ttl=2s", "999999999999999h"];
  for (const ttl of wrong) {
    const reply = await server.put(`/keys/a?ttl=${ttl}`, "x");
    assert.equal(reply.status, 400, ttl);
    assert.equal(JSON.parse(reply.body).reason, "invalid_ttl", ttl);
    assert.match(JSON.parse(reply.body).detail, /^ttl must be a duration/, ttl);
  }
  assert.equal(server.harness.store.keyCount(0), 0);
});

Deno.test("/keys/:key: too long a key is 414, too large a value 413", async () => {
  const server = new TestServer({ maxValueBytes: 1000 });
  for (const [length, status] of [[4096, 201], [4097, 414]] as const) {
    const path = `/keys/${"k".repeat(length)}`;
    assert.equal((await server.put(path, "x")).status, status);
    assert.equal((await server.get(path)).status, status === 201 ? 200 : 414);
    assert.equal((await server.delete(path)).status, status === 201 ? 204 : 414);
  }
  assert.equal((await server.put("/keys/a", "v".repeat(1000))).status, 201);
  const reply = await server.put("/keys/b", "v".repeat(1001));
  assert.equal(reply.status, 413);
  assert.equal(
    reply.body,
    `{"status":"error","reason":"value_too_large","detail":"the value is above --max-value-bytes"}`,
  );
  assert.equal(reply.headers.get("connection"), undefined);
});

Deno.test("/keys/:key: without memory a PUT is 507 and the connection lives on", async () => {
  const server = new TestServer({ maxMemoryBytes: 2 ** 20, shardCount: 1 });
  const connection = server.connect();
  const value = "v".repeat(100_000);
  for (let i = 0; i < 20; i++) await connection.send(requestWithBody("PUT", `/keys/${i}`, value));
  await connection.send("GET /keys/0 HTTP/1.1\r\nHost: a\r\n\r\n");
  const replies = readReplies(connection.written);
  const statuses = new Set(replies.slice(0, -1).map(({ status }) => status));
  assert.deepEqual([...statuses], [201, 507]);
  assert.equal(
    replies.find(({ status }) => status === 507)!.body,
    `{"status":"error","reason":"out_of_memory"}`,
  );
  assert.equal(replies.at(-1)!.body, value);
});

Deno.test("/keys/:key: a part of a value cannot be PUT", async () => {
  const server = new TestServer();
  const reply = await server.put("/keys/a", "x", "Content-Range: bytes 0-0/5\r\n");
  assert.equal(reply.status, 400);
  assert.equal((await server.get("/keys/a")).status, 404);
});

Deno.test("/keys/:key: a busy lock parks every method, and replies keep their order", async () => {
  const server = new TestServer({ shardCount: 1 });
  await server.put("/keys/a", "old");
  const other = Store.attach(server.harness.store.memory, 1);
  other.locks.lock(0, true);
  const connection = server.connect();
  const get = "GET /keys/a HTTP/1.1\r\nHost: a\r\n\r\n";
  const requests = [
    get,
    toLatin1(requestWithBody("PUT", "/keys/a", "new")),
    get,
    "GET /keys HTTP/1.1\r\nHost: a\r\n\r\n",
    "DELETE /keys/a HTTP/1.1\r\nHost: a\r\n\r\n",
    get,
  ];
  const sent = connection.send(requests.join(""));
  assert.equal(connection.written, "");
  other.locks.unlock(0, true);
  await settled(sent);
  const replies = readReplies(connection.written);
  assert.deepEqual(replies.map(({ status }) => status), [200, 204, 200, 200, 204, 404]);
  const bodies = replies.map(({ body }) => body);
  assert.deepEqual(bodies.slice(0, 4), ["old", "", "new", `{"cursor":"0","keys":["a"]}`]);
  assert.ok(server.harness.counters.values[Count.PARKED]! >= 1);
});

Deno.test("/keys/:key: nothing of one request is left for the next one", async () => {
  const server = new TestServer();
  await server.put(`/keys/${"k".repeat(300)}?ttl=1s`, "v".repeat(100_000));
  assert.equal((await server.put("/keys/a", "b")).status, 201);
  assert.equal((await server.get("/keys/a")).body, "b");
  assert.equal(server.harness.store.keyCount(0), 2);
  server.harness.nowMs += 2000;
  assert.equal((await server.get("/keys/a")).status, 200);
});

Deno.test("/keys: all pages together have every key", async () => {
  const server = new TestServer();
  const expected = Array.from({ length: 500 }, (_, i) => `key:${i}`);
  for (const key of expected) await server.put(`/keys/${key}`, "x");
  const seen = new Set<string>();
  let cursor = "0";
  let pageCount = 0;
  do {
    const reply = await server.get(`/keys?cursor=${cursor}&count=50`);
    assert.equal(reply.status, 200);
    const page: { cursor: string; keys: string[] } = JSON.parse(reply.body);
    for (const key of page.keys) seen.add(key);
    cursor = page.cursor;
    pageCount++;
  } while (cursor !== "0");
  assert.deepEqual([...seen].toSorted(), expected.toSorted());
  assert.ok(pageCount >= 8, `${pageCount} pages`);
});

Deno.test("/keys: keys that are not UTF-8 are told as they stand in a path", async () => {
  const server = new TestServer({ shardCount: 1 });
  const paths = ["caf%C3%A9", "%FF%00a.b", `"%5C`.replace('"', "%22"), "%EF%BB%BFx", "a%C3"];
  for (const path of paths) await server.put(`/keys/${path}`, "x");
  const reply = await server.get("/keys");
  const text = new TextDecoder().decode(Uint8Array.from(reply.body, (c) => c.charCodeAt(0)));
  const keys: (string | { encoded: string })[] = JSON.parse(text).keys;
  const texts = keys.filter((key) => typeof key === "string");
  assert.deepEqual(texts.toSorted(), ['"\\', "caf\u00e9", "\ufeffx"].toSorted());
  const encoded = keys.flatMap((key) => typeof key === "string" ? [] : [key.encoded]);
  assert.deepEqual(encoded.toSorted(), ["%FF%00a.b", "a%C3"]);
  for (const path of encoded) assert.equal((await server.get(`/keys/${path}`)).status, 200);
});

Deno.test("/keys: match chooses by pattern, whose plus is a space", async () => {
  const server = new TestServer();
  for (const key of ["user:1", "user:2", "item:1", "a%20b", "a%2Bb", "%C3%A9"]) {
    await server.put(`/keys/${key}`, "x");
  }
  const cases: [match: string, keys: string[]][] = [
    ["user:*", ["user:1", "user:2"]],
    ["*:1", ["item:1", "user:1"]],
    ["a+b", ["a b"]],
    ["a%2Bb", ["a+b"]],
    ["%5Bui%5D*:1", ["item:1", "user:1"]],
    ["nobody*", []],
    ["", []],
  ];
  for (const [match, expected] of cases) {
    const { keys, cursor } = JSON.parse((await server.get(`/keys?match=${match}`)).body);
    assert.deepEqual(keys.toSorted(), expected, match);
    assert.equal(cursor, "0");
  }
});

Deno.test("/keys: keys whose time is over are not listed", async () => {
  const server = new TestServer();
  await server.put("/keys/a?ttl=1s", "x");
  await server.put("/keys/b", "x");
  server.harness.nowMs += 1000;
  assert.equal((await server.get("/keys")).body, `{"cursor":"0","keys":["b"]}`);
});

Deno.test("/keys: parameters that are wrong are refused by name", async () => {
  const server = new TestServer();
  const cases: [query: string, name: string][] = [
    ["cursor=x", "cursor"],
    ["cursor=-1", "cursor"],
    ["cursor=", "cursor"],
    ["cursor=0&cursor=0", "cursor"],
    ["cursor=9999999999999999", "cursor"],
    ["count=0", "count"],
    ["count=10001", "count"],
    ["count=1e2", "count"],
    ["count=", "count"],
    ["match=a&match=b", "match"],
    [`match=${"a".repeat(1025)}`, "match"],
  ];
  for (const [query, name] of cases) {
    const reply = await server.get(`/keys?${query}`);
    assert.equal(reply.status, 400, query);
    assert.equal(JSON.parse(reply.body).reason, `invalid_${name}`, query);
  }
  const beyond = await server.get("/keys?cursor=999999999999999");
  assert.equal(beyond.body, `{"cursor":"0","keys":[]}`);
});
