/**
 * `/static/`: the files of a directory.
 *
 * @module
 */

import type { CounterSink } from "../../command/counters.ts";
import { CounterIndex } from "../../metrics/names.ts";
import { parseRange } from "../../protocol/http/byte_range.ts";
import { encodeText, SLASH } from "../../protocol/http/characters.ts";
import { Coding, CodingChooser } from "../../protocol/http/content_coding.ts";
import type { HttpExchange } from "../../protocol/http/exchange.ts";
import { fieldText } from "../../protocol/http/field_text.ts";
import { HttpError } from "../../protocol/http/http_error.ts";
import { HttpMethod } from "../../protocol/http/method.ts";
import { NO_SNIFFING } from "../../protocol/http/page_lines.ts";
import {
  evaluatePreconditions,
  mayServeRange,
  Precondition,
} from "../../protocol/http/preconditions.ts";
import { PreparedReply } from "../../protocol/http/prepared_reply.ts";
import type { HttpRequest } from "../../protocol/http/request.ts";
import type { Compressor } from "../compressor.ts";
import { errorReply, headerLine } from "../routes/replies.ts";
import { Asset, SIBLING_ENDINGS, type Variant, VARIANT_BYTES } from "./asset.ts";
import { AssetCache } from "./asset_cache.ts";
import { isSameFile, type OpenFile, type StaticDirectory } from "./directory.ts";
import { staticPath } from "./path.ts";
import { FileSource, MemorySource } from "./sources.ts";

/** What {@link StaticFiles} is made from. */
export interface StaticFilesOptions {
  /** The files. */
  readonly directory: StaticDirectory;
  /** Bound on what is kept in memory; 0 = nothing is. Unit: bytes. */
  readonly cacheBytes: number;
  /** How long a file is answered from memory without a look at it. Unit: ms. */
  readonly cacheTtlMs: number;
  /** How long browsers may keep what is no page. Unit: ms. */
  readonly maxAgeMs: number;
  /** Compresses. */
  readonly compressor: Compressor;
  /** This thread's counters. */
  readonly counters: CounterSink;
  /** Time of day, ms since the epoch; `Date.now` when left out. */
  readonly clock?: () => number;
}

/**
 * Longest file that is kept in memory, and that is compressed here.
 *
 * Unit: bytes. Reason: longer ones are few, cost little more to read than to send, and would push
 * many small ones out; compressing one of this length takes 64 slices.
 */
const KEPT_FILE_MAX_BYTES = 1024 * 1024;

/** A file may take up at most one in this many bytes of the cache. */
const KEPT_FILE_SHARE = 4;

/**
 * Bodies up to here are copied behind their head, and both go out in one write.
 *
 * Unit: bytes. Reason: with its head such a body fits 32 KiB, so that a thousand clients that do not
 * take theirs leave half of the memory of clients to others.
 */
const ONE_WRITE_BYTES = 31 * 1024;

/** How often a request looks again at a file that changed while it was looked at. */
const ATTEMPTS = 4;

/** Page that stands for a directory. */
const INDEX = "index.html";

const RANGE = encodeText("range");
const decoder = new TextDecoder("latin1");

/** What a path leads to. */
type Found = Asset | "directory" | undefined;

/**
 * Serves the files of a directory.
 *
 * A small file is read once and then answered from memory, in one copy, until it changes; whether it
 * did is looked up once per TTL. Larger ones are read while they are sent.
 *
 * Thread: one per I/O thread.
 */
export class StaticFiles {
  readonly #options: StaticFilesOptions;
  readonly #directory: StaticDirectory;
  readonly #cache: AssetCache;
  readonly #chooser = new CodingChooser();
  readonly #clock: () => number;
  /** Looks under way, by path: whoever asks for the same meanwhile waits for the same. */
  readonly #looks = new Map<string, Promise<Found>>();
  /** 0 = none is kept, and none compressed. Unit: bytes. */
  readonly #keptFileBytes: number;
  readonly #notFound = errorReply(404, "not_found");
  readonly #notAcceptable = errorReply(
    406,
    "not_acceptable",
    "the file is not there in a coding that Accept-Encoding has",
  );
  readonly #preconditionFailed = errorReply(412, "precondition_failed");

  /** Makes it; nothing is read before the first request. */
  constructor(options: StaticFilesOptions) {
    this.#options = options;
    this.#directory = options.directory;
    this.#clock = options.clock ?? Date.now;
    this.#cache = new AssetCache(options.cacheBytes, options.counters);
    this.#keptFileBytes = Math.min(
      KEPT_FILE_MAX_BYTES,
      Math.floor(options.cacheBytes / KEPT_FILE_SHARE),
    );
  }

  /** What is in memory; for tests. */
  get cache(): AssetCache {
    return this.#cache;
  }

  /** `GET /static/*`; the last parameter is the path. */
  serve(exchange: HttpExchange): void | Promise<void> {
    const { request: { bytes }, params } = exchange;
    const asset = this.#cache.findSpelled(bytes, params.start(0), params.end(0));
    if (asset === undefined || !this.#isFresh(asset)) return this.#find(exchange);
    return this.#answer(exchange, asset, 0);
  }

  /** `GET /static`, and directories: 301 to the path with a slash at its end. */
  redirect(exchange: HttpExchange): void {
    const { bytes, pathStart, pathEnd, queryStart, queryEnd } = exchange.request;
    const path = decoder.decode(bytes.subarray(pathStart, pathEnd));
    const query = queryEnd > queryStart
      ? `?${decoder.decode(bytes.subarray(queryStart, queryEnd))}`
      : "";
    const lines = `Location: ${path}/${query}\r\nCache-Control: no-cache\r\n${NO_SNIFFING}` +
      "Content-Length: 0\r\n";
    exchange.send(new PreparedReply(301, lines));
  }

  /**
   * Whether the file was looked at lately. Half-way to when it was not, a look begins in the
   * background, so that those who ask for a file all the time never wait for one.
   */
  #isFresh(asset: Asset): boolean {
    const { cacheTtlMs } = this.#options;
    const ageMs = this.#clock() - asset.checkedAtMs;
    if (ageMs < 0 || ageMs >= cacheTtlMs) return false;
    if (ageMs * 2 >= cacheTtlMs && !this.#looks.has(asset.path)) {
      // Whatever is wrong, who asks when the time is over is told.
      this.#look(asset.path).catch(() => {});
    }
    return true;
  }

  #find(exchange: HttpExchange): void | Promise<void> {
    const { request: { bytes }, params } = exchange;
    const path = staticPath(bytes, params.start(0), params.end(0));
    if (path === null) return exchange.send(this.#notFound);
    const filePath = path === "" || path.endsWith("/") ? path + INDEX : path;
    const asset = this.#cache.find(filePath);
    if (asset === undefined || !this.#isFresh(asset)) return this.#lookAt(exchange, filePath, 0);
    this.#noteSpelling(exchange, asset);
    return this.#answer(exchange, asset, 0);
  }

  #noteSpelling({ request, params }: HttpExchange, asset: Asset): void {
    this.#cache.noteSpelling(asset, request.bytes, params.start(0), params.end(0));
  }

  /** Answers once the file was looked at. */
  async #lookAt(exchange: HttpExchange, path: string, attempt: number): Promise<void> {
    const found = await this.#look(path);
    if (found === undefined) return exchange.send(this.#notFound);
    if (found === "directory") {
      // A path that has its slash already stands for an index, and that is one.
      return isDirectoryPath(exchange) ? exchange.send(this.#notFound) : this.redirect(exchange);
    }
    this.#noteSpelling(exchange, found);
    await this.#answer(exchange, found, attempt);
  }

  /** The file as it is now; many who ask at the same time cost one look. */
  #look(path: string): Promise<Found> {
    const underWay = this.#looks.get(path);
    if (underWay !== undefined) return underWay;
    const look = this.#lookOnce(path).finally(() => this.#looks.delete(path));
    this.#looks.set(path, look);
    return look;
  }

  async #lookOnce(path: string): Promise<Found> {
    // Before the look: a change during it must not pass for older than it.
    const nowMs = this.#clock();
    const facts = await this.#directory.look(path);
    const known = this.#cache.find(path);
    if (facts === undefined || facts.isDirectory) {
      if (known !== undefined) this.#cache.drop(known);
      return facts === undefined ? undefined : "directory";
    }
    const siblings = await Promise.all(
      SIBLING_ENDINGS.map(([, ending]) => this.#directory.look(path + ending)),
    );
    const asset = new Asset({
      path,
      facts,
      siblings,
      compressibleBytes: this.#keptFileBytes,
      maxAgeMs: this.#options.maxAgeMs,
      nowMs,
    });
    if (known?.isCached && known.isSettled && known.isSame(asset)) {
      known.checkedAtMs = nowMs;
      return known;
    }
    if (this.#keptFileBytes > 0) this.#cache.insert(asset);
    return asset;
  }

  #answer(exchange: HttpExchange, asset: Asset, attempt: number): void | Promise<void> {
    const { request } = exchange;
    this.#cache.touch(asset);
    const codings = this.#chooser.choose(request);
    const isPart = isPartWanted(request);
    const coding = asset.pick(codings, isPart) ?? asset.pick(codings, false);
    if (coding === undefined) return exchange.send(this.#notAcceptable);
    const variant = this.#variant(asset, coding);
    return variant instanceof Promise
      ? this.#sendLater(exchange, asset, variant, attempt)
      : this.#send(exchange, asset, variant, attempt);
  }

  async #sendLater(
    exchange: HttpExchange,
    asset: Asset,
    making: Promise<Variant | undefined>,
    attempt: number,
  ): Promise<void> {
    const variant = await making;
    if (variant === undefined) return await this.#lookAgain(exchange, asset, attempt);
    await this.#send(exchange, asset, variant, attempt, false);
  }

  /** Starts over with a file that is not what it was a moment ago. */
  async #lookAgain(exchange: HttpExchange, asset: Asset, attempt: number): Promise<void> {
    this.#cache.drop(asset);
    if (attempt + 1 < ATTEMPTS) return await this.#lookAt(exchange, asset.path, attempt + 1);
    throw new HttpError(503, "file_changes", "the file is being changed", "Retry-After: 1\r\n");
  }

  /** A form of the file, of which the body may not be kept; undefined when the file has changed. */
  #variant(asset: Asset, coding: Coding): Variant | Promise<Variant | undefined> {
    const made = asset.variants[coding];
    if (made !== undefined) return made;
    const isOurs = asset.isCompressedHere(coding);
    if (!isOurs) {
      const { byteCount } = asset.sourceOf(coding).facts;
      if (byteCount > this.#keptFileBytes || !asset.isCached) {
        const variant = asset.variant(coding, byteCount, false);
        if (this.#cache.tryReserve(asset, VARIANT_BYTES)) asset.variants[coding] = variant;
        return variant;
      }
    }
    return asset.making[coding] ??= this.#make(asset, coding, isOurs);
  }

  async #make(asset: Asset, coding: Coding, isOurs: boolean): Promise<Variant | undefined> {
    this.#cache.pin(asset);
    try {
      return isOurs ? await this.#compress(asset, coding) : await this.#read(asset, coding);
    } finally {
      asset.making[coding] = undefined;
      this.#cache.unpin(asset);
    }
  }

  /** Reads a file into memory. */
  async #read(asset: Asset, coding: Coding): Promise<Variant | undefined> {
    const { path, facts } = asset.sourceOf(coding);
    const { byteCount } = facts;
    const keptBytes = byteCount + VARIANT_BYTES;
    if (!this.#cache.tryReserve(asset, keptBytes)) return asset.variant(coding, byteCount, false);
    const variant = asset.variant(coding, byteCount, true);
    let isRead = false;
    try {
      const open = await this.#directory.open(path);
      if (open === undefined) return undefined;
      try {
        isRead = isSameFile(open.facts, facts) && await readWhole(open, 0, variant.reply.body);
      } finally {
        open.close();
      }
    } finally {
      if (!isRead) this.#cache.giveBack(asset, keptBytes);
    }
    return isRead ? asset.variants[coding] = variant : undefined;
  }

  /** Makes a compressed copy; the file as it is when that is not to be had. */
  async #compress(asset: Asset, coding: Coding): Promise<Variant | undefined> {
    const whole = await this.#variant(asset, Coding.IDENTITY);
    if (whole === undefined || !whole.isKept) return whole;
    const bytes = await this.#options.compressor.compress(whole.reply.body, coding);
    if (bytes === undefined || !asset.judge(coding, bytes.length)) return whole;
    if (!this.#cache.tryReserve(asset, bytes.length + VARIANT_BYTES)) return whole;
    const variant = asset.variant(coding, bytes.length, true);
    variant.reply.body.set(bytes);
    return asset.variants[coding] = variant;
  }

  #send(
    exchange: HttpExchange,
    asset: Asset,
    variant: Variant,
    attempt: number,
    isHit = true,
  ): void | Promise<void> {
    const { request, nowMs } = exchange;
    switch (evaluatePreconditions(request, variant, nowMs)) {
      case Precondition.NOT_MODIFIED:
        this.#countHit(isHit);
        return exchange.send(variant.notModified);
      case Precondition.FAILED:
        this.#countHit(isHit);
        return exchange.send(this.#preconditionFailed);
    }
    const isPart = variant.hasRanges && isPartWanted(request) &&
      mayServeRange(request, variant, nowMs);
    if (isPart) {
      const wish = parseRange(fieldText(request, RANGE)!, variant.byteCount);
      if (wish.kind === "unsatisfiable") return refuseRange(exchange, variant);
      if (wish.kind === "part") {
        const { start, end } = wish;
        const lines = rangeLines(variant, start, end);
        const part = { asset, variant, start, end, status: 206, lines, attempt, isHit };
        return this.#sendPart(exchange, part);
      }
    }
    if (exchange.headOnly || (variant.isKept && variant.byteCount <= ONE_WRITE_BYTES)) {
      this.#countHit(isHit);
      return exchange.send(variant.reply);
    }
    const { byteCount: end, lines } = variant;
    return this.#sendPart(
      exchange,
      { asset, variant, start: 0, end, status: 200, lines, attempt, isHit },
    );
  }

  #countHit(isHit: boolean): void {
    this.#options.counters.add(
      isHit ? CounterIndex.STATIC_CACHE_HITS : CounterIndex.STATIC_CACHE_MISSES,
    );
  }

  /** Sends what may take more than one write, or is not in memory. */
  #sendPart(exchange: HttpExchange, part: Part): void | Promise<void> {
    const { asset, variant, start, end, status, lines } = part;
    this.#countHit(part.isHit && variant.isKept);
    if (!variant.isKept) return this.#sendFromFile(exchange, part);
    const { body } = variant.reply;
    if (end - start <= ONE_WRITE_BYTES) {
      return exchange.sendBody(status, variant.contentType, body, start, end, lines);
    }
    this.#cache.pin(asset);
    const unpin = (): void => this.#cache.unpin(asset);
    const whole = status === 200 ? exchange.wholeBytes(variant.reply) : undefined;
    if (whole !== undefined) {
      return exchange.sendWhole(variant.reply, new MemorySource(whole, unpin));
    }
    const source = new MemorySource(body.subarray(start, end), unpin);
    exchange.sendKept(status, variant.contentType, source, lines);
  }

  async #sendFromFile(exchange: HttpExchange, part: Part): Promise<void> {
    const { asset, variant, start, end, status, lines, attempt } = part;
    const open = await this.#directory.open(variant.path);
    if (open === undefined || !isSameFile(open.facts, variant.facts)) {
      open?.close();
      return await this.#lookAgain(exchange, asset, attempt);
    }
    if (end - start > ONE_WRITE_BYTES) {
      const source = new FileSource(open, start, end);
      return exchange.sendAsync(status, variant.contentType, source, lines);
    }
    const body = new Uint8Array(end - start);
    let isRead = false;
    try {
      isRead = await readWhole(open, start, body);
    } finally {
      open.close();
    }
    if (!isRead) return await this.#lookAgain(exchange, asset, attempt);
    exchange.sendBody(status, variant.contentType, body, 0, body.length, lines);
  }
}

/** What of a file a request gets. */
interface Part {
  readonly asset: Asset;
  readonly variant: Variant;
  /** First byte of the body. */
  readonly start: number;
  /** Behind the last. */
  readonly end: number;
  readonly status: number;
  /** Whole header lines besides date, type and length. */
  readonly lines: Uint8Array;
  /** How often the file was found changed. */
  readonly attempt: number;
  /** Whether nothing was read for the request so far. */
  readonly isHit: boolean;
}

/** Whether the path ends with a slash, or is empty. */
function isDirectoryPath({ request, params }: HttpExchange): boolean {
  const end = params.end(0);
  return params.start(0) === end || request.bytes[end - 1] === SLASH;
}

/** Whether the request is for a part; of the methods, only GET knows parts. */
function isPartWanted(request: HttpRequest): boolean {
  return request.method === HttpMethod.GET && request.findField(RANGE) >= 0;
}

function refuseRange(exchange: HttpExchange, { byteCount }: Variant): void {
  const line = headerLine("Content-Range", `bytes */${byteCount}`);
  exchange.sendError(416, "range_not_satisfiable", `the file has ${byteCount} bytes`, line);
}

function rangeLines({ lines, byteCount }: Variant, start: number, end: number): Uint8Array {
  const line = headerLine("Content-Range", `bytes ${start}-${end - 1}/${byteCount}`);
  const all = new Uint8Array(lines.length + line.length);
  all.set(lines);
  all.set(line, lines.length);
  return all;
}

/** Fills `target` from `start` on; whether the file was all that time what it was when opened. */
async function readWhole(
  { file, facts }: OpenFile,
  start: number,
  target: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  if (start > 0) await file.seek(start, Deno.SeekMode.Start);
  for (let at = 0; at < target.length;) {
    const byteCount = await file.read(target.subarray(at));
    if (byteCount === null) return false;
    at += byteCount;
  }
  const { size, mtime } = await file.stat();
  return size === facts.byteCount && (mtime?.getTime() ?? 0) === facts.modifiedMs;
}
