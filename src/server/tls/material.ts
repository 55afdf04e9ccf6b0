/**
 * The certificate and the key that TLS is spoken with: read, checked, described.
 *
 * @module
 */

import type { Config } from "../config.ts";
import { StartError } from "../start_error.ts";

/** Largest file that is read. Unit: bytes. Reason: long chains stay far below; a device need not end. */
const FILE_MAX_BYTES = 2 ** 20;

/** One certificate in a file of several. */
const CERTIFICATE = /-----BEGIN ((?:TRUSTED |X509 )?CERTIFICATE)-----[^]*?-----END \1-----/g;

const KEY_RULE = "keys are RSA from 2048 bits up, P-256, P-384, P-521 or Ed25519";

/** The first runtime whose `node:tls` ends TLS on a stream of ours. */
const NEEDED_RUNTIME = [2, 9] as const;

/**
 * A certificate and its key.
 *
 * Can be sent with `postMessage`.
 */
export interface TlsMaterial {
  /** The certificate, and those between it and a root, PEM. */
  readonly cert: string;
  /** The key, PEM. Never shown. */
  readonly key: string;
  /** SHA-256 of the certificate, e.g. `58:61:1A:…`. */
  readonly fingerprint: string;
  /** From when on it is valid. Unit: ms since the epoch. */
  readonly validFromMs: number;
  /** Until when it is valid. Unit: ms since the epoch. */
  readonly validToMs: number;
}

/** The settings that name the files. */
export type TlsFiles = Pick<Config, "tlsCert" | "tlsKey">;

/**
 * Reads what TLS needs.
 *
 * Thread: main isolate, at start and whenever the files are to be read again.
 *
 * @returns undefined when no certificate is configured
 * @throws {StartError} in one line: a file that is missing, no PEM, or a key that does not fit
 */
export async function readTlsMaterial(files: TlsFiles): Promise<TlsMaterial | undefined> {
  if (files.tlsCert === "") return undefined;
  if (!canServeTls(Deno.version.deno)) {
    throw new StartError(
      `Cannot serve TLS: it needs Deno ${NEEDED_RUNTIME.join(".")} or later, and this is ` +
        `${Deno.version.deno}; start without --tls-cert`,
    );
  }
  const cert = await readText(files.tlsCert, "certificate", "--tls-cert");
  const key = await readText(files.tlsKey, "key", "--tls-key");
  // Loading it takes a tenth of a second, which a server without TLS need not wait for.
  const { X509Certificate, createPrivateKey } = await import("node:crypto");
  const wrong = (path: string, reason: string): StartError =>
    new StartError(`Cannot serve TLS with ${path}: ${reason}`);
  if (!/-----BEGIN (TRUSTED |X509 )?CERTIFICATE-----/.test(cert)) {
    throw wrong(files.tlsCert, "it has no certificate in PEM (-----BEGIN CERTIFICATE-----)");
  }
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(key)) {
    throw wrong(files.tlsKey, "it has no private key in PEM (-----BEGIN PRIVATE KEY-----)");
  }
  if (/-----BEGIN ENCRYPTED |^Proc-Type: 4,ENCRYPTED/m.test(key)) {
    throw wrong(files.tlsKey, "the key is protected by a passphrase, which nobody could be asked");
  }
  let certificate: InstanceType<typeof X509Certificate>;
  try {
    certificate = new X509Certificate(cert);
    // Clients read those behind it, too, and leave when they cannot.
    for (const [block] of cert.matchAll(CERTIFICATE)) new X509Certificate(block);
  } catch (error) {
    throw wrong(files.tlsCert, `the certificate cannot be read: ${textOf(error)}`);
  }
  let privateKey: ReturnType<typeof createPrivateKey>;
  try {
    privateKey = createPrivateKey(key);
  } catch (error) {
    throw wrong(files.tlsKey, `the key cannot be read: ${textOf(error)}`);
  }
  if (!certificate.checkPrivateKey(privateKey)) {
    throw wrong(files.tlsKey, `the key does not belong to the certificate in ${files.tlsCert}`);
  }
  const { tryTls } = await import("./trial.ts");
  try {
    await tryTls({ cert, key });
  } catch (error) {
    throw wrong(
      files.tlsCert,
      `no client could connect (${textOf(error)}); ${KEY_RULE}`,
    );
  }
  return {
    cert,
    key,
    fingerprint: certificate.fingerprint256,
    validFromMs: Date.parse(certificate.validFrom),
    validToMs: Date.parse(certificate.validTo),
  };
}

/** Whether a runtime can end TLS where we need it to, by its version, e.g. `"2.9.6"`. */
export function canServeTls(runtimeVersion: string): boolean {
  const [major = 0, minor = 0] = runtimeVersion.split(".").map(Number);
  const [neededMajor, neededMinor] = NEEDED_RUNTIME;
  return major > neededMajor || (major === neededMajor && minor >= neededMinor);
}

/** What clients will hold against a certificate that can be served; null when nothing. */
export function findTlsWarning(
  { validFromMs, validToMs }: Pick<TlsMaterial, "validFromMs" | "validToMs">,
  nowMs: number,
): string | null {
  if (nowMs > validToMs) return "the certificate has expired: clients will refuse it";
  if (nowMs < validFromMs) return "the certificate is not valid yet: clients will refuse it";
  return null;
}

/** The fields of a log line about a certificate. */
export function tlsLogFields(
  { fingerprint, validToMs }: TlsMaterial,
): { fingerprint: string; expires: string } {
  return { fingerprint, expires: new Date(validToMs).toISOString() };
}

async function readText(path: string, what: string, flag: string): Promise<string> {
  try {
    using file = await Deno.open(path);
    const bytes = new Uint8Array(FILE_MAX_BYTES);
    let byteCount = 0;
    while (byteCount < bytes.length) {
      const count = await file.read(bytes.subarray(byteCount));
      if (count === null) break;
      byteCount += count;
    }
    if (byteCount === bytes.length) throw new Error("it is larger than 1 MiB");
    return new TextDecoder().decode(bytes.subarray(0, byteCount));
  } catch (error) {
    throw new StartError(
      `Cannot read the TLS ${what} from ${path}: ${reason(error)}; check ${flag}`,
    );
  }
}

function reason(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such file";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  if (error instanceof Deno.errors.NotCapable) return "the runtime lacks --allow-read";
  return textOf(error);
}

function textOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replace(/\s*\n\s*/g, " ");
}
