import assert from "node:assert/strict";
import type { ClientSocket } from "../../../../src/server/client_socket.ts";
import { ClientSession } from "../../../../src/server/http2/session.ts";
import { frame, headerBlock, join, requestFields } from "../../../helpers/http2_frames.ts";

const SESSION_COUNT = 2000;
const ADDRESS: Deno.NetAddr = { transport: "tcp", hostname: "127.0.0.1", port: 1 };
const PREFACE = new TextEncoder().encode("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const REPLY = new TextEncoder().encode("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");

/** Numbers from 0 to below 1, the same for the same seed. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ state >>> 15, 1 | state);
    mixed = mixed + Math.imul(mixed ^ mixed >>> 7, 61 | mixed) ^ mixed;
    return ((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32;
  };
}

/** A client that says `bytes` in pieces and leaves, and takes whatever it is told. */
function clientOf(bytes: Uint8Array, random: () => number): ClientSocket {
  let at = 0;
  let isClosed = false;
  return {
    remoteAddr: ADDRESS,
    localAddr: ADDRESS,
    read(target): Promise<number | null> {
      if (isClosed) return Promise.reject(new Deno.errors.Interrupted());
      if (at === bytes.length) return Promise.resolve(null);
      const most = Math.min(target.length, bytes.length - at);
      const count = Math.max(1, Math.floor(most * random()));
      target.set(bytes.subarray(at, at += count));
      return Promise.resolve(count);
    },
    write: (written) =>
      isClosed ? Promise.reject(new Deno.errors.Interrupted()) : Promise.resolve(written.length),
    closeWrite: () => Promise.resolve(),
    close: () => void (isClosed = true),
  };
}

/** Frames that are right but for what chance does to them. */
function framesOf(random: () => number): Uint8Array {
  const upTo = (count: number): number => Math.floor(random() * count);
  const parts: Uint8Array[] = [PREFACE, frame(4, 0, 0)];
  let stream = 1;
  for (let count = upTo(20); count > 0; count--) {
    const kind = upTo(10);
    const id = random() < 0.8 ? Math.max(1, stream - 2) : upTo(12);
    let made: Uint8Array;
    if (kind < 4) {
      const block = headerBlock(requestFields(upTo(2) === 0 ? "GET" : "POST", "/health"));
      made = frame(1, random() < 0.8 ? 4 + upTo(2) : upTo(256), stream, block);
      stream += 2;
    } else if (kind < 7) {
      made = frame(0, random() < 0.8 ? upTo(2) : upTo(256), id, new Uint8Array(upTo(300)));
    } else {
      const length = [4, 5, 6, 8, upTo(40)][upTo(5)]!;
      const payload = Uint8Array.from({ length }, () => upTo(256));
      made = frame(upTo(11), upTo(256), random() < 0.5 ? 0 : id, payload);
    }
    if (random() < 0.1) made[upTo(made.length)] = upTo(256);
    parts.push(made);
  }
  const all = join(...parts);
  return random() < 0.2 ? all.subarray(0, upTo(all.length)) : all;
}

/** Serves a stream as a connection would: reads the request, replies, or gives up on the way. */
async function serveStream(socket: ClientSocket, random: () => number): Promise<void> {
  const room = new Uint8Array(64);
  try {
    for (let reads = Math.floor(random() * 8); reads >= 0; reads--) await socket.read(room);
    if (random() < 0.8) await socket.write(REPLY);
    if (random() < 0.8) await socket.closeWrite();
  } catch {
    // The client took the request back.
  }
  socket.close();
}

Deno.test("http2 session: whatever a client says, the session ends and all of its streams do", async (t) => {
  const seed = crypto.getRandomValues(new Uint32Array(1))[0]!;
  await t.step(`seed ${seed}`, async () => {
    const random = randomNumbers(seed);
    let servedCount = 0;
    const failures: unknown[] = [];
    for (let i = 0; i < SESSION_COUNT; i++) {
      const serving: Promise<void>[] = [];
      const session = new ClientSession(
        clientOf(framesOf(random), random),
        { headTimeoutMs: 1000, idleTimeoutMs: 1000 },
        {
          turn: () => undefined,
          now: () => performance.now(),
          serveStream: (socket) => {
            servedCount++;
            const served = serveStream(socket, random);
            serving.push(served);
            return served;
          },
          onAbuse: () => {},
          onMalformed: () => {},
          onFailure: (error) => failures.push(error),
          onTimeout: () => {},
        },
      );
      await session.run();
      await Promise.all(serving);
    }
    assert.deepEqual(failures, []);
    assert.ok(servedCount > SESSION_COUNT / 4, `${servedCount} requests were served`);
  });
});
