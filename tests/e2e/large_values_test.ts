import assert from "node:assert/strict";
import { RawClient } from "../helpers/raw_client.ts";
import { ServerProcess } from "../helpers/server_process.ts";

const MIB = 2 ** 20;
/** More than the kernel takes for a client that does not read. */
const VALUE_BYTES = 24 * MIB;

const FLAGS = [
  ...["--max-value-bytes", "32mb", "--max-request-bytes", "40mb", "--max-memory", "128mb"],
  ...["--max-client-memory", "320mb"],
];

/** `SET key value` with a value of one repeated byte. */
function setRequest(key: string, byte: number): Uint8Array {
  const head = new TextEncoder().encode(
    `*3\r\n$3\r\nSET\r\n$${key.length}\r\n${key}\r\n$${VALUE_BYTES}\r\n`,
  );
  const request = new Uint8Array(head.length + VALUE_BYTES + 2).fill(byte);
  request.set(head);
  request.set([13, 10], request.length - 2);
  return request;
}

/** `store` of the metrics. */
async function storeMetrics(port: number): Promise<{ leases: number; orphan_bytes: number }> {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`, {
    headers: { accept: "application/json" },
  });
  return (await response.json()).store;
}

Deno.test("server: a slow reader gets the value as it was, while others overwrite and delete it (C13)", async () => {
  await using server = await ServerProcess.start(FLAGS);
  using writer = await RawClient.connect(server.port("resp"));
  await writer.send(setRequest("big", 0x61));
  assert.equal(await writer.read(5), "+OK\r\n");

  using reader = await Deno.connect({ hostname: "127.0.0.1", port: server.port("resp") });
  const request = new TextEncoder().encode("GET big\r\nPING\r\n");
  assert.equal(await reader.write(request), request.length);
  const bytes = new Uint8Array(256 * 1024);
  let received = await reader.read(bytes) ?? 0;
  assert.ok(received > 0);
  const header = `$${VALUE_BYTES}\r\n`;
  assert.equal(new TextDecoder().decode(bytes.subarray(0, header.length)), header);
  let wrong = countOther(bytes.subarray(header.length, received), 0x61);

  await writer.send(setRequest("big", 0x62));
  assert.equal(await writer.read(5), "+OK\r\n");
  const during = await storeMetrics(server.port("http"));
  assert.equal(during.leases, 1);
  assert.ok(during.orphan_bytes >= VALUE_BYTES, `${during.orphan_bytes} bytes`);
  await writer.send("DEL big\r\n");
  assert.equal(await writer.read(4), ":1\r\n");

  const end = header.length + VALUE_BYTES;
  let tail = "";
  while (received < end + 9) {
    const byteCount = await reader.read(bytes);
    assert.ok(byteCount !== null, `the reply ends after ${received} bytes`);
    const inValue = Math.max(0, Math.min(byteCount, end - received));
    wrong += countOther(bytes.subarray(0, inValue), 0x61);
    tail += new TextDecoder().decode(bytes.subarray(inValue, byteCount));
    received += byteCount;
  }
  assert.equal(wrong, 0, "all bytes are those of the first value");
  assert.equal(tail, "\r\n+PONG\r\n");
  const { leases, orphan_bytes } = await storeMetrics(server.port("http"));
  assert.deepEqual({ leases, orphan_bytes }, { leases: 0, orphan_bytes: 0 });
});

Deno.test("server: a reader that leaves in the middle of a large value leaves nothing behind", async () => {
  await using server = await ServerProcess.start(FLAGS);
  using writer = await RawClient.connect(server.port("resp"));
  await writer.send(setRequest("big", 0x61));
  assert.equal(await writer.read(5), "+OK\r\n");
  using reader = await RawClient.connect(server.port("resp"));
  await reader.send("GET big\r\n");
  await reader.read(3);
  await writer.send("DEL big\r\n");
  assert.equal(await writer.read(4), ":1\r\n");
  assert.ok((await storeMetrics(server.port("http"))).orphan_bytes >= VALUE_BYTES);
  reader[Symbol.dispose]();
  for (let i = 0; i < 500; i++) {
    if ((await storeMetrics(server.port("http"))).orphan_bytes === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.fail("the value's memory is still in use");
});

function countOther(bytes: Uint8Array, wanted: number): number {
  let count = 0;
  for (const byte of bytes) if (byte !== wanted) count++;
  return count;
}
