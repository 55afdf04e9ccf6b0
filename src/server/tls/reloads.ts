/**
 * Reading the certificate again while the server runs.
 *
 * @module
 */

import type { Logger } from "../../base/log.ts";
import {
  findTlsWarning,
  readTlsMaterial,
  type TlsFiles,
  tlsLogFields,
  type TlsMaterial,
} from "./material.ts";

/**
 * Reads the files again on demand, one time after the other.
 *
 * Thread: main isolate.
 */
export class TlsReloads {
  readonly #files: TlsFiles;
  readonly #replace: (material: TlsMaterial) => Promise<void>;
  readonly #log: Logger;
  #last: Promise<void> = Promise.resolve();

  /**
   * Reads nothing yet.
   *
   * @param replace has all I/O threads use what was read
   */
  constructor(
    files: TlsFiles,
    replace: (material: TlsMaterial) => Promise<void>,
    log: Logger,
  ) {
    this.#files = files;
    this.#replace = replace;
    this.#log = log;
  }

  /**
   * Reads both files and has every handshake from now on use them. What is wrong with them is logged,
   * and the server goes on with what it had. Never rejects.
   */
  reload(): Promise<void> {
    // What was asked for last is what was written last.
    return this.#last = this.#last.then(() => this.#reload());
  }

  async #reload(): Promise<void> {
    try {
      const material = await readTlsMaterial(this.#files);
      if (material === undefined) return;
      await this.#replace(material);
      reportTls(this.#log, "tls certificate reloaded", material, "tls_reloaded");
    } catch (error) {
      this.#log.error("tls certificate not reloaded, the old one stays in use", {
        event: "tls_reload_failed",
        reason: error instanceof Error ? error.message : String(error),
      });
    }
  }
}

/** Logs which certificate is used, and what clients will hold against it. */
export function reportTls(
  log: Logger,
  text: string,
  material: TlsMaterial,
  event = "tls",
): void {
  log.info(text, { event, ...tlsLogFields(material) });
  const warning = findTlsWarning(material, Date.now());
  if (warning !== null) log.warn(warning, { event: "tls_warning", ...tlsLogFields(material) });
}
