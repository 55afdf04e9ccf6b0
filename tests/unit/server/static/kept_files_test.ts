import assert from "node:assert/strict";
import { Asset } from "../../../../src/server/static/asset.ts";
import { AssetCache } from "../../../../src/server/static/asset_cache.ts";
import { mediaTypeOf } from "../../../../src/server/static/media_types.ts";
import { decode } from "../../../helpers/decoding.ts";
import { FakeCounters, toLatin1 } from "../../protocol/http/support.ts";
import { patternBytes, requestFor, StaticWorld } from "./world.ts";

const TEXT = "a line that comes again and again\n".repeat(500);

function asset(path: string): Asset {
  const facts = {
    isDirectory: false,
    byteCount: 1,
    modifiedMs: 0,
    changedMs: 0,
    inode: 1,
    device: 1,
  };
  return new Asset({
    path,
    facts,
    siblings: [],
    compressibleBytes: 0,
    maxAgeMs: 0,
    nowMs: 1_000_000,
  });
}

Deno.test("mediaTypeOf: text is UTF-8, and what is compressed already is not compressed", () => {
  const cases: [string, string, boolean][] = [
    ["a.html", "text/html; charset=utf-8", true],
    ["a.js", "text/javascript; charset=utf-8", true],
    ["a.mjs", "text/javascript; charset=utf-8", true],
    ["a.css", "text/css; charset=utf-8", true],
    ["a.json", "application/json", true],
    ["a.svg", "image/svg+xml", true],
    ["a.xml", "application/xml", true],
    ["a.wasm", "application/wasm", true],
    ["a.txt", "text/plain; charset=utf-8", true],
    ["A.TXT", "text/plain; charset=utf-8", true],
    ["favicon.ico", "image/vnd.microsoft.icon", true],
    ["a.webmanifest", "application/manifest+json", true],
    ["a.png", "image/png", false],
    ["a.jpg", "image/jpeg", false],
    ["a.woff2", "font/woff2", false],
    ["a.mp4", "video/mp4", false],
    ["a.zip", "application/zip", false],
    ["a.txt.gz", "application/gzip", false],
    ["a", "application/octet-stream", false],
    ["a.unheard-of", "application/octet-stream", false],
  ];
  for (const [path, type, isCompressible] of cases) {
    const found = mediaTypeOf(path);
    assert.deepEqual([found.text, found.isCompressible], [type, isCompressible], path);
  }
});

Deno.test("StaticFiles: text is compressed for those who take it, with a tag for each coding", async () => {
  await using world = await StaticWorld.make({ "a.txt": TEXT });
  const etags = new Set<string>();
  for (const coding of ["br", "gzip", "deflate", undefined]) {
    const fields: Record<string, string> = coding === undefined
      ? {}
      : { "Accept-Encoding": coding };
    for (let round = 0; round < 2; round++) {
      const { headers, body } = await world.ask("/static/a.txt", fields);
      assert.equal(headers.get("content-encoding"), coding);
      assert.equal(headers.get("vary"), "Accept-Encoding");
      assert.equal(headers.get("accept-ranges"), coding === undefined ? "bytes" : undefined);
      assert.equal(decode(body, coding), TEXT);
      assert.ok(coding === undefined || body.length < TEXT.length / 10);
      etags.add(headers.get("etag")!);
    }
    const etag = [...etags].at(-1)!;
    const same = await world.ask("/static/a.txt", { ...fields, "If-None-Match": etag });
    assert.equal(same.status, 304);
    assert.equal(same.headers.get("vary"), "Accept-Encoding");
  }
  assert.equal(etags.size, 4);
  // It was read once, and compressed once for each.
  assert.equal(world.directory.openings, 1);
  const part = { "Accept-Encoding": "gzip", Range: "bytes=0-5" };
  const { status, headers, body } = await world.ask("/static/a.txt", part);
  assert.deepEqual([status, headers.get("content-encoding"), body], [206, undefined, "a line"]);
  // A client that holds the compressed form is not given a part of the other.
  const gzipTag = [...etags].find((etag) => etag.endsWith(`-gzip"`))!;
  const whole = await world.ask("/static/a.txt", { ...part, "If-Range": gzipTag });
  assert.equal(whole.status, 200);
});

Deno.test("StaticFiles: what compressing does not make smaller is sent as it is", async () => {
  const noise = crypto.getRandomValues(new Uint8Array(5000));
  const files = { "noise.txt": noise, "short.txt": "short", "a.png": TEXT };
  await using world = await StaticWorld.make(files);
  for (const path of Object.keys(files)) {
    for (let round = 0; round < 2; round++) {
      const { headers } = await world.ask(`/static/${path}`, { "Accept-Encoding": "br, gzip" });
      assert.equal(headers.has("content-encoding"), false, path);
    }
  }
  const refused = await world.ask("/static/a.png", { "Accept-Encoding": "gzip, identity;q=0" });
  assert.equal(refused.status, 406);
});

Deno.test("StaticFiles: a file that was compressed in advance is sent instead, parts of it, too", async () => {
  const br = patternBytes(2000);
  const files = { "a.bin": patternBytes(9000), "a.bin.br": br, "a.bin.gz": "gzipped" };
  await using world = await StaticWorld.make(files);
  const brotli = { "Accept-Encoding": "gzip, br" };
  const reply = await world.ask("/static/a.bin", brotli);
  assert.equal(reply.headers.get("content-encoding"), "br");
  assert.equal(reply.headers.get("content-type"), "application/octet-stream");
  assert.equal(reply.headers.get("vary"), "Accept-Encoding");
  assert.ok(reply.body === toLatin1(br));
  assert.match(reply.headers.get("etag")!, /^"/);
  const part = await world.ask("/static/a.bin", { ...brotli, Range: "bytes=-10" });
  assert.equal(part.headers.get("content-range"), "bytes 1990-1999/2000");
  assert.equal(part.headers.get("content-encoding"), "br");
  assert.ok(part.body === toLatin1(br.subarray(1990)));
  const gzip = await world.ask("/static/a.bin", { "Accept-Encoding": "gzip" });
  assert.equal(gzip.body, "gzipped");
  const plain = await world.ask("/static/a.bin");
  assert.equal(plain.body.length, 9000);
  assert.equal(plain.headers.get("vary"), "Accept-Encoding");
  const etags = [reply, gzip, plain].map(({ headers }) => headers.get("etag"));
  assert.equal(new Set(etags).size, 3);
  // One that is older is of another state of the file.
  const date = new Date(Date.now() - 3_600_000);
  await Deno.utime(`${world.root}/a.bin.gz`, date, date);
  world.expire();
  const passedOver = await world.ask("/static/a.bin", { "Accept-Encoding": "gzip" });
  assert.equal(passedOver.headers.has("content-encoding"), false);
  // One that appears is found behind the TTL.
  await Deno.remove(`${world.root}/a.bin.br`);
  world.expire();
  assert.equal((await world.ask("/static/a.bin", brotli)).body.length, 9000);
});

Deno.test("StaticFiles: the memory stays within its bound, and the oldest go first", async () => {
  const files = Object.fromEntries(
    Array.from({ length: 40 }, (_, i) => [`${i}.bin`, patternBytes(10_000 + i)]),
  );
  const cacheBytes = 100_000;
  await using world = await StaticWorld.make(files, { cacheBytes });
  const ask = (i: number) => world.ask(`/static/${i}.bin`);
  for (let i = 0; i < 40; i++) {
    assert.equal((await ask(i)).body.length, 10_000 + i);
    assert.equal((await ask(0)).body.length, 10_000);
    assert.ok(world.keptBytes <= cacheBytes, `${world.keptBytes} bytes`);
  }
  const [hits, misses, evictions] = world.counts;
  // The first is asked for all the time, so it never had to go.
  assert.deepEqual([hits, misses], [40, 40]);
  assert.ok(evictions >= 30);
  assert.ok(world.files.cache.size >= 7);
  await ask(39);
  assert.deepEqual(world.counts.slice(0, 2), [41, 40]);
  await ask(1);
  assert.deepEqual(world.counts.slice(0, 2), [41, 41]);
});

Deno.test("StaticFiles: without memory for files they are read each time, and none is compressed", async () => {
  const files = { "a.txt": TEXT, "large.bin": patternBytes(200_000), "a.txt.gz": "gzipped" };
  await using world = await StaticWorld.make(files, { cacheBytes: 0 });
  for (let round = 0; round < 2; round++) {
    assert.equal((await world.ask("/static/a.txt")).body, TEXT);
    const gzip = await world.ask("/static/a.txt", { "Accept-Encoding": "gzip, br" });
    assert.equal(gzip.body, "gzipped");
    assert.equal((await world.ask("/static/large.bin")).body.length, 200_000);
    const part = await world.ask("/static/large.bin", { Range: "bytes=1-100000" });
    assert.ok(part.body === toLatin1(files["large.bin"].subarray(1, 100_001)));
  }
  assert.deepEqual(world.counts, [0, 8, 0]);
  assert.equal(world.keptBytes, 0);
});

Deno.test("StaticFiles: clients that take a kept file slowly cannot make it hold more than its bound", async () => {
  const files = Object.fromEntries(
    Array.from({ length: 12 }, (_, i) => [`${i}.bin`, patternBytes(100_000)]),
  );
  const cacheBytes = 400_000;
  await using world = await StaticWorld.make(files, { cacheBytes });
  const slow = [];
  for (let i = 0; i < 12; i++) {
    const connection = world.connect();
    const request = new TextEncoder().encode(requestFor(`/static/${i}.bin`));
    connection.input.space().set(request);
    connection.input.commit(request.length);
    await connection.session.process(connection.input, connection.output);
    slow.push(connection);
    assert.ok(world.keptBytes <= cacheBytes, `${world.keptBytes} bytes`);
  }
  // Those for which there was no room are read from their files.
  assert.ok(world.directory.openCount >= 8);
  for (const connection of slow) connection.session.close();
  assert.ok(world.keptBytes <= cacheBytes);
  // And there is room again.
  await world.ask("/static/11.bin");
  const before = world.directory.openings;
  await world.ask("/static/11.bin");
  assert.equal(world.directory.openings, before);
});

Deno.test("AssetCache: what was dropped counts as long as a reply needs it", () => {
  const cache = new AssetCache(100_000, new FakeCounters());
  const first = asset("a");
  assert.ok(cache.insert(first));
  assert.ok(cache.tryReserve(first, 50_000));
  const kept = cache.usedBytes;
  cache.pin(first);
  cache.drop(first);
  assert.equal(cache.usedBytes, kept);
  const second = asset("b");
  assert.ok(cache.insert(second));
  assert.equal(cache.tryReserve(second, 50_000), false);
  cache.unpin(first);
  assert.ok(cache.tryReserve(second, 50_000));
  cache.drop(second);
  assert.equal(cache.usedBytes, 0);
});

Deno.test("AssetCache: what a reply needs stays, also where there is no room for another", () => {
  const cache = new AssetCache(50_000, new FakeCounters());
  const [needed, idle, late] = [asset("a"), asset("b"), asset("c")];
  for (const one of [needed, idle]) assert.ok(cache.insert(one) && cache.tryReserve(one, 20_000));
  cache.pin(needed);
  assert.ok(cache.insert(late));
  assert.equal(cache.tryReserve(late, 40_000), false);
  assert.deepEqual([needed, idle, late].map(({ isCached }) => isCached), [true, false, true]);
  cache.unpin(needed);
});

Deno.test("AssetCache: random use keeps its count right", () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  let state = seed;
  const random = (below: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return (state >>> 8) % below;
  };
  const counters = new FakeCounters();
  const cache = new AssetCache(60_000, counters);
  const known: Asset[] = [];
  const pinned: Asset[] = [];
  for (let step = 0; step < 5000; step++) {
    const one = known[random(Math.max(known.length, 1))];
    switch (random(6)) {
      case 0: {
        const fresh = asset(String(random(30)));
        if (cache.insert(fresh)) known.push(fresh);
        break;
      }
      case 1:
        if (one?.isCached) cache.tryReserve(one, random(20_000));
        break;
      case 2:
        if (one !== undefined) cache.touch(one);
        break;
      case 3:
        if (one !== undefined && pinned.length < 10) {
          cache.pin(one);
          pinned.push(one);
        }
        break;
      case 4: {
        const done = pinned.shift();
        if (done !== undefined) cache.unpin(done);
        break;
      }
      default:
        if (one !== undefined) cache.drop(one);
    }
    const counted = known.filter(({ isCached, pinCount }) => isCached || pinCount > 0);
    const sum = counted.reduce((total, { keptBytes }) => total + keptBytes, 0);
    assert.equal(cache.usedBytes, sum, `seed ${seed}, step ${step}`);
    assert.equal(cache.size, known.filter(({ isCached }) => isCached).length, `seed ${seed}`);
  }
});
