/// <reference lib="deno.worker" />
/**
 * A thread that sends small commands one after another and notes how long each takes, so that what
 * the main thread does with large replies does not count.
 *
 * @module
 */

/** What the probe is told: a port, then "stop". */
export type ProbeOrder = { readonly port: number; readonly connectionCount: number } | "stop";

const REQUEST = new TextEncoder().encode("*2\r\n$3\r\nGET\r\n$5\r\nprobe\r\n");

let isOver = false;
const latencies: number[] = [];

async function probe(port: number): Promise<void> {
  using socket = await Deno.connect({ hostname: "127.0.0.1", port });
  socket.setNoDelay(true);
  const room = new Uint8Array(4096);
  while (!isOver) {
    const sentAtMs = performance.now();
    await socket.write(REQUEST);
    if (await socket.read(room) === null) throw new Error("Cannot probe: the server closed");
    latencies.push(performance.now() - sentAtMs);
    // A little rest, so that the probes are clients among others and not a load of their own.
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

let probes: Promise<void>[] = [];
self.onmessage = async ({ data }: MessageEvent<ProbeOrder>) => {
  if (data !== "stop") {
    isOver = false;
    latencies.length = 0;
    probes = Array.from({ length: data.connectionCount }, () => probe(data.port));
    self.postMessage("ready");
    return;
  }
  isOver = true;
  await Promise.all(probes);
  self.postMessage(Float64Array.from(latencies));
};
