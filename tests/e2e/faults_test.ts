import assert from "node:assert/strict";
import { RawClient, respCommand } from "../helpers/raw_client.ts";
import { FAULTY_PROGRAM, IO_THREAD_COUNTS, ServerProcess } from "../helpers/server_process.ts";

for (const ioThreads of IO_THREAD_COUNTS) {
  Deno.test(`server, ${ioThreads} I/O threads: a torn shard stops it at once with exit code 4 (C4)`, async () => {
    await using server = await ServerProcess.start(
      ["--workers", "1", "--shards", "1", "--io-threads", String(ioThreads)],
      { script: FAULTY_PROGRAM, env: { SLUICE_TEST_FAULT: "torn_shard" } },
    );
    using resp = await RawClient.connect(server.port("resp"));
    await resp.send(respCommand("EVENT", "alice", "buy", "1"));
    assert.equal(await resp.read(11), "+ACCEPTED\r\n");
    const { code, lines } = await server.waitForEnd();
    assert.equal(code, 4);
    const worker = ioThreads === 1 ? 1 : 1 + ioThreads;
    const fault = `internal fault: shard 0 torn by thread ${worker} in event settlement`;
    const faults = lines.filter(({ message }) => String(message).startsWith(fault));
    assert.equal(faults.length, 1, JSON.stringify(lines));
    assert.equal(server.linesOf("stopped").length, 0, "nothing pretends that this was a stop");
  });
}

Deno.test("server: an I/O thread that ends unasked stops it at once with exit code 4", async () => {
  await using server = await ServerProcess.start(["--io-threads", "2"], {
    script: FAULTY_PROGRAM,
    env: { SLUICE_TEST_FAULT: "io_thread_ends" },
  });
  const { code, lines } = await server.waitForEnd();
  assert.equal(code, 4);
  assert.match(String(lines.at(-1)!["message"]), /^internal fault: I\/O thread [12] ended unasked/);
  assert.equal(server.linesOf("stopped").length, 0, "nothing pretends that this was a stop");
});

Deno.test("server: errors that nobody handled are logged, counted and survived", {
  ignore: Deno.build.os === "windows",
}, async () => {
  await using server = await ServerProcess.start([], {
    script: FAULTY_PROGRAM,
    env: { SLUICE_TEST_FAULT: "loose_errors" },
  });
  server.signal("SIGUSR2");
  await server.waitForLine("unhandled_error");
  using http = await RawClient.connect(server.port("http"));
  let text = "";
  while (!text.includes("sluice_internal_errors_total 2")) {
    await http.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    text = (await http.readHttpReply()).body;
  }
  server.signal("SIGTERM");
  const { code } = await server.waitForEnd();
  assert.equal(code, 0);
  const told = server.linesOf("unhandled_error").map((line) => JSON.stringify(line));
  assert.equal(told.length, 2);
  assert.match(told.join(), /a rejection that nobody handles.*an error that nobody catches/);
});
