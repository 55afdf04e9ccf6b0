/// <reference lib="deno.worker" />

/**
 * The server of stage 4: a task for each connection, but all of the work under one lock.
 *
 * @module
 */

import { readRequestBody, writeAnswer } from "./small_http.ts";

/** How long a request takes. Unit: ms. */
const WORK_MS = 500;

/** Settles when whoever came last has let go of the lock. */
let lastHolder: Promise<void> = Promise.resolve();

/** Works while nobody else does. */
async function workUnderLock(): Promise<void> {
  const released = Promise.withResolvers<void>();
  const before = lastHolder;
  lastHolder = released.promise;
  await before;
  await new Promise((resolve) => setTimeout(resolve, WORK_MS));
  released.resolve();
}

async function serve(connection: Deno.Conn): Promise<void> {
  using socket = connection;
  try {
    for (;;) {
      const body = await readRequestBody(socket);
      if (body === null) return;
      await workUnderLock();
      await writeAnswer(socket, body);
    }
  } catch {
    // The client has gone.
  }
}

const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
self.postMessage(listener.addr.port);
for (;;) void serve(await listener.accept());
