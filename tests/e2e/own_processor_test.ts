import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { sizeDelimitedEncode } from "@bufbuild/protobuf/wire";
import { ClientMessageSchema } from "../../src/protocol/protobuf/gen/sluice/v1/messages_pb.ts";
import { ProtoTcpClient } from "../helpers/proto_client.ts";
import { RawClient, respCommand } from "../helpers/raw_client.ts";
import { say } from "../helpers/say.ts";
import {
  IO_THREAD_COUNTS,
  PROGRAM,
  ServerProcess,
  testsInTurn,
} from "../helpers/server_process.ts";

const ORDERS = ["--processor", "tests/helpers/processors/orders.ts"];

function post(path: string, body: string, headers = ""): string {
  const length = new TextEncoder().encode(body).length;
  return `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${length}\r\n${headers}\r\n${body}`;
}

/** Ways to cut bytes into what is sent at a time. */
function* cuts(bytes: Uint8Array, seed: number): Generator<Uint8Array[]> {
  yield [bytes];
  yield Array.from(bytes, (byte) => Uint8Array.of(byte));
  let state = seed;
  for (let round = 0; round < 8; round++) {
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < bytes.length;) {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      const length = 1 + (state >>> 16) % 40;
      pieces.push(bytes.slice(at, at + length));
      at += length;
    }
    yield pieces;
  }
}

async function sendPieces(
  pieces: readonly Uint8Array[],
  send: (piece: Uint8Array) => Promise<void>,
): Promise<void> {
  for (const piece of pieces) {
    await send(piece);
    // Most of them arrive alone.
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
}

/** One command's reply in RESP2, a simple one, an error or a text. */
async function respReply(client: RawClient): Promise<string> {
  const head = await client.readUntil("\r\n");
  if (head[0] !== "$" || head === "$-1\r\n") return head.trimEnd();
  return (await client.read(Number(head.slice(1)) + 2)).slice(0, -2);
}

for (const ioThreads of IO_THREAD_COUNTS) {
  const test = testsInTurn(ioThreads);
  const flags = [...ORDERS, "--io-threads", String(ioThreads), "--workers", "2"];

  test(`processor, ${ioThreads} I/O threads: fields go in and results come out over HTTP`, async () => {
    await using server = await ServerProcess.start(flags);
    using http = await RawClient.connect(server.port("http"));
    const ask = async (path: string, body: unknown, headers = "") => {
      await http.send(post(path, typeof body === "string" ? body : JSON.stringify(body), headers));
      const { status, body: text } = await http.readHttpReply();
      return [status, text];
    };
    const event = { user: "ann", action: "order", amount: 1, sku: 'a"x', units: 3 };
    for (const path of ["/events", "/"]) {
      assert.deepEqual(await ask(`${path}?wait=10s`, { ...event, other: [1], tags: ["a"] }), [
        200,
        `{"status":"processed","result":{"sku":"a\\"x","units":3,"tags":["a"]}}`,
      ]);
    }
    assert.deepEqual(await ask("/events", event), [202, `{"status":"accepted"}`]);
    assert.deepEqual(await ask("/events?wait=10s", { ...event, user: "silent" }), [
      200,
      `{"status":"processed"}`,
    ]);
    assert.deepEqual(await ask("/events?wait=10s", { ...event, user: "thrower" }), [
      200,
      `{"status":"failed","reason":"processor_error"}`,
    ]);
    const named = await ask("/events?wait=10s", event, "Idempotency-Key: k-1\r\n");
    assert.equal(named[1], `{"status":"processed","result":{"sku":"a\\"x","units":3,"id":"k-1"}}`);
    const again = await ask("/events?wait=10s", event, "Idempotency-Key: k-1\r\n");
    assert.deepEqual(again, [200, `{"status":"processed"}`], "what it returned is not remembered");

    const refusal = (detail: string, reason = "invalid_event") =>
      JSON.stringify({ status: "error", reason, detail });
    const refused: [Record<string, unknown>, number, string][] = [
      [{ sku: undefined }, 400, refusal("sku is missing")],
      [{ sku: "" }, 400, refusal("sku must be a string of 1 to 2000 characters")],
      [{ units: 0 }, 400, refusal("units must be an integer from 1 to 100")],
      [{ units: "1" }, 400, refusal("units must be an integer from 1 to 100")],
      [{ tags: ["a", 2] }, 400, refusal("tags[1] must be a string")],
      [{ sku: "gone" }, 400, refusal(`ann cannot have "gone": 1`)],
      [{ action: "sell" }, 400, refusal("action must be order, not sell\r\n+OK")],
      [{ user: "" }, 400, refusal("user must be 1 to 128 bytes")],
      [
        { action: "break" },
        500,
        refusal("the processor failed to look at the event", "processor_error"),
      ],
      [
        { action: "late" },
        500,
        refusal("the processor failed to look at the event", "processor_error"),
      ],
    ];
    for (const [change, status, text] of refused) {
      assert.deepEqual(await ask("/events?wait=10s", { ...event, ...change }), [status, text]);
    }
    const lines = [
      event,
      { ...event, units: 101 },
      { ...event, action: "break" },
      "not json",
      { ...event, user: "bob", sku: "z", units: 7 },
    ];
    const [status, text] = await ask(
      "/events",
      lines.map((line) => typeof line === "string" ? line : JSON.stringify(line)).join("\n"),
      "Content-Type: application/x-ndjson\r\n",
    );
    assert.equal(status, 200);
    const { accepted, rejected, errors } = JSON.parse(String(text));
    assert.deepEqual([accepted, rejected], [2, 3]);
    assert.deepEqual(errors, [
      { line: 2, reason: "invalid_event", detail: "units must be an integer from 1 to 100" },
      { line: 3, reason: "processor_error", detail: "the processor failed to look at the event" },
      { line: 4, reason: "invalid_json" },
    ]);
    using resp = await RawClient.connect(server.port("resp"));
    for (let sold = ""; sold !== "7";) {
      await resp.send(respCommand("HGET", "sold:bob", "z"));
      sold = await respReply(resp);
    }
    await resp.send(respCommand("HGET", "sold:ann", 'a"x'));
    assert.equal(await respReply(resp), "15", "five times 3, and nothing of what was refused");
    server.signal("SIGTERM");
    await server.waitForEnd();
    const failures = server.linesOf("validation_failed");
    assert.equal(failures.length, 3);
    assert.ok(failures.every((line) => line["processor"] === "orders"));
  });

  test(`processor, ${ioThreads} I/O threads: the same over RESP, Protobuf and WebSocket`, async () => {
    await using server = await ServerProcess.start(flags);
    using resp = await RawClient.connect(server.port("resp"));
    const command = async (...words: string[]) => {
      await resp.send(respCommand(...words));
      return await respReply(resp);
    };
    const order = ["EVENT", "ann", "order", "1"];
    const fields = `{"sku":"s","units":2}`;
    const result = `{"sku":"s","units":2}`;
    assert.equal(await command(...order, "FIELDS", fields), "+ACCEPTED");
    assert.equal(await command(...order, "FIELDS", fields, "WAIT", "10000"), result);
    assert.equal(
      await command(...order, "wait", "10000", "id", "i", "fields", fields),
      `{"sku":"s","units":2,"id":"i"}`,
    );
    assert.equal(
      await command(...order, "id", "i", "wait", "10000", "fields", fields),
      "+PROCESSED",
    );
    assert.equal(
      await command("EVENT", "silent", "order", "1", "FIELDS", fields, "WAIT", "10000"),
      "+PROCESSED",
    );
    assert.equal(
      await command("EVENT", "thrower", "order", "1", "FIELDS", fields, "WAIT", "10000"),
      "-FAILED processor_error",
    );
    assert.equal(await command(...order), "-ERR invalid event: sku is missing");
    assert.equal(
      await command(...order, "FIELDS", "[]"),
      "-ERR invalid event: FIELDS must be a JSON object",
    );
    assert.equal(
      await command(...order, "FIELDS", `{"sku":1}`),
      "-ERR invalid event: sku must be a string of 1 to 2000 characters",
    );
    const twice = await command("EVENT", "ann", "order", "1", "FIELDS", "", "FIELDS", fields);
    assert.match(`${twice}`, /syntax error/);
    const broken = await command("EVENT", "ann", "break", "1", "FIELDS", fields);
    assert.equal(broken, "-ERR the processor failed to look at the event");
    // What a processor says cannot become a reply of its own.
    const sneaky = await command("EVENT", "ann", "sell", "1", "FIELDS", fields);
    assert.equal(sneaky, "-ERR invalid event: action must be order, not sell +OK");
    assert.equal(await command("PING"), "+PONG");
    assert.match(await command("INFO", "events"), /^processor:orders\r$/m);
    const address = `http://127.0.0.1:${server.port("http")}/metrics`;
    // The first one was not waited for.
    for (let units = 0; units !== 8;) {
      const json = await (await fetch(address, { headers: { Accept: "application/json" } })).json();
      units = json.processor.counters.units;
      assert.deepEqual(json.processor, { name: "orders", counters: { units } });
      assert.ok(units <= 8, "what was accepted twice counts once");
    }
    const text = await (await fetch(address)).text();
    assert.match(text, /^sluice_processor_info\{processor="orders"\} 1$/m);
    assert.match(text, /^sluice_processor_units_total 8$/m);
    assert.match(await command(...order, "FIELDS"), /^-ERR syntax error.*\[FIELDS json\]$/);
    assert.match(await command(...order, "FIELDS", fields, "FIELDS", fields), /^-ERR syntax error/);

    await using proto = await ProtoTcpClient.connect(server.port("proto"));
    const event = { user: "ann", action: "order", amount: 1n, waitMs: 10_000 };
    const offer = (change: Record<string, unknown>) =>
      proto.ask({ case: "event", value: { ...event, ...change } });
    assert.deepEqual(await offer({ fieldsJson: fields }), {
      eventReply: { status: "EVENT_STATUS_PROCESSED", resultJson: result },
    });
    assert.deepEqual(await offer({ fieldsJson: fields, user: "silent" }), {
      eventReply: { status: "EVENT_STATUS_PROCESSED" },
    });
    assert.deepEqual(await offer({}), {
      error: { code: "ERROR_CODE_INVALID_EVENT", message: "sku is missing" },
    });
    assert.deepEqual(await offer({ fieldsJson: "{" }), {
      error: { code: "ERROR_CODE_INVALID_EVENT", message: "fields_json must be a JSON object" },
    });
    assert.deepEqual(await offer({ fieldsJson: fields, action: "break" }), {
      error: {
        code: "ERROR_CODE_PROCESSOR_ERROR",
        message: "the processor failed to look at the event",
      },
    });

    const socket = new WebSocket(`ws://127.0.0.1:${server.port("http")}/ws`);
    await new Promise((resolve) => socket.onopen = resolve);
    const tell = (message: unknown): Promise<unknown> => {
      socket.send(JSON.stringify(message));
      return new Promise((resolve) => socket.onmessage = ({ data }) => resolve(JSON.parse(data)));
    };
    const message = { type: "event", ref: 1, user: "ann", action: "order", amount: 1, sku: "w" };
    assert.deepEqual(await tell({ ...message, wait_ms: 10_000 }), {
      ...{ type: "reply", ref: 1, status: "processed" },
      result: { sku: "w", units: 1 },
    });
    assert.deepEqual(await tell({ ...message, units: 1.5 }), {
      ...{ type: "error", ref: 1, reason: "invalid_event" },
      detail: "units must be an integer from 1 to 100",
    });
    const closed = new Promise((resolve) => socket.onclose = resolve);
    socket.close();
    await closed;
  });
}

Deno.test("processor: fields arrive whole however their bytes are cut", async () => {
  await using server = await ServerProcess.start([...ORDERS, "--workers", "1"]);
  const fields = JSON.stringify({ sku: 'ä👍"\\\u0001x'.repeat(30), units: 2, tags: ["a\n", "b"] });
  const length = new TextDecoder().decode(new TextEncoder().encode(JSON.parse(fields).sku)).length;
  const seed = Math.trunc(Math.random() * 2 ** 31);
  say(`seed ${seed}`);
  const encoder = new TextEncoder();
  const result = `{"sku":${length},"units":2,"tags":["a\\n","b"]}`;

  using resp = await RawClient.connect(server.port("resp"));
  const command = encoder.encode(
    respCommand("EVENT", "ann", "order", "1", "FIELDS", fields, "WAIT", "10000"),
  );
  for (const pieces of cuts(command, seed)) {
    await sendPieces(pieces, (piece) => resp.send(piece));
    assert.equal(await respReply(resp), result);
  }

  using http = await RawClient.connect(server.port("http"));
  const body = `{"user":"ann","action":"order",${fields.slice(1, -1)},"amount":1}`;
  for (const pieces of cuts(encoder.encode(post("/events?wait=10s", body)), seed)) {
    await sendPieces(pieces, (piece) => http.send(piece));
    assert.equal((await http.readHttpReply()).body, `{"status":"processed","result":${result}}`);
  }

  await using proto = await ProtoTcpClient.connect(server.port("proto"));
  const value = { user: "ann", action: "order", amount: 1n, waitMs: 10_000, fieldsJson: fields };
  const message = create(ClientMessageSchema, { message: { case: "event", value } });
  for (const pieces of cuts(sizeDelimitedEncode(ClientMessageSchema, message), seed)) {
    await sendPieces(pieces, (piece) => proto.sendBytes(piece));
    assert.deepEqual(await proto.reply(), {
      eventReply: { status: "EVENT_STATUS_PROCESSED", resultJson: result },
    });
  }
});

Deno.test("processor: without one, replies and errors are what they were", async () => {
  await using server = await ServerProcess.start();
  const metrics = await (await fetch(`http://127.0.0.1:${server.port("http")}/metrics`)).text();
  assert.doesNotMatch(metrics, /sluice_processor_info/);
  using resp = await RawClient.connect(server.port("resp"));
  await resp.send(respCommand("EVENT", "ann", "buy", "2", "FIELDS", "{}"));
  assert.equal(
    await resp.readUntil("\r\n"),
    "-ERR syntax error, expected EVENT user action amount [ID id] [WAIT ms]\r\n",
  );
  await resp.send(respCommand("EVENT", "ann", "buy", "2", "WAIT", "10000"));
  assert.equal(await resp.readUntil("\r\n"), ":2\r\n");
  using http = await RawClient.connect(server.port("http"));
  const event = `{"user":"ann","action":"buy","amount":2,"sku":[1,{"a":null}]}`;
  await http.send(post("/events?wait=10s", event));
  assert.equal((await http.readHttpReply()).body, `{"status":"processed","balance":4}`);
  await using proto = await ProtoTcpClient.connect(server.port("proto"));
  const value = { user: "ann", action: "buy", amount: 2n, waitMs: 10_000, fieldsJson: "{" };
  assert.deepEqual(await proto.ask({ case: "event", value }), {
    eventReply: { status: "EVENT_STATUS_PROCESSED", balance: "6" },
  });
});

Deno.test("processor: one that is none keeps the server from starting, with one line that says why", async () => {
  const cases: [string[], RegExp][] = [
    [
      ["--processor", "no/such.ts"],
      /^Cannot use the processor .*no\/such\.ts: there is no such file$/,
    ],
    [["--processor", "LICENSE"], /^Cannot use the processor .*LICENSE: /],
    [["--processor", "src/base/bits.ts"], /default export has no process\(\)$/],
    [[...ORDERS, "--channel-capacity", "500000"], /choose at most \d+ with --channel-capacity$/],
  ];
  for (const [flags, message] of cases) {
    for (const ioThreads of ["1", "2"]) {
      await using server = await ServerProcess.start([...flags, "--io-threads", ioThreads], {
        skipReady: true,
      });
      const { code, lines } = await server.waitForEnd();
      assert.equal(code, 1);
      assert.equal(lines.length, 1, JSON.stringify(lines));
      const [{ message: said, error }] = lines as [{ message: string; error?: string }];
      assert.match(error ?? said, message);
      assert.deepEqual(server.otherLines, []);
    }
  }
});

Deno.test("processor: events with fields that were accepted go on after a crash, with their fields", async () => {
  const folder = await Deno.makeTempDir();
  const flags = ["--data-dir", folder, "--fsync", "always", "--workers", "1"];
  const permissions = ["run", "--no-prompt", "--allow-net", "--allow-read", "--allow-write"];
  const denoArgs = [...permissions, "--allow-env=SLUICE_*,NO_COLOR", PROGRAM];
  const patient = ["--processor", "tests/helpers/processors/patient.ts"];
  try {
    {
      await using server = await ServerProcess.start([...flags, ...patient], { denoArgs });
      using resp = await RawClient.connect(server.port("resp"));
      for (const sku of ["a", "b", "c"]) {
        const fields = JSON.stringify({ sku, units: 4 });
        await resp.send(respCommand("EVENT", "ann", "order", "1", "ID", sku, "FIELDS", fields));
        assert.equal(await resp.readUntil("\r\n"), "+ACCEPTED\r\n");
      }
      server.signal("SIGKILL");
      await server.waitForEnd();
    }
    {
      // Nobody here would know what to do with them.
      await using server = await ServerProcess.start(flags, { denoArgs, skipReady: true });
      const { code, lines } = await server.waitForEnd();
      assert.equal(code, 1);
      assert.match(JSON.stringify(lines), /start with the --processor that they were accepted for/);
    }
    await using server = await ServerProcess.start([...flags, ...ORDERS], { denoArgs });
    using resp = await RawClient.connect(server.port("resp"));
    for (const sku of ["a", "b", "c"]) {
      for (let sold = ""; sold !== "4";) {
        await resp.send(respCommand("HGET", "sold:ann", sku));
        sold = await respReply(resp);
      }
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("processor: one that takes all memory costs its own event, and the only worker goes on", async () => {
  const greedy = ["--processor", "tests/helpers/processors/greedy.ts"];
  await using server = await ServerProcess.start([
    ...greedy,
    "--workers",
    "1",
    "--processor-memory",
    "32mb",
  ]);
  using resp = await RawClient.connect(server.port("resp"));
  const offer = async (action: string) => {
    await resp.send(respCommand("EVENT", "ann", action, "1", "WAIT", "60000"));
    return await respReply(resp);
  };
  for (const action of ["hoard", "hoard_later"]) {
    assert.equal(await offer("add"), `{"attempt":1}`);
    assert.match(await offer(action), /^-FAILED (processor_error|timeout)$/);
    assert.equal(await offer("add"), `{"attempt":1}`);
  }
  await resp.send(respCommand("GET", "sum:ann"));
  assert.equal(await respReply(resp), "4");
  assert.ok(server.linesOf("worker_died").length > 0, "the memory has a bound");
});
