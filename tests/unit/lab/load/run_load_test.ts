import assert from "node:assert/strict";
import type { LoadPlan, LoadResult, LoadSample } from "../../../../src/lab/load/plan.ts";
import { runLoad } from "../../../../src/lab/load/run_load.ts";
import { closedPort, FakeServer } from "./fake_server.ts";

const ACCEPTED = "+ACCEPTED\r\n";
const BUSY = "-BUSY channel is full, retry in 1 ms\r\n";

function planFor({ port }: { port: number }, rest: Partial<LoadPlan> = {}): LoadPlan {
  return {
    protocol: "resp",
    hostname: "127.0.0.1",
    port,
    requestCount: 100,
    connectionCount: 4,
    ratePerSecond: null,
    userCount: 10,
    distribution: "uniform",
    seed: 1,
    ...rest,
  };
}

/** What holds for every result. */
function assertSound(plan: LoadPlan, result: LoadResult): void {
  const { sent, accepted, refused, errors, samples, latency } = result;
  assert.equal(accepted + refused + errors, sent, "every request has one outcome");
  assert.ok(sent <= plan.requestCount);
  assert.equal(Object.values(result.errorTexts).reduce((sum, count) => sum + count, 0), errors);
  assert.equal(result.acceptedLatency.count, accepted);
  assert.equal(result.refusedLatency.count, refused);
  assert.equal(result.serviceTime.count, latency.count);
  assert.equal(result.ownLag.count, sent);
  assert.ok(result.serviceTime.maxMs <= latency.maxMs, "nothing is sent before it is due");
  const last = samples.at(-1)!;
  assert.deepEqual(
    [last.sent, last.accepted, last.refused, last.errors],
    [sent, accepted, refused, errors],
  );
  samples.reduce((earlier, sample) => {
    assert.ok(sample.atMs >= earlier.atMs && sample.sent >= earlier.sent, "samples go forward");
    return sample;
  });
}

Deno.test("runLoad: closed loop sends everything and tells the answers apart", async () => {
  await using server = new FakeServer(({ number }) =>
    number % 10 === 0 ? "-ERR no\r\n" : number % 2 === 0 ? BUSY : ACCEPTED
  );
  const seen: LoadSample[] = [];
  const plan = planFor(server, { onSample: (sample) => seen.push(sample) });
  const result = await runLoad(plan);
  assertSound(plan, result);
  assert.deepEqual([result.accepted, result.refused, result.errors], [50, 40, 10]);
  assert.deepEqual(result.errorTexts, { "ERR no": 10 });
  assert.equal(result.latency.count, 100);
  assert.equal(result.interrupted, false);
  assert.ok(result.answersPerSecond > 0);
  assert.deepEqual(seen, result.samples);
  assert.equal(server.connectionCount, 4);
});

Deno.test("runLoad: open loop sends nothing before it is due", async () => {
  await using server = new FakeServer(() => ACCEPTED);
  const plan = planFor(server, { ratePerSecond: 400 });
  const result = await runLoad(plan);
  assertSound(plan, result);
  assert.equal(result.accepted, 100);
  // The last one is due 99 / 400 s after the first.
  assert.ok(result.durationMs >= 247.5, `${result.durationMs} ms`);
});

Deno.test("runLoad: the same seed sends the same events", async () => {
  const asked = async (seed: number): Promise<string> => {
    await using server = new FakeServer(() => ACCEPTED);
    await runLoad(planFor(server, { connectionCount: 1, distribution: "zipf", seed }));
    return server.asked;
  };
  const [first, second, third] = [await asked(5), await asked(5), await asked(6)];
  assert.equal(first, second);
  assert.notEqual(first, third);
});

Deno.test("runLoad: a server that stands still once shows in the latency, not in the service time", async () => {
  const stallMs = 400;
  let stall: Promise<void> | undefined;
  await using server = new FakeServer(async ({ number }) => {
    if (number === 20) stall = new Promise((resolve) => setTimeout(resolve, stallMs));
    await stall;
    return ACCEPTED;
  });
  const plan = planFor(server, { requestCount: 300, ratePerSecond: 500 });
  const result = await runLoad(plan);
  assertSound(plan, result);
  assert.equal(result.accepted, 300);
  // From request 25 on (20 and those under way aside) none that was due during the stall was
  // answered before its end: at 2 ms between two of them, more than 30 of 300 waited 300 ms and more.
  assert.ok(result.latency.p90Ms >= 300, `p90 of the latency is ${result.latency.p90Ms} ms`);
  // But only the four that were under way were sent before its end.
  assert.ok(
    result.serviceTime.p90Ms < result.latency.p90Ms,
    `p90 of the service time is ${result.serviceTime.p90Ms} ms`,
  );
  assert.ok(result.serviceTime.averageMs < result.latency.averageMs);
});

Deno.test("runLoad: replies that come byte by byte are read as well", async () => {
  await using server = new FakeServer(({ number }) => number % 2 === 0 ? BUSY : ACCEPTED, true);
  const plan = planFor(server);
  const result = await runLoad(plan);
  assertSound(plan, result);
  assert.deepEqual([result.accepted, result.refused], [50, 50]);
});

Deno.test("runLoad: connections that break are errors, and the load goes on over new ones", async () => {
  for (const ratePerSecond of [null, 1000]) {
    await using server = new FakeServer(({ numberHere }) => numberHere === 11 ? "close" : ACCEPTED);
    const plan = planFor(server, { requestCount: 110, connectionCount: 1, ratePerSecond });
    const result = await runLoad(plan);
    assertSound(plan, result);
    assert.equal(result.accepted, 100);
    assert.deepEqual(result.errorTexts, {
      "connection closed by the server before its answer": 10,
    });
    assert.equal(server.connectionCount, 10);
  }
});

Deno.test("runLoad: a close that an answer announces, or is ended by, is nobody's error", async () => {
  const heads = ["Connection: close\r\nContent-Length: 2\r\n", ""];
  for (
    const [head, ratePerSecond] of heads.flatMap((head) => [[head, null], [head, 1000]] as const)
  ) {
    await using server = new FakeServer(() => `HTTP/1.1 202 Accepted\r\n${head}\r\nok|close|`);
    const plan = planFor(server, { protocol: "http", requestCount: 40, ratePerSecond });
    const result = await runLoad(plan);
    assertSound(plan, result);
    assert.deepEqual([result.accepted, result.errorTexts], [40, {}]);
    assert.equal(server.connectionCount, 40);
  }
});

Deno.test("runLoad: when the server goes for good, what is left are errors", async () => {
  await using server = new FakeServer(({ number }) => {
    if (number === 6) server.stop();
    return ACCEPTED;
  });
  const plan = planFor(server, { requestCount: 12, connectionCount: 3 });
  const result = await runLoad(plan);
  assertSound(plan, result);
  assert.equal(result.sent, 12);
  assert.ok(result.accepted <= 6 && result.errors >= 6);
  const texts = Object.keys(result.errorTexts);
  assert.ok(texts.some((text) => text.startsWith("cannot connect: ")), texts.join());
});

Deno.test("runLoad: a server that is gone is not asked as fast as possible", async () => {
  const stop = new AbortController();
  let goneAtMs = Infinity;
  await using server = new FakeServer(({ number }) => {
    if (number !== 20) return ACCEPTED;
    goneAtMs = performance.now();
    server.stop();
    return null;
  });
  const result = await runLoad(planFor(server, {
    requestCount: 1_000_000,
    signal: stop.signal,
    onSample: () => {
      if (performance.now() - goneAtMs > 300) stop.abort();
    },
  }));
  const secondsGone = (performance.now() - goneAtMs) / 1000;
  // Each connection rests a tenth of a second after each failure, but the one or two of its break.
  const most = 4 * (3 + secondsGone * 10);
  assert.ok(result.errors <= most, `${result.errors} errors in ${secondsGone} s`);
});

Deno.test("runLoad: a server that cannot be reached at the start is a clear error", async () => {
  const port = closedPort();
  await assert.rejects(runLoad(planFor({ port })), {
    message: `Cannot start the load on 127.0.0.1:${port}: cannot connect: nothing listens there`,
  });
});

Deno.test("runLoad: a password that is not taken at the start is a clear error", async () => {
  await using server = new FakeServer(() => "-WRONGPASS invalid password\r\n");
  await assert.rejects(runLoad(planFor(server, { password: "guess" })), {
    message: `Cannot start the load on 127.0.0.1:${server.port}: ` +
      `cannot log in: WRONGPASS invalid password`,
  });
});

Deno.test("runLoad: the signal ends it although nothing is answered, and it says so", async () => {
  for (const ratePerSecond of [null, 1000]) {
    const stop = new AbortController();
    await using server = new FakeServer(({ number }) => {
      if (number === 4) stop.abort();
      return null;
    });
    const plan = planFor(server, { ratePerSecond, signal: stop.signal });
    const result = await runLoad(plan);
    assertSound(plan, result);
    assert.equal(result.interrupted, true);
    assert.deepEqual(
      [result.sent, result.errorTexts],
      [4, { "no answer before the load was ended": 4 }],
    );
    assert.equal(result.latency.count, 0);
    assert.equal(result.answersPerSecond, 0);
  }
});

Deno.test("runLoad: the signal ends it while it still connects, or before it begins", async () => {
  for (const abortAtOnce of [true, false]) {
    const stop = new AbortController();
    // The password is never answered.
    await using server = new FakeServer(() => {
      stop.abort();
      return null;
    });
    if (abortAtOnce) stop.abort();
    const result = await runLoad(planFor(server, { password: "x", signal: stop.signal }));
    assert.deepEqual([result.sent, result.interrupted], [0, true]);
  }
});

Deno.test("runLoad: many connections all get their part", async () => {
  const answersOf = new Map<number, number>();
  await using server = new FakeServer(({ connection }) => {
    answersOf.set(connection, (answersOf.get(connection) ?? 0) + 1);
    return ACCEPTED;
  });
  const plan = planFor(server, { requestCount: 3000, connectionCount: 150 });
  const result = await runLoad(plan);
  assertSound(plan, result);
  assert.equal(result.accepted, 3000);
  assert.equal(answersOf.size, 150);
});

Deno.test("runLoad: what onSample throws ends the load with that error", async () => {
  await using server = new FakeServer(() => null);
  const onSample = (): void => {
    throw new Error("enough");
  };
  await assert.rejects(runLoad(planFor(server, { onSample })), { message: "enough" });
});

Deno.test("runLoad: a request without an answer in time is an error, and its connection is replaced", async () => {
  for (const ratePerSecond of [null, 400]) {
    const late: (() => void)[] = [];
    await using server = new FakeServer(({ number }) => {
      if (number !== 5) return ACCEPTED;
      // Comes when nobody waits for it any more: it must not pass for the answer to another request.
      return new Promise((resolve) => late.push(() => resolve(BUSY)));
    });
    const plan = planFor(server, {
      ratePerSecond,
      requestCount: 20,
      connectionCount: 1,
      timeoutMs: 300,
      onSample: ({ errors }) => {
        if (errors > 0) late.forEach((answer) => answer());
      },
    });
    const result = await runLoad(plan);
    late.forEach((answer) => answer());
    assertSound(plan, result);
    assert.deepEqual(result.errorTexts, { "no answer within 300ms": 1 });
    assert.deepEqual([result.accepted, result.refused, result.timeouts], [19, 0, 1]);
    assert.equal(server.connectionCount, 2);
    assert.equal(result.latency.count, 19);
  }
});

Deno.test("runLoad: a timeout does not hit answers that come in time, nor requests that wait for a connection", async () => {
  await using server = new FakeServer(async () => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    return ACCEPTED;
  });
  // The last ones are due after 30 ms and sent after 600.
  const plan = planFor(server, {
    ratePerSecond: 1000,
    requestCount: 30,
    connectionCount: 1,
    timeoutMs: 500,
  });
  const result = await runLoad(plan);
  assertSound(plan, result);
  assert.deepEqual([result.accepted, result.timeouts], [30, 0]);
  assert.ok(result.latency.maxMs > 500 && result.sendingMs > 500, `${result.sendingMs} ms`);
});

Deno.test("runLoad: a connection that is not ready in time keeps the load from starting", async () => {
  // The password is never answered.
  await using server = new FakeServer(() => null);
  await assert.rejects(runLoad(planFor(server, { password: "x", timeoutMs: 100 })), {
    message: `Cannot start the load on 127.0.0.1:${server.port}: no connection within 100ms`,
  });
});

Deno.test("runLoad: a connection that is not ready again in time is an error of its request", async () => {
  await using server = new FakeServer(({ connection, numberHere }) => {
    if (connection === 2) return null;
    if (connection === 1 && numberHere === 3) return "close";
    return numberHere === 1 ? "+OK\r\n" : ACCEPTED;
  });
  const plan = planFor(server, {
    password: "x",
    requestCount: 5,
    connectionCount: 1,
    timeoutMs: 300,
  });
  const result = await runLoad(plan);
  assertSound(plan, result);
  assert.deepEqual(result.errorTexts, {
    "connection closed by the server before its answer": 1,
    "no connection within 300ms": 1,
  });
  assert.equal(result.accepted, 3);
});

Deno.test("runLoad: requests that are due and find no connection are counted when it ends early", async () => {
  const stop = new AbortController();
  await using server = new FakeServer(() => null);
  const plan = planFor(server, {
    ratePerSecond: 1000,
    connectionCount: 2,
    signal: stop.signal,
    onSample: ({ atMs }) => {
      if (atMs > 50) stop.abort();
    },
  });
  const result = await runLoad(plan);
  assertSound(plan, result);
  assert.equal(result.sent, 2);
  assert.ok(result.overdue > 40 && result.overdue <= 98, `${result.overdue}`);
  assert.ok(result.overdueMs > 40, `${result.overdueMs} ms`);
});

Deno.test("runLoad: sends nothing any more once it has ended", async () => {
  await using server = new FakeServer(() => ACCEPTED);
  for (let run = 1; run <= 5; run++) {
    const before = server.requestCount;
    const stop = new AbortController();
    const plan = planFor(server, {
      ratePerSecond: 2000,
      requestCount: 1_000_000,
      signal: stop.signal,
      onSample: () => stop.abort(),
    });
    const result = await runLoad(plan);
    assertSound(plan, result);
    const connectionCount = server.connectionCount;
    await new Promise((resolve) => setTimeout(resolve, 30));
    assert.ok(server.requestCount - before <= result.sent, `${result.sent} were sent`);
    assert.equal(server.connectionCount, connectionCount);
  }
});
