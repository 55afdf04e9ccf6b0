/**
 * Compressing bodies of replies without holding up the thread.
 *
 * @module
 */

import type zlib from "node:zlib";
import { nextTurn } from "../command/turns.ts";
import { Coding } from "../protocol/http/content_coding.ts";

/**
 * Compressed between two turns of the event loop.
 *
 * Unit: bytes. Reason: the runtime compresses on the thread that asks, whatever its functions are
 * called; this much takes half a millisecond.
 */
const SLICE_BYTES = 16384;

/** Bodies that may wait for their turn; beyond that, they are sent as they are. */
const WAITING_MAX = 16;

/** Bytes of them. Reason: they are not counted anywhere else. */
const WAITING_MAX_BYTES = 8 * 1024 * 1024;

/** From here on, a little smaller takes many times as long. */
const BROTLI_QUALITY = 5;
const ZLIB_LEVEL = 6;

type Zlib = typeof zlib;

/** A stream of `node:zlib`. */
type Stream = zlib.Gzip | zlib.Deflate | zlib.BrotliCompress;

/**
 * Compresses one body at a time, in slices.
 *
 * Thread: one per I/O thread.
 */
export class Compressor {
  #last: Promise<unknown> = Promise.resolve();
  #waitingCount = 0;
  #waitingBytes = 0;

  /**
   * Compresses `bytes`, which must not change meanwhile.
   *
   * @param coding any but identity
   * @returns undefined when too many wait already
   */
  compress(
    bytes: Uint8Array<ArrayBuffer>,
    coding: Coding,
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const isFull = this.#waitingCount >= WAITING_MAX ||
      this.#waitingBytes + bytes.length > WAITING_MAX_BYTES;
    if (isFull) return Promise.resolve(undefined);
    this.#waitingCount++;
    this.#waitingBytes += bytes.length;
    const before = this.#last;
    const own = this.#compressBehind(before, bytes, coding);
    this.#last = own.catch(() => {});
    return own;
  }

  async #compressBehind(
    before: Promise<unknown>,
    bytes: Uint8Array<ArrayBuffer>,
    coding: Coding,
  ): Promise<Uint8Array<ArrayBuffer>> {
    try {
      await before;
      return await compressInSlices(bytes, coding);
    } finally {
      this.#waitingCount--;
      this.#waitingBytes -= bytes.length;
    }
  }
}

async function compressInSlices(
  bytes: Uint8Array<ArrayBuffer>,
  coding: Coding,
): Promise<Uint8Array<ArrayBuffer>> {
  // Loaded when somebody first wants it: it is part of the runtime, but not in memory by itself.
  const { default: zlib } = await import("node:zlib");
  const { BROTLI_OPERATION_FLUSH } = zlib.constants;
  const stream = streamFor(zlib, coding, bytes.length);
  const parts: Uint8Array[] = [];
  stream.on("data", (part: Uint8Array) => parts.push(part));
  const end = Promise.withResolvers<void>();
  stream.on("end", () => end.resolve());
  stream.on("error", (error: Error) => end.reject(error));
  const isSliced = bytes.length > SLICE_BYTES;
  for (let at = 0; at < bytes.length; at += SLICE_BYTES) {
    const slice = bytes.subarray(at, at + SLICE_BYTES);
    const flush = isSliced && coding === Coding.BR ? BROTLI_OPERATION_FLUSH : undefined;
    await Promise.race([write(stream, slice, flush), end.promise]);
    if (isSliced) await nextTurn();
  }
  stream.end();
  await end.promise;
  return joined(parts);
}

/**
 * Writes a slice.
 *
 * @param flush has what it takes done now: Brotli would put off the work of four slices to the
 *   fourth
 */
function write(stream: Stream, bytes: Uint8Array, flush: number | undefined): Promise<void> {
  return new Promise((resolve) => {
    stream.write(bytes, () => {
      // Deno 2.4 does not have the method.
      if (flush !== undefined && typeof stream.flush === "function") {
        stream.flush(flush, () => resolve());
      } else resolve();
    });
  });
}

function streamFor(zlib: Zlib, coding: Coding, byteCount: number): Stream {
  const { constants } = zlib;
  switch (coding) {
    case Coding.BR:
      return zlib.createBrotliCompress({
        params: {
          [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY,
          [constants.BROTLI_PARAM_SIZE_HINT]: byteCount,
          // A window that the body does not fill is only cleared for nothing.
          [constants.BROTLI_PARAM_LGWIN]: Math.min(
            Math.max(Math.ceil(Math.log2(byteCount)), 12),
            20,
          ),
        },
      });
    case Coding.GZIP:
      return zlib.createGzip({ level: ZLIB_LEVEL });
    default:
      return zlib.createDeflate({ level: ZLIB_LEVEL });
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
