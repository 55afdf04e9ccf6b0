/**
 * A server that starves every tenth of its clients: what a test of fairness must be able to see.
 * Answers `+PONG` to whatever comes; prints its port.
 *
 * The obvious loop (read, answer, read) starves clients as well, but only as long as nothing else
 * slows the machine down.
 *
 * @module
 */

/** How long the starved wait for each answer. Unit: ms. */
const STARVED_MS = 500;

const listener = Deno.listen({ hostname: "127.0.0.1", port: 0, tcpBacklog: 4096 });
const PONG = new TextEncoder().encode("+PONG\r\n");

async function serve(socket: Deno.TcpConn, isStarved: boolean): Promise<void> {
  const room = new Uint8Array(4096);
  try {
    while (await socket.read(room) !== null) {
      if (isStarved) await new Promise((resolve) => setTimeout(resolve, STARVED_MS));
      await socket.write(PONG);
    }
  } catch {
    // The client has gone.
  }
  socket.close();
}

await Deno.stdout.write(new TextEncoder().encode(`${listener.addr.port}\n`));
for (let count = 0;; count++) void serve(await listener.accept(), count % 10 === 9);
