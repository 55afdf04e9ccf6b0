/// <reference lib="deno.worker" />
/**
 * Clients in a thread of their own, few enough that the runtime serves them evenly: each sends its
 * next request as soon as the previous one is answered.
 *
 * @module
 */

/** What the thread is told. */
export interface FairnessOrders {
  /** Port of the RESP listener. */
  port: number;
  /** Connections. */
  connectionCount: number;
  /** How long to send. Unit: ms. */
  durationMs: number;
}

const PING = new TextEncoder().encode("*1\r\n$4\r\nPING\r\n");
let start: () => void;
const started = new Promise<void>((resolve) => start = resolve);

self.onmessage = async ({ data }: MessageEvent<FairnessOrders | "start">): Promise<void> => {
  if (data === "start") return start();
  const sockets: Deno.TcpConn[] = [];
  for (let i = 0; i < data.connectionCount; i++) {
    sockets.push(await Deno.connect({ hostname: "127.0.0.1", port: data.port }));
  }
  self.postMessage("connected");
  await started;
  const endMs = performance.now() + data.durationMs;
  self.postMessage(await Promise.all(sockets.map((socket) => countReplies(socket, endMs))));
  self.close();
};

async function countReplies(socket: Deno.TcpConn, endMs: number): Promise<number> {
  const reply = new Uint8Array(64);
  let count = 0;
  while (performance.now() < endMs) {
    await socket.write(PING);
    if (await socket.read(reply) === null) break;
    count++;
  }
  socket.close();
  return count;
}
