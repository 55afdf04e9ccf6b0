import assert from "node:assert/strict";
import { Redis } from "ioredis";
import { ProtoTcpClient } from "../helpers/proto_client.ts";
import { closedFor, waitForMetrics } from "../helpers/metrics.ts";
import { RawClient } from "../helpers/raw_client.ts";
import {
  IO_THREAD_COUNTS,
  isInstalled,
  PROGRAM,
  ServerProcess,
} from "../helpers/server_process.ts";
import { connectSecurely, connectTls, testCertificate, tlsFlags } from "../helpers/tls.ts";

const one = testCertificate("one");
const two = testCertificate("two");
const expired = testCertificate("expired");

/** What a server is allowed to do whose files are anywhere. */
const PERMISSIONS = ["--no-prompt", "--allow-net", "--allow-read", "--allow-env=SLUICE_*"];

const HEALTH = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";

/** Runs a program and returns what it printed. */
async function run(program: string, ...args: string[]): Promise<string> {
  const { stdout, stderr } = await new Deno.Command(program, { args }).output();
  const decoder = new TextDecoder();
  return decoder.decode(stdout) + decoder.decode(stderr);
}

Deno.test("tls: every port speaks it, with the clients that people use", async (t) => {
  await using server = await ServerProcess.start(tlsFlags(one));
  const [http, resp, proto] = (["http", "resp", "proto"] as const).map((p) => server.port(p));

  await t.step("HTTP, small and large, a client that closes its side first", async () => {
    using client = await connectSecurely(http!, one);
    await client.send(HEALTH + HEALTH);
    assert.equal((await client.readHttpReply()).body, `{"status":"ok"}`);
    assert.equal((await client.readHttpReply()).body, `{"status":"ok"}`);
    const large = "0123456789".repeat(90_000);
    await client.send(
      `PUT /keys/large HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${large.length}\r\n\r\n${large}`,
    );
    assert.equal((await client.readHttpReply()).status, 201);
    await client.send("GET /keys/large HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await client.closeWrite();
    assert.equal((await client.readHttpReply()).body, large);
    assert.equal(await client.readToEnd(), "");
  });

  await t.step("an old client without ALPN, and one that asks for HTTP/1.1", async () => {
    using connection = await connectTls(http!, [one], ["http/1.1"]);
    assert.equal((await connection.handshake()).alpnProtocol, "http/1.1");
  });

  await t.step("Protobuf", async () => {
    await using client = ProtoTcpClient.over(await connectTls(proto!, [one]));
    assert.deepEqual(await client.ask({ case: "echoMessage", value: { content: "hi" } }), {
      echoMessage: { content: "hi" },
    });
  });

  await t.step("ioredis", async () => {
    const redis = new Redis(resp!, "127.0.0.1", { tls: { ca: one.cert, servername: "localhost" } });
    try {
      assert.equal(await redis.set("name", "value"), "OK");
      assert.equal(await redis.get("name"), "value");
      const keys = Array.from({ length: 500 }, (_, i) => `key:${i}`);
      await redis.mset(Object.fromEntries(keys.map((key) => [key, key])));
      assert.deepEqual(await redis.mget(...keys), keys);
    } finally {
      redis.disconnect();
    }
  });

  await t.step("redis-cli --tls", async () => {
    if (!await isInstalled("redis-cli")) return;
    const cli = ["-p", String(resp), "--tls", "--cacert", one.certPath];
    assert.equal(await run("redis-cli", ...cli, "INCR", "counter"), "1\n");
    assert.match(await run("redis-cli", ...cli, "INFO", "clients"), /connected_clients:1/);
  });

  await t.step("curl --cacert", async () => {
    if (!await isInstalled("curl")) return;
    const url = `https://localhost:${http}/health`;
    assert.equal(await run("curl", "-s", "--cacert", one.certPath, url), `{"status":"ok"}`);
    assert.match(await run("curl", "-sS", "--cacert", two.certPath, url), /curl: \(60\)/);
    assert.match(
      await run("curl", "-sS", "--cacert", one.certPath, "--tls-max", "1.1", url),
      /curl: \(35\)/,
    );
    assert.equal(
      await run("curl", "-s", "--cacert", one.certPath, "--tls-max", "1.2", url),
      `{"status":"ok"}`,
    );
  });
});

Deno.test("tls: a server that cannot speak it says why in one line, and does not start", async () => {
  const nowhere = "/nowhere/cert.pem";
  const cases: [flags: string[], code: number, text: RegExp][] = [
    [
      ["--tls-cert", nowhere, "--tls-key", one.keyPath],
      1,
      /from \S*nowhere.*permission|no such file|lacks/,
    ],
    [
      ["--tls-cert", one.certPath, "--tls-key", "tests/none.key"],
      1,
      /no such file; check --tls-key$/,
    ],
    [
      ["--tls-cert", "LICENSE", "--tls-key", one.keyPath],
      1,
      /LICENSE: it has no certificate in PEM/,
    ],
    [
      ["--tls-cert", one.certPath, "--tls-key", "LICENSE"],
      1,
      /LICENSE: it has no private key in PEM/,
    ],
    [
      ["--tls-cert", one.certPath, "--tls-key", two.keyPath],
      1,
      /does not belong to the certificate/,
    ],
    [["--tls-cert", one.certPath], 2, /--tls-cert .* must come with --tls-key/],
    [["--tls-key", one.keyPath], 2, /--tls-key .* must come with --tls-cert/],
  ];
  await Promise.all(cases.map(async ([flags, code, text]) => {
    await using server = await ServerProcess.start(flags, { skipReady: true });
    const end = await server.waitForEnd();
    assert.equal(end.code, code, flags.join(" "));
    const said = [...end.lines.map((line) => String(line["message"])), ...server.otherLines];
    assert.equal(said.length, 1, said.join("\n"));
    assert.match(said[0]!, text);
  }));
});

Deno.test("tls: an expired certificate is served, and warned of", async () => {
  await using server = await ServerProcess.start(tlsFlags(expired));
  const warning = await server.waitForLine("tls_warning");
  assert.match(String(warning["message"]), /expired/);
  await assert.rejects(
    connectTls(server.port("http"), [expired]).then(async (socket) => {
      using _socket = socket;
      await socket.handshake();
    }),
  );
});

Deno.test("tls: who does not finish a handshake is counted and closed, and holds nobody up", async (t) => {
  for (const ioThreads of IO_THREAD_COUNTS) {
    await t.step(`with ${ioThreads} I/O threads`, async () => {
      const flags = ["--header-timeout", "300ms", "--log-level", "debug"];
      flags.push("--io-threads", String(ioThreads));
      await using server = await ServerProcess.start([...tlsFlags(one), ...flags]);
      const port = server.port("http");
      const metrics = (): Promise<RawClient> => connectSecurely(port, one);
      const descriptors = (): number => descriptorCount(server.pid);
      const before = descriptors();

      using plain = await RawClient.connect(port);
      await plain.send(HEALTH);
      // A TLS alert, fatal.
      assert.equal((await plain.readToEnd()).slice(0, 1), "\x15");
      using hanging = await RawClient.connect(port);
      await hanging.send(Uint8Array.of(0x16, 3, 1, 2, 0, 1, 0, 1));
      const silent = await Promise.all(Array.from({ length: 20 }, () => RawClient.connect(port)));
      using served = await connectSecurely(port, one);
      await served.send(HEALTH);
      assert.equal((await served.readHttpReply()).status, 200);
      for (const client of silent) assert.equal(await client.readToEnd(), "");
      assert.equal(await hanging.readToEnd(), "");
      await waitForMetrics(metrics, "the count", (now) => closedFor(now, "tls_handshake") === 22);
      // The clients have not closed; the server has.
      if (Deno.build.os === "linux") assert.ok(descriptors() <= before + 4, `${descriptors()}`);
      for (const client of silent) client.close();

      // Who leaves in the middle of it.
      using leaving = await RawClient.connect(port);
      await leaving.send(Uint8Array.of(0x16, 3, 1, 2, 0, 1, 0, 1));
      leaving.close();
      await waitForMetrics(metrics, "another", (now) => closedFor(now, "tls_handshake") === 23);
      const lines = server.linesOf("tls_handshake_failed");
      assert.equal(lines.length, 23);
      assert.deepEqual([lines[0]!["level"], lines[0]!["peer"]], ["debug", "127.0.0.1"]);
      server.signal("SIGTERM");
      const { code, lines: log } = await server.waitForEnd();
      assert.equal(code, 0);
      assert.deepEqual(log.filter(({ level }) => level === "error"), []);
    });
  }
});

/** Deno itself reads /proc only with every permission there is. */
function descriptorCount(pid: number): number {
  if (Deno.build.os !== "linux") return 0;
  const { stdout } = new Deno.Command("ls", { args: [`/proc/${pid}/fd`] }).outputSync();
  return new TextDecoder().decode(stdout).split("\n").length - 1;
}

Deno.test("tls: caps and lists hold before the handshake", async (t) => {
  await t.step("over the cap the reply is encrypted, too", async () => {
    await using server = await ServerProcess.start([...tlsFlags(one), "--max-connections", "1"]);
    using first = await connectSecurely(server.port("http"), one);
    await first.send(HEALTH);
    assert.equal((await first.readHttpReply()).status, 200);
    using refused = await connectSecurely(server.port("http"), one);
    assert.match(await refused.readToEnd(), /^HTTP\/1\.1 503 .*too_many_connections/s);
    using redis = await connectSecurely(server.port("resp"), one);
    assert.equal(await redis.readToEnd(), "-ERR max number of clients reached\r\n");
    // Silence costs its place among the refused for a moment only.
    using silent = await RawClient.connect(server.port("http"));
    assert.equal(await silent.readToEnd(), "");
  });
  await t.step("who may not connect gets no handshake", async () => {
    await using server = await ServerProcess.start([...tlsFlags(one), "--deny", "127.0.0.1"]);
    using denied = await RawClient.connect(server.port("http"));
    assert.equal(await denied.readToEnd(), "");
    await assert.rejects(
      connectTls(server.port("http"), [one]).then((socket) => {
        using _socket = socket;
        return socket.handshake();
      }),
    );
  });
});

Deno.test("tls: the same origin and absolute targets are https", async () => {
  await using server = await ServerProcess.start(tlsFlags(one));
  const port = server.port("http");
  const host = `localhost:${port}`;
  const cases: [target: string, header: string, status: number][] = [
    ["/health", `Origin: https://${host}\r\n`, 200],
    ["/health", `Origin: http://${host}\r\n`, 403],
    [`https://${host}/health`, "", 200],
    [`http://${host}/health`, "", 421],
  ];
  for (const [target, header, status] of cases) {
    using client = await connectSecurely(port, one);
    await client.send(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\n${header}\r\n`);
    assert.equal((await client.readHttpReply()).status, status, target + header);
  }
});

Deno.test("tls: sluice health asks over it", async () => {
  await using server = await ServerProcess.start(tlsFlags(one));
  const health = (...flags: string[]): Promise<string> =>
    run(Deno.execPath(), "run", "-A", PROGRAM, "health", ...flags);
  const port = String(server.port("http"));
  const url = `https://localhost:${port}`;
  const answers = await Promise.all([
    health("--http-port", port, "--tls-cert", two.certPath),
    health("--url", `https://127.0.0.1:${port}`),
    health("--url", url, "--tls-ca", one.certPath, "--ready"),
    health("--url", url, "--tls-ca", two.certPath),
    health("--http-port", port),
  ]);
  assert.match(answers[0]!, /^healthy: https:\/\/127\.0\.0\.1:\d+\/health answered 200\n$/);
  assert.match(answers[1]!, /^healthy: .* answered 200\n$/);
  assert.match(answers[2]!, /^healthy: .*\/ready answered 200\n$/);
  assert.match(answers[3]!, /^sluice: not healthy: .*invalid peer certificate/);
  assert.match(answers[4]!, /^sluice: not healthy: .*speaks TLS; give --tls-cert/);
});

Deno.test(
  "tls: a SIGHUP while the server starts has the certificate read again when it has started",
  {
    ignore: Deno.build.os === "windows",
  },
  async () => {
    const folder = await Deno.makeTempDir({ prefix: "sluice-tls-" });
    const [certPath, keyPath] = [`${folder}/cert.pem`, `${folder}/key.pem`];
    try {
      // Whoever opens a pipe waits for the other end, and reads until that is closed.
      assert.equal(await run("mkfifo", certPath, keyPath), "");
      await using server = await ServerProcess.start(
        ["--tls-cert", certPath, "--tls-key", keyPath],
        { denoArgs: ["run", ...PERMISSIONS, PROGRAM], skipReady: true },
      );
      await Deno.writeTextFile(certPath, one.cert);
      using key = await Deno.open(keyPath, { write: true });
      // It has read the certificate and is reading the key.
      server.signal("SIGHUP");
      for (const [path, text] of [[certPath, two.cert], [keyPath, two.key]] as const) {
        await Deno.writeTextFile(`${path}.new`, text);
        await Deno.rename(`${path}.new`, path);
      }
      await key.write(new TextEncoder().encode(one.key));
      key.close();
      const [first, then] = [
        await server.waitForLine("tls"),
        await server.waitForLine("tls_reloaded"),
      ];
      assert.notEqual(first["fingerprint"], then["fingerprint"]);
      (await connectSecurely(server.port("http"), two)).close();
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
);

Deno.test("tls: SIGHUP reads the certificate again and nobody notices", {
  ignore: Deno.build.os === "windows",
}, async (t) => {
  for (const ioThreads of IO_THREAD_COUNTS) {
    await t.step(`with ${ioThreads} I/O threads`, () => testReload(ioThreads));
  }
});

const RELOAD_COUNT = 20;

async function testReload(ioThreads: number): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "sluice-tls-" });
  const [certPath, keyPath] = [`${folder}/cert.pem`, `${folder}/key.pem`];
  const put = async ({ cert, key }: { cert: string; key: string }): Promise<void> => {
    await Deno.writeTextFile(certPath, cert);
    await Deno.writeTextFile(keyPath, key);
  };
  try {
    await put(one);
    await using server = await ServerProcess.start(
      ["--tls-cert", certPath, "--tls-key", keyPath, "--io-threads", String(ioThreads)],
      { denoArgs: ["run", ...PERMISSIONS, PROGRAM] },
    );
    const port = server.port("http");
    // Its handshake is over, or it might be accepted when another certificate has been read.
    using open = await connectSecurely(port, one);

    const stop = new AbortController();
    const hammers = Array.from({ length: 8 }, () => hammer(port, stop.signal));
    for (let i = 1; i <= RELOAD_COUNT; i++) {
      await put(i % 2 === 0 ? one : two);
      server.signal("SIGHUP");
      await waitForLines(server, "tls_reloaded", i);
    }
    stop.abort();
    const counts = await Promise.all(hammers);
    assert.ok(counts.every((count) => count > 0), "connections were opened all the time");

    // Both keys' places were changed while it ran; the last pair is the first one.
    const last = server.linesOf("tls_reloaded").at(-1)!;
    assert.equal(last["fingerprint"], (await server.waitForLine("tls"))["fingerprint"]);
    assert.match(String(last["expires"]), /^21\d\d-/);

    await put({ cert: two.cert, key: one.key });
    server.signal("SIGHUP");
    const refused = await server.waitForLine("tls_reload_failed");
    assert.match(String(refused["reason"]), /does not belong to the certificate/);
    assert.deepEqual([refused["level"], refused["retry_ms"]], ["warn", 1000]);
    using still = await connectSecurely(port, one);
    await still.send(HEALTH);
    assert.equal((await still.readHttpReply()).status, 200);

    await put(two);
    server.signal("SIGHUP");
    await waitForLines(server, "tls_reloaded", RELOAD_COUNT + 1);
    // Every thread uses it: who trusts only the new one is never refused.
    for (let i = 0; i < 12; i++) (await connectSecurely(port, two)).close();
    await open.send(HEALTH);
    assert.equal((await open.readHttpReply()).status, 200);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Connects again and again, with a request each time; returns how often. */
async function hammer(port: number, stop: AbortSignal): Promise<number> {
  let count = 0;
  for (; !stop.aborted; count++) {
    using client = RawClient.over(await connectTls(port, [one, two]));
    await client.send(HEALTH);
    assert.equal((await client.readHttpReply()).status, 200);
  }
  return count;
}

async function waitForLines(server: ServerProcess, event: string, count: number): Promise<void> {
  const endMs = performance.now() + 20_000;
  while (server.linesOf(event).length < count) {
    assert.ok(
      performance.now() < endMs,
      `${count} lines ${event}: ${JSON.stringify(server.lines)}`,
    );
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
