import assert from "node:assert/strict";
import { parseCommandLine } from "../../../src/cli/command_line.ts";
import { askHealth, type HealthAnswer, type HealthQuestion } from "../../../src/cli/health.ts";
import { httpFullReply } from "../../../src/server/farewells.ts";

function questionOf(line: string, variables: Record<string, string> = {}): HealthQuestion {
  const request = parseCommandLine(line.split(" "), {
    environment: (name) => variables[name],
    columns: 100,
  });
  assert.ok(request.kind === "health", JSON.stringify(request));
  return request.question;
}

function errorOf(line: string, variables: Record<string, string> = {}): string {
  const request = parseCommandLine(line.split(" "), {
    environment: (name) => variables[name],
    columns: 100,
  });
  assert.ok(request.kind === "usage_error", JSON.stringify(request));
  return request.message;
}

Deno.test("health: asks where the flags and the environment say that the server is", () => {
  const cases: [line: string, variables: Record<string, string>, url: string][] = [
    ["health", {}, "http://127.0.0.1:8080/health"],
    ["health --ready", {}, "http://127.0.0.1:8080/ready"],
    ["health --http-port 81", { SLUICE_HTTP_PORT: "82" }, "http://127.0.0.1:81/health"],
    ["health", { SLUICE_HTTP_PORT: "82" }, "http://127.0.0.1:82/health"],
    ["health", { SLUICE_HOST: "0.0.0.0" }, "http://127.0.0.1:8080/health"],
    ["health", { SLUICE_HOST: "::" }, "http://[::1]:8080/health"],
    ["health", { SLUICE_TLS_CERT: "cert.pem" }, "https://127.0.0.1:8080/health"],
    ["health --tls-cert cert.pem --host ::1", {}, "https://[::1]:8080/health"],
    ["health --host fd00::7", {}, "http://[fd00::7]:8080/health"],
    ["health --host events.example", {}, "http://events.example:8080/health"],
    // What has nothing to do with it is not looked at.
    ["health", { SLUICE_WORKERS: "many" }, "http://127.0.0.1:8080/health"],
    [
      "health --url http://10.0.0.7:81 --ready",
      { SLUICE_HTTP_PORT: "off" },
      "http://10.0.0.7:81/ready",
    ],
    ["health --url https://a.example/sluice/health", {}, "https://a.example/sluice/health"],
  ];
  for (const [line, variables, url] of cases) {
    const question = questionOf(line, variables);
    assert.equal(question.url.href, url, line);
    assert.equal(question.timeoutMs, 2000);
  }
  assert.equal(questionOf("health --timeout 500ms").timeoutMs, 500);
});

Deno.test("health: the host it names is one that every server allows, or that of the URL", () => {
  assert.equal(questionOf("health --host events.example").hostHeader, "localhost");
  assert.equal(questionOf("health --url http://a.example:81").hostHeader, "a.example:81");
});

Deno.test("health: wrong usage is told", () => {
  const notAPort = "must be the port that the server listens on, not";
  const cases: [line: string, variables: Record<string, string>, message: string][] = [
    ["health", { SLUICE_HTTP_PORT: "off" }, `--http-port ${notAPort} off; or give --url`],
    ["health --http-port 0", {}, `--http-port ${notAPort} 0; or give --url`],
    ["health --http-port x", {}, '--http-port "x" must be a port from 0 to 65535, or off'],
    ["health --timeout 2", {}, '--timeout "2" must be a duration from 1ms to 1m, e.g. 2s'],
    ["health --timeout 0", {}, '--timeout "0" must be a duration from 1ms to 1m, e.g. 2s'],
    ["health --url ftp://a", {}, "--url must be an HTTP address, e.g. http://127.0.0.1:8080"],
    ["health --url http://u:p@a", {}, "--url must be an HTTP address, e.g. http://127.0.0.1:8080"],
    ["health now", {}, 'unknown command or argument "now"; see sluice health --help'],
    ["health --workers 2", {}, "unknown option '--workers'; see sluice health --help"],
  ];
  for (const [line, variables, message] of cases) {
    assert.equal(errorOf(line, variables), message);
  }
});

/** Asks a server that answers with `pieces` and then closes, or keeps silent at the end. */
async function askOne(
  pieces: readonly string[],
  { silent = false, timeoutMs = 10_000, path = "/health" } = {},
): Promise<{ answer: HealthAnswer; asked: string; url: string }> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const url = `http://127.0.0.1:${listener.addr.port}${path}`;
  const asking = askHealth({ url: new URL(url), hostHeader: "localhost", timeoutMs });
  using socket = await listener.accept();
  const buffer = new Uint8Array(1024);
  const asked = new TextDecoder().decode(buffer.subarray(0, await socket.read(buffer) ?? 0));
  for (const piece of pieces) {
    await socket.write(new TextEncoder().encode(piece));
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  if (!silent) await socket.closeWrite();
  return { answer: await asking, asked, url };
}

Deno.test("askHealth: 200 is healthy, in one piece or byte by byte, and all else is not", async () => {
  const reply = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
  for (const pieces of [[reply], [...reply.slice(0, 17)]]) {
    const { answer, asked, url } = await askOne(pieces);
    assert.deepEqual(answer, { healthy: true, text: `healthy: ${url} answered 200` });
    assert.equal(asked, "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  }
  for (const status of [204, 404, 421, 503]) {
    const { answer, url } = await askOne([`HTTP/1.1 ${status} x\r\n\r\n`]);
    assert.deepEqual(answer, { healthy: false, text: `not healthy: ${url} answered ${status}` });
  }
});

Deno.test("askHealth: a server with all its connections taken is healthy, but not ready", async () => {
  const refusal = new TextDecoder().decode(httpFullReply().bytes);
  for (const pieces of [[refusal], [...refusal]]) {
    const { answer, url } = await askOne(pieces);
    const text = `healthy: ${url} answered 503, it has as many connections as it may`;
    assert.deepEqual(answer, { healthy: true, text });
  }
  const { answer, url } = await askOne([refusal], { path: "/ready" });
  assert.deepEqual(answer, { healthy: false, text: `not healthy: ${url} answered 503` });
});

Deno.test("askHealth: what does not speak HTTP, or hangs up, is not healthy", async () => {
  for (const pieces of [[], ["HTTP/1.1 200"], ["-ERR no\r\n"], ["x".repeat(5000)]]) {
    const { answer, url } = await askOne(pieces);
    assert.deepEqual(answer, {
      healthy: false,
      text: `not healthy: ${url}: what answers there does not speak HTTP`,
    });
  }
});

Deno.test("askHealth: silence ends at the timeout", async () => {
  for (const pieces of [[], ["HTTP/1.1 20"]]) {
    const { answer, url } = await askOne(pieces, { silent: true, timeoutMs: 50 });
    assert.deepEqual(answer, {
      healthy: false,
      text: `not healthy: no answer from ${url} within 50ms`,
    });
  }
});

Deno.test("askHealth: where nothing listens, it says so", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const url = new URL(`http://127.0.0.1:${listener.addr.port}/health`);
  listener.close();
  assert.deepEqual(await askHealth({ url, hostHeader: "localhost", timeoutMs: 10_000 }), {
    healthy: false,
    text: `not healthy: ${url}: nothing listens there`,
  });
});

Deno.test("askHealth: where no TLS is spoken, it says so", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const url = new URL(`https://127.0.0.1:${listener.addr.port}/health`);
  const asking = askHealth({ url, hostHeader: "localhost", timeoutMs: 10_000 });
  using socket = await listener.accept();
  await socket.read(new Uint8Array(1024));
  await socket.write(new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n"));
  assert.deepEqual(await asking, {
    healthy: false,
    text: `not healthy: ${url}: what answers there does not speak TLS`,
  });
});
