/** Files for many clients that hardly read: nobody is cut off, and memory stays bounded (C13). */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { CounterIndex, PROTOCOL_COUNTERS } from "../../../../src/metrics/names.ts";
import { EchoServer, eventually } from "../echo.ts";
import { patternBytes, requestFor, StaticWorld } from "./world.ts";

const { active } = PROTOCOL_COUNTERS.http;
const MIB = 1 << 20;
const CLIENT_COUNT = 150;
const FILE_BYTES = 200_000;

const END = "\r\n\r\n";

/** What a socket takes at a time, once it takes anything. Unit: bytes. */
const TAKEN_BYTES = 50_000;

/** `/static/` over sockets that take nothing before the gate is open. */
function serve(world: StaticWorld, gate: Promise<void>, writes: number[]): EchoServer {
  return new EchoServer({
    maxMemoryBytes: 2 * MIB,
    createSession: (origin) => world.createSession(origin),
    source: (listener) => ({
      accept: async () => {
        const socket = await listener.accept();
        const write = socket.write.bind(socket);
        return Object.assign(socket, {
          write: async (bytes: Uint8Array) => {
            writes.push(bytes.length);
            await gate;
            return await write(bytes.subarray(0, TAKEN_BYTES));
          },
        });
      },
      close: () => listener.close(),
    }),
  });
}

/** The bodies of two replies of {@link FILE_BYTES}. */
async function readTwoBodies(client: Deno.Conn): Promise<Uint8Array[]> {
  const received = new Uint8Array(2 * (FILE_BYTES + 1000));
  let length = 0;
  let headBytes = 0;
  while (headBytes === 0 || length < 2 * (headBytes + FILE_BYTES)) {
    const byteCount = await client.read(received.subarray(length));
    assert.ok(byteCount !== null, `the connection ends after ${length} bytes`);
    length += byteCount;
    if (headBytes === 0) {
      headBytes = Buffer.from(received.buffer, 0, length).indexOf(END) + END.length;
    }
  }
  return [0, 1].map((i) => {
    const start = headBytes + i * (headBytes + FILE_BYTES);
    return received.subarray(start, start + FILE_BYTES);
  });
}

for (const kind of ["kept in memory", "read while it is sent"]) {
  Deno.test(`StaticFiles: a file that is ${kind} goes to many slow readers within the bound`, async () => {
    const content = patternBytes(FILE_BYTES);
    const isKept = kind === "kept in memory";
    await using world = await StaticWorld.make(
      { "a.bin": content },
      { cacheBytes: isKept ? 4 * MIB : 0 },
      2 * CLIENT_COUNT,
    );
    // One that is under way when the first client asks is read for it alone.
    await world.ask("/static/a.bin");
    const gate = Promise.withResolvers<void>();
    const writes: number[] = [];
    await using server = serve(world, gate.promise, writes);
    const { memory } = server.connections;
    using clients = new DisposableStack();
    const readers: Deno.Conn[] = [];
    for (let i = 0; i < CLIENT_COUNT; i++) {
      const reader = clients.use(await Deno.connect({ hostname: "127.0.0.1", port: server.port }));
      readers.push(reader);
      await reader.write(new TextEncoder().encode(requestFor("/static/a.bin").repeat(2)));
    }
    await eventually(() => writes.length >= CLIENT_COUNT, "the first write of everybody");
    assert.ok(memory.heldBytes <= memory.maxBytes, `${memory.heldBytes} bytes before the gate`);
    gate.resolve();
    let mostBytes = 0;
    const watch = setInterval(() => mostBytes = Math.max(mostBytes, memory.heldBytes), 1);
    try {
      for (const bodies of await Promise.all(readers.map(readTwoBodies))) {
        for (const body of bodies) {
          assert.ok(Buffer.from(content).equals(body), "every byte arrives");
        }
      }
    } finally {
      clearInterval(watch);
    }
    assert.ok(mostBytes > 0 && mostBytes <= memory.maxBytes, `${mostBytes} bytes`);
    assert.deepEqual(server.control.closedForMemory, []);
    assert.equal(server.counts.get(CounterIndex.CLOSED_CLIENT_MEMORY) ?? 0, 0);
    clients.dispose();
    await eventually(() => server.counts.get(active) === 0, "everybody's end");
    assert.equal(memory.heldBytes, 0);
    memory.assertInvariants();
  });
}
