import assert from "node:assert/strict";
import { nextSequence } from "../../helpers/fuzz/mutate.ts";
import { FUZZ_PROTOCOLS, type FuzzProtocol } from "../../helpers/fuzz/protocols.ts";
import { Random } from "../../helpers/fuzz/random.ts";
import { FuzzFind, fuzzOverTcp } from "../../helpers/fuzz/tcp_fuzzer.ts";

/** Answers every read with `reply`; ends when the client does, unless it is told to hang. */
async function serve(listener: Deno.TcpListener, reply: Uint8Array, hangs: boolean): Promise<void> {
  const open: Deno.TcpConn[] = [];
  const room = new Uint8Array(65536);
  const talk = async (socket: Deno.TcpConn): Promise<void> => {
    try {
      while (await socket.read(room) !== null) await socket.write(reply);
      if (!hangs) socket.close();
    } catch {
      // The client has gone.
    }
  };
  const talks: Promise<void>[] = [];
  try {
    for (;;) {
      const socket = await listener.accept();
      open.push(socket);
      talks.push(talk(socket));
    }
  } catch {
    // The listener was closed.
  }
  for (const socket of open) {
    try {
      socket.close();
    } catch {
      // Closed already.
    }
  }
  await Promise.all(talks);
}

async function fuzz(protocol: FuzzProtocol, reply: Uint8Array, hangs = false): Promise<void> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving = serve(listener, reply, hangs);
  try {
    await fuzzOverTcp({
      ...{ protocol, port: listener.addr.port, seed: 1, firstCase: 0, sequenceCount: 50 },
      ...{ connectionCount: 1, patienceMs: 500 },
    });
  } finally {
    listener.close();
    await serving;
  }
}

Deno.test("fuzz: waits for a server as long as something comes from it", async () => {
  const protocol = FUZZ_PROTOCOLS.find(({ name }) => name === "resp")!;
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serveOne = async (): Promise<void> => {
    using socket = await listener.accept();
    const room = new Uint8Array(65536);
    while (await socket.read(room) !== null);
    for (let i = 0; i < 5; i++) {
      await socket.write(protocol.samples.well);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  };
  const serving = serveOne();
  const tally = await fuzzOverTcp({
    ...{ protocol, port: listener.addr.port, seed: 1, firstCase: 0, sequenceCount: 1 },
    ...{ connectionCount: 1, patienceMs: 500 },
  });
  assert.equal(tally.bytesReceived, 5 * protocol.samples.well.length);
  await serving;
});

for (const protocol of FUZZ_PROTOCOLS) {
  const { well, broken } = protocol.samples;
  Deno.test(`fuzz: is content with a ${protocol.name} server that answers well`, async () => {
    await fuzz(protocol, well);
  });
  Deno.test(`fuzz: finds a ${protocol.name} server whose replies are malformed`, async () => {
    await assert.rejects(fuzz(protocol, broken), FuzzFind);
  });
  Deno.test(`fuzz: finds a ${protocol.name} server that does not end`, async () => {
    await assert.rejects(fuzz(protocol, well, true), /not ended/);
  });
  Deno.test(`fuzz: the same seed makes the same ${protocol.name} sequences`, () => {
    const make = (seed: number): Uint8Array[] => {
      const random = new Random(seed);
      return Array.from({ length: 50 }, () => nextSequence(random, protocol));
    };
    assert.deepEqual(make(7), make(7));
    assert.notDeepEqual(make(7), make(8));
  });
}
