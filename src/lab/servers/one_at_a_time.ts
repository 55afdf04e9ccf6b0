/// <reference lib="deno.worker" />

/**
 * The server of stage 1: it finishes one connection before it accepts the next.
 *
 * @module
 */

import { readRequestBody, writeAnswer } from "./small_http.ts";

const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
self.postMessage(listener.addr.port);

for (;;) {
  // The mistake: while this one says nothing, nobody else is listened to.
  using socket = await listener.accept();
  try {
    const body = await readRequestBody(socket);
    if (body !== null) await writeAnswer(socket, body);
  } catch {
    // The client has gone.
  }
}
