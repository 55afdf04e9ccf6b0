import assert from "node:assert/strict";
import { parseCommandLine, type Request } from "../../../src/cli/command_line.ts";
import type { StressOrder } from "../../../src/cli/stress_flags.ts";
import { defaultConfig } from "../../../src/server/config.ts";

function parse(line: string, variables: Record<string, string> = {}): Request {
  return parseCommandLine(`stress ${line}`.trim().split(" "), {
    environment: (name) => variables[name],
    columns: 100,
    defaults: defaultConfig(4),
  });
}

function orderOf(line: string, variables: Record<string, string> = {}): StressOrder {
  const request = parse(line, variables);
  assert.ok(request.kind === "stress", JSON.stringify(request));
  return request.order;
}

function errorOf(line: string, variables: Record<string, string> = {}): string {
  const request = parse(line, variables);
  assert.ok(request.kind === "usage_error", JSON.stringify(request));
  assert.ok(!request.message.includes("\n"), "one line");
  return request.message;
}

/** `protocol hostname port`, and `tls` behind it. */
function targetOf(line: string, variables: Record<string, string> = {}): string {
  const { plan: { protocol, hostname, port }, isSecure } = orderOf(line, variables);
  return `${protocol} ${hostname} ${port}${isSecure ? " tls" : ""}`;
}

Deno.test("stress: the defaults are a closed loop against the server on this machine", () => {
  assert.deepEqual(orderOf(""), {
    plan: {
      protocol: "http",
      hostname: "127.0.0.1",
      port: 8080,
      requestCount: 10_000,
      connectionCount: 50,
      ratePerSecond: null,
      userCount: 1000,
      distribution: "uniform",
      seed: 1,
      timeoutMs: 30_000,
    },
    isSecure: false,
    caPath: "",
    secret: { password: "", passwordFile: "" },
    isJson: false,
  });
});

Deno.test("stress: every flag reaches the plan", () => {
  const { plan, isJson, secret, caPath } = orderOf(
    "redis://h:1 --requests 5 --concurrency 6 --rate 7/s --users 8 --distribution zipf --seed 9 " +
      "--timeout 1.5s --json --password-file p --tls-ca c",
  );
  assert.deepEqual(plan, {
    protocol: "resp",
    hostname: "h",
    port: 1,
    requestCount: 5,
    connectionCount: 6,
    ratePerSecond: 7,
    userCount: 8,
    distribution: "zipf",
    seed: 9,
    timeoutMs: 1500,
  });
  assert.deepEqual([isJson, secret, caPath], [true, { password: "", passwordFile: "p" }, "c"]);
  assert.equal(orderOf("", { SLUICE_PASSWORD: "sesame" }).secret.password, "sesame");
});

Deno.test("stress: the address says host, port and protocol", () => {
  assert.equal(targetOf("http://example.com"), "http example.com 80");
  assert.equal(targetOf("http://10.0.0.7:8080/"), "http 10.0.0.7 8080");
  assert.equal(targetOf("http://10.0.0.7:8080/events"), "http 10.0.0.7 8080");
  assert.equal(targetOf("https://example.com"), "http example.com 443 tls");
  assert.equal(targetOf("redis://[::1]:7000"), "resp ::1 7000");
  assert.equal(targetOf("rediss://r.example"), "resp r.example 6379 tls");
  assert.equal(targetOf("resp://localhost"), "resp localhost 6379");
  assert.equal(targetOf("proto://localhost:1"), "proto localhost 1");
  assert.equal(targetOf("localhost:80"), "http localhost 80");
  assert.equal(targetOf("[::1]:81 --protocol proto"), "proto ::1 81");
  assert.equal(targetOf("proto://localhost --protocol proto"), "proto localhost 9090");
});

Deno.test("stress: without an address it is that of the server's own flags and environment", () => {
  assert.equal(targetOf("--host 0.0.0.0 --http-port 81"), "http 127.0.0.1 81");
  assert.equal(targetOf("--host :: --protocol resp", { SLUICE_RESP_PORT: "82" }), "resp ::1 82");
  assert.equal(targetOf("--protocol proto", { SLUICE_PROTO_PORT: "83" }), "proto 127.0.0.1 83");
  const order = orderOf("", { SLUICE_TLS_CERT: "cert.pem" });
  assert.deepEqual([order.isSecure, order.caPath], [true, "cert.pem"]);
  assert.equal(orderOf("--tls-ca ca.pem", { SLUICE_TLS_CERT: "cert.pem" }).caPath, "ca.pem");
  assert.equal(orderOf("http://h:1", { SLUICE_TLS_CERT: "cert.pem" }).isSecure, false);
});

Deno.test("stress: a rate is a number a second, or of another time", () => {
  for (
    const [text, perSecond] of [["5000", 5000], ["0.5", 0.5], ["5000/s", 5000], [
      "30/m",
      0.5,
    ]] as const
  ) {
    assert.equal(orderOf(`--rate ${text}`).plan.ratePerSecond, perSecond);
  }
});

Deno.test("stress: what is wrong is one clear line", () => {
  const wrong: readonly (readonly [line: string, said: RegExp])[] = [
    ["--requests 0", /^--requests "0" must be a whole number from 1 to \d+$/],
    ["--requests 1.5", /^--requests "1\.5" must /],
    ["--concurrency 99999", /^--concurrency "99999" must be a whole number from 1 to 20000$/],
    ["--users x", /^--users "x" must /],
    ["--seed -1", /^--seed "-1" must /],
    ["--timeout 30", /^--timeout "30" must be a duration from 10ms to 1h, like 500ms or 30s$/],
    ["--timeout 0", /^--timeout "0" must /],
    ["--timeout 2h", /^--timeout "2h" must /],
    ["--rate 0", /^--rate "0" must be 0\.01 to 1000000 requests a second, e\.g\. 5000\/s/],
    ["--rate fast", /^--rate "fast" must /],
    ["--rate 5/0", /^--rate "5\/0" must /],
    ["--distribution normal", /^--distribution "normal" must be uniform or zipf$/],
    ["--protocol http2", /^--protocol "http2" must be http, resp or proto$/],
    ["http://h:1 --protocol resp", /^--protocol "resp" must be what the address says, http$/],
    ["ftp://h:1", /^the address must be like http:/],
    ["http://h:1/path", /^the address must be like http:/],
    ["redis://h:1/0", /^the address must be like http:/],
    ["localhost", /^the address must be like http:/],
    ["http://h:99999", /^the address must be like http:/],
    ["http://h:0", /^the address must have a port from 1 to 65535$/],
    ["h:1 i:2", /^unknown command or argument "i:2"; see sluice stress --help$/],
    ["--request 5", /^unknown option '--request' \(Did you mean --requests\?\)$/],
    ["--http-port off", /^--http-port must be the port that the server listens on, not off; or /],
    ["--password a --password-file b", /^--password-file must not be given together with a passw/],
  ];
  for (const [line, said] of wrong) assert.match(errorOf(line), said, line);
});

Deno.test("stress: what may be a password is not repeated", () => {
  for (const line of ["http://:sesame@h:1", "http://sesame@h", "--password=a sesame"]) {
    assert.doesNotMatch(errorOf(line), /sesame/, line);
  }
});

Deno.test("stress --help: has its own flags, and says what the exit codes mean", () => {
  const request = parse("--help");
  assert.ok(request.kind === "print");
  const flags = [...request.text.matchAll(/^ {2}(?:-h, )?--([a-z-]+)/gm)].map(([, name]) => name);
  assert.deepEqual(flags, [
    ...["host", "http-port", "resp-port", "proto-port", "password", "password-file", "tls-cert"],
    ...["protocol", "tls-ca"],
    ...["requests", "concurrency", "rate", "users", "distribution", "timeout", "seed"],
    ...["json", "help"],
  ]);
  assert.match(request.text, /Exit codes: 0 /);
});
