import assert from "node:assert/strict";
import { readReplies, toLatin1 } from "../../protocol/http/support.ts";
import { PATH_ESCAPES, SECRET } from "../../../cases/path_escapes.ts";
import { patternBytes, requestFor, StaticWorld } from "./world.ts";

const noWindows = { ignore: Deno.build.os === "windows" };

Deno.test("StaticFiles: a file comes with its type, its length and what tells its states apart", async () => {
  await using world = await StaticWorld.make({ "css/main.css": "body {}", "data": "x" });
  const reply = await world.ask("/static/css/main.css");
  assert.equal(reply.status, 200);
  assert.equal(reply.body, "body {}");
  assert.equal(reply.headers.get("content-type"), "text/css; charset=utf-8");
  assert.equal(reply.headers.get("content-length"), "7");
  assert.match(reply.headers.get("etag")!, /^"[0-9a-z-]+"$/);
  const { mtime } = await Deno.stat(`${world.root}/css/main.css`);
  const seconds = Math.floor(mtime!.getTime() / 1000) * 1000;
  assert.equal(reply.headers.get("last-modified"), new Date(seconds).toUTCString());
  assert.equal(reply.headers.get("cache-control"), "max-age=60");
  assert.equal(reply.headers.get("accept-ranges"), "bytes");
  assert.equal(reply.headers.get("x-content-type-options"), "nosniff");
  assert.equal(reply.headers.has("content-security-policy"), false);
  const unknown = await world.ask("/static/data");
  assert.equal(unknown.headers.get("content-type"), "application/octet-stream");
});

Deno.test("StaticFiles: pages are asked for each time, and may not be put into other sites' frames", async () => {
  await using world = await StaticWorld.make({ "index.html": "<p>hello" });
  for (const path of ["/static/", "/static/index.html"]) {
    const { headers, body } = await world.ask(path);
    assert.equal(body, "<p>hello");
    assert.equal(headers.get("content-type"), "text/html; charset=utf-8");
    assert.equal(headers.get("cache-control"), "no-cache");
    assert.equal(headers.get("x-frame-options"), "SAMEORIGIN");
    assert.match(headers.get("content-security-policy")!, /frame-ancestors 'self'/);
    assert.equal(headers.get("referrer-policy"), "strict-origin-when-cross-origin");
  }
});

Deno.test("StaticFiles: HEAD says what GET says and sends nothing", async () => {
  const files = { "a.txt": "hello ".repeat(500), "large.bin": patternBytes(2_000_000) };
  await using world = await StaticWorld.make(files);
  for (const path of ["/static/a.txt", "/static/large.bin"]) {
    for (const coding of ["identity", "gzip"]) {
      const fields = { "Accept-Encoding": coding };
      const head = await world.ask(path, fields, "HEAD");
      const get = await world.ask(path, fields);
      // A second may begin between the two.
      for (const { headers } of [head, get]) assert.ok(headers.delete("date"));
      assert.deepEqual(head.headers, get.headers);
      assert.equal(head.body, "");
    }
  }
});

Deno.test("StaticFiles: directories lead to their index, and are never listed", async () => {
  await using world = await StaticWorld.make({ "sub/index.html": "sub", "none/a.txt": "a" });
  await Deno.mkdir(`${world.root}/odd/index.html`, { recursive: true });
  assert.equal((await world.ask("/static/odd/")).status, 404);
  const moved = await world.ask("/static/sub?x=1&y=%20");
  assert.equal(moved.status, 301);
  assert.equal(moved.headers.get("location"), "/static/sub/?x=1&y=%20");
  assert.equal((await world.ask("/static")).headers.get("location"), "/static/");
  assert.equal((await world.ask("/static/sub/")).body, "sub");
  assert.equal((await world.ask("/static/none")).status, 301);
  for (const path of ["/static/none/", "/static/", "/static/sub/index.html/", "/static/x"]) {
    assert.equal((await world.ask(path)).status, 404, path);
  }
});

Deno.test("StaticFiles: other methods are told which there are", async () => {
  await using world = await StaticWorld.make({ "a.txt": "a" });
  for (const method of ["POST", "PUT", "DELETE", "PATCH"]) {
    const { status, headers } = await world.ask("/static/a.txt", {}, method);
    assert.equal(status, 405);
    assert.equal(headers.get("allow"), "GET, HEAD, OPTIONS");
  }
});

Deno.test("StaticFiles: odd names are found by their escapes", async () => {
  await using world = await StaticWorld.make({ "a b+%2e#?.txt": "odd", "ä/😀": "smile" });
  assert.equal((await world.ask("/static/a%20b+%252e%23%3f.txt")).body, "odd");
  assert.equal((await world.ask("/static/%c3%a4/%F0%9F%98%80")).body, "smile");
});

Deno.test(
  "StaticFiles: no hostile path reads what is outside, hidden or no file",
  noWindows,
  async () => {
    await using world = await StaticWorld.makeHostile();
    assert.equal(await Deno.readTextFile(`${world.root}/link-chain`), SECRET);
    // Twice: the second time, all that may be in memory is.
    for (let round = 0; round < 2; round++) {
      assert.equal((await world.ask("/static/page.txt")).body, "a page");
      assert.equal((await world.ask("/static/link-in")).body, "a page");
      for (const path of PATH_ESCAPES) {
        const connection = world.connect();
        await connection.send(requestFor(`/static/${path}`));
        const { written } = connection;
        assert.match(written, /^HTTP\/1\.1 (400|404|414) /, path.slice(0, 200));
        assert.doesNotMatch(written, new RegExp(SECRET), path.slice(0, 200));
        assert.doesNotMatch(written, /root:|X-Injected/, path.slice(0, 200));
      }
    }
  },
);

Deno.test("StaticFiles: a link that is turned to the outside is noticed", noWindows, async () => {
  await using world = await StaticWorld.make({ "a.txt": "inside" });
  await using outside = await StaticWorld.make({ "secret.txt": SECRET });
  await Deno.symlink("a.txt", `${world.root}/link`);
  assert.equal((await world.ask("/static/link")).body, "inside");
  await Deno.remove(`${world.root}/link`);
  await Deno.symlink(`${outside.root}/secret.txt`, `${world.root}/link`);
  world.expire();
  assert.equal((await world.ask("/static/link")).status, 404);
});

Deno.test(
  "StaticFiles: the directory may be a link that is turned to another one",
  noWindows,
  async () => {
    await using world = await StaticWorld.make({ "one/a.txt": "one", "two/a.txt": "two" });
    await using site = await StaticWorld.make();
    await Deno.remove(site.root);
    await Deno.symlink(`${world.root}/one`, site.root);
    assert.equal((await site.ask("/static/a.txt")).body, "one");
    await Deno.remove(site.root);
    await Deno.symlink(`${world.root}/two`, site.root);
    site.expire();
    assert.equal((await site.ask("/static/a.txt")).body, "two");
  },
);

Deno.test("StaticFiles: conditions are answered 304 and 412", async () => {
  await using world = await StaticWorld.make({ "a.txt": "hello" });
  const { headers } = await world.ask("/static/a.txt");
  const etag = headers.get("etag")!;
  const lastModified = headers.get("last-modified")!;
  for (const method of ["GET", "HEAD"]) {
    const same = await world.ask("/static/a.txt", { "If-None-Match": etag }, method);
    assert.equal(same.status, 304);
    assert.equal(same.body, "");
    assert.equal(same.headers.get("etag"), etag);
    assert.equal(same.headers.get("cache-control"), "max-age=60");
    assert.equal(same.headers.has("content-length"), false);
  }
  const dated = await world.ask("/static/a.txt", { "If-Modified-Since": lastModified });
  assert.equal(dated.status, 304);
  assert.equal((await world.ask("/static/a.txt", { "If-Match": '"x"' })).status, 412);
  // On a connection that goes on, nothing of a 304 may be taken for a body.
  const connection = world.connect();
  await connection.send(
    requestFor("/static/a.txt", { "If-None-Match": etag }) + requestFor("/static/a.txt"),
  );
  assert.match(
    connection.written,
    /^HTTP\/1\.1 304 [^]+?\r\n\r\nHTTP\/1\.1 200 [^]+\r\n\r\nhello$/,
  );
});

Deno.test("StaticFiles: parts of files, small and large", async () => {
  const small = patternBytes(1000);
  const large = patternBytes(300_000);
  const files = { "small": small, "large": large };
  await using world = await StaticWorld.make(files, { cacheBytes: 1024 * 1024 });
  for (const [path, bytes] of [["/static/small", small], ["/static/large", large]] as const) {
    const text = toLatin1(bytes);
    const cases: [string, number, number][] = [
      ["bytes=0-0", 0, 1],
      ["bytes=5-9", 5, 10],
      ["bytes=900-", 900, text.length],
      ["bytes=-7", text.length - 7, text.length],
      [`bytes=${text.length - 1}-`, text.length - 1, text.length],
      ["bytes=0-", 0, text.length],
      ["bytes=1-99999999", 1, text.length],
    ];
    for (const [range, start, end] of cases) {
      const { status, headers, body } = await world.ask(path, { Range: range });
      assert.equal(status, 206, range);
      assert.equal(headers.get("content-range"), `bytes ${start}-${end - 1}/${text.length}`);
      assert.ok(body === text.slice(start, end), `${path} ${range}`);
    }
    const outside = await world.ask(path, { Range: `bytes=${text.length}-` });
    assert.equal(outside.status, 416);
    assert.equal(outside.headers.get("content-range"), `bytes */${text.length}`);
    for (const range of ["bytes=0-1,3-4", "bytes=2-1", "lines=0-1"]) {
      const whole = await world.ask(path, { Range: range });
      assert.equal(whole.status, 200, range);
      assert.ok(whole.body === text);
    }
    const etag = (await world.ask(path, {}, "HEAD")).headers.get("etag")!;
    const right = await world.ask(path, { Range: "bytes=0-4", "If-Range": etag });
    assert.equal(right.status, 206);
    const wrong = await world.ask(path, { Range: "bytes=0-4", "If-Range": '"x"' });
    assert.equal(wrong.status, 200);
    assert.ok(wrong.body === text);
    assert.equal((await world.ask(path, { Range: "bytes=0-4" }, "HEAD")).status, 200);
    const fields = { Range: "bytes=0-4", "If-None-Match": etag };
    assert.equal((await world.ask(path, fields)).status, 304);
  }
});

Deno.test("StaticFiles: a large file is sent in pieces, whatever its length", async () => {
  await using world = await StaticWorld.make();
  using file = await Deno.open(`${world.root}/huge`, { create: true, write: true });
  await file.truncate(64 * 1024 * 1024);
  const connection = world.connect();
  await connection.send(requestFor("/static/huge", { Range: "bytes=1000-4194303" }));
  assert.ok(connection.largestWriteBytes <= 66_000, `${connection.largestWriteBytes} at a time`);
  assert.equal(connection.written.length - connection.written.indexOf("\r\n\r\n") - 4, 4193304);
});

Deno.test("StaticFiles: an empty file is a reply without a body", async () => {
  for (const cacheBytes of [0, 1_000_000]) {
    await using world = await StaticWorld.make({ "empty.txt": "" }, { cacheBytes });
    const { status, headers, body } = await world.ask("/static/empty.txt");
    assert.deepEqual([status, headers.get("content-length"), body], [200, "0", ""]);
    assert.equal((await world.ask("/static/empty.txt", { Range: "bytes=0-" })).status, 416);
  }
});

Deno.test("StaticFiles: a kept reply has the date of today, and treats the connection as asked", async () => {
  await using world = await StaticWorld.make({ "a.txt": "hello" });
  const first = await world.ask("/static/a.txt");
  world.aheadMs += 10_000;
  const second = await world.ask("/static/a.txt");
  const dateOf = ({ headers }: { headers: Map<string, string> }) =>
    Date.parse(headers.get("date")!);
  assert.ok(dateOf(second) - dateOf(first) >= 10_000);
  const closing = await world.ask("/static/a.txt", { Connection: "close" });
  assert.equal(closing.headers.get("connection"), "close");
  const old = world.connect();
  await old.send("GET /static/a.txt HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  assert.match(old.written, /\r\nConnection: keep-alive\r\n[^]*\r\n\r\nhello$/);
  const head = await world.ask("/static/a.txt", { Connection: "close" }, "HEAD");
  for (const { headers } of [head, closing]) assert.ok(headers.delete("date"));
  assert.deepEqual(head.headers, closing.headers);
  assert.deepEqual(world.counts, [4, 1, 0]);
});

Deno.test("StaticFiles: requests sent ahead are answered in their order, kept or not", async () => {
  const large = patternBytes(300_000);
  const files = { "a.txt": "first", "large.bin": large, "b.txt": "last" };
  await using world = await StaticWorld.make(files, { cacheBytes: 500_000 });
  for (let round = 0; round < 2; round++) {
    const connection = world.connect();
    const names = ["a.txt", "large.bin", "nothing", "large.bin", "b.txt"];
    await connection.send(names.map((name) => requestFor(`/static/${name}`)).join(""));
    const replies = readReplies(connection.written);
    const bodies = replies.map(({ body }) => body === toLatin1(large) ? "large" : body);
    assert.deepEqual(replies.map(({ status }) => status), [200, 200, 404, 200, 200]);
    assert.deepEqual(bodies.toSpliced(2, 1), ["first", "large", "large", "last"]);
  }
});
