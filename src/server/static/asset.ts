/**
 * One file as clients see it: what is known of it, and the replies made of it so far.
 *
 * @module
 */

import { Int64 } from "../../base/int64.ts";
import { murmur64 } from "../../base/murmur64.ts";
import { encodeText } from "../../protocol/http/characters.ts";
import { Coding, CODING_COUNT, CODING_NAMES } from "../../protocol/http/content_coding.ts";
import { formatHttpDate } from "../../protocol/http/http_date.ts";
import { NO_SNIFFING, PAGE_LINES } from "../../protocol/http/page_lines.ts";
import type { Validators } from "../../protocol/http/preconditions.ts";
import { PreparedReply } from "../../protocol/http/prepared_reply.ts";
import { type FileFacts, isSameFile } from "./directory.ts";
import { type MediaType, mediaTypeOf } from "./media_types.ts";

/** What a file costs without its forms: objects and texts. Unit: bytes. */
const ASSET_BYTES = 1024;

/** What a form of a file costs besides its body: objects and heads. Unit: bytes. */
export const VARIANT_BYTES = 2048;

/**
 * How long after a change a file may change again without a trace: the runtime gives the last change
 * in whole seconds. Unit: ms.
 */
const UNSETTLED_MS = 1000;

/** A file is not compressed when that saves less than one in this many bytes. */
const LEAST_SAVING = 20;

/** Endings of names of files that are another file compressed in advance. */
export const SIBLING_ENDINGS: readonly (readonly [Coding, string])[] = [
  [Coding.BR, ".br"],
  [Coding.GZIP, ".gz"],
];

/** One file in one coding. */
export interface Variant extends Validators {
  /** Its coding. */
  readonly coding: Coding;
  /** What it is read from, relative to the directory; for a compressed copy of ours, the original. */
  readonly path: string;
  /** The state of that file. */
  readonly facts: FileFacts;
  /** Length of the body. Unit: bytes. */
  readonly byteCount: number;
  /** Whether parts of it may be asked for: not of a copy of ours, which may come out differently. */
  readonly hasRanges: boolean;
  /** Value of `Content-Type`. */
  readonly contentType: Uint8Array;
  /** Whole header lines besides date, type and length. */
  readonly lines: Uint8Array;
  /** The reply 200; without its body while that is not in memory. */
  readonly reply: PreparedReply;
  /** Whether {@link Variant.reply} has its body. */
  readonly isKept: boolean;
  /** The reply 304. */
  readonly notModified: PreparedReply;
}

/** What an {@link Asset} is made from. */
export interface AssetOptions {
  /** Relative to the directory, a file's. */
  readonly path: string;
  /** Its state. */
  readonly facts: FileFacts;
  /** The state of its siblings that are there, by coding. */
  readonly siblings: readonly (FileFacts | undefined)[];
  /** Longest file that is compressed here; 0 = none is. Unit: bytes. */
  readonly compressibleBytes: number;
  /** How long browsers may keep it, pages aside. Unit: ms. */
  readonly maxAgeMs: number;
  /** When it was looked at, ms since the epoch. */
  readonly nowMs: number;
}

/**
 * A file and its forms.
 *
 * Thread: one I/O thread.
 */
export class Asset {
  /** Relative to the directory. */
  readonly path: string;
  /** Its state. */
  readonly facts: FileFacts;
  /** When it was last seen in that state, ms since the epoch. */
  checkedAtMs: number;
  /** Whether a change since then would show. */
  readonly isSettled: boolean;
  /** Its forms that replies were made of, by coding. */
  readonly variants: (Variant | undefined)[] = new Array(CODING_COUNT).fill(undefined);
  /** The forms that are being made, by coding. */
  readonly making: (Promise<Variant | undefined> | undefined)[] = new Array(CODING_COUNT)
    .fill(undefined);

  /** What the cache counts for it. Unit: bytes. */
  keptBytes: number = ASSET_BYTES;
  /** Replies under way that need its bytes. */
  pinCount = 0;
  /** Whether the cache has it. */
  isCached = false;
  /** Neighbours in the order of use; the cache's. */
  newer: Asset | undefined = undefined;
  /** See {@link Asset.newer}. */
  older: Asset | undefined = undefined;
  /** A spelling of its path in requests, and where the cache has it; the cache's. */
  spelling: Uint8Array = NO_BYTES;
  /** See {@link Asset.spelling}; -1 = nowhere. */
  spellingSlot: number = -1;

  readonly #siblings: readonly (FileFacts | undefined)[];
  readonly #media: MediaType;
  readonly #maxAgeMs: number;
  readonly #isCompressible: boolean;
  #uselessCodings = 0;

  /** Makes one without forms. */
  constructor(options: AssetOptions) {
    const { path, facts, siblings, nowMs } = options;
    this.path = path;
    this.facts = facts;
    this.checkedAtMs = nowMs;
    this.isSettled = [facts, ...siblings].every((file) =>
      file === undefined || nowMs >= Math.max(file.changedMs, file.modifiedMs) + UNSETTLED_MS
    );
    // One that is older than its original is of another state of it.
    this.#siblings = siblings.map((sibling) =>
      sibling !== undefined && !sibling.isDirectory && sibling.modifiedMs >= facts.modifiedMs
        ? sibling
        : undefined
    );
    this.#media = mediaTypeOf(path);
    this.#maxAgeMs = options.maxAgeMs;
    this.#isCompressible = this.#media.isCompressible &&
      facts.byteCount >= COMPRESSIBLE_MIN_BYTES && facts.byteCount <= options.compressibleBytes;
  }

  /** Whether it was in the same state when `other` was made of it. */
  isSame(other: Asset): boolean {
    return isSameFile(this.facts, other.facts) &&
      this.#siblings.every((sibling, coding) => isSameFile(sibling, other.#siblings[coding]));
  }

  /** Whether there is another form than the file's own bytes. */
  get isNegotiated(): boolean {
    return this.#isCompressible || this.#siblings.some((sibling) => sibling !== undefined);
  }

  /**
   * The form that a client gets.
   *
   * @param codings what it takes, best first
   * @param isPart whether it wants a part: compressed copies of ours have none
   * @returns undefined when it takes nothing that there is
   */
  pick(codings: readonly Coding[], isPart: boolean): Coding | undefined {
    for (const coding of codings) {
      if (coding === Coding.IDENTITY || this.#siblings[coding] !== undefined) return coding;
      if (!isPart && this.isCompressedHere(coding)) return coding;
    }
    return undefined;
  }

  /** Whether a form is a compressed copy of ours. */
  isCompressedHere(coding: Coding): boolean {
    return coding !== Coding.IDENTITY && this.#siblings[coding] === undefined &&
      this.#isCompressible && (this.#uselessCodings & (1 << coding)) === 0;
  }

  /** Takes note that a coding saves nothing, if so. */
  judge(coding: Coding, byteCount: number): boolean {
    const most = this.facts.byteCount * (1 - 1 / LEAST_SAVING);
    if (byteCount <= most) return true;
    this.#uselessCodings |= 1 << coding;
    return false;
  }

  /** The file that a form is read from. */
  sourceOf(coding: Coding): { readonly path: string; readonly facts: FileFacts } {
    const facts = this.#siblings[coding];
    const ending = SIBLING_ENDINGS.find(([of]) => of === coding)?.[1] ?? "";
    return facts === undefined ? this : { path: this.path + ending, facts };
  }

  /**
   * Makes a form.
   *
   * @param byteCount length of its body
   * @param isKept whether there is room for the body in its reply, to be filled
   */
  variant(coding: Coding, byteCount: number, isKept: boolean): Variant {
    const { path, facts } = this.sourceOf(coding);
    const isOurs = this.isCompressedHere(coding);
    const etag = this.#etag(facts, isOurs ? coding : Coding.IDENTITY);
    const lastModifiedMs = Math.floor(Math.max(facts.modifiedMs, 0) / 1000) * 1000;
    const validatorLines = `ETag: ${etag}\r\n` +
      // RFC 9110 section 8.8.2.1: never later than the reply's own date.
      `Last-Modified: ${formatHttpDate(Math.min(lastModifiedMs, this.checkedAtMs))}\r\n` +
      `Cache-Control: ${this.#cacheControl()}\r\n` +
      (this.isNegotiated ? "Vary: Accept-Encoding\r\n" : "");
    const lines = validatorLines + NO_SNIFFING + (this.#media.isPage ? PAGE_LINES : "") +
      (coding === Coding.IDENTITY ? "" : `Content-Encoding: ${CODING_NAMES[coding]}\r\n`) +
      (isOurs ? "" : "Accept-Ranges: bytes\r\n");
    const bodyLines = `Content-Type: ${this.#media.text}\r\nContent-Length: ${byteCount}\r\n`;
    return {
      coding,
      path,
      facts,
      etag,
      lastModifiedMs,
      byteCount,
      hasRanges: !isOurs,
      contentType: encodeText(this.#media.text),
      lines: encodeText(lines),
      reply: new PreparedReply(200, bodyLines + lines, isKept ? byteCount : 0),
      isKept,
      notModified: new PreparedReply(304, validatorLines),
    };
  }

  /**
   * Tells states apart by what the file system says: the numbers of file and file system are in it,
   * because a file may be replaced by one of the same length and date; hashed, as they are nobody's
   * business.
   *
   * It is weak as long as the file could change again without a trace, and for copies of ours,
   * whose bytes another version of the program might choose differently.
   */
  #etag(facts: FileFacts, coding: Coding): string {
    const { byteCount, modifiedMs, changedMs, inode, device } = facts;
    const ending = coding === Coding.IDENTITY ? "" : `-${CODING_NAMES[coding]}`;
    const text = [byteCount, Math.abs(modifiedMs)].map((number) => number.toString(36)).join("-");
    const identity = encodeText(`${changedMs} ${inode} ${device}`);
    murmur64(identity, 0, identity.length, 0, hash);
    const digits = (hash.hi >>> 0).toString(36) + hash.lo.toString(36);
    return `${this.isSettled && ending === "" ? "" : "W/"}"${text}-${digits}${ending}"`;
  }

  #cacheControl(): string {
    const maxAgeS = Math.floor(this.#maxAgeMs / 1000);
    return this.#media.isPage || maxAgeS === 0 ? "no-cache" : `max-age=${maxAgeS}`;
  }
}

/**
 * Shorter files are not compressed.
 *
 * Unit: bytes. Reason: they travel in one packet or two either way.
 */
export const COMPRESSIBLE_MIN_BYTES = 1024;

const NO_BYTES = new Uint8Array(0);
const hash = new Int64();
