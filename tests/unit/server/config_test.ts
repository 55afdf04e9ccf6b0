import assert from "node:assert/strict";
import {
  type Config,
  defaultConfig,
  findConfigProblem,
  isLoopback,
} from "../../../src/server/config.ts";

function problemOf(change: Partial<Config>): string {
  const problem = findConfigProblem({ ...defaultConfig(4), ...change });
  return problem === null ? "none" : `${problem.field} must ${problem.rule}`;
}

Deno.test("defaultConfig: can be started with, whatever the number of processors", () => {
  for (const coreCount of [1, 2, 8, 1024]) {
    assert.equal(findConfigProblem(defaultConfig(coreCount)), null);
  }
  assert.equal(defaultConfig(8).workersMin, 7, "all run from the start");
  assert.equal(defaultConfig(1).workersMax, 1);
  assert.equal(defaultConfig(8).workersMax, 7);
  assert.equal(defaultConfig(1024).workersMax, 256);
});

Deno.test("findConfigProblem: names the setting and the rule it breaks", () => {
  const cases: [Partial<Config>, RegExp][] = [
    [{ channelCapacity: 0 }, /^channelCapacity must be a whole number from 1 to 1048576$/],
    [{ channelCapacity: 1.5 }, /^channelCapacity must be a whole number/],
    [{ workersMax: 257 }, /^workersMax must be a whole number from 1 to 256$/],
    [{ workersMin: -1 }, /^workersMin must be a whole number from 0 to 256$/],
    [{ workersMin: 0, workersMax: 0 }, /^workersMax must be a whole number from 1 to 256$/],
    [{ workersMin: 5, workersMax: 4 }, /^workersMin must be at most the largest pool, 4$/],
    [{ shards: 48 }, /^shards must be a power of two from 1 to 4096$/],
    [{ shards: 4096 }, /^maxMemoryBytes must be at least 2gb for 4096 shards$/],
    [{ httpPort: 65536 }, /^httpPort must be a port/],
    [{ httpPort: "off", respPort: "off", protoPort: "off" }, /^httpPort must not be off/],
    [{ httpPort: 7000, respPort: 7000 }, /^respPort must differ from the HTTP port, which is 7000/],
    [{ host: "0.0.0.0" }, /^host must be a loopback address .* --insecure/],
    [{ httpPort: 7000, protoPort: 7000 }, /^protoPort must differ from the HTTP port/],
    [{ respPort: 7000, protoPort: 7000 }, /^protoPort must differ from the RESP port/],
    [{ ioThreads: 65 }, /^ioThreads must be a whole number from 1 to 64$/],
    [
      { maxConnections: 20_000 },
      /^maxClientMemoryBytes must be at least 83mb for 20000 connections, 1 I\/O threads and .* 1mb$/,
    ],
    [{ password: "x".repeat(1025) }, /^password must have at most 1024 bytes$/],
    [{ tlsCert: "x" }, /^tlsCert must come with --tls-key/],
    [{ tlsKey: "x" }, /^tlsKey must come with --tls-cert/],
    [{ password: "x", passwordFile: "y" }, /^passwordFile must not be given together/],
    [{ host: "" }, /^host must name an address$/],
    [
      { drainDelayMs: 10_000 },
      /^drainDelayMs must be shorter than the whole stop, 10s \(--shutdown-timeout\)$/,
    ],
    [{ rateLimit: { count: 1, perMs: 2 ** 32 } }, /^rateLimit must be a rate .* at most 1h/],
    [{ respRateLimit: { count: 0.5, perMs: 1000 } }, /^respRateLimit must be a rate/],
    [{ workMs: -1 }, /^workMs must be a whole number from 0 to 60000$/],
    [{ headerTimeoutMs: 0 }, /^headerTimeoutMs must be/],
    [{ maxRequestBytes: NaN }, /^maxRequestBytes must be/],
  ];
  for (const [change, expected] of cases) assert.match(problemOf(change), expected);
});

Deno.test("findConfigProblem: takes what is unusual but right", () => {
  const cases: Partial<Config>[] = [
    { host: "0.0.0.0", insecure: true },
    { httpPort: 0, respPort: 0 },
    { httpPort: "off" },
    { shards: 1, maxMemoryBytes: 2 ** 20 },
    { shards: 4096, maxMemoryBytes: 2 ** 31 },
    { workersMin: 1, workersMax: 256 },
    { workersMin: 0, workersMax: 1 },
    { respIdleTimeoutMs: 0 },
  ];
  for (const change of cases) assert.equal(problemOf(change), "none");
});

Deno.test("isLoopback: knows the addresses that only this machine reaches", () => {
  for (
    const host of ["127.0.0.1", "127.1.2.3", "::1", "localhost", "LOCALHOST", "::ffff:127.0.0.1"]
  ) {
    assert.equal(isLoopback(host), true, host);
  }
  for (
    const host of [
      "0.0.0.0",
      "::",
      "10.0.0.1",
      "example.org",
      "127.0.0.1.example.org",
      "1127.0.0.1",
    ]
  ) {
    assert.equal(isLoopback(host), false, host);
  }
});
