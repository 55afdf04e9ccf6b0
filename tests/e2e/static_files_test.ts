import assert from "node:assert/strict";
import { V8_FLAGS } from "../../src/base/v8_flags.ts";
import { makeSite, PATH_ESCAPES, SECRET } from "../cases/path_escapes.ts";
import { RawClient } from "../helpers/raw_client.ts";
import {
  IO_THREAD_COUNTS,
  isInstalled,
  PROGRAM,
  ServerProcess,
} from "../helpers/server_process.ts";

const GIB = 2 ** 30;

/** With the right to read every file, so that nothing but the server keeps clients from them. */
const DENO_ARGS = [
  "run",
  `--v8-flags=${V8_FLAGS}`,
  "--no-prompt",
  "--allow-net",
  "--allow-read",
  "--allow-env=SLUICE_*,NO_COLOR",
  PROGRAM,
];

const noWindows = { ignore: Deno.build.os === "windows" };
const withCurl = { ignore: Deno.build.os === "windows" || !await isInstalled("curl") };

/** A directory of files that is removed at the end. */
class Site implements AsyncDisposable {
  readonly base: string;
  path: string;
  constructor(base: string) {
    this.base = base;
    this.path = base;
  }
  static async make(files: Readonly<Record<string, string>> = {}): Promise<Site> {
    const site = new Site(await Deno.makeTempDir({ prefix: "sluice-static-" }));
    for (const [name, text] of Object.entries(files)) {
      await Deno.writeTextFile(`${site.base}/${name}`, text);
    }
    return site;
  }
  async makeSparse(name: string, byteCount: number): Promise<void> {
    using file = await Deno.open(`${this.path}/${name}`, { create: true, write: true });
    await file.truncate(byteCount);
  }
  start(
    flags: readonly string[] = [],
    env: Record<string, string> = {},
    descriptorLimit?: number,
  ): Promise<ServerProcess> {
    return ServerProcess.start(["--static-dir", this.path, ...flags], {
      denoArgs: DENO_ARGS,
      env,
      ...(descriptorLimit === undefined ? {} : { descriptorLimit }),
    });
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.base, { recursive: true });
  }
}

function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}

async function waitFor(isDone: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; !await isDone(); attempt++) {
    assert.ok(attempt < 100, "it comes true within ten seconds");
    await pause(100);
  }
}

async function curl(args: readonly string[]): Promise<string> {
  const command = new Deno.Command("curl", { args: ["-s", "-S", "-m", "20", ...args] });
  const { success, stdout, stderr } = await command.output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return new TextDecoder("latin1").decode(stdout);
}

function fieldOf(reply: string, name: string): string | undefined {
  return new RegExp(`^${name}: (.*)\r$`, "im").exec(reply)?.[1];
}

async function residentBytes(pid: number): Promise<number> {
  // Deno itself reads /proc only with every permission there is.
  const { stdout } = await new Deno.Command("cat", { args: [`/proc/${pid}/status`] }).output();
  const status = new TextDecoder().decode(stdout);
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)![1]) * 1024;
}

for (const threads of IO_THREAD_COUNTS) {
  Deno.test(
    `server: no hostile path gets a file outside of the directory, ${threads} I/O threads`,
    noWindows,
    async () => {
      await using site = await Site.make();
      site.path = await makeSite(site.base);
      await using server = await site.start(["--io-threads", String(threads)]);
      const port = server.port("http");
      const ask = async (target: string): Promise<string> => {
        using client = await RawClient.connect(port);
        await client.send(`GET ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
        return await client.readToEnd();
      };
      assert.ok(PATH_ESCAPES.length >= 60);
      const check = async (path: string): Promise<void> => {
        for (
          const target of [`/static/${path}`, `/static${path}`, `http://localhost/static/${path}`]
        ) {
          const reply = await ask(target);
          const isPage = reply.endsWith("\r\n\r\na page");
          const what = target.slice(0, 200);
          assert.match(reply, isPage ? /^HTTP\/1\.1 200 / : /^HTTP\/1\.1 (400|404|414) /, what);
          // Behind "/static", the path "/page.txt" is an ordinary one.
          assert.ok(!isPage || target === "/static/page.txt", what);
          assert.doesNotMatch(reply, new RegExp(SECRET), what);
          assert.doesNotMatch(reply, /root:|X-Injected|PATH=/, what);
        }
      };
      for (let at = 0; at < PATH_ESCAPES.length; at += 10) {
        await Promise.all(PATH_ESCAPES.slice(at, at + 10).map(check));
      }
      assert.match(await ask("/static/page.txt"), /^HTTP\/1\.1 200 [^]*\r\n\r\na page$/);
      assert.match(await ask("/static/link-in"), /^HTTP\/1\.1 200 [^]*\r\n\r\na page$/);
      assert.match(await ask("/static/a%20b+%c3%a4%252e.txt"), /\r\n\r\nan odd name$/);
      assert.deepEqual(server.linesOf("request_failed"), []);
    },
  );
}

Deno.test(
  "server: curl gets parts, compressed copies and 304 from /static/",
  withCurl,
  async () => {
    const text = "a line that comes again and again\n".repeat(2000);
    await using site = await Site.make({ "a.txt": text, "index.html": "<h1>hello" });
    await using server = await site.start();
    const base = `http://127.0.0.1:${server.port("http")}/static`;
    assert.equal(await curl(["-L", base]), "<h1>hello");
    assert.equal(await curl([`${base}/a.txt`]), text);
    assert.equal(await curl(["-r", "5-14", `${base}/a.txt`]), text.slice(5, 15));
    assert.equal(await curl(["-r", "-10", `${base}/a.txt`]), text.slice(-10));
    assert.equal(await curl(["-r", "67990-", `${base}/a.txt`]), text.slice(67990));
    assert.match(await curl(["-i", "-r", "68000-", `${base}/a.txt`]), /^HTTP\/1\.1 416 /);
    assert.equal(await curl(["-r", "0-1,4-5", `${base}/a.txt`]), text);
    const heads = new Map<string, string>();
    for (const coding of ["identity", "br", "gzip", "deflate"]) {
      const expected = coding === "identity" ? undefined : coding;
      const ask = () => curl(["-I", "-H", `Accept-Encoding: ${coding}`, `${base}/a.txt`]);
      let head = await ask();
      // A file that has just been written is looked at again and again; where a look comes while a
      // copy is being made, there is none yet.
      for (let i = 0; i < 20 && fieldOf(head, "content-encoding") !== expected; i++) {
        assert.equal(fieldOf(head, "content-encoding"), undefined);
        head = await ask();
      }
      heads.set(coding, head);
      assert.equal(fieldOf(head, "vary"), "Accept-Encoding");
      assert.equal(fieldOf(head, "content-encoding"), expected);
      const etag = fieldOf(head, "etag")!;
      const cached = await curl([
        ...["-i", "-H", `Accept-Encoding: ${coding}`, "-H", `If-None-Match: ${etag}`],
        `${base}/a.txt`,
      ]);
      assert.match(cached, /^HTTP\/1\.1 304 /);
    }
    const etags = [...heads.values()].map((head) => fieldOf(head, "etag"));
    assert.equal(new Set(etags).size, 4);
    const whole = await curl(["-i", "--compressed", `${base}/a.txt`]);
    assert.match(whole, /^Content-Encoding: (br|gzip)\r$/m);
    assert.ok(whole.endsWith(text));
    assert.ok(Number(fieldOf(whole, "content-length")) < text.length / 10);
    const date = fieldOf(whole, "last-modified")!;
    assert.match(
      await curl(["-i", "-H", `If-Modified-Since: ${date}`, `${base}/a.txt`]),
      /^HTTP\/1\.1 304 /,
    );
    // What was compressed is not sent in parts: this is of the file itself.
    assert.equal(await curl(["--compressed", "-r", "0-3", `${base}/a.txt`]), text.slice(0, 4));
    const readMetrics = async () =>
      JSON.parse(
        await curl(["-H", "Accept: application/json", base.replace("static", "metrics")]),
      );
    // As above: after another look at the file, nothing of it is kept until it is asked for.
    let metrics = await readMetrics();
    for (let i = 0; i < 20 && metrics.static_cache.bytes <= text.length; i++) {
      assert.equal(await curl([`${base}/a.txt`]), text);
      metrics = await readMetrics();
    }
    const { hits, misses, bytes } = metrics.static_cache;
    assert.ok(hits > 0 && misses > 0 && bytes > text.length, JSON.stringify(metrics.static_cache));
  },
);

Deno.test("server: a file of 1 GiB takes no more memory than one of 1 KiB", {
  ignore: Deno.build.os !== "linux" || !await isInstalled("curl"),
}, async () => {
  await using site = await Site.make();
  await site.makeSparse("small.bin", 1024);
  await site.makeSparse("large.bin", GIB);
  await using server = await site.start();
  const base = `http://127.0.0.1:${server.port("http")}/static`;
  const download = (name: string, ...more: string[]): Promise<string> =>
    curl(["-o", "/dev/null", "-w", "%{http_code} %{size_download}", ...more, `${base}/${name}`]);
  assert.equal(await download("small.bin"), "200 1024");
  // Until the code is warm and the heap has its size.
  assert.equal(await download("large.bin", "-r", "0-67108863"), "206 67108864");
  const before = await residentBytes(server.pid);
  // As a whole it would take the test as long as all others; parts of it are parts of the same.
  assert.equal(await download("large.bin", "-r", "939524096-1073741823"), "206 134217728");
  const grownBytes = await residentBytes(server.pid) - before;
  assert.ok(grownBytes < 32 * 1024 * 1024, `${grownBytes} more`);
  assert.match(await download("large.bin", "-I"), /^200 /);
});

Deno.test(
  "server: without descriptors left, files are refused for the moment, and then served again",
  noWindows,
  async () => {
    await using site = await Site.make();
    await site.makeSparse("large.bin", 64 * 1024 * 1024);
    // What it needs to start, 50 connections, and files for some of them.
    await using server = await site.start([], {}, 110);
    const port = server.port("http");
    const request = "GET /static/large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n";
    const clients: RawClient[] = [];
    let refusedCount = 0;
    try {
      // All are connected before the first file is opened, so that what is short then is files.
      for (let i = 0; i < 50; i++) clients.push(await RawClient.connect(port));
      for (const client of clients) {
        await client.send(request);
        // It has the file open now, and reads no further than the client does.
        const head = await client.readUntil("\r\n\r\n");
        if (head.startsWith("HTTP/1.1 503 ")) {
          assert.match(head, /\r\nRetry-After: 1\r\n/);
          refusedCount++;
        } else assert.match(head, /^HTTP\/1\.1 200 /);
      }
      assert.ok(refusedCount > 0, `${clients.length} clients, none was refused`);
    } finally {
      for (const client of clients) client.close();
    }
    await waitFor(async () => {
      using client = await RawClient.connect(port);
      await client.send(request.replace("\r\n\r\n", "\r\nRange: bytes=0-9\r\n\r\n"));
      return (await client.readHttpReply()).status === 206;
    });
  },
);

Deno.test("server: with a password, files need it, too", withCurl, async () => {
  await using site = await Site.make({ "a.txt": "hello" });
  await using server = await site.start([], { SLUICE_PASSWORD: "sesame" });
  const url = `http://127.0.0.1:${server.port("http")}/static/a.txt`;
  assert.match(await curl(["-i", url]), /^HTTP\/1\.1 401 /);
  assert.equal(await curl(["-H", "Authorization: Bearer sesame", url]), "hello");
});

Deno.test("server: wrk with 400 connections on a file fails nothing", {
  ignore: !await isInstalled("wrk"),
}, async () => {
  await using site = await Site.make({ "a.txt": "hello ".repeat(100) });
  await using server = await site.start(["--static-cache-ttl", "100ms"]);
  const url = `http://127.0.0.1:${server.port("http")}/static/a.txt`;
  const command = new Deno.Command("wrk", { args: ["-t2", "-c400", "-d1s", url] });
  const text = new TextDecoder().decode((await command.output()).stdout);
  assert.match(text, /^Requests\/sec: +[1-9]/m);
  assert.doesNotMatch(text, /Socket errors|Non-2xx/);
});

Deno.test("server: curl takes a file slowly, and as a whole", withCurl, async () => {
  await using site = await Site.make();
  await site.makeSparse("large.bin", 18 * 1024 * 1024);
  await using server = await site.start(["--idle-timeout", "1500ms"]);
  const url = `http://127.0.0.1:${server.port("http")}/static/large.bin`;
  const args = ["-o", "/dev/null", "-w", "%{size_download}", "--limit-rate", "6M", url];
  const startedAtMs = performance.now();
  assert.equal(await curl(args), String(18 * 1024 * 1024));
  assert.ok(performance.now() - startedAtMs > 1600, "it took longer than a client may be idle");
});

Deno.test("server: without --static-dir there is nothing under /static/", withCurl, async () => {
  await using server = await ServerProcess.start();
  const url = `http://127.0.0.1:${server.port("http")}/static/index.html`;
  assert.match(await curl(["-i", url]), /^HTTP\/1\.1 404 /);
});

Deno.test(
  "server: a directory that cannot be served is one line and exit code 1",
  noWindows,
  async () => {
    await using site = await Site.make({ "a.txt": "a" });
    const cases: [string, RegExp][] = [
      [
        `${site.base}/nothing`,
        /Cannot serve files from .*nothing: there is no such directory; check/,
      ],
      [`${site.base}/a.txt`, /Cannot serve files from .*a\.txt: it is not a directory; check/],
    ];
    for (const [path, expected] of cases) {
      await using server = await ServerProcess.start(["--static-dir", path], {
        denoArgs: DENO_ARGS,
        skipReady: true,
      });
      const { code, lines } = await server.waitForEnd();
      assert.equal(code, 1);
      const text = [...lines.map((line) => JSON.stringify(line)), ...server.otherLines].join("\n");
      assert.match(text, expected);
      assert.equal(lines.length + server.otherLines.length, 1, text);
    }
  },
);
