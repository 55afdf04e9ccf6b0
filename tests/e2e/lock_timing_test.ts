/** `--lock-timing` on whole servers: what workers and clients wait for locks, and hold them. */

import assert from "node:assert/strict";
import type { ContentionJson, ShardContentionJson } from "../../src/server/contention_page.ts";
import { eventRequest, type HttpReply, RawClient, respCommand } from "../helpers/raw_client.ts";
import { IO_THREAD_COUNTS, ServerProcess } from "../helpers/server_process.ts";

const HOLD_MS = 10;
const WORKERS = ["--workers", "4", "--hold-ms", String(HOLD_MS)];

function get(path: string, headers = ""): string {
  return `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n`;
}

async function ask(server: ServerProcess, request: string): Promise<HttpReply> {
  using http = await RawClient.connect(server.port("http"));
  await http.send(request);
  return await http.readHttpReply();
}

async function contention(server: ServerProcess): Promise<ContentionJson> {
  const { status, body } = await ask(server, get("/metrics/contention"));
  assert.equal(status, 200);
  return JSON.parse(body);
}

/** Sends events for so many users in turn and reads their replies. */
async function sendEvents(server: ServerProcess, count: number, users: number): Promise<void> {
  using http = await RawClient.connect(server.port("http"));
  const requests = Array.from({ length: count }, (_, i) => eventRequest(`user${i % users}`, 1));
  await http.send(requests.join(""));
  for (let i = 0; i < count; i++) assert.equal((await http.readHttpReply()).status, 202);
}

/** Acquisitions, holds and times of all shards together. */
function total(shards: readonly ShardContentionJson[]): Record<string, number> {
  const sum = { acquisitions: 0, contended: 0, waits: 0, holds: 0, waitMs: 0, holdMs: 0 };
  for (const { exclusive, shared, contended, wait, hold } of shards) {
    sum.acquisitions += exclusive + shared;
    sum.contended += contended;
    sum.waits += wait!.count;
    sum.holds += hold!.count;
    sum.waitMs += wait!.sum_ms;
    sum.holdMs += hold!.sum_ms;
  }
  return sum;
}

/** What the threads counted. */
function threadCount({ threads }: ContentionJson, what: "wait" | "hold"): number {
  return threads.reduce((all, thread) => all + thread[what]!.count, 0);
}

/**
 * Asks until so many holds are over and no lock is held, which nobody else takes any more: by the
 * shards and by the threads, which count a moment apart.
 */
async function settled(server: ServerProcess, holds: number): Promise<ContentionJson> {
  const endMs = performance.now() + 30_000;
  for (;;) {
    const seen = await contention(server);
    const sum = total(seen.shards);
    const counts = [sum["waits"], threadCount(seen, "wait"), threadCount(seen, "hold")];
    if (sum["holds"]! >= holds && counts.every((count) => count === sum["holds"])) return seen;
    assert.ok(performance.now() < endMs, `${holds} holds, seen ${JSON.stringify([sum, counts])}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Rounding of sums to the microsecond, one for each thread and shard. */
function assertClose(actual: number, expected: number, what: string): void {
  assert.ok(Math.abs(actual - expected) < 0.2, `${what}: ${actual} and ${expected}`);
}

/** What the threads counted is what the shards counted. */
function assertAddsUp(seen: ContentionJson): void {
  const { threads, shards } = seen;
  const sum = total(shards);
  const ms = (what: "wait" | "hold"): number =>
    threads.reduce((all, thread) => all + thread[what]!.sum_ms, 0);
  assert.equal(threadCount(seen, "wait"), sum["waits"]);
  assert.equal(threadCount(seen, "hold"), sum["holds"]);
  assert.equal(sum["waits"], sum["acquisitions"]);
  assertClose(ms("wait"), sum["waitMs"]!, "sums of waits");
  assertClose(ms("hold"), sum["holdMs"]!, "sums of holds");
}

for (const lock of ["mutex", "rwlock"]) {
  Deno.test(`server: with --lock-timing, four workers wait for one lock longer than they hold it (${lock})`, async () => {
    const events = 40;
    await using server = await ServerProcess.start([
      ...[...WORKERS, "--shards", "1", "--lock", lock, "--lock-timing"],
    ]);
    await sendEvents(server, events, 7);
    const seen = await settled(server, events);
    assertAddsUp(seen);
    assert.equal(seen.lock_timing, true);
    assert.equal(seen.shards.length, 1);
    const { wait, hold, contended, exclusive } = seen.shards[0]!;
    assert.deepEqual([exclusive, hold!.count, wait!.count], [events, events, events]);
    assert.ok(contended > 0);
    assert.ok(hold!.p50_ms >= HOLD_MS && hold!.sum_ms >= events * HOLD_MS);
    assert.ok(wait!.sum_ms > hold!.sum_ms, `${wait!.sum_ms} > ${hold!.sum_ms}`);
    const workers = seen.threads.filter(({ kind }) => kind === "worker");
    assert.deepEqual(workers.map(({ index }) => index), [0, 1, 2, 3]);
    for (const { hold, wait } of workers) {
      assert.equal(hold!.count, wait!.count);
      if (hold!.count > 0) assert.ok(hold!.p50_ms >= HOLD_MS && hold!.max_ms >= hold!.p99_ms);
    }

    // Every exposition says the same.
    const json = JSON.parse(
      (await ask(server, get("/metrics", "Accept: application/json\r\n"))).body,
    );
    assert.equal(json.locks.hold.count, events);
    assert.ok(json.locks.hold.p50_ms >= HOLD_MS);
    assertClose(json.locks.wait.sum_ms, wait!.sum_ms, "waits");
    const text = (await ask(server, get("/metrics"))).body;
    const sample = (name: string): number =>
      Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1]);
    assert.equal(sample("sluice_lock_hold_seconds_count"), events);
    assert.equal(sample('sluice_lock_hold_seconds_bucket\\{le="0.008192"\\}'), 0);
    assertClose(sample("sluice_lock_hold_seconds_sum") * 1000, hold!.sum_ms, "holds");
    assertClose(
      sample('sluice_shard_lock_wait_seconds_total\\{shard="0"\\}') * 1000,
      wait!.sum_ms,
      "waits of the shard",
    );
  });
}

Deno.test("server: users on many shards wait less for each other than on one", async () => {
  const events = 60;
  const waitsMs: number[] = [];
  for (const shards of ["1", "256"]) {
    await using server = await ServerProcess.start([
      ...[...WORKERS, "--shards", shards, "--lock-timing"],
    ]);
    await sendEvents(server, events, events);
    const seen = await settled(server, events);
    assertAddsUp(seen);
    const { holds, waitMs } = total(seen.shards);
    assert.equal(holds, events);
    assert.equal(seen.shards.length, Number(shards));
    waitsMs.push(waitMs!);
  }
  assert.ok(waitsMs[1]! < waitsMs[0]!, `${waitsMs} ms`);
});

for (const ioThreads of IO_THREAD_COUNTS) {
  Deno.test(`server, ${ioThreads} I/O threads: a command that waits for a worker's lock is among the waits`, async () => {
    await using server = await ServerProcess.start([
      ...["--io-threads", String(ioThreads), "--workers", "1", "--hold-ms", "100"],
      ...["--shards", "1", "--lock-timing"],
    ]);
    using resp = await RawClient.connect(server.port("resp"));
    // Until a command came while the lock was held, which may take more than one try.
    let parked = 0;
    let events = 0;
    const endMs = performance.now() + 30_000;
    while (parked === 0 && performance.now() < endMs) {
      await sendEvents(server, 1, 1);
      events++;
      await new Promise((resolve) => setTimeout(resolve, 20));
      await resp.send(respCommand("MSET", "a", "1", "b", "2") + respCommand("PING"));
      assert.equal(await resp.readUntil("+PONG\r\n"), "+OK\r\n+PONG\r\n");
      const { body } = await ask(server, get("/metrics", "Accept: application/json\r\n"));
      parked = JSON.parse(body).commands_parked;
    }
    assert.ok(parked > 0, "inconclusive: no command met the worker");
    const seen = await settled(server, 2 * events);
    assertAddsUp(seen);
    const io = seen.threads.filter(({ kind }) => kind === "io");
    assert.equal(io.length, ioThreads);
    assert.equal(seen.threads.filter(({ kind }) => kind === "main").length, ioThreads > 1 ? 1 : 0);
    const waitMs = io.reduce((sum, { wait }) => sum + wait!.sum_ms, 0);
    assert.ok(waitMs > 0, "the command waited");
    assert.equal(io.reduce((sum, { hold }) => sum + hold!.count, 0), events, "one hold per MSET");
  });
}

Deno.test("server: without --lock-timing locks are counted and not timed", async () => {
  await using server = await ServerProcess.start([...WORKERS, "--shards", "2"]);
  await sendEvents(server, 4, 4);
  let seen = await contention(server);
  const endMs = performance.now() + 30_000;
  const acquisitions = (): number => seen.shards.reduce((sum, { exclusive }) => sum + exclusive, 0);
  while (acquisitions() < 4 && performance.now() < endMs) seen = await contention(server);
  assert.equal(acquisitions(), 4);
  assert.equal(seen.lock_timing, false);
  const kinds = Object.groupBy(seen.threads, ({ kind }) => kind);
  assert.equal(kinds["worker"]?.length, 4);
  assert.equal(kinds["io"]?.length, Number(Deno.env.get("SLUICE_IO_THREADS") ?? 1));
  for (const { wait, hold } of [...seen.threads, ...seen.shards]) {
    assert.deepEqual([wait, hold], [null, null]);
  }
  const json = JSON.parse(
    (await ask(server, get("/metrics", "Accept: application/json\r\n"))).body,
  );
  assert.deepEqual([json.locks.wait, json.locks.hold, json.locks.exclusive], [null, null, 4]);
  const text = (await ask(server, get("/metrics"))).body;
  assert.doesNotMatch(text, /lock_(wait|hold)/);
  assert.match(text, /^sluice_shard_lock_acquisitions_total/m);
});

Deno.test("server: /metrics/contention wants the password like /metrics", async () => {
  await using server = await ServerProcess.start([], { env: { SLUICE_PASSWORD: "secret" } });
  const right = "Authorization: Bearer secret\r\n";
  assert.equal((await ask(server, get("/metrics/contention"))).status, 401);
  assert.equal((await ask(server, get("/metrics/contention", right))).status, 200);
});
