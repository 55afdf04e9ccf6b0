/**
 * Certificates of the tests, and clients that trust them.
 *
 * They are valid for a hundred years but for `expired`. `openssl req -x509` makes such a pair; without
 * `basicConstraints=critical,CA:FALSE` the runtime's clients refuse it.
 *
 * @module
 */

import { RawClient } from "./raw_client.ts";

/** A certificate and its key. */
export interface TestCertificate {
  /** Path of the certificate. */
  readonly certPath: string;
  /** Path of its key. */
  readonly keyPath: string;
  /** The certificate, PEM. */
  readonly cert: string;
  /** The key, PEM. */
  readonly key: string;
}

/** One of those in `tests/helpers/tls/`. */
export function testCertificate(name: "one" | "two" | "expired"): TestCertificate {
  const path = (suffix: string): string =>
    decodeURIComponent(new URL(`./tls/${name}.${suffix}`, import.meta.url).pathname);
  const [certPath, keyPath] = [path("pem"), path("key")];
  return {
    certPath,
    keyPath,
    cert: Deno.readTextFileSync(certPath),
    key: Deno.readTextFileSync(keyPath),
  };
}

/** The flags of a server that has this certificate. */
export function tlsFlags({ certPath, keyPath }: TestCertificate): string[] {
  return ["--tls-cert", certPath, "--tls-key", keyPath];
}

/**
 * Connects with TLS to the loopback address, trusting these certificates and no others.
 *
 * It resolves before the handshake: the server need not have seen anything of the connection.
 */
export function connectTls(
  port: number,
  certificates: readonly TestCertificate[],
  alpnProtocols: string[] = [],
): Promise<Deno.TlsConn> {
  return Deno.connectTls({
    hostname: "localhost",
    port,
    caCerts: certificates.map(({ cert }) => cert),
    alpnProtocols,
  });
}

/** The same, for text; both sides have shaken hands when it resolves. */
export async function connectSecurely(
  port: number,
  certificate: TestCertificate,
): Promise<RawClient> {
  const socket = await connectTls(port, [certificate]);
  try {
    await socket.handshake();
  } catch (error) {
    socket.close();
    throw error;
  }
  return RawClient.over(socket);
}
