import assert from "node:assert/strict";
import { readMetrics, waitForMetrics } from "../helpers/metrics.ts";
import { RawClient } from "../helpers/raw_client.ts";
import { ServerProcess } from "../helpers/server_process.ts";

/** More than the kernel takes for a client that does not read. */
const VALUE_BYTES = 20 * 2 ** 20;

const FLAGS = [
  ...["--max-value-bytes", "20mb", "--max-request-bytes", "20mb", "--max-memory", "128mb"],
  ...["--max-client-memory", "256mb"],
];

const GET = "GET /keys/big HTTP/1.1\r\nHost: localhost\r\n\r\n";

/** A value that differs from place to place; two with different seeds differ nearly everywhere. */
function value(seed: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(VALUE_BYTES);
  for (let i = 0; i < bytes.length; i++) bytes[i] = (i * 31 + (i >> 8) + seed) & 255;
  return bytes;
}

async function put(port: number, body: Uint8Array<ArrayBuffer>): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}/keys/big`, { method: "PUT", body });
  await response.body?.cancel();
  return response.status;
}

function orphans(metrics: ReadonlyMap<string, number>): number {
  return metrics.get("sluice_memory_orphan_bytes") ?? NaN;
}

function leases(metrics: ReadonlyMap<string, number>): number {
  return metrics.get("sluice_value_leases") ?? NaN;
}

/** Reads the replies byte by byte into one array; the first piece has already been read. */
async function readAll(socket: Deno.TcpConn, first: Uint8Array): Promise<Uint8Array> {
  const parts = [first];
  for (;;) {
    const part = new Uint8Array(1 << 18);
    const byteCount = await socket.read(part);
    if (byteCount === null) break;
    parts.push(part.subarray(0, byteCount));
  }
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

Deno.test("server: a slow HTTP reader gets 20 MB as they were, while others overwrite and delete them (C13)", async () => {
  await using server = await ServerProcess.start(FLAGS);
  const port = server.port("http");
  const [before, after] = [value(1), value(2)];
  assert.equal(await put(port, before), 201);

  using reader = await Deno.connect({ hostname: "127.0.0.1", port });
  const close = "GET /keys/big HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  await reader.write(new TextEncoder().encode(GET + close));
  const first = new Uint8Array(65536);
  const firstBytes = await reader.read(first) ?? 0;
  assert.ok(firstBytes > 0);

  assert.equal(await put(port, after), 204);
  const during = await readMetrics(port);
  assert.equal(leases(during), 1);
  assert.ok(orphans(during) >= VALUE_BYTES, `${orphans(during)} bytes`);

  const all = await readAll(reader, first.subarray(0, firstBytes));
  // In one-byte characters, so that offsets are the same.
  const head = new TextDecoder("latin1").decode(all.subarray(0, 400)).split("\r\n\r\n")[0]!;
  assert.match(head, new RegExp(`^HTTP/1.1 200 OK\r\n.*\r\nContent-Length: ${VALUE_BYTES}`, "s"));
  const bodyStart = head.length + 4;
  const bodyEnd = bodyStart + VALUE_BYTES;
  assert.ok(isSame(all.subarray(bodyStart, bodyEnd), before), "the first reply is the old value");
  assert.equal(all.length, bodyEnd + bodyStart + "Connection: close\r\n".length + VALUE_BYTES);
  assert.ok(isSame(all.subarray(-VALUE_BYTES), after), "the second reply is the new one");
  const metrics = await waitForMetrics(port, "no leases", (metrics) => leases(metrics) === 0);
  assert.equal(orphans(metrics), 0);
});

Deno.test("server: an HTTP reader that leaves in the middle of a large value leaves nothing behind", async () => {
  await using server = await ServerProcess.start(FLAGS);
  const port = server.port("http");
  assert.equal(await put(port, value(1)), 201);
  using reader = await RawClient.connect(port);
  await reader.send(GET);
  await reader.read(10);
  const gone = await fetch(`http://127.0.0.1:${port}/keys/big`, { method: "DELETE" });
  assert.equal(gone.status, 204);
  assert.ok(orphans(await readMetrics(port)) >= VALUE_BYTES);
  reader.close();
  const metrics = await waitForMetrics(port, "no orphans", (metrics) => orphans(metrics) === 0);
  assert.equal(leases(metrics), 0);
});

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
