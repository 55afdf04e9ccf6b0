import assert from "node:assert/strict";
import type { ClientSocket } from "../../../../src/server/client_socket.ts";
import type { SessionEvents } from "../../../../src/server/http2/session.ts";
import { Http2Sessions } from "../../../../src/server/http2/sessions.ts";
import {
  Code,
  codeOf,
  Flag,
  Frame,
  frame,
  FrameClient,
  requestFields,
  word,
} from "../../../helpers/http2_frames.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const HEAD = "HTTP/1.1 200 OK\r\n\r\n";

/** A session whose streams a test serves. */
async function withSession(
  serveStream: (socket: ClientSocket) => Promise<void>,
  test: (client: FrameClient, sessions: Http2Sessions) => Promise<void>,
): Promise<void> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const connecting = Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  const server = await listener.accept();
  const events: SessionEvents = {
    turn: () => undefined,
    serveStream: (socket) => serveStream(socket).catch(() => {}),
    onAbuse: () => {},
    onMalformed: () => {},
    onFailure: (error) => {
      throw error;
    },
    onTimeout: () => {},
    now: () => performance.now(),
  };
  const sessions = new Http2Sessions({ headTimeoutMs: 1000, idleTimeoutMs: 1000 }, events);
  const serving = sessions.serve(server);
  {
    using client = await FrameClient.over(await connecting);
    await test(client, sessions);
  }
  await serving;
}

/** Writes all of it. */
async function say(socket: ClientSocket, text: string): Promise<void> {
  const bytes = encoder.encode(text);
  for (let at = 0; at < bytes.length;) at += await socket.write(bytes.subarray(at));
}

async function dataOf(client: FrameClient, stream: number): Promise<string> {
  return decoder.decode((await client.waitFor(Frame.DATA, stream)).payload);
}

Deno.test("http2 session: a reply that goes on arrives while it is written", async () => {
  const next = Promise.withResolvers<void>();
  await withSession(async (socket) => {
    await say(socket, `${HEAD}data: 1\n\n`);
    await next.promise;
    await say(socket, "data: 2\n\n");
    await socket.closeWrite();
  }, async (client) => {
    await client.request(1, requestFields("GET", "/stream"));
    assert.equal(await dataOf(client, 1), "data: 1\n\n");
    next.resolve();
    assert.equal(await dataOf(client, 1), "data: 2\n\n");
    const end = await client.waitFor(Frame.DATA, 1);
    assert.deepEqual([end.payload.length, end.flags], [0, Flag.END_STREAM]);
  });
});

Deno.test("http2 session: a reply that goes on for long leaves nothing behind for each part", async () => {
  const PARTS = 500;
  // What waits for a promise stays with it until that is settled: none may be waited for again and again.
  const waitCounts = new WeakMap<Promise<unknown>, number>();
  let mostWaits = 0;
  const { then } = Promise.prototype;
  Promise.prototype.then = function (...callbacks) {
    const count = (waitCounts.get(this) ?? 0) + 1;
    waitCounts.set(this, count);
    mostWaits = Math.max(mostWaits, count);
    return Reflect.apply(then, this, callbacks);
  };
  try {
    await withSession(async (socket) => {
      await say(socket, HEAD);
      for (let i = 0; i < PARTS; i++) await say(socket, "data: 1\n\n");
      await socket.closeWrite();
    }, async (client) => {
      await client.request(1, requestFields("GET", "/stream"));
      for (let i = 0; i < PARTS; i++) assert.equal(await dataOf(client, 1), "data: 1\n\n");
      assert.equal((await dataOf(client, 1)).length, 0);
    });
  } finally {
    Promise.prototype.then = then;
  }
  assert.ok(mostWaits < 10, `${mostWaits} waits for one promise`);
});

Deno.test("http2 session: a stream that is taken back ends for whoever serves it, alone", async () => {
  const ended = Promise.withResolvers<void>();
  await withSession(async (socket) => {
    const room = new Uint8Array(1000);
    const count = await socket.read(room);
    if (decoder.decode(room.subarray(0, count!)).startsWith("GET /slow ")) {
      // Behind the request, reading is waiting for the client's end.
      await assert.rejects(socket.read(room), Deno.errors.Interrupted);
      await assert.rejects(socket.write(room), Deno.errors.Interrupted);
      return ended.resolve();
    }
    await say(socket, `${HEAD}fast`);
    await socket.closeWrite();
  }, async (client) => {
    await client.request(1, requestFields("GET", "/slow"));
    await client.request(3, requestFields("GET", "/fast"));
    assert.equal(await dataOf(client, 3), "fast");
    await client.send(frame(Frame.RST_STREAM, 0, 1, word(8)));
    await ended.promise;
    await client.request(5, requestFields("GET", "/fast"));
    assert.equal(await dataOf(client, 5), "fast");
  });
});

Deno.test("http2 session: no more is sent than the windows allow", async () => {
  const text = "x".repeat(100_000);
  await withSession(async (socket) => {
    await say(socket, HEAD + text);
    await socket.closeWrite();
  }, async (client) => {
    // A window of 10 bytes for each stream.
    await client.send(frame(Frame.SETTINGS, 0, 0, Uint8Array.of(0, 4, 0, 0, 0, 10)));
    await client.request(1, requestFields("GET", "/"));
    assert.equal((await dataOf(client, 1)).length, 10);
    // A ping that is answered shows that nothing more is on its way.
    await client.send(frame(Frame.PING, 0, 0, new Uint8Array(8)));
    for (;;) {
      const received = await client.next();
      assert.notEqual(received!.type, Frame.DATA);
      if (received!.type === Frame.PING) break;
    }
    await client.send(frame(Frame.WINDOW_UPDATE, 0, 1, word(1_000_000)));
    let byteCount = 10;
    while (byteCount < 65_535) byteCount += (await dataOf(client, 1)).length;
    assert.equal(byteCount, 65_535, "then the connection's window is used up");
    await client.send(frame(Frame.WINDOW_UPDATE, 0, 0, word(1_000_000)));
    while (byteCount < text.length) byteCount += (await dataOf(client, 1)).length;
    assert.equal(byteCount, text.length);
  });
});

Deno.test("http2 session: who sends more than its window is cut off", async () => {
  await withSession(() => new Promise(() => {}), async (client) => {
    await client.request(1, requestFields("POST", "/"), true);
    const data = frame(Frame.DATA, 0, 1, new Uint8Array(16_384));
    await client.send(data, data, data, data);
    assert.equal(await client.waitForEnd(), 3, "FLOW_CONTROL_ERROR");
  });
});

Deno.test("http2 session: what is read is granted again", async () => {
  const total = 1_000_000;
  await withSession(async (socket) => {
    const room = new Uint8Array(5000);
    let byteCount = 0;
    let head = "";
    while (byteCount < total) {
      const count = await socket.read(room);
      if (head === "") head = decoder.decode(room.subarray(0, count!));
      else byteCount += count!;
    }
    await say(socket, `${HEAD}${byteCount}`);
    await socket.closeWrite();
  }, async (client) => {
    const length = ["content-length", String(total)] as const;
    await client.request(1, requestFields("POST", "/", length), true);
    let [stream, connection] = [65_535, 65_535];
    for (let left = total; left > 0;) {
      const byteCount = Math.min(left, 16_384, stream, connection);
      if (byteCount === 0) {
        const update = await client.waitFor(Frame.WINDOW_UPDATE);
        if (update.stream === 0) connection += codeOf(update);
        else stream += codeOf(update);
        continue;
      }
      left -= byteCount;
      stream -= byteCount;
      connection -= byteCount;
      const flags = left === 0 ? Flag.END_STREAM : 0;
      await client.send(frame(Frame.DATA, flags, 1, new Uint8Array(byteCount)));
    }
    assert.equal(await dataOf(client, 1), String(total));
  });
});

Deno.test("http2 session: a body in single bytes costs neither a read nor a grant for each", async () => {
  const BYTES = 2000;
  let readCount = 0;
  await withSession(async (socket) => {
    const room = new Uint8Array(4096);
    let text = "";
    while (!text.endsWith("0\r\n\r\n")) {
      const count = await socket.read(room);
      text += decoder.decode(room.subarray(0, count!));
      readCount++;
      // As a connection that waits for its turn.
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const body = text.slice(text.indexOf("\r\n\r\n") + 4);
    await say(socket, `${HEAD}${body.replaceAll(/[0-9a-f]+\r\n(x?)\r\n/g, "$1").length}`);
    await socket.closeWrite();
  }, async (client) => {
    await client.request(1, requestFields("POST", "/"), true);
    const byte = encoder.encode("x");
    const frames = Array.from(
      { length: BYTES },
      (_, i) => frame(Frame.DATA, i === BYTES - 1 ? Flag.END_STREAM : 0, 1, byte),
    );
    await client.send(...frames);
    let grantCount = 0;
    for (;;) {
      const received = await client.next();
      if (received!.type === Frame.WINDOW_UPDATE) grantCount++;
      if (received!.type !== Frame.DATA) continue;
      assert.equal(decoder.decode(received!.payload), String(BYTES));
      break;
    }
    assert.ok(readCount < 50, `${readCount} reads`);
    assert.ok(grantCount < 50, `${grantCount} grants`);
  });
});

Deno.test("http2 session: one request too many is refused, and may be asked again", async () => {
  const served: ClientSocket[] = [];
  await withSession((socket) => {
    served.push(socket);
    return new Promise(() => {});
  }, async (client) => {
    for (let i = 0; i < 101; i++) await client.request(2 * i + 1, requestFields("GET", "/"));
    const refused = await client.waitFor(Frame.RST_STREAM);
    assert.deepEqual([refused.stream, codeOf(refused)], [201, 7]);
    assert.equal(served.length, 100);
  });
});

Deno.test("http2 session: a goodbye lets streams finish and begins none", async () => {
  const finish = Promise.withResolvers<void>();
  await withSession(async (socket) => {
    await finish.promise;
    await say(socket, `${HEAD}done`);
    await socket.closeWrite();
    socket.close();
  }, async (client, sessions) => {
    await client.request(1, requestFields("GET", "/"));
    await client.send(frame(Frame.PING, 0, 0, new Uint8Array(8)));
    await client.waitFor(Frame.PING);
    sessions.goAway();
    const goodbye = await client.waitFor(Frame.GOAWAY);
    assert.deepEqual([codeOf(goodbye), codeOf(goodbye, 4)], [1, Code.NO_ERROR]);
    await client.request(3, requestFields("GET", "/"));
    assert.equal((await client.waitFor(Frame.RST_STREAM)).stream, 3);
    finish.resolve();
    assert.equal(await dataOf(client, 1), "done");
    assert.equal(await client.waitForEnd(), undefined);
  });
});

Deno.test("http2 session: a reply that breaks off is no whole one", async () => {
  await withSession(async (socket) => {
    await say(socket, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    await socket.closeWrite();
  }, async (client) => {
    await client.request(1, requestFields("GET", "/"));
    assert.equal(await dataOf(client, 1), "half");
    assert.equal(codeOf(await client.waitFor(Frame.RST_STREAM, 1)), 2);
  });
});
