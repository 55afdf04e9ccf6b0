/**
 * Reading the certificate again while the server runs.
 *
 * @module
 */

import type { Logger } from "../../base/log.ts";
import { pause } from "../pause.ts";
import {
  findTlsWarning,
  readTlsMaterial,
  type TlsFiles,
  tlsLogFields,
  type TlsMaterial,
} from "./material.ts";

/**
 * After how long files that cannot be used are read once more, each time.
 *
 * Unit: ms. Reason: a certificate and its key are two files, written one after the other. Whoever
 * watches them and asks for a reload when the first has changed may not ask again for the second.
 */
const RETRY_PAUSES_MS: readonly number[] = [1000, 4000];

/**
 * Reads the files again on demand, one time after the other.
 *
 * Thread: main isolate.
 */
export class TlsReloads implements Disposable {
  readonly #files: TlsFiles;
  readonly #replace: (material: TlsMaterial) => Promise<void>;
  readonly #log: Logger;
  readonly #retryPausesMs: readonly number[];
  #last: Promise<void> = Promise.resolve();
  /** Aborted when the reload asked for last has no reason to try once more. */
  #retries = new AbortController();

  /**
   * Reads nothing yet.
   *
   * @param replace has all I/O threads use what was read
   */
  constructor(
    files: TlsFiles,
    replace: (material: TlsMaterial) => Promise<void>,
    log: Logger,
    retryPausesMs: readonly number[] = RETRY_PAUSES_MS,
  ) {
    this.#files = files;
    this.#replace = replace;
    this.#log = log;
    this.#retryPausesMs = retryPausesMs;
  }

  /**
   * Reads both files and has every handshake from now on use them. What is wrong with them is logged,
   * and the server goes on with what it had; a little later they are read once more. Never rejects.
   *
   * @returns a promise of the end of it, all attempts included
   */
  reload(): Promise<void> {
    // What was asked for last is what was written last, and nobody need wait to read it.
    this.#retries.abort();
    const { signal } = this.#retries = new AbortController();
    return this.#last = this.#last.then(() => this.#reload(signal));
  }

  /** Does not try once more. */
  [Symbol.dispose](): void {
    this.#retries.abort();
  }

  async #reload(noRetries: AbortSignal): Promise<void> {
    for (const pauseMs of this.#retryPausesMs) {
      if (await this.#try(pauseMs)) return;
      await pause(pauseMs, noRetries);
      if (noRetries.aborted) return;
    }
    await this.#try(undefined);
  }

  /** @param retryMs when it will be tried once more, should it fail; undefined = it will not */
  async #try(retryMs: number | undefined): Promise<boolean> {
    try {
      const material = await readTlsMaterial(this.#files);
      if (material === undefined) return true;
      await this.#replace(material);
      reportTls(this.#log, "tls certificate reloaded", material, "tls_reloaded");
      return true;
    } catch (error) {
      const text = "tls certificate not reloaded, the old one stays in use";
      const reason = error instanceof Error ? error.message : String(error);
      const fields = { event: "tls_reload_failed", reason };
      if (retryMs === undefined) this.#log.error(text, fields);
      else this.#log.warn(text, { ...fields, retry_ms: retryMs });
      return false;
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
