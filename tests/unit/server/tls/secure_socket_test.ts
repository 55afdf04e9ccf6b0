import assert from "node:assert/strict";
import { readTlsMaterial } from "../../../../src/server/tls/material.ts";
import type { SecureSocket } from "../../../../src/server/tls/secure_socket.ts";
import { TlsTerminator } from "../../../../src/server/tls/terminator.ts";
import { connectTls, testCertificate } from "../../../helpers/tls.ts";

const one = testCertificate("one");
const two = testCertificate("two");

/** A client and what the server sees of it, the handshake done. */
interface Pair extends AsyncDisposable {
  client: Deno.TlsConn;
  server: SecureSocket;
}

async function terminator(): Promise<TlsTerminator> {
  const material = await readTlsMaterial({ tlsCert: one.certPath, tlsKey: one.keyPath });
  return new TlsTerminator(material!);
}

async function connectPair(tls: TlsTerminator, certificate = one): Promise<Pair> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const connecting = connectTls(listener.addr.port, [certificate], ["http/1.1"]);
  const server = tls.secure(await listener.accept(), "http");
  const client = await connecting;
  const [, protocol] = await Promise.all([client.handshake(), server.handshake]);
  assert.equal(protocol, "http/1.1");
  return {
    client,
    server,
    async [Symbol.asyncDispose](): Promise<void> {
      server.close();
      try {
        client.close();
      } catch {
        // Closed by the test.
      }
      await parted();
    },
  };
}

/** Waits until sockets that were closed have said goodbye. */
function parted(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 100));
}

/** What a write came to, or null when it is held up. */
async function written(writing: Promise<number>): Promise<number | null> {
  writing.catch(() => {});
  let timer: ReturnType<typeof setTimeout> | undefined;
  const heldUp = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), 200);
  });
  const result = await Promise.race([writing, heldUp]);
  clearTimeout(timer);
  return result;
}

Deno.test("SecureSocket: what is sent arrives in order, in pieces of any size", async () => {
  await using pair = await connectPair(await terminator());
  const sent = Uint8Array.from({ length: 300_000 }, (_, i) => i * 31 + (i >> 8));
  const sending = (async () => {
    for (let at = 0; at < sent.length;) at += await pair.client.write(sent.subarray(at));
    await pair.client.closeWrite();
  })();
  const received: number[] = [];
  const target = new Uint8Array(7001);
  for (let size = 1;; size = (size * 7) % 7001 + 1) {
    const count = await pair.server.read(target.subarray(0, size));
    if (count === null) break;
    received.push(...target.subarray(0, count));
  }
  await sending;
  assert.deepEqual(Uint8Array.from(received), sent);

  // The other direction is still open.
  let written = 0;
  const writing = (async () => {
    while (written < sent.length) written += await pair.server.write(sent.subarray(written));
    await pair.server.closeWrite();
  })();
  const got: number[] = [];
  const room = new Uint8Array(65536);
  for (;;) {
    const count = await pair.client.read(room);
    if (count === null) break;
    got.push(...room.subarray(0, count));
  }
  await writing;
  assert.deepEqual(Uint8Array.from(got), sent);
});

Deno.test("SecureSocket: nothing is read that nobody asks for", async () => {
  await using pair = await connectPair(await terminator());
  const piece = new Uint8Array(65536);
  let sentBytes = 0;
  for (;;) {
    const result = await written(pair.client.write(piece));
    if (result === null) break;
    sentBytes += result;
    // Sockets and the client's own buffer take some megabytes.
    assert.ok(sentBytes < 32 * 2 ** 20, "the client is held up");
  }
});

Deno.test("SecureSocket: a write is done when the system has taken it", async () => {
  await using pair = await connectPair(await terminator());
  const piece = new Uint8Array(65536);
  for (let sentBytes = 0;;) {
    const result = await written(pair.server.write(piece));
    if (result === null) break;
    sentBytes += result;
    assert.ok(sentBytes < 32 * 2 ** 20, "the server is held up");
  }
});

Deno.test("SecureSocket: closing it ends what is pending, and the client hears of it", async () => {
  await using pair = await connectPair(await terminator());
  const reading = pair.server.read(new Uint8Array(10));
  pair.server.close();
  await assert.rejects(reading, Deno.errors.Interrupted);
  await assert.rejects(pair.server.read(new Uint8Array(10)), Deno.errors.Interrupted);
  await assert.rejects(pair.server.write(new Uint8Array(10)), Deno.errors.Interrupted);
  // With a word of goodbye; without, reading would reject.
  assert.equal(await pair.client.read(new Uint8Array(10)), null);
});

Deno.test("SecureSocket: what is no TLS ends with an alert", async () => {
  const tls = await terminator();
  for (
    const text of [
      "GET / HTTP/1.1\r\n\r\n",
      "*1\r\n$4\r\nPING\r\n",
      "\x16\x03\x01\x00\x04\x02\0\0\0",
    ]
  ) {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    using client = await Deno.connect({ port: listener.addr.port });
    const server = tls.secure(await listener.accept(), "http");
    await client.write(new TextEncoder().encode(text));
    await assert.rejects(server.handshake);
    server.close();
    const alert = new Uint8Array(10);
    assert.equal(await client.read(alert), 7, text);
    assert.equal(alert[0], 0x15);
    assert.equal(await client.read(alert), null);
    await parted();
  }
});

Deno.test("TlsTerminator: what is replaced serves those who come later", async () => {
  const tls = await terminator();
  await using before = await connectPair(tls);
  const material = await readTlsMaterial({ tlsCert: two.certPath, tlsKey: two.keyPath });
  tls.replace(material!);
  await using after = await connectPair(tls, two);
  for (const { client, server } of [before, after]) {
    await server.write(Uint8Array.of(7));
    const target = new Uint8Array(1);
    assert.equal(await client.read(target), 1);
    assert.equal(target[0], 7);
  }
});
