/**
 * A server with the obvious loop, which starves most of its clients when many are busy: what a test
 * of fairness must be able to see. Answers `+PONG` to whatever comes; prints its port.
 *
 * @module
 */

const listener = Deno.listen({ hostname: "127.0.0.1", port: 0, tcpBacklog: 4096 });
const PONG = new TextEncoder().encode("+PONG\r\n");

async function serve(socket: Deno.TcpConn): Promise<void> {
  const room = new Uint8Array(4096);
  try {
    while (await socket.read(room) !== null) await socket.write(PONG);
  } catch {
    // The client has gone.
  }
  socket.close();
}

await Deno.stdout.write(new TextEncoder().encode(`${listener.addr.port}\n`));
for (;;) void serve(await listener.accept());
