import assert from "node:assert/strict";
import { type Ask, askBytes, askUnframed, ProtoTcpClient } from "../helpers/proto_client.ts";
import { RawClient, respCommand } from "../helpers/raw_client.ts";
import { ServerProcess } from "../helpers/server_process.ts";

const echo = (content: string): Ask => ({ case: "echoMessage", value: { content } });
const buy: Ask = { case: "event", value: { user: "alice", action: "buy", amount: 100n } };
const balanceOf = (user: string): Ask => ({ case: "balanceRequest", value: { user } });

/** The kind of an error. */
function codeOf(reply: unknown): string | undefined {
  return (reply as { error?: { code: string } } | undefined)?.error?.code;
}

/** Asks until the answer is `expected`: events are settled a moment after they are accepted. */
async function becomes(client: ProtoTcpClient, ask: Ask, expected: unknown): Promise<void> {
  for (let i = 0;; i++) {
    const reply = await client.ask(ask);
    try {
      assert.deepEqual(reply, expected);
      return;
    } catch (error) {
      if (i === 500) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

Deno.test("server: speaks Protobuf, and all protocols see one store (P5)", async () => {
  await using server = await ServerProcess.start();
  await using client = await ProtoTcpClient.connect(server.port("proto"));
  assert.deepEqual(await client.ask(echo("héllo")), { echoMessage: { content: "héllo" } });
  const add: Ask = { case: "addRequest", value: { a: 40, b: 2 } };
  assert.deepEqual(await client.ask(add), { addResponse: { result: 42 } });
  const accepted = { eventReply: { status: "EVENT_STATUS_ACCEPTED" } };
  assert.deepEqual(await client.ask(buy), accepted);
  await becomes(client, balanceOf("alice"), { balanceReply: { user: "alice", balance: "100" } });
  assert.deepEqual(await client.ask(balanceOf("bob")), { balanceReply: { user: "bob" } });

  using resp = await RawClient.connect(server.port("resp"));
  await resp.send(respCommand("INCRBY", "balance:alice", "-142"));
  assert.equal(await resp.read(6), ":-42\r\n");
  assert.deepEqual(await client.ask(balanceOf("alice")), {
    balanceReply: { user: "alice", balance: "-42" },
  });
  await resp.send("INFO server\r\n");
  assert.match(await resp.readUntil(`proto_port:${server.port("proto")}\r\n`), /http_port/);

  // A long pipeline, and texts of all sizes.
  const contents = Array.from({ length: 2000 }, (_, i) => "x".repeat(i % 300) + i);
  const [replies] = await Promise.all([
    (async () => {
      const received: unknown[] = [];
      for (const _ of contents) received.push(await client.reply());
      return received;
    })(),
    client.send(...contents.map(echo)),
  ]);
  assert.deepEqual(replies, contents.map((content) => ({ echoMessage: { content } })));
  const long = "y".repeat(1_000_000);
  assert.deepEqual(await client.ask(echo(long)), { echoMessage: { content: long } });

  using http = await RawClient.connect(server.port("http"));
  await http.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const { body } = await http.readHttpReply();
  assert.match(body, /^sluice_connections_accepted_total\{protocol="proto"\} 1$/m);
  assert.match(body, /^sluice_active_connections\{protocol="proto"\} 1$/m);
  const count = /^sluice_commands_processed_total\{protocol="proto"\} (\d+)$/m.exec(body);
  assert.ok(Number(count?.[1]) > 2000);
  assert.match(body, /^sluice_request_duration_seconds_count\{protocol="proto"\} [1-9]/m);
  assert.match(body, /^sluice_bytes_read_total\{protocol="proto"\} [1-9]/m);
  assert.match(body, /^sluice_bytes_written_total\{protocol="proto"\} [1-9]/m);
});

Deno.test("server: without a framing, each read is a message", async () => {
  await using server = await ServerProcess.start([
    ...["--proto-framing", "none", "--max-connections", "1"],
  ]);
  const port = server.port("proto");
  using socket = await Deno.connect({ hostname: "127.0.0.1", port });
  assert.deepEqual(await askUnframed(socket, echo("hi")), { echoMessage: { content: "hi" } });
  assert.equal(codeOf(await askBytes(socket, Uint8Array.of(0x0a))), "ERROR_CODE_MALFORMED");
  assert.deepEqual(await askUnframed(socket, buy), {
    eventReply: { status: "EVENT_STATUS_ACCEPTED" },
  });
  using second = await Deno.connect({ hostname: "127.0.0.1", port });
  assert.equal(codeOf(await askUnframed(second, buy)), "ERROR_CODE_TOO_MANY_CONNECTIONS");
});

Deno.test("server: Protobuf clients that are late, silent or too many are told so", async () => {
  await using server = await ServerProcess.start([
    ...["--max-connections", "4", "--header-timeout", "200ms", "--idle-timeout", "600ms"],
  ]);
  const port = server.port("proto");
  await using inLength = await ProtoTcpClient.connect(port);
  await using inMessage = await ProtoTcpClient.connect(port);
  await using silent = await ProtoTcpClient.connect(port);
  await using lost = await ProtoTcpClient.connect(port);
  for (const client of [inLength, inMessage, silent, lost]) await client.ask(echo("here"));
  await using tooMany = await ProtoTcpClient.connect(port);
  assert.equal(codeOf(await tooMany.reply()), "ERROR_CODE_TOO_MANY_CONNECTIONS");
  assert.equal(await tooMany.reply(), undefined);

  await inLength.sendBytes(Uint8Array.of(0x80));
  await inMessage.sendBytes(Uint8Array.of(0x06, 0x0a));
  await lost.sendBytes(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff));
  assert.equal(codeOf(await lost.reply()), "ERROR_CODE_MALFORMED");
  assert.equal(await lost.reply(), undefined);
  for (const client of [inLength, inMessage]) {
    assert.equal(codeOf(await client.reply()), "ERROR_CODE_TIMEOUT");
    assert.equal(await client.reply(), undefined);
  }
  assert.equal(await silent.reply(), undefined);
});

Deno.test("server: with a password, Protobuf clients do nothing before it", async () => {
  await using server = await ServerProcess.start([], { env: { SLUICE_PASSWORD: "secret" } });
  await using client = await ProtoTcpClient.connect(server.port("proto"));
  const auth = (password: string): Ask => ({ case: "authRequest", value: { password } });
  for (const ask of [echo("x"), buy, balanceOf("alice")]) {
    assert.equal(codeOf(await client.ask(ask)), "ERROR_CODE_UNAUTHENTICATED");
  }
  assert.equal(codeOf(await client.ask(auth("guess"))), "ERROR_CODE_WRONG_PASSWORD");
  assert.deepEqual(await client.ask(auth("secret")), { authReply: {} });
  assert.deepEqual(await client.ask(balanceOf("alice")), { balanceReply: { user: "alice" } });
  assert.ok(!JSON.stringify(server.lines).includes("secret"), "the password is in no log line");
});

Deno.test("server: a stop ends Protobuf connections and loses no event of theirs (P1)", {
  ignore: Deno.build.os === "windows",
}, async () => {
  await using server = await ServerProcess.start(["--workers", "1", "--work-ms", "2"]);
  await using client = await ProtoTcpClient.connect(server.port("proto"));
  await client.send(...Array.from({ length: 100 }, () => buy));
  for (let i = 0; i < 100; i++) await client.reply();
  server.signal("SIGTERM");
  assert.equal(await client.reply(), undefined);
  const { code, lines } = await server.waitForEnd();
  assert.equal(code, 0);
  const { received, processed, lost } = lines.at(-1)!;
  assert.deepEqual([received, processed, lost], [100, 100, 0]);
});
