/**
 * `/static/` over a temporary directory, without sockets.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { ClientOrigin } from "../../../../src/command/client_state.ts";
import { CounterIndex } from "../../../../src/metrics/names.ts";
import { HttpService } from "../../../../src/protocol/http/http_service.ts";
import { createRouter } from "../../../../src/protocol/http/router.ts";
import type { Session } from "../../../../src/protocol/session.ts";
import { Compressor } from "../../../../src/server/compressor.ts";
import { type OpenFile, StaticDirectory } from "../../../../src/server/static/directory.ts";
import {
  StaticFiles,
  type StaticFilesOptions,
} from "../../../../src/server/static/static_files.ts";
import { makeSite } from "../../../cases/path_escapes.ts";
import {
  FakeConnection,
  FakeCounters,
  latin1,
  readReplies,
  type Reply,
} from "../../protocol/http/support.ts";

/** How far the service's clock is ahead, so that all files are old enough. Unit: ms. */
const AHEAD_MS = 60_000;

/** Counts what it is asked for, and lets tests do something just before. */
export class CountingDirectory extends StaticDirectory {
  openings = 0;
  beforeOpen: (() => Promise<void>) | undefined;
  override async open(path: string): Promise<OpenFile | undefined> {
    this.openings++;
    await this.beforeOpen?.();
    return await super.open(path);
  }
}

/** Files and a service that serves them. */
export class StaticWorld implements AsyncDisposable {
  readonly root: string;
  readonly #base: string;
  readonly directory: CountingDirectory;
  readonly files: StaticFiles;
  readonly counters = new FakeCounters();
  /** Why bodies were cut off. */
  readonly bodyFailures: string[] = [];
  /** How far the service's clock is ahead of the real one. Unit: ms. */
  aheadMs = AHEAD_MS;
  readonly #service: HttpService;

  private constructor(
    base: string,
    root: string,
    options: Partial<StaticFilesOptions>,
    maxOpenFiles: number,
  ) {
    this.#base = base;
    this.root = root;
    this.directory = new CountingDirectory(root, maxOpenFiles);
    const clock = (): number => Date.now() + this.aheadMs;
    const files = this.files = new StaticFiles({
      directory: this.directory,
      cacheBytes: 4 * 1024 * 1024,
      cacheTtlMs: 3_600_000,
      maxAgeMs: 60_000,
      compressor: new Compressor(),
      counters: this.counters,
      clock,
      ...options,
    });
    this.#service = new HttpService({
      router: createRouter([
        { method: "GET", pattern: "/static", handler: (exchange) => files.redirect(exchange) },
        { method: "GET", pattern: "/static/*", handler: (exchange) => files.serve(exchange) },
      ]),
      phase: { stopping: false },
      maxRequestBytes: 1000,
      counters: new FakeCounters(),
      counterIds: { requests: 0, limited: 1 },
      onBodyFailure: (error) => this.bodyFailures.push(String(error)),
      clock,
    });
  }

  /** Makes a world with these files. */
  static async make(
    files: Readonly<Record<string, string | Uint8Array>> = {},
    options: Partial<StaticFilesOptions> = {},
    maxOpenFiles = 16,
  ): Promise<StaticWorld> {
    const base = await Deno.makeTempDir({ prefix: "sluice-static-" });
    const root = `${base}/site`;
    await Deno.mkdir(root);
    const world = new StaticWorld(base, root, options, maxOpenFiles);
    for (const [path, content] of Object.entries(files)) await world.write(path, content);
    return world;
  }

  /** Makes a world of hostile things, see `makeSite`. */
  static async makeHostile(): Promise<StaticWorld> {
    const base = await Deno.makeTempDir({ prefix: "sluice-static-" });
    return new StaticWorld(base, await makeSite(base), {}, 16);
  }

  /** Writes a file. */
  async write(path: string, content: string | Uint8Array): Promise<void> {
    const full = `${this.root}/${path}`;
    await Deno.mkdir(full.slice(0, full.lastIndexOf("/")), { recursive: true });
    await Deno.writeFile(full, typeof content === "string" ? latin1(content) : content);
  }

  /** Lets the kept time of all files pass. */
  expire(): void {
    this.aheadMs += 3_600_000;
  }

  /** Opens a connection. */
  connect(): FakeConnection {
    return new FakeConnection(this.createSession(), 16384);
  }

  /** Begins a conversation, of a client without a connection or of `origin`. */
  createSession(origin?: ClientOrigin): Session {
    return this.#service.createSession(origin);
  }

  /** The reply to one request. */
  async ask(
    path: string,
    fields: Readonly<Record<string, string>> = {},
    method = "GET",
  ): Promise<Reply> {
    const connection = this.connect();
    await connection.send(requestFor(path, fields, method));
    const replies = readReplies(connection.written, method === "HEAD" ? [0] : []);
    assert.equal(replies.length, 1, path);
    return replies[0]!;
  }

  /** Hits, misses and evictions so far. */
  get counts(): [hits: number, misses: number, evictions: number] {
    const { STATIC_CACHE_HITS, STATIC_CACHE_MISSES, STATIC_CACHE_EVICTIONS } = CounterIndex;
    return [
      this.counters.get(STATIC_CACHE_HITS),
      this.counters.get(STATIC_CACHE_MISSES),
      this.counters.get(STATIC_CACHE_EVICTIONS),
    ];
  }

  /** The gauge of kept bytes. */
  get keptBytes(): number {
    return this.counters.get(CounterIndex.STATIC_CACHE_BYTES);
  }

  /** Checks that nothing is left open, and removes the files. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#base, { recursive: true });
    assert.equal(this.directory.openCount, 0, "every file is closed");
    assert.equal(this.keptBytes, this.files.cache.usedBytes);
  }
}

/** A whole request. */
export function requestFor(
  path: string,
  fields: Readonly<Record<string, string>> = {},
  method = "GET",
): string {
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return `${method} ${path} HTTP/1.1\r\nHost: a\r\n${lines}\r\n`;
}

/** Bytes that follow from their number, so that every part of them is known. */
export function patternBytes(byteCount: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(byteCount);
  for (let i = 0; i < byteCount; i++) bytes[i] = (i * 31 + (i >>> 8) * 7 + (i >>> 16)) & 255;
  return bytes;
}
