/**
 * Small parts of a connection.
 *
 * @module
 */

import type { SessionStep } from "../protocol/session.ts";
import type { ClientSocket } from "./client_socket.ts";
import { LINGER_BYTES } from "./connection_limits.ts";

/** No bytes. */
export const NOTHING: Uint8Array<ArrayBuffer> = new Uint8Array(0);

/** Instead of a {@link SessionStep}: the session threw. */
export const FAILED: -1 = -1;

/** How a part of a batch ended. */
export type PartStep = SessionStep | typeof FAILED;

/** Where closing connections put the bytes that they throw away; never looked at. */
const discarded = new Uint8Array(65536);

/** Throws away what a client still sends, up to a bound. Thread: that of the connection. */
export async function discardRest(socket: Pick<ClientSocket, "read">): Promise<void> {
  let budgetBytes = LINGER_BYTES;
  while (budgetBytes > 0) {
    const byteCount = await socket.read(discarded);
    if (byteCount === null) return;
    budgetBytes -= byteCount;
  }
}

/** `127.0.0.1:6379`, or `[::1]:6379`. */
export function addressText({ hostname, port }: Deno.NetAddr): string {
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}
