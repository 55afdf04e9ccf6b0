import assert from "node:assert/strict";
import { runStress, type StressSignal, type StressSurroundings } from "../../../src/cli/stress.ts";
import type { StressOrder } from "../../../src/cli/stress_flags.ts";
import { countText, durationText, stressText } from "../../../src/cli/stress_text.ts";
import type { LatencySummary, LoadPlan, LoadResult } from "../../../src/lab/load/plan.ts";
import { closedPort, FakeServer } from "../lab/load/fake_server.ts";

const PLAN: LoadPlan = {
  protocol: "resp",
  hostname: "127.0.0.1",
  port: 6379,
  requestCount: 1000,
  connectionCount: 50,
  ratePerSecond: 500,
  userCount: 10,
  distribution: "uniform",
  seed: 1,
};

function latency(count: number, ms: number): LatencySummary {
  const [averageMs, p50Ms, p90Ms] = [ms / 2, ms / 3, ms * 0.9];
  return { count, averageMs, p50Ms, p90Ms, p99Ms: ms, p999Ms: ms, maxMs: ms };
}

const RESULT: LoadResult = {
  sent: 1000,
  accepted: 900,
  refused: 100,
  errors: 0,
  errorTexts: {},
  durationMs: 2000,
  sendingMs: 1998,
  overdue: 0,
  overdueMs: 0,
  answersPerSecond: 500,
  latency: latency(1000, 12),
  acceptedLatency: latency(900, 12),
  refusedLatency: latency(100, 3),
  serviceTime: latency(1000, 11),
  ownLag: latency(1000, 0.1),
  samples: [],
  timeouts: 0,
  interrupted: false,
};

Deno.test("durationText: three digits or a little more, with the unit that fits", () => {
  assert.deepEqual(
    [0, 0.1234, 1.234, 12.34, 123.4, 999.7, 1234, 12_345].map(durationText),
    ["0.000 ms", "0.123 ms", "1.23 ms", "12.3 ms", "123 ms", "1.00 s", "1.23 s", "12.3 s"],
  );
  assert.equal(countText(1_234_567), "1,234,567");
});

Deno.test("stressText: a head and a table, in an open loop with the service time", () => {
  const lines = stressText(PLAN, RESULT).split("\n");
  assert.deepEqual(lines.slice(0, 3), [
    "resp://127.0.0.1:6379, 50 connections, 500 a second: 1,000 requests in 2.00 s",
    "accepted 900, refused 100, errors 0, 500 answers/s",
    "",
  ]);
  const rows = lines.slice(5).map((line) => line.split(/ {2,}/));
  assert.deepEqual(rows.map(([name]) => name).filter((name) => name !== ""), [
    "all answers",
    "accepted",
    "refused",
    "service time",
    "own lag",
  ]);
  assert.deepEqual(rows[2], [
    ...["refused", "100", "1.50 ms", "1.00 ms", "2.70 ms", "3.00 ms", "3.00 ms", "3.00 ms"],
  ]);
  assert.doesNotMatch(stressText({ ...PLAN, ratePerSecond: null }, RESULT), /service time/);
});

Deno.test("stressText: the address is one with TLS where that was spoken", () => {
  const headOf = (protocol: LoadPlan["protocol"], tls?: LoadPlan["tls"]) =>
    stressText({ ...PLAN, protocol, tls }, RESULT).split(":", 1)[0];
  const tls = { caCerts: [] };
  assert.deepEqual([headOf("http"), headOf("http", tls)], ["http", "https"]);
  assert.deepEqual([headOf("resp"), headOf("resp", tls)], ["resp", "rediss"]);
  assert.deepEqual([headOf("proto"), headOf("proto", tls)], ["proto", "proto"]);
});

Deno.test("stressText: says so when the generator itself was the bottleneck, and only then", () => {
  assert.doesNotMatch(stressText(PLAN, RESULT), /bottleneck/);
  assert.match(
    stressText(PLAN, { ...RESULT, ownLag: latency(1000, 9) }),
    /itself was a bottleneck: 99 of 100 times it was up to\n9\.00 ms late, of a latency of 12\.0 ms/,
  );
});

Deno.test("stressText: says so when the rate was not reached, or not everything was sent", () => {
  assert.doesNotMatch(stressText(PLAN, RESULT), /not reached|were not sent|Ended early/);
  assert.match(
    stressText(PLAN, { ...RESULT, durationMs: 4000, sendingMs: 3996 }),
    /The rate was not reached: 250 of 500/,
  );
  // Everything was sent in time; that the last answer took long is not the rate's fault.
  assert.doesNotMatch(stressText(PLAN, { ...RESULT, durationMs: 4000 }), /not reached/);
  const cut = { ...RESULT, sent: 400 };
  assert.match(stressText(PLAN, cut), /^Given up, 600 requests were not sent: the server /m);
  assert.match(
    stressText(PLAN, { ...cut, interrupted: true }),
    /^Ended early: 400 of 1,000 requests were sent\.$/m,
  );
});

Deno.test("stressText: says what the latencies leave out", () => {
  assert.doesNotMatch(stressText(PLAN, RESULT), /leave them out/);
  assert.match(
    stressText(PLAN, { ...RESULT, overdue: 1200, overdueMs: 2500 }),
    /1,200 requests were due that had found no free connection, the first of\nthem for 2\.50 s\. The/,
  );
  assert.match(
    stressText(PLAN, { ...RESULT, timeouts: 3 }),
    /^3 requests were not answered in time/m,
  );
});

Deno.test("stressText: lists errors by text, the most frequent first", () => {
  const errorTexts = { "400 invalid_event": 2, "connection closed": 1500 };
  assert.match(
    stressText(PLAN, { ...RESULT, errors: 1502, errorTexts }),
    /\n\nErrors:\n1,500 {2}connection closed\n {4}2 {2}400 invalid_event\n$/,
  );
});

interface Run extends StressSurroundings {
  printed: string;
  complained: string;
  shown: string;
  signal(name: StressSignal): void;
  listening: boolean;
}

function makeRun(): Run {
  let nowMs = 0;
  const run: Run = {
    printed: "",
    complained: "",
    shown: "",
    signal: () => {},
    listening: false,
    print: (text) => Promise.resolve(void (run.printed += text)),
    complain: (text) => Promise.resolve(void (run.complained += text)),
    progress: {
      columns: 80,
      write: (text) => void (run.shown += text),
      // Every sample is shown, however fast the load is done.
      nowMs: () => nowMs += 1000,
    },
    onSignal: (handler) => {
      run.signal = handler;
      run.listening = true;
      return { [Symbol.dispose]: () => void (run.listening = false) };
    },
  };
  return run;
}

function orderFor({ port }: { port: number }, rest: Partial<StressOrder> = {}): StressOrder {
  return {
    plan: { ...PLAN, port, requestCount: 40, connectionCount: 2, ratePerSecond: null },
    isSecure: false,
    caPath: "",
    secret: { password: "", passwordFile: "" },
    isJson: false,
    ...rest,
  };
}

Deno.test("runStress: shows progress, prints the table and ends with 0, refusals or not", async () => {
  await using server = new FakeServer(({ number }) =>
    number > 20 ? "-BUSY x\r\n" : "+ACCEPTED\r\n"
  );
  const run = makeRun();
  assert.equal(await runStress(orderFor(server), run), 0);
  assert.match(run.printed, /^resp:\/\/127\.0\.0\.1:\d+, 2 connections, closed loop: 40 requests/);
  assert.match(run.printed, /\naccepted 20, refused 20, errors 0, /);
  assert.match(run.shown, /stress █{24}100% 40 of 40, [\d,]+\/s/);
  assert.equal(run.complained, "");
  assert.equal(run.listening, false);
});

Deno.test("runStress: ends with 1 when there were errors", async () => {
  await using server = new FakeServer(({ number }) =>
    number === 7 ? "-ERR no\r\n" : "+ACCEPTED\r\n"
  );
  const run = makeRun();
  assert.equal(await runStress(orderFor(server), run), 1);
  assert.match(run.printed, /\n\nErrors:\n1 {2}ERR no\n$/);
});

Deno.test("runStress: a signal ends it with its exit code, and what was seen is printed", async () => {
  for (const [signal, exitCode] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
    const run = makeRun();
    await using server = new FakeServer(({ number }) => {
      if (number === 20) run.signal(signal);
      return number < 20 ? "+ACCEPTED\r\n" : null;
    });
    assert.equal(await runStress(orderFor(server), run), exitCode);
    assert.match(run.printed, /\naccepted (18|19), refused 0, errors [12], /);
    assert.match(run.printed, /^Ended early: 2[01] of 40 requests were sent\.$/m);
  }
});

Deno.test("runStress: --json prints plan and result, without the password", async () => {
  await using server = new FakeServer(({ numberHere }) =>
    numberHere === 1 ? "+OK\r\n" : "+ACCEPTED\r\n"
  );
  const run = makeRun();
  const secret = { password: "sesame", passwordFile: "" };
  assert.equal(await runStress(orderFor(server, { isJson: true, secret }), run), 0);
  assert.match(server.asked, /AUTH\r\n\$6\r\nsesame/);
  assert.doesNotMatch(run.printed, /sesame/);
  const { plan, result } = JSON.parse(run.printed);
  assert.deepEqual([plan.port, plan.tls, plan.requestCount], [server.port, false, 40]);
  assert.equal(result.accepted, 40);
  assert.equal(result.latency.count, 40);
});

Deno.test("runStress: what keeps it from starting is one line, and exit code 1", async () => {
  const server = { port: closedPort() };
  const failures: readonly (readonly [rest: Partial<StressOrder>, said: RegExp])[] = [
    [{}, /^sluice: Cannot start the load on 127\.0\.0\.1:\d+: cannot connect: nothing listens/],
    [
      { secret: { password: "", passwordFile: "/nowhere/at/all" } },
      /^sluice: Cannot read the password from \/nowhere\/at\/all: there is no such file/,
    ],
    [
      { isSecure: true, caPath: "/nowhere/at/all" },
      /^sluice: Cannot read the certificates in \/nowhere\/at\/all: /,
    ],
  ];
  for (const [rest, said] of failures) {
    const run = makeRun();
    assert.equal(await runStress(orderFor(server, rest), run), 1);
    assert.match(run.complained, said);
    assert.equal(run.complained.indexOf("\n"), run.complained.length - 1, "one line");
    assert.equal(run.printed, "");
  }
});

Deno.test("runStress: a server that does not speak TLS is told as that", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const answering = (async () => {
    for await (const socket of listener) {
      await socket.read(new Uint8Array(1024)).catch(() => null);
      await socket.write(new TextEncoder().encode("-ERR what?\r\n")).catch(() => 0);
      socket.close();
    }
  })();
  const run = makeRun();
  const order = orderFor({ port: listener.addr.port }, { isSecure: true });
  assert.equal(await runStress(order, run), 1);
  assert.match(run.complained, /cannot connect: what answers there does not speak TLS\n$/);
  listener.close();
  await answering;
});
