/** Events that clients send again, as they do when a reply got lost. */

import assert from "node:assert/strict";
import { startWithData } from "../helpers/crash_rounds.ts";
import { EVENT_SENDERS, sendLines } from "../helpers/event_senders.ts";
import { readMetrics } from "../helpers/metrics.ts";
import { RawClient, respCommand } from "../helpers/raw_client.ts";
import { IO_THREAD_COUNTS, ServerProcess } from "../helpers/server_process.ts";

const resp = EVENT_SENDERS["RESP"]!;

async function ask(server: ServerProcess, ...words: string[]): Promise<string> {
  using client = await RawClient.connect(server.port("resp"));
  await client.send(respCommand(...words));
  return (await client.readUntil("\r\n")).trimEnd();
}

/** The balance when everything is settled. */
async function balanceOf(server: ServerProcess, user: string): Promise<number> {
  for (;;) {
    const metrics = await readMetrics(server.port("http"));
    if (metrics.get("sluice_events_pending") === 0) break;
  }
  const reply = await ask(server, "BALANCE", user);
  return reply === "_" || reply.startsWith("$-1") ? 0 : Number(reply.slice(1));
}

async function withDirectory(body: (path: string) => Promise<void>): Promise<void> {
  const path = await Deno.makeTempDir({ prefix: "sluice-ids-" });
  try {
    await body(path);
  } finally {
    await Deno.remove(path, { recursive: true });
  }
}

async function kill(server: ServerProcess): Promise<void> {
  server.signal("SIGKILL");
  await server.waitForEnd();
}

for (const ioThreads of IO_THREAD_COUNTS) {
  Deno.test(`event ids: over every protocol the same id is accepted again and applied once (${ioThreads} I/O threads)`, async () => {
    await using server = await ServerProcess.start(["--io-threads", String(ioThreads)]);
    let sent = 0;
    for (const [name, send] of Object.entries(EVENT_SENDERS)) {
      for (const waitMs of [undefined, 5000]) {
        const user = `${name} ${waitMs}`;
        const event = { user, amount: 5, id: "7", waitMs };
        const first = await send(server, event);
        assert.equal(first, waitMs === undefined ? "accepted" : "processed 5", name);
        for (let i = 0; i < 3; i++) assert.equal(await send(server, event), first, name);
        const other = await send(server, { ...event, id: "8" });
        assert.equal(other, waitMs === undefined ? "accepted" : "processed 10", name);
        assert.equal(await send(server, event), first, "as it was told then");
        assert.equal(await send(server, { ...event, user: `${user} too` }), first, name);
        assert.equal(await balanceOf(server, user), 10, name);
        assert.equal(await balanceOf(server, `${user} too`), 5, name);
        sent++;
      }
    }
    const metrics = await readMetrics(server.port("http"));
    assert.equal(metrics.get("sluice_events_duplicate_total"), 4 * sent);
    assert.equal(metrics.get("sluice_events_received_total"), 3 * sent);
    assert.equal(metrics.get("sluice_events_processed_total"), 3 * sent);
    using client = await RawClient.connect(server.port("resp"));
    await client.send(respCommand("INFO", "events"));
    assert.match(
      await client.readUntil("channel_depth"),
      new RegExp(`events_duplicate:${4 * sent}`),
    );
  });
}

for (const withLog of [false, true]) {
  Deno.test(`event ids: connections that send the same events at the same time apply each once (${withLog ? "with" : "without"} a log)`, async () => {
    await withDirectory(async (path) => {
      const flags = ["--io-threads", "2", "--workers", "2", "--channel-capacity", "300"];
      await using server = withLog
        ? await startWithData(path, [...flags, "--fsync", "always"])
        : await ServerProcess.start(flags);
      const events = Array.from({ length: 1000 }, (_, id) => ({
        user: `user ${id % 10}`,
        amount: 1,
        id: `${id}`,
      }));
      const sendUntilAccepted = async (send: (part: typeof events) => Promise<number>) => {
        for (let at = 0; at < events.length;) at += await send(events.slice(at, at + 50));
      };
      const lines = async (part: typeof events): Promise<number> =>
        (await sendLines(server, part)).accepted;
      const pipeline = async (part: typeof events): Promise<number> => {
        using client = await RawClient.connect(server.port("resp"));
        await client.send(
          part.map(({ user, id }) => respCommand("EVENT", user, "add", "1", "ID", id)).join(""),
        );
        let accepted = 0;
        let isRefused = false;
        for (let i = 0; i < part.length; i++) {
          isRefused ||= await client.readUntil("\r\n") !== "+ACCEPTED\r\n";
          if (!isRefused) accepted++;
        }
        return accepted;
      };
      await Promise.all([lines, pipeline, lines, pipeline].map(sendUntilAccepted));
      for (let i = 0; i < 10; i++) assert.equal(await balanceOf(server, `user ${i}`), 100);
      const metrics = await readMetrics(server.port("http"));
      assert.equal(metrics.get("sluice_events_processed_total"), 1000);
      assert.ok(metrics.get("sluice_events_duplicate_total")! >= 3000);
    });
  });
}

Deno.test("event ids: one that came over one protocol is known over the others", async () => {
  await using server = await ServerProcess.start([]);
  const event = { user: "ann", amount: 3, id: "key-1", waitMs: 5000 };
  for (const send of Object.values(EVENT_SENDERS)) {
    assert.equal(await send(server, event), "processed 3");
  }
});

Deno.test("event ids: a line that came before, also in the same body, is accepted and applied once", async () => {
  await using server = await ServerProcess.start([]);
  const events = [1, 2, 1, 3, 2, 1].map((id) => ({ user: "ann", amount: 1, id: `${id}` }));
  const anonymous = [{ user: "ann", amount: 1 }, { user: "ann", amount: 1 }];
  const { accepted, rejected } = await sendLines(server, [...events, ...anonymous]);
  assert.deepEqual([accepted, rejected], [8, 0]);
  assert.equal(await balanceOf(server, "ann"), 5);
  assert.equal((await sendLines(server, events)).accepted, 6);
  assert.equal(await balanceOf(server, "ann"), 5);
});

Deno.test("event ids: an Idempotency-Key that differs from the id is refused, and applies nothing", async () => {
  await using server = await ServerProcess.start([]);
  using client = await RawClient.connect(server.port("http"));
  const body = JSON.stringify({ user: "ann", action: "add", amount: 1, id: "1" });
  const request = (key: string): string =>
    `POST /events HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: ${key}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  await client.send(request("2"));
  const reply = await client.readHttpReply();
  assert.equal(reply.status, 400);
  assert.match(reply.body, /id and Idempotency-Key must be the same/);
  await client.send(request("1"));
  assert.equal((await client.readHttpReply()).status, 202);
  assert.equal(await balanceOf(server, "ann"), 1);
});

Deno.test("event ids: when the window is over, an id is that of another event", async () => {
  await using server = await ServerProcess.start(["--dedup-window", "300ms"]);
  const event = { user: "ann", amount: 1, id: "1", waitMs: 5000 };
  assert.equal(await resp(server, event), "processed 1");
  for (;;) {
    const reply = await resp(server, event);
    if (reply === "processed 2") break;
    assert.equal(reply, "processed 1");
  }
});

Deno.test("event ids: with --dedup-window 0 nobody looks at them", async () => {
  await using server = await ServerProcess.start(["--dedup-window", "0"]);
  const event = { user: "ann", amount: 1, id: "1", waitMs: 5000 };
  for (const balance of [1, 2, 3]) {
    assert.equal(await resp(server, event), `processed ${balance}`);
  }
});

Deno.test("event ids: with more than --dedup-max the oldest is forgotten, counted and reported", async () => {
  await using server = await ServerProcess.start(["--dedup-max", "3"]);
  const send = (id: number): Promise<string> =>
    resp(server, { user: "ann", amount: 1, id: `${id}`, waitMs: 5000 });
  for (const id of [1, 2, 3, 4]) assert.equal(await send(id), `processed ${id}`);
  assert.equal(await send(2), "processed 2");
  assert.equal(await send(4), "processed 4");
  assert.equal(await send(1), "processed 5", "it was forgotten");
  const metrics = await readMetrics(server.port("http"));
  assert.equal(metrics.get("sluice_event_ids_forgotten_total"), 2);
  assert.equal(metrics.get("sluice_event_ids"), 3);
  const line = await server.waitForLine("event_ids_forgotten");
  assert.ok(line["count"] as number >= 1);
});

Deno.test("event ids: an event that met a full channel is taken when it is sent again", async () => {
  await using server = await ServerProcess.start([
    ...["--workers", "1", "--channel-capacity", "1", "--work-ms", "200"],
  ]);
  const replies: string[] = [];
  const accepted = new Set<number>();
  for (let id = 0; id < 5; id++) {
    const reply = await resp(server, { user: "ann", amount: 1, id: `${id}` });
    replies.push(reply);
    if (reply === "accepted") accepted.add(id);
  }
  assert.ok(replies.some((reply) => reply.startsWith("-BUSY")), replies.join(", "));
  for (const id of accepted) {
    // Known, whether the channel is full or not.
    assert.equal(await resp(server, { user: "ann", amount: 1, id: `${id}` }), "accepted");
  }
  while (accepted.size < 5) {
    for (let id = 0; id < 5; id++) {
      if (await resp(server, { user: "ann", amount: 1, id: `${id}` }) === "accepted") {
        accepted.add(id);
      }
    }
  }
  assert.equal(await balanceOf(server, "ann"), 5);
});

Deno.test("event ids: who sends an event again and waits is told what came of the first", async () => {
  await using server = await ServerProcess.start(["--workers", "1", "--work-ms", "1000"]);
  assert.equal(await ask(server, "SET", "balance:bob", "text"), "+OK");
  const ann = { user: "ann", amount: 5, id: "1" };
  const bob = { user: "bob", amount: 5, id: "1", waitMs: 5000 };
  const sentAtMs = performance.now();
  assert.equal(await resp(server, ann), "accepted");
  const hasty = await EVENT_SENDERS["Protobuf"]!(server, { ...ann, waitMs: 1 });
  // On a machine that is very busy the event may be settled by then.
  if (performance.now() - sentAtMs < 1000) assert.equal(hasty, "accepted");
  const both = await Promise.all([
    resp(server, { ...ann, waitMs: 5000 }),
    EVENT_SENDERS["HTTP, the field id"]!(server, { ...ann, waitMs: 5000 }),
    resp(server, bob),
  ]);
  assert.deepEqual(both, ["processed 5", "processed 5", "failed wrong_type"]);
  assert.equal(await resp(server, bob), "failed wrong_type", "settled already");
  assert.equal(await balanceOf(server, "ann"), 5);
  const metrics = await readMetrics(server.port("http"));
  assert.equal(metrics.get("sluice_blocked_clients"), 0);
});

for (const fsync of ["always", "everysec"]) {
  Deno.test(`event ids: they survive a kill, with snapshots and without (${fsync})`, async () => {
    await withDirectory(async (path) => {
      const flags = ["--fsync", fsync, "--workers", "1"];
      const event = { user: "ann", amount: 5, id: "1", waitMs: 5000 };
      const late = { user: "bob", amount: 7, id: "1" };
      {
        await using server = await startWithData(path, [...flags, "--work-ms", "200"]);
        assert.equal(await resp(server, event), "processed 5");
        await resp(server, { user: "ann", amount: 10, waitMs: 5000 });
        assert.equal(await resp(server, late), "accepted");
        if (fsync === "everysec") {
          await ask(server, "SAVE");
        }
        await kill(server);
      }
      for (let start = 0; start < 4; start++) {
        // Fewer stripes than before, and another window.
        const size = start === 2 ? ["--dedup-max", "1000", "--dedup-window", "1h"] : [];
        await using server = await startWithData(path, [...flags, ...size]);
        assert.equal(await resp(server, event), "processed 5", `start ${start}`);
        assert.equal(
          await resp(server, { ...late, waitMs: 5000 }),
          "processed 7",
          `start ${start}`,
        );
        assert.equal(await balanceOf(server, "ann"), 15, `start ${start}`);
        if (start === 1) assert.equal(await ask(server, "SAVE"), "+OK");
        if (start === 2) {
          server.signal("SIGTERM");
          assert.equal((await server.waitForEnd()).code, 0);
        } else {
          await kill(server);
        }
      }
    });
  });
}

Deno.test("event ids: an id whose window was over before the restart is not known after it", async () => {
  await withDirectory(async (path) => {
    const event = { user: "ann", amount: 5, id: "1", waitMs: 5000 };
    {
      await using server = await startWithData(path, ["--fsync", "always"]);
      assert.equal(await resp(server, event), "processed 5");
      await kill(server);
    }
    await using server = await startWithData(path, ["--dedup-window", "1ms"]);
    assert.equal(await resp(server, event), "processed 10");
  });
});
