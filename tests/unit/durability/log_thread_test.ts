/** The log's thread as it runs in a server: its own isolate, a directory of the file system. */

import assert from "node:assert/strict";
import { DenoStorage } from "../../../src/durability/deno_storage.ts";
import { filesOf } from "../../../src/durability/file_names.ts";
import { createIntakeMemory } from "../../../src/durability/intake_layout.ts";
import type { LogMessage, LogOrders } from "../../../src/durability/log_life.ts";
import type { SyncPolicy } from "../../../src/durability/sync_policy.ts";
import { createLogStatus, LogFigure } from "../../../src/durability/log_status.ts";
import { recover } from "../../../src/durability/recovery.ts";
import { ThreadLog } from "../../../src/durability/thread_log.ts";
import { keepAwake } from "../../helpers/keep_awake.ts";
import { contentsOf, emptyStore } from "../../helpers/store_contents.ts";
import { keyOf, remove, set } from "../store/helpers.ts";

const LOG_THREAD = 7;
const MAIN_URL = new URL("../../../src/durability/log_main.ts", import.meta.url);

/** A store with a log, whose thread runs. */
async function start(path: string, policy: SyncPolicy) {
  const storage = new DenoStorage(path);
  const store = emptyStore(4);
  const found = recover(storage, store);
  const intake = createIntakeMemory(8, 2 ** 20);
  const status = createLogStatus();
  const worker = new Worker(MAIN_URL, { type: "module" });
  const messages: LogMessage[] = [];
  const waiting = new Map<string, () => void>();
  worker.onmessage = ({ data }: MessageEvent<LogMessage>) => {
    messages.push(data);
    waiting.get(data.kind)?.();
  };
  const orders: LogOrders = {
    path,
    history: found.history,
    log: found.log,
    pending: found.pending.jobs,
    snapshotPosition: found.snapshot?.position ?? 0,
    intake,
    status,
    store: store.memory,
    threadId: LOG_THREAD,
    databaseCount: 16,
    policy,
    segmentBytes: 10_000,
    snapshotEveryBytes: Infinity,
  };
  const told = (kind: LogMessage["kind"]): Promise<void> => {
    if (messages.some((message) => message.kind === kind)) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    waiting.set(kind, resolve);
    return promise;
  };
  worker.postMessage(orders);
  await told("open");
  const memory = { intake, status, confirmsDurable: policy === "always", firstEventNumber: 0 };
  const log = new ThreadLog(memory, store, 0);
  return {
    store,
    log,
    told,
    messages,
    async stop(): Promise<void> {
      log.status.wantStop();
      log.intake.callWriter();
      await told("stopped");
      worker.terminate();
    },
    kill: () => worker.terminate(),
  };
}

async function withDirectory(body: (path: string) => Promise<void>): Promise<void> {
  const path = await Deno.makeTempDir({ prefix: "sluice-log-thread-" });
  try {
    await body(path);
  } finally {
    await Deno.remove(path, { recursive: true });
  }
}

for (const policy of ["always", "everysec", "no"] as const) {
  Deno.test(`log thread: with ${policy}, what was written comes back after a stop`, async () => {
    await withDirectory(async (path) => {
      const expected = new Map<string, string>();
      for (let round = 0; round < 3; round++) {
        const site = await start(path, policy);
        assert.deepEqual(contentsOf(site.store), expected);
        for (let n = 0; n < 500; n++) set(site.store, `k${round}:${n}`, `value ${n}`);
        for (let n = 0; n < 500; n += 3) remove(site.store, `k${round}:${n}`);
        await site.stop();
        expected.clear();
        for (const [key, value] of contentsOf(site.store)) expected.set(key, value);
      }
    });
  });
}

Deno.test("log thread: what it calls durable is in the files, while it runs on", async () => {
  using _awake = keepAwake();
  await withDirectory(async (path) => {
    const site = await start(path, "always");
    const { intake } = site.log;
    for (let n = 0; n < 50; n++) {
      set(site.store, "counter", String(n));
      const piece = intake.lastPiece;
      intake.callWriter();
      while (!intake.isDurable(piece)) await intake.nextDurable(intake.durablePiece, 1000);
      const store = emptyStore(2);
      recover(new DenoStorage(path), store);
      assert.match(contentsOf(store).get("0 counter")!, new RegExp(` ${n}$`));
    }
    await site.stop();
  });
});

Deno.test("log thread: a snapshot that is wished for is taken while the store is changed", async () => {
  await withDirectory(async (path) => {
    const site = await start(path, "everysec");
    for (let n = 0; n < 20_000; n++) set(site.store, `k${n}`, `value ${n}`);
    site.log.status.wantSnapshot();
    site.log.intake.callWriter();
    for (let n = 0; site.log.status.get(LogFigure.SNAPSHOTS) === 0; n++) {
      set(site.store, `k${n % 20_000}`, `changed ${n}`);
      if (n % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await site.told("snapshot");
    await site.stop();
    const storage = new DenoStorage(path);
    assert.equal(filesOf(storage.list(), "snapshot").length, 1);
    const store = emptyStore(8);
    recover(storage, store);
    assert.deepEqual(contentsOf(store), contentsOf(site.store));
  });
});

Deno.test("log thread: what is done before the first lock is given back is one frame", async () => {
  await withDirectory(async (path) => {
    const site = await start(path, "no");
    const { store } = site;
    let frames = 0;
    site.log.intake.onStep = (step) => {
      if (step === "confirmed") frames++;
    };
    const keys = ["a", "b", "c"].map((name) => keyOf(store, name));
    for (let shard = 0; shard < store.shardCount; shard++) store.locks.lock(shard, true);
    const value = new TextEncoder().encode("v");
    for (const key of keys) store.setString(0, key, value, 0, 1, 0);
    assert.equal(frames, 0);
    for (let shard = 0; shard < store.shardCount; shard++) store.locks.unlock(shard, true);
    assert.equal(frames, 1);
    await site.stop();
  });
});
