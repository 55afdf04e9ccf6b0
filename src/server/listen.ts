/**
 * Binding a port, with an error that says what to do.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import type { ProtocolLabel } from "../metrics/names.ts";
import { StartError } from "./start_error.ts";

/**
 * Connections that may wait to be accepted.
 *
 * Reason: with the runtime's default of 511, some of 1,000 clients that connect at once wait a second
 * for a SYN to be sent again.
 */
const ACCEPT_BACKLOG = 4096;

/**
 * Listens on `host:port`.
 *
 * Several threads listen on one port by sharing one socket: an option of the runtime that its types
 * leave out, but which needs no flag, unlike `reusePort`, works on every system, and keeps other
 * processes from listening on the same port unnoticed. Whoever is idle accepts.
 *
 * Thread: the I/O thread that will accept.
 *
 * @param port 0 picks a free one; with `isShared` it must not be 0
 * @param isShared whether other threads of this process listen on the same port
 * @throws {StartError} when the address cannot be had, in one line that says why and what to do
 */
export function listen(
  protocol: ProtocolLabel,
  host: string,
  port: number,
  isShared = false,
): Deno.TcpListener {
  assert(!isShared || port !== 0, "threads share a port that is known");
  const options: Deno.TcpListenOptions & { loadBalanced?: boolean } = {
    hostname: host,
    port,
    tcpBacklog: ACCEPT_BACKLOG,
    loadBalanced: isShared,
  };
  try {
    return Deno.listen(options);
  } catch (error) {
    const address = `${host.includes(":") ? `[${host}]` : host}:${port}`;
    throw new StartError(`Cannot listen on ${address} for ${protocol}: ${reason(protocol, error)}`);
  }
}

function reason(protocol: ProtocolLabel, error: unknown): string {
  const flag = `--${protocol}-port`;
  if (error instanceof Deno.errors.AddrInUse) {
    return `the port is in use; stop the other program or choose another port with ${flag}`;
  }
  if (error instanceof Deno.errors.AddrNotAvailable) {
    return "this machine does not have that address; choose another with --host";
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return `permission denied; choose a port above 1023 with ${flag}`;
  }
  if (error instanceof Deno.errors.NotCapable) {
    return "the runtime lacks the permission; start it with --allow-net";
  }
  const message = error instanceof Error ? error.message : String(error);
  return `${message}; check --host and ${flag}`;
}
