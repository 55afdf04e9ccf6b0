import assert from "node:assert/strict";
import { eventRequest, RawClient, respCommand } from "../helpers/raw_client.ts";
import {
  IO_THREAD_COUNTS,
  type LogLine,
  ServerProcess,
  testsInTurn,
} from "../helpers/server_process.ts";
import { stopUnderLoad } from "../helpers/stop_under_load.ts";

const isWindows = Deno.build.os === "windows";
const SLOW = ["--workers", "1", "--work-ms", "200"];

/** Sends events over RESP in one go and checks that each was accepted. */
async function acceptEvents(server: ServerProcess, count: number): Promise<void> {
  using resp = await RawClient.connect(server.port("resp"));
  await resp.send(respCommand("EVENT", "alice", "buy", "1").repeat(count));
  assert.equal(await resp.read(11 * count), "+ACCEPTED\r\n".repeat(count));
}

function steps(lines: readonly LogLine[]): unknown[] {
  return lines.filter((line) => line["event"] === "stop_step").map((line) => line["step"]);
}

for (const ioThreads of IO_THREAD_COUNTS) {
  const test = testsInTurn(ioThreads);
  const flags = ["--io-threads", String(ioThreads)];

  Deno.test(
    `stop, ${ioThreads} I/O threads: SIGTERM in the middle of a load loses nothing (P1, P6)`,
    {
      ignore: isWindows,
    },
    async () => {
      await stopUnderLoad(10_000, ["--channel-capacity", "3000", "--workers", "2", ...flags]);
    },
  );

  test(
    `stop, ${ioThreads} I/O threads: the steps are logged in order, and nothing comes after \`stopped\``,
    {
      ignore: isWindows,
    },
    async () => {
      for (const signal of ["SIGTERM", "SIGINT"] as const) {
        await using server = await ServerProcess.start(flags);
        await acceptEvents(server, 3);
        server.signal(signal);
        const { code, lines } = await server.waitForEnd();
        assert.equal(code, 0);
        assert.deepEqual(server.otherLines.filter((line) => line !== ""), []);
        assert.deepEqual(steps(lines), [
          "readiness",
          "listeners",
          "requests",
          "workers",
          "connections",
        ]);
        const { time: _time, ...last } = lines.at(-1)!;
        assert.deepEqual(last, {
          level: "info",
          area: "server",
          message: "stopped",
          event: "stopped",
          received: 3,
          processed: 3,
          dropped: 0,
          failed: 0,
          pending: 0,
          lost: 0,
        });
      }
    },
  );

  test(
    `stop, ${ioThreads} I/O threads: a late request on an open connection is told, and the connection closed`,
    {
      ignore: isWindows,
    },
    async () => {
      await using server = await ServerProcess.start([...SLOW, ...flags]);
      using http = await RawClient.connect(server.port("http"));
      using resp = await RawClient.connect(server.port("resp"));
      // Both connections are known to the server before it stops, and stay open while it drains.
      await http.send("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
      await resp.send(respCommand("PING"));
      await Promise.all([http.readHttpReply(), resp.read(7)]);
      await acceptEvents(server, 10);
      server.signal("SIGTERM");
      await server.waitForLine("stop_step");
      while (!steps(server.lines).includes("requests")) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      await http.send(eventRequest("alice", 1));
      const late = await http.readHttpReply();
      assert.deepEqual(
        [late.status, late.body],
        [503, `{"status":"rejected","reason":"shutting_down"}`],
      );
      assert.equal(await http.readToEnd(), "");
      await resp.send(respCommand("EVENT", "alice", "buy", "1"));
      assert.equal(await resp.readToEnd(), "-ERR server is shutting down\r\n");
      await assert.rejects(RawClient.connect(server.port("http")), Deno.errors.ConnectionRefused);
      const { code, lines } = await server.waitForEnd();
      assert.equal(lines.at(-1)!["processed"], 10);
      assert.equal(code, 0);
    },
  );
}

Deno.test("stop: under `deno task start`, SIGINT to the group is one graceful stop", {
  ignore: isWindows,
}, async () => {
  const flags = ["--workers", "1", "--work-ms", "2", "--channel-capacity", "1000"];
  await using server = await ServerProcess.start(flags, {
    denoArgs: ["task", "start"],
    ownGroup: true,
  });
  await acceptEvents(server, 1000);
  // One Ctrl-C reaches the server twice, directly and through the task runner, sometimes merged
  // into one; the second signal here makes sure that there are two.
  server.signal("SIGINT", true);
  await server.waitForLine("stop_requested");
  server.signal("SIGINT", true);
  const { code, lines } = await server.waitForEnd();
  const stopped = lines.at(-1)!;
  assert.deepEqual(
    ["event", "received", "processed", "pending", "lost"].map((name) => stopped[name]),
    ["stopped", 1000, 1000, 0, 0],
  );
  assert.equal(server.linesOf("stop_requested").length, 1);
  assert.equal(server.linesOf("stop_hurried").length, 0);
  assert.equal(code, 0);
});

Deno.test("stop: a second signal stops at once, and the exit code says what that cost", {
  ignore: isWindows,
}, async () => {
  await using server = await ServerProcess.start(SLOW);
  await acceptEvents(server, 50);
  server.signal("SIGTERM");
  await server.waitForLine("stop_requested");
  await new Promise((resolve) => setTimeout(resolve, 350));
  server.signal("SIGTERM");
  const { code, lines } = await server.waitForEnd();
  const stopped = lines.at(-1)!;
  assert.equal(server.linesOf("stop_hurried").length, 1);
  assert.equal(stopped["event"], "stopped");
  assert((stopped["lost"] as number) > 30, `lost ${stopped["lost"]}`);
  assert.equal(stopped["lost"], 50 - (stopped["processed"] as number));
  assert.equal(stopped["hurried"], true);
  assert.equal(code, 3);
});

Deno.test("stop: the deadline ends a drain that takes too long, and says what is lost", {
  ignore: isWindows,
}, async () => {
  await using server = await ServerProcess.start([...SLOW, "--shutdown-timeout", "1s"]);
  await acceptEvents(server, 100);
  server.signal("SIGTERM");
  const { code, lines } = await server.waitForEnd();
  const stopped = lines.at(-1)!;
  assert.equal(stopped["event"], "stopped");
  assert((stopped["lost"] as number) > 50, `lost ${stopped["lost"]}`);
  assert.equal(stopped["lost"], 100 - (stopped["processed"] as number));
  assert.equal(code, 3);
  assert.deepEqual(
    steps(lines).at(-1),
    "connections",
    "the steps behind the one that took too long still ran",
  );
});

Deno.test("stop: during the drain delay /ready says no and everything else is served", {
  ignore: isWindows,
}, async () => {
  await using server = await ServerProcess.start(["--drain-delay", "1500ms"]);
  using http = await RawClient.connect(server.port("http"));
  const ready = "GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n";
  await http.send(ready);
  assert.equal((await http.readHttpReply()).status, 200);
  server.signal("SIGTERM");
  await server.waitForLine("stop_requested");
  await http.send(ready);
  const notReady = await http.readHttpReply();
  assert.deepEqual(
    [notReady.status, notReady.body],
    [503, `{"status":"error","reason":"shutting_down"}`],
  );
  await http.send(eventRequest("alice", 1));
  assert.equal((await http.readHttpReply()).status, 202);
  await acceptEvents(server, 1);
  const { code, lines } = await server.waitForEnd();
  assert.equal(lines.at(-1)!["processed"], 2);
  assert.equal(code, 0);
});

Deno.test("signals: SIGHUP is logged, and neither stops the server nor counts as a first signal", {
  ignore: isWindows,
}, async () => {
  await using server = await ServerProcess.start();
  server.signal("SIGHUP");
  const line = await server.waitForLine("sighup");
  assert.equal(line["level"], "info");
  await acceptEvents(server, 5);
  server.signal("SIGTERM");
  const { code, lines } = await server.waitForEnd();
  assert.equal(lines.at(-1)!["processed"], 5);
  assert.deepEqual(server.linesOf("stop_requested").map((line) => line["signal"]), ["SIGTERM"]);
  assert.equal(code, 0);
});

Deno.test("stop: with --stop-on-eof the end of standard input stops it in order, no word does", async () => {
  await using server = await ServerProcess.start(["--stop-on-eof"], { pipedInput: true });
  await server.writeInput("nobody reads this\n");
  await acceptEvents(server, 3);
  assert.deepEqual(server.linesOf("stop_requested"), []);
  await server.endInput();
  const { code, lines } = await server.waitForEnd();
  assert.deepEqual(server.linesOf("stop_requested").map((line) => line["signal"]), ["EOF"]);
  assert.deepEqual([lines.at(-1)!["processed"], lines.at(-1)!["lost"], code], [3, 0, 0]);
});

Deno.test("stop: with --stop-on-eof a server that has no standard input stops at once", async () => {
  await using server = await ServerProcess.start(["--stop-on-eof"], { skipReady: true });
  const { code, lines } = await server.waitForEnd();
  assert.deepEqual([lines.at(-1)!["event"], code], ["stopped", 0]);
});

Deno.test("start: a port in use is one clear line and exit code 1", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const port = String(listener.addr.port);
  await using server = await ServerProcess.start(["--resp-port", port], { skipReady: true });
  const { code, lines } = await server.waitForEnd();
  assert.equal(code, 1);
  assert.equal(lines.length, 1);
  assert.equal(lines[0]!["event"], "start_failed");
  assert.equal(
    lines[0]!["message"],
    `Cannot listen on 127.0.0.1:${port} for resp: the port is in use; ` +
      "stop the other program or choose another port with --resp-port",
  );
});

Deno.test("start: an address of another machine is one clear line and exit code 1", async () => {
  const flags = ["--host", "192.0.2.1", "--insecure"];
  await using server = await ServerProcess.start(flags, { skipReady: true });
  const { code, lines } = await server.waitForEnd();
  assert.equal(code, 1);
  assert.equal(lines.length, 1);
  assert.match(String(lines[0]!["message"]), /192\.0\.2\.1.*--host/);
});
