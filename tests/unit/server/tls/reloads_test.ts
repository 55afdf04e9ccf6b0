import assert from "node:assert/strict";
import type { LogFields, Logger } from "../../../../src/base/log.ts";
import { canServeTls, type TlsMaterial } from "../../../../src/server/tls/material.ts";
import { TlsReloads } from "../../../../src/server/tls/reloads.ts";
import { testCertificate } from "../../../helpers/tls.ts";

const one = testCertificate("one");
const two = testCertificate("two");

/** For a test in which a certificate is taken. */
const needsTls = { ignore: !canServeTls(Deno.version.deno) };

/** So long that a test which waits for it fails. */
const NEVER_MS = 1_000_000;

/** Two files, and what becomes of them. */
class World implements AsyncDisposable {
  /** What the I/O threads were told to use. */
  readonly used: TlsMaterial[] = [];
  /** Lines of the log: level, event, in how long it is tried again. */
  readonly lines: [level: string, event: unknown, retryMs: unknown][] = [];
  /** Resolves with the next line. */
  news = Promise.withResolvers<void>();
  readonly reloads: TlsReloads;
  readonly #folder: string;

  constructor(folder: string, retryPausesMs: readonly number[]) {
    this.#folder = folder;
    const files = { tlsCert: `${folder}/c`, tlsKey: `${folder}/k` };
    const replace = (material: TlsMaterial): Promise<void> => {
      this.used.push(material);
      return Promise.resolve();
    };
    const line = (level: string) => (_: string, { event, retry_ms }: LogFields = {}): void => {
      this.lines.push([level, event, retry_ms]);
      this.news.resolve();
      this.news = Promise.withResolvers();
    };
    const log: Logger = {
      trace: line("trace"),
      debug: line("debug"),
      info: line("info"),
      warn: line("warn"),
      error: line("error"),
      isEnabled: () => true,
    };
    this.reloads = new TlsReloads(files, replace, log, retryPausesMs);
  }

  static async open(retryPausesMs: readonly number[]): Promise<World> {
    return new World(await Deno.makeTempDir({ prefix: "sluice-tls-" }), retryPausesMs);
  }

  async put({ cert, key }: { cert?: string; key?: string }): Promise<void> {
    if (cert !== undefined) await Deno.writeTextFile(`${this.#folder}/c`, cert);
    if (key !== undefined) await Deno.writeTextFile(`${this.#folder}/k`, key);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.reloads[Symbol.dispose]();
    await Deno.remove(this.#folder, { recursive: true });
  }
}

Deno.test(
  "TlsReloads: a key that is written after its certificate is found without being told",
  needsTls,
  async () => {
    await using world = await World.open([1, 10]);
    await world.put({ cert: two.cert, key: one.key });
    const failed = world.news.promise;
    const reloaded = world.reloads.reload();
    await failed;
    assert.equal(world.used.length, 0, "a key of another certificate is not used");
    await world.put({ key: two.key });
    await reloaded;
    assert.equal(world.used.length, 1);
    assert.deepEqual([world.used[0]!.cert, world.used[0]!.key], [two.cert, two.key]);
    assert.deepEqual(world.lines[0], ["warn", "tls_reload_failed", 1]);
    assert.deepEqual(world.lines.at(-1), ["info", "tls_reloaded", undefined]);
  },
);

Deno.test("TlsReloads: files that stay wrong are given up, as an error", needsTls, async () => {
  await using world = await World.open([1, 2]);
  await world.put({ cert: two.cert, key: one.key });
  await world.reloads.reload();
  assert.deepEqual(world.used, []);
  assert.deepEqual(world.lines, [
    ["warn", "tls_reload_failed", 1],
    ["warn", "tls_reload_failed", 2],
    ["error", "tls_reload_failed", undefined],
  ]);
});

Deno.test("TlsReloads: who asks again need not wait for the next attempt", needsTls, async () => {
  await using world = await World.open([NEVER_MS]);
  await world.put({ cert: two.cert, key: one.key });
  const failed = world.news.promise;
  const first = world.reloads.reload();
  await failed;
  await world.put({ key: two.key });
  await world.reloads.reload();
  await first;
  assert.equal(world.used.length, 1);
});

Deno.test("TlsReloads: a server that stops does not try again", needsTls, async () => {
  await using world = await World.open([NEVER_MS]);
  await world.put(one);
  await world.put({ key: two.key });
  const failed = world.news.promise;
  const reloaded = world.reloads.reload();
  await failed;
  world.reloads[Symbol.dispose]();
  await reloaded;
  assert.equal(world.lines.length, 1);
});
