import assert from "node:assert/strict";
import type { Buffer } from "node:buffer";
import { WebSocket } from "ws";
import { ServerProcess } from "../helpers/server_process.ts";

/** What of a client of `ws` is used here; the package comes without types. */
interface WsClient {
  readonly extensions: string;
  readonly protocol: string;
  on(event: "message", listener: (data: Buffer, isBinary: boolean) => void): void;
  once(event: string, listener: (...values: never[]) => void): void;
  send(data: string | Uint8Array, options?: { fin?: boolean; binary?: boolean }): void;
  ping(data?: string): void;
  close(code?: number, reason?: string): void;
}

interface End {
  readonly code: number;
  readonly reason: string;
}

/** One client, and what it heard. */
class Client {
  readonly socket: WsClient;
  readonly heard: Record<string, unknown>[] = [];
  readonly end: Promise<End>;
  #news = Promise.withResolvers<void>();

  constructor(port: number, options: object = {}) {
    this.socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, options) as WsClient;
    this.socket.on("message", (data, isBinary) => {
      assert.ok(!isBinary);
      this.heard.push(JSON.parse(String(data)));
      this.#news.resolve();
      this.#news = Promise.withResolvers();
    });
    this.end = new Promise((resolve) => {
      this.socket.once("close", (code: number, reason: Buffer) => {
        resolve({ code, reason: String(reason) });
      });
    });
  }

  static async open(port: number, options: object = {}): Promise<Client> {
    const client = new Client(port, options);
    await client.event("open");
    return client;
  }

  event(name: string): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.socket.once(name, resolve as (value: never) => void);
      if (name !== "error") this.socket.once("error", reject as (value: never) => void);
    });
  }

  async hears(count: number): Promise<Record<string, unknown>[]> {
    while (this.heard.length < count) await this.#news.promise;
    return this.heard.splice(0);
  }
}

const EVENT = `{"type":"event","user":"alice","action":"buy","amount":1`;

Deno.test("ws: events whole and in parts, pings, and a goodbye; its offer to compress is declined", async () => {
  await using server = await ServerProcess.start();
  const client = await Client.open(server.port("http"), { perMessageDeflate: true });
  const { socket } = client;
  assert.equal(socket.extensions, "");
  assert.equal(socket.protocol, "");
  socket.send(`${EVENT},"ref":1}`);
  const bytes = new TextEncoder().encode(`${EVENT},"ref":"é€😀"}`);
  for (let at = 0; at < bytes.length; at++) {
    const isLast = at === bytes.length - 1;
    socket.send(bytes.subarray(at, at + 1), { fin: isLast, binary: false });
    if (at === 50) socket.ping("in between");
  }
  socket.send(`${EVENT},"ref":3,"wait_ms":10000}`);
  assert.equal(String(await client.event("pong")), "in between");
  assert.deepEqual(await client.hears(3), [
    { type: "reply", ref: 1, status: "accepted" },
    { type: "reply", ref: "é€😀", status: "accepted" },
    { type: "reply", ref: 3, status: "processed", balance: 3 },
  ]);
  socket.close(4001, "enough");
  // The code comes back, the reason need not.
  assert.equal((await client.end).code, 4001);
});

Deno.test("ws: what it must not send ends the connection with the code for it", async () => {
  await using server = await ServerProcess.start(["--max-request-bytes", "4kb"]);
  const port = server.port("http");
  const cases: [code: number, data: string | Uint8Array, options?: object][] = [
    [1003, Uint8Array.of(1, 2, 3)],
    [1007, Uint8Array.of(0x22, 0xff, 0x22), { binary: false }],
    [1009, "x".repeat(4097)],
    [1009, "x".repeat(1_000_000)],
  ];
  for (const [code, data, options] of cases) {
    const client = await Client.open(port);
    client.socket.on("message", () => assert.fail("nothing is answered"));
    client.socket.once("error", () => {});
    client.socket.send(data, options);
    const end = await client.end;
    assert.equal(end.code, code);
    assert.notEqual(end.reason, "");
  }
});

Deno.test("ws: the password goes with the handshake; without it there is no connection", async () => {
  await using server = await ServerProcess.start([], { env: { SLUICE_PASSWORD: "secret" } });
  const port = server.port("http");
  const refused = new Client(port);
  assert.match(String(await refused.event("error")), /401/);
  const client = await Client.open(port, { headers: { Authorization: "Bearer secret" } });
  client.socket.send(`${EVENT}}`);
  assert.deepEqual(await client.hears(1), [{ type: "reply", status: "accepted" }]);
  client.socket.close();
  // No code was sent, so none came back.
  assert.equal((await client.end).code, 1005);
});
