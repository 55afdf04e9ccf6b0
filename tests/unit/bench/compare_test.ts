/**
 * The parts of the comparing benches that do not measure: what they read, reckon and print.
 */

import assert from "node:assert/strict";
import { V8_FLAGS } from "../../../src/base/v8_flags.ts";
import { atLeast, checkText, inDigits, under } from "../../../bench/compare/lib/checks.ts";
import { pinned } from "../../../bench/compare/lib/children.ts";
import { quantileOf } from "../../../bench/compare/lib/event_latency.ts";
import { parseProcessors } from "../../../bench/compare/lib/machine.ts";
import { parseCpuSeconds, parseMemory } from "../../../bench/compare/lib/process_facts.ts";
import {
  countOf,
  countsOf,
  namesOf,
  readOptions,
  textOf,
} from "../../../bench/compare/lib/options.ts";
import {
  parseRedisBenchmark,
  redisBenchmarkWords,
} from "../../../bench/compare/lib/redis_benchmark.ts";
import {
  commandLine,
  markdownTable,
  reportMarkdown,
  reportText,
} from "../../../bench/compare/lib/report.ts";
import {
  checkRatio,
  defaultRequests,
  requestCountOf,
  RESP_COMMANDS,
} from "../../../bench/compare/lib/resp_commands.ts";
import { encodeCommand } from "../../../bench/compare/lib/resp_filler.ts";
import { threadCounts } from "../../../bench/compare/lib/scale_parts.ts";
import { sluiceWords, taskWords } from "../../../bench/compare/lib/servers.ts";
import { alternate, median, ratiosOf, spreadOf } from "../../../bench/compare/lib/statistics.ts";
import { parseWrk, wrkWords } from "../../../bench/compare/lib/wrk.ts";

const REDIS_BENCHMARK = `
\rSET key:__rand_int__ x: rps=0.0 (overall: -nan) avg_msec=-nan (overall: -nan)\r      \
\r====== SET key:__rand_int__ x ======
  20000 requests completed in 0.03 seconds
  50 parallel clients
  59 bytes payload
  keep alive: 1
  host configuration "save":
  host configuration "appendonly": no
  multi-thread: no

Latency by percentile distribution:
0.000% <= 0.255 milliseconds (cumulative count 32)
50.000% <= 0.951 milliseconds (cumulative count 10128)
99.805% <= 2.063 milliseconds (cumulative count 19968)
99.902% <= 2.071 milliseconds (cumulative count 19984)
99.951% <= 2.087 milliseconds (cumulative count 20000)
100.000% <= 2.087 milliseconds (cumulative count 20000)

Cumulative distribution of latencies:
0.000% <= 0.103 milliseconds (cumulative count 0)
100.000% <= 9.103 milliseconds (cumulative count 20000)

Summary:
  throughput summary: 689655.19 requests per second
  latency summary (msec):
          avg       min       p50       p95       p99       max
        0.975     0.248     0.952     1.759     1.975     2.088
`;

Deno.test("redis-benchmark: its report is read, with the p99.9 that --csv lacks", () => {
  assert.deepEqual(parseRedisBenchmark(REDIS_BENCHMARK), {
    perSecond: 689655.19,
    p50Ms: 0.952,
    p99Ms: 1.975,
    p999Ms: 2.071,
    maxMs: 2.088,
  });
});

Deno.test("redis-benchmark: an error among the replies is no measurement", () => {
  const text = "Error from server: OOM command not allowed when used memory > 'maxmemory'.\n";
  assert.throws(() => parseRedisBenchmark(text + REDIS_BENCHMARK), /replied OOM command/);
  assert.throws(() => parseRedisBenchmark("Could not connect"), /Cannot read/);
});

Deno.test("redis-benchmark: the command follows the options", () => {
  const words = redisBenchmarkWords({
    port: 7000,
    requestCount: 10,
    clientCount: 5,
    pipeline: 16,
    keyCount: 100,
    words: ["GET", "key:__rand_int__"],
  });
  assert.equal(
    words.join(" "),
    "redis-benchmark -h 127.0.0.1 -p 7000 -n 10 -c 5 -P 16 -r 100 GET key:__rand_int__",
  );
});

const WRK = `Running 2s test @ http://127.0.0.1:8080/events
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.21ms  340.00us  12.50ms   90.00%
    Req/Sec    52.10k     2.00k   55.00k    70.00%
  Latency Distribution
     50%  950.00us
     75%    1.20ms
     90%    1.60ms
     99%    1.05s
  104200 requests in 2.00s, 20.10MB read
  Socket errors: connect 1, read 2, write 3, timeout 4
  Non-2xx or 3xx responses: 10420
Requests/sec:  52100.00
Transfer/sec:     10.05MB
`;

Deno.test("wrk: its report is read, errors included", () => {
  assert.deepEqual(parseWrk(WRK), {
    perSecond: 52100,
    goodPerSecond: 46890,
    p50Ms: 0.95,
    p99Ms: 1050,
    maxMs: 12.5,
    requestCount: 104200,
    badStatusCount: 10420,
    socketErrorCount: 10,
  });
});

Deno.test("wrk: a report without errors has none, and half a report is refused", () => {
  const text = WRK.replace(/^ {2}(Socket|Non-2xx).*\n/gm, "");
  const { badStatusCount, socketErrorCount, goodPerSecond } = parseWrk(text);
  assert.deepEqual([badStatusCount, socketErrorCount, goodPerSecond], [0, 0, 52100]);
  assert.throws(() => parseWrk("unable to connect"), /Cannot read/);
});

Deno.test("wrk: a script goes in front of the URL", () => {
  const load = { url: "http://h/", connectionCount: 64, seconds: 2 };
  assert.equal(wrkWords(load).join(" "), "wrk -t1 -c64 -d2s --latency http://h/");
  assert.match(wrkWords({ ...load, script: "a.lua" }).join(" "), / -s a.lua http/);
});

Deno.test("options: values may begin with dashes, numbers are in full, names of any case", () => {
  const help = "  --flags WORDS   x\n  --quick   x\n  --runs COUNT  x\n  --commands NAMES x";
  const args = ["--flags", "--workers 2", "--quick", "--runs=3", "--commands", "get,SET"];
  const options = readOptions(help, args);
  assert.equal(textOf(options, "flags"), "--workers 2");
  assert.equal(options["quick"], true);
  assert.equal(countOf(options, "runs", 5), 3);
  assert.equal(countOf(options, "other", 5), 5);
  assert.deepEqual(countsOf({ sizes: "16,1024" }, "sizes", []), [16, 1024]);
  assert.deepEqual(namesOf(options, "commands", ["SET", "GET"]), ["GET", "SET"]);
  assert.deepEqual(namesOf(options, "other", ["SET", "GET"]), ["SET", "GET"]);
});

Deno.test("statistics: medians of odd and even numbers, and of nothing", () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 3, 2]), 2.5);
  assert.ok(Number.isNaN(median([])));
  assert.deepEqual(spreadOf([5, 1, 2]), { median: 2, min: 1, max: 5 });
});

Deno.test("statistics: ratios are of neighbours, so a slow minute does not change them", () => {
  assert.deepEqual(ratiosOf([100, 10, 50], [50, 5, 20]), { median: 2, min: 2, max: 2.5 });
});

Deno.test("statistics: quantiles of times in order", () => {
  const times = Array.from({ length: 100 }, (_, i) => i + 1);
  assert.deepEqual([0, 0.5, 0.99, 1].map((q) => quantileOf(times, q)), [1, 50, 99, 100]);
  assert.ok(Number.isNaN(quantileOf([], 0.5)));
});

Deno.test("schedule: none always runs first", () => {
  assert.deepEqual(alternate(["a", "b"], 3), [["a", "b"], ["b", "a"], ["a", "b"]]);
});

Deno.test("checks: a bound holds, or not; what was not measured does not", () => {
  assert.ok(atLeast("x", 1, 1, "×").passed);
  assert.ok(!atLeast("x", 1, 0.99, "×").passed);
  assert.ok(!atLeast("x", 1, NaN, "×").passed);
  assert.ok(!atLeast("x", 1, Infinity, "×").passed, "so much was not measured");
  assert.ok(under("x", 30, 29.9, "ms").passed);
  assert.ok(!under("x", 30, 30, "ms").passed);
  assert.match(
    checkText([atLeast("GET", 1.3, 1.25, "× Redis")]),
    /GET .*at least 1\.3 .*1\.25.*NO/,
  );
});

Deno.test("checks: ratios to Redis as the pipeline grows, others at 16 only", () => {
  const limit = (name: string, pipeline: number): number | undefined =>
    checkRatio(name, pipeline, 16, { median: 1, min: 1, max: 1 })?.limit;
  assert.deepEqual([1, 16, 64].map((pipeline) => limit("GET", pipeline)), [0.95, 1.3, 1.7]);
  assert.deepEqual([1, 16, 64].map((pipeline) => limit("LPUSH", pipeline)), [
    undefined,
    1,
    undefined,
  ]);
});

Deno.test("digits: three that count", () => {
  assert.deepEqual([0.1234, 1.234, 12.34, 1234.5, NaN].map(inDigits), [
    "0.123",
    "1.23",
    "12.3",
    "1235",
    "-",
  ]);
});

Deno.test("commands: runs bound what lists leave in memory and what replies carry", () => {
  const count = (name: string, base: number, valueBytes: number): number => {
    const command = RESP_COMMANDS.find((other) => other.name === name)!;
    return requestCountOf(command, base, valueBytes, 16, 50);
  };
  const base = defaultRequests(16, false);
  assert.equal(count("GET", base, 16), base);
  assert.equal(count("MSET", base, 16), base / 5);
  assert.ok(count("LPUSH", base, 1024) * 1024 < 2 ** 28);
  assert.ok(count("LRANGE_100", base, 1024) * 100 * 1024 <= 2 ** 30);
  assert.equal(count("LRANGE_100", 500, 16), 500, "never more than asked for");
});

Deno.test("commands: a value is sent where redis-benchmark sends one", () => {
  const words = RESP_COMMANDS.map(({ words }) => words("v").join(" "));
  assert.ok(words.includes("SET key:__rand_int__ v"));
  assert.ok(words.includes("ZADD myzset __rand_int__ element:__rand_int__"));
  assert.equal(words.find((text) => text.startsWith("MSET"))!.split(" v").length - 1, 10);
  assert.equal(encodeCommand(["GET", "k"]), "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
});

Deno.test("servers: Sluice is started as the task does it", () => {
  assert.deepEqual(taskWords('deno run "--allow-env=A B" main.ts'), [
    "deno",
    "run",
    "--allow-env=A B",
    "main.ts",
  ]);
  const words = sluiceWords(undefined);
  const variable = "MALLOC_MMAP_THRESHOLD_=32768";
  assert.deepEqual(words.slice(0, 4), ["env", variable, Deno.execPath(), "run"]);
  assert.equal(words.at(-1), "build/server/main.js");
  assert.deepEqual(sluiceWords(undefined, "deno run main.ts"), [Deno.execPath(), "run", "main.ts"]);
  assert.ok(words.includes("--allow-env=SLUICE_*"), words.join(" "));
  assert.ok(words.includes(`--v8-flags=${V8_FLAGS}`), words.join(" "));
  assert.deepEqual(sluiceWords("dist/sluice"), ["dist/sluice"]);
});

Deno.test("servers: each has its processor, if there is one for it", () => {
  assert.deepEqual(pinned(["a", "b"], 1), ["taskset", "-c", "1", "a", "b"]);
  assert.deepEqual(pinned(["a", "b"], undefined), ["a", "b"]);
  assert.deepEqual(parseProcessors("0-2,5"), [0, 1, 2, 5]);
  assert.deepEqual([1, 2, 4, 6].map(threadCounts), [[1], [1, 2], [1, 2, 4], [1, 2, 4, 6]]);
});

Deno.test("processes: processor time is read behind a name with anything in it", () => {
  const fields = Array.from({ length: 40 }, (_, i) => String(i + 3)).join(" ");
  // With the state as field 3, user time is field 14 and system time field 15.
  assert.equal(parseCpuSeconds(`7 (a (b) c 1 2) ${fields}`), (14 + 15) / 100);
});

Deno.test("processes: memory is read in bytes, and is no number when it is missing", () => {
  const status = "Name:\tdeno\nVmHWM:\t   2048 kB\nVmRSS:\t   1024 kB\n";
  assert.deepEqual(parseMemory(status), { residentBytes: 2 ** 20, peakBytes: 2 ** 21 });
  assert.ok(Number.isNaN(parseMemory("").residentBytes));
});

Deno.test("reports: text and Markdown have every table, and say what was missed", () => {
  const report = {
    title: "T",
    command: "deno task t",
    facts: [["Deno", "2"]] as const,
    tables: [{ title: "Speed", note: "n", head: ["what", "k/s"], rows: [["GET", "12.5"]] }],
    checks: [atLeast("GET", 1, 0.5, "×"), atLeast("SET", 1, 2, "×")],
    remarks: ["without nginx"],
  };
  const text = reportText(report);
  assert.match(text, /GET +12\.5/);
  assert.match(text, /1 of 2 missed$/);
  const markdown = reportMarkdown(report);
  assert.match(markdown, /^# T\n\n`deno task t`\n\n\| what \| value \|/);
  assert.match(
    markdown,
    /## Speed\n\nn\n\n\| what \| k\/s \|\n\| --- \| ---: \|\n\| GET \| 12\.5 \|/,
  );
  assert.match(markdown, /\| NO \|/);
  assert.match(markdown, /- without nginx/);
  assert.equal(commandLine("t", ["--json", "a", "--quick", "--markdown=b"]), "deno task t --quick");
  assert.equal(markdownTable(["a"], [["x|y"]]).split("\n")[2], "| x\\|y |");
});
