import assert from "node:assert/strict";
import { isInstalled, ServerProcess } from "../helpers/server_process.ts";

/** What a program printed. */
interface Output {
  out: string;
  err: string;
}

async function run(program: string, args: readonly string[]): Promise<Output> {
  const { code, stdout, stderr } = await new Deno.Command(program, { args: [...args] }).output();
  const [out, err] = [new TextDecoder().decode(stdout), new TextDecoder().decode(stderr)];
  assert.equal(code, 0, `${program} ${args.join(" ").slice(0, 500)}\n${out}\n${err}`);
  return { out, err };
}

/** A test that needs a program; it is skipped where that is not installed. */
async function testWith(program: string, name: string, body: (base: string) => Promise<void>) {
  const isThere = await isInstalled(program);
  Deno.test(`server: ${program} ${name}${isThere ? "" : " (not installed)"}`, {
    ignore: !isThere,
  }, async () => {
    await using server = await ServerProcess.start();
    await body(`http://127.0.0.1:${server.port("http")}`);
  });
}

await testWith("ab", "-n 10000 -c 100 -k fails nothing and keeps its connections", async (base) => {
  const { out } = await run("ab", ["-q", "-n", "10000", "-c", "100", "-k", `${base}/health`]);
  assert.match(out, /^Complete requests: +10000$/m);
  assert.match(out, /^Failed requests: +0$/m);
  assert.match(out, /^Keep-Alive requests: +10000$/m);
  assert.doesNotMatch(out, /Non-2xx/);
});

await testWith("ab", "posts 2,000 events without keeping connections", async (base) => {
  const body = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(body, `{"user":"alice","action":"buy","amount":1}`);
    const args = ["-q", "-n", "2000", "-c", "20", "-p", body, "-T", "application/json"];
    const { out } = await run("ab", [...args, `${base}/events`]);
    assert.match(out, /^Complete requests: +2000$/m);
    // A full channel is answered with another status and length, which ab counts apart.
    assert.doesNotMatch(out, /Connect: [1-9]|Receive: [1-9]|Exceptions: [1-9]/);
  } finally {
    await Deno.remove(body);
  }
});

await testWith("wrk", "with 400 connections fails nothing", async (base) => {
  const { out } = await run("wrk", ["-t2", "-c400", "-d1s", `${base}/health`]);
  assert.match(out, /^Requests\/sec: +[1-9]/m);
  assert.doesNotMatch(out, /Socket errors|Non-2xx/);
});

const NOWHERE = Deno.build.os === "windows" ? "NUL" : "/dev/null";
const EVENT = `{"user":"alice","action":"buy","amount":1}`;

await testWith("curl", "sends two requests over one connection", async (base) => {
  const { out } = await run("curl", [
    ...["-sS", "-w", "[%{http_code} %{num_connects}]", `${base}/health`, `${base}/health`],
  ]);
  assert.equal(out, `{"status":"ok"}[200 1]{"status":"ok"}[200 0]`);
});

await testWith("curl", "is told to go on with a body that it announced", async (base) => {
  const args = ["-sSv", "-H", "Expect: 100-continue", "-d", EVENT, `${base}/events`];
  const { out, err } = await run("curl", args);
  assert.equal(out, `{"status":"accepted"}`);
  assert.match(err, /< HTTP\/1\.1 100 Continue[^]*< HTTP\/1\.1 202 Accepted/);
});

await testWith("curl", "uploads in chunks", async (base) => {
  const args = ["-sS", "-H", "Transfer-Encoding: chunked", "-d", EVENT, `${base}/events`];
  assert.equal((await run("curl", args)).out, `{"status":"accepted"}`);
});

await testWith(
  "curl",
  "uploads a file of unknown length, and waits to be told to",
  async (base) => {
    const file = await Deno.makeTempFile();
    try {
      await Deno.writeTextFile(file, "0123456789".repeat(50_000));
      const common = [
        "-sS",
        "--http1.1",
        "-w",
        "[%{http_code}]",
        "-H",
        "Transfer-Encoding: chunked",
      ];
      const upload = [...common, "-T", file, `${base}/keys/uploaded`];
      assert.equal((await run("curl", upload)).out, "[201]");
      // With a minute to wait for the server's word, only that word lets it go on in time.
      const patient = ["-m", "20", "--expect100-timeout", "60", "-H", "Expect: 100-continue"];
      const { out, err } = await run("curl", [...patient, "-v", ...upload]);
      assert.equal(out, "[204]");
      assert.match(err, /< HTTP\/1\.1 100 Continue/);
      const { out: back } = await run("curl", ["-sS", `${base}/keys/uploaded`]);
      assert.equal(back, "0123456789".repeat(50_000));
    } finally {
      await Deno.remove(file);
    }
  },
);

await testWith(
  "curl",
  "gets the head of a reply only, and the connection goes on",
  async (base) => {
    const args = ["-sSI", "-w", "[%{num_connects}]", `${base}/health`, `${base}/health`];
    const { out } = await run("curl", args);
    assert.equal(out.match(/HTTP\/1\.1 200 OK\r\n/g)?.length, 2);
    assert.match(out, /Content-Length: 15\r\n/i);
    assert.match(out, /\r\n\r\n\[1\]HTTP[^]*\r\n\r\n\[0\]$/);
  },
);

await testWith("curl", "asks for the methods of a path", async (base) => {
  const { out } = await run("curl", ["-sSi", "-X", "OPTIONS", `${base}/events`]);
  assert.match(out, /^HTTP\/1\.1 20[04] /);
  assert.match(out, /\r\nAllow: [^\r]*POST/i);
});

await testWith("curl", "speaks HTTP/1.0", async (base) => {
  const { out } = await run("curl", ["-sSi", "--http1.0", `${base}/health`]);
  assert.match(out, /^HTTP\/1\.[01] 200 OK\r\n/);
  assert.match(out, /\{"status":"ok"\}$/);
});

await testWith("curl", "is told what is too large", async (base) => {
  const status = async (...args: string[]): Promise<string> => {
    const { out } = await run("curl", ["-sS", "-o", NOWHERE, "-w", "%{http_code}", ...args]);
    return out;
  };
  assert.equal(await status("-H", `X-Big: ${"a".repeat(70_000)}`, `${base}/health`), "431");
  assert.equal(await status(`${base}/${"a".repeat(20_000)}`), "414");
  const body = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(body, "a".repeat(2 ** 21));
    assert.equal(await status("--data-binary", `@${body}`, `${base}/events`), "413");
  } finally {
    await Deno.remove(body);
  }
});
