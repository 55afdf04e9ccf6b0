/// <reference lib="deno.worker" />

/**
 * The server of stage 2: a task of its own for each connection; it echoes the body.
 *
 * @module
 */

import { readRequestBody, writeAnswer } from "./small_http.ts";

const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
self.postMessage(listener.addr.port);

async function serve(connection: Deno.Conn): Promise<void> {
  using socket = connection;
  try {
    for (;;) {
      const body = await readRequestBody(socket);
      if (body === null) return;
      await writeAnswer(socket, body);
    }
  } catch {
    // The client has gone.
  }
}

for (;;) void serve(await listener.accept());
