import assert from "node:assert/strict";
import { HttpError } from "../../../../src/protocol/http/http_error.ts";
import { StaticDirectory } from "../../../../src/server/static/directory.ts";
import { readReplies, toLatin1 } from "../../protocol/http/support.ts";
import { patternBytes, requestFor, StaticWorld } from "./world.ts";

/** The request's head is answered and nothing of the body is read yet. */
async function beginTransfer(world: StaticWorld, path: string) {
  const connection = world.connect();
  connection.input.space().set(new TextEncoder().encode(requestFor(path)));
  connection.input.commit(requestFor(path).length);
  await connection.session.process(connection.input, connection.output);
  connection.written = toLatin1(connection.output.view());
  connection.output.clear();
  assert.match(connection.written, /\r\n\r\n$/);
  assert.equal(world.directory.openCount, 1);
  return connection;
}

function bodyOf(written: string): string {
  return written.slice(written.indexOf("\r\n\r\n") + 4);
}

Deno.test("StaticFiles: a file that changed has another tag and content, at the latest behind the TTL", async () => {
  await using world = await StaticWorld.make({ "a.txt": "old" });
  const path = `${world.root}/a.txt`;
  const date = new Date(1_700_000_000_000);
  await Deno.utime(path, date, date);
  const old = await world.ask("/static/a.txt");
  // Of the same length and date, so that only the file's number tells.
  await Deno.writeTextFile(`${world.root}/b`, "new");
  await Deno.utime(`${world.root}/b`, date, date);
  await Deno.rename(`${world.root}/b`, path);
  assert.equal((await world.ask("/static/a.txt")).body, "old");
  world.expire();
  const changed = await world.ask("/static/a.txt");
  assert.equal(changed.body, "new");
  assert.equal(changed.headers.get("last-modified"), old.headers.get("last-modified"));
  assert.notEqual(changed.headers.get("etag"), old.headers.get("etag"));
  await Deno.remove(path);
  assert.equal((await world.ask("/static/a.txt")).status, 200);
  world.expire();
  assert.equal((await world.ask("/static/a.txt")).status, 404);
  assert.equal(world.files.cache.size, 0);
});

Deno.test("StaticFiles: a file that could change without a trace is read again, and its tag is weak", async () => {
  await using world = await StaticWorld.make({ "a.txt": "old" });
  const path = `${world.root}/a.txt`;
  const date = new Date(1_700_000_000_000);
  world.aheadMs = 0;
  // Within the second in which it was changed, which is as exactly as the runtime says when.
  for (let attempt = 0;; attempt++) {
    assert.ok(attempt < 20, "two writes within a second");
    await Deno.writeTextFile(path, "old");
    await Deno.utime(path, date, date);
    const { ctime } = await Deno.stat(path);
    const before = await world.ask("/static/a.txt");
    await Deno.writeTextFile(path, "new");
    await Deno.utime(path, date, date);
    const isSame = (await Deno.stat(path)).ctime!.getTime() === ctime!.getTime();
    if (!isSame || Date.now() >= ctime!.getTime() + 1000) continue;
    assert.match(before.headers.get("etag")!, /^W\/"/);
    break;
  }
  world.expire();
  const { body, headers } = await world.ask("/static/a.txt");
  assert.equal(body, "new");
  assert.match(headers.get("etag")!, /^"/);
});

Deno.test("StaticFiles: as long as it does not change, it is read once", async () => {
  await using world = await StaticWorld.make({ "a.txt": "hello" });
  for (let i = 0; i < 5; i++) {
    await world.ask("/static/a.txt");
    await world.ask("/static/%61.txt");
    world.expire();
  }
  assert.equal(world.directory.openings, 1);
  assert.deepEqual(world.counts, [9, 1, 0]);
});

Deno.test("StaticFiles: half-way to the TTL a look begins that nobody waits for", async () => {
  await using world = await StaticWorld.make({ "a.txt": "old", "b.txt": "new" }, {
    cacheTtlMs: 600_000,
  });
  assert.equal((await world.ask("/static/a.txt")).body, "old");
  await Deno.rename(`${world.root}/b.txt`, `${world.root}/a.txt`);
  world.aheadMs += 200_000;
  assert.equal((await world.ask("/static/a.txt")).body, "old");
  world.aheadMs += 200_000;
  assert.equal((await world.ask("/static/a.txt")).body, "old");
  for (let attempt = 0; (await world.ask("/static/a.txt")).body !== "new"; attempt++) {
    assert.ok(attempt < 500, "the look ends, and the time was not over");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  // Without a change, one look after the other keeps it for ever.
  const { openings } = world.directory;
  for (let i = 0; i < 5; i++) {
    world.aheadMs += 400_000;
    await world.ask("/static/a.txt");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.equal(world.directory.openings, openings);
});

Deno.test("StaticFiles: many who want the same new file at the same time have it read once", async () => {
  await using world = await StaticWorld.make({ "a.txt": "hello ".repeat(1000) });
  const fields = { "Accept-Encoding": "gzip" };
  const replies = await Promise.all(
    Array.from({ length: 100 }, (_, i) => world.ask("/static/a.txt", i % 2 === 0 ? {} : fields)),
  );
  assert.ok(replies.every(({ status }) => status === 200));
  assert.equal(new Set(replies.map(({ body }) => body)).size, 2);
  assert.equal(world.directory.openings, 1);
});

Deno.test("StaticFiles: a file that becomes shorter while it is sent cuts the connection off", async () => {
  await using world = await StaticWorld.make({ "a.bin": patternBytes(1_500_000) });
  const connection = await beginTransfer(world, "/static/a.bin");
  await Deno.truncate(`${world.root}/a.bin`, 1_000_000);
  await connection.process();
  assert.ok(connection.closed);
  assert.equal(bodyOf(connection.written).length, 1_000_000);
  assert.match(world.bodyFailures.join(), /shorter/);
});

Deno.test("StaticFiles: a file that is written to while it is sent cuts the connection off", async () => {
  await using world = await StaticWorld.make({ "a.bin": patternBytes(1_500_000) });
  const connection = await beginTransfer(world, "/static/a.bin");
  using file = await Deno.open(`${world.root}/a.bin`, { write: true });
  await new Promise((resolve) => setTimeout(resolve, 20));
  await file.write(new Uint8Array(10));
  await connection.process();
  assert.ok(connection.closed);
  assert.ok(bodyOf(connection.written).length < 1_500_000);
  assert.match(world.bodyFailures.join(), /written to/);
});

Deno.test("StaticFiles: a file that is replaced while it is sent is sent as it was", async () => {
  const old = patternBytes(1_500_000);
  await using world = await StaticWorld.make({ "a.bin": old, "b.bin": "new" });
  const connection = await beginTransfer(world, "/static/a.bin");
  await Deno.rename(`${world.root}/b.bin`, `${world.root}/a.bin`);
  await connection.process();
  assert.ok(readReplies(connection.written)[0]!.body === toLatin1(old));
  assert.deepEqual(world.bodyFailures, []);
  // It is opened again for the next one, so that is the new file at once.
  assert.equal((await world.ask("/static/a.bin")).body, "new");
});

Deno.test("StaticFiles: a client that leaves in the middle leaves no file open", async () => {
  await using world = await StaticWorld.make({ "a.bin": patternBytes(1_500_000) });
  const connection = await beginTransfer(world, "/static/a.bin");
  connection.session.close();
  assert.equal(world.directory.openCount, 0);
});

Deno.test("StaticFiles: with too many files open, further ones are refused for the moment", async () => {
  const files = { "a.bin": patternBytes(1_500_000), "b.txt": "b" };
  await using world = await StaticWorld.make(files, {}, 1);
  const connection = await beginTransfer(world, "/static/a.bin");
  const refused = await world.ask("/static/a.bin");
  assert.equal(refused.status, 503);
  assert.equal(refused.headers.get("retry-after"), "1");
  assert.match(refused.body, /server_busy/);
  connection.session.close();
  assert.equal((await world.ask("/static/b.txt")).body, "b");
});

Deno.test("StaticFiles: a file that could not be read leaves no bytes counted", async () => {
  const files = { "a.bin": patternBytes(1_500_000), "b.txt": "b".repeat(5000) };
  await using world = await StaticWorld.make(files, {}, 1);
  const connection = await beginTransfer(world, "/static/a.bin");
  assert.equal((await world.ask("/static/b.txt")).status, 503);
  const before = world.keptBytes;
  for (let i = 0; i < 5; i++) await world.ask("/static/b.txt");
  assert.equal(world.keptBytes, before);
  connection.session.close();
});

Deno.test("StaticDirectory: what was opened counts, not what the path has come to name meanwhile", {
  ignore: Deno.build.os === "windows",
}, async () => {
  await using world = await StaticWorld.make({ "inside.txt": "inside" });
  await using outside = await StaticWorld.make({ "secret.txt": "secret" });
  const link = `${world.root}/link.txt`;
  await Deno.symlink(`${world.root}/inside.txt`, link);
  const directory = new StaticDirectory(world.root, 4);
  const turn = async (target: string): Promise<void> => {
    await Deno.remove(link);
    await Deno.symlink(target, link);
  };
  const { open } = Deno;
  // Outside when it is opened, inside before and behind that.
  Deno.open = async (path) => {
    await turn(`${outside.root}/secret.txt`);
    const file = await open(path);
    await turn(`${world.root}/inside.txt`);
    return file;
  };
  try {
    assert.equal(await directory.open("link.txt"), undefined);
    assert.equal(directory.openCount, 0);
  } finally {
    Deno.open = open;
  }
  const opened = await directory.open("link.txt");
  assert.ok(opened !== undefined);
  opened.close();
  opened.close();
  assert.equal(directory.openCount, 0);
});

Deno.test("StaticFiles: a file that is replaced between the look and the reading is read as it is now", async () => {
  await using world = await StaticWorld.make({ "a.txt": "old", "b.txt": "newer" });
  world.directory.beforeOpen = async () => {
    world.directory.beforeOpen = undefined;
    await Deno.rename(`${world.root}/b.txt`, `${world.root}/a.txt`);
  };
  const { body, headers } = await world.ask("/static/a.txt");
  assert.deepEqual([body, headers.get("content-length")], ["newer", "5"]);
  // One that changes all the time is given up.
  let count = 0;
  world.directory.beforeOpen = () => world.write("c.txt", "x".repeat(++count));
  await world.write("c.txt", "");
  assert.equal((await world.ask("/static/c.txt")).status, 503);
});

Deno.test("StaticDirectory: without a descriptor left, a look is a refusal and not a missing file", async () => {
  await using world = await StaticWorld.make({ "a.txt": "a" });
  const { stat } = Deno;
  const full = Object.assign(new Error("Too many open files"), { code: "EMFILE" });
  Deno.stat = () => Promise.reject(full);
  try {
    const directory = new StaticDirectory(world.root, 1);
    for (const look of [directory.look("a.txt"), directory.open("a.txt")]) {
      await assert.rejects(look, (error) => error instanceof HttpError && error.status === 503);
    }
    assert.equal(directory.openCount, 0);
    assert.equal((await world.ask("/static/a.txt")).status, 503);
  } finally {
    Deno.stat = stat;
  }
});
