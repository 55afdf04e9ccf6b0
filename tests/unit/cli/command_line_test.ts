import assert from "node:assert/strict";
import { parseCommandLine, type Request } from "../../../src/cli/command_line.ts";
import { environmentName, FLAGS } from "../../../src/cli/flags.ts";
import { type Config, defaultConfig } from "../../../src/server/config.ts";

const DEFAULTS = defaultConfig(4);

function parse(line: string, variables: Record<string, string> = {}, columns = 100): Request {
  return parseCommandLine(line === "" ? [] : line.split(" "), {
    environment: (name) => variables[name],
    columns,
    defaults: DEFAULTS,
  });
}

function configOf(line: string, variables: Record<string, string> = {}): Config {
  const request = parse(line, variables);
  assert.ok(request.kind === "serve", JSON.stringify(request));
  return request.config;
}

function errorOf(line: string, variables: Record<string, string> = {}): string {
  const request = parse(line, variables);
  assert.ok(request.kind === "usage_error", JSON.stringify(request));
  assert.ok(!request.message.includes("\n"), "one line");
  return request.message;
}

function textOf(line: string, columns = 100): string {
  const request = parse(line, {}, columns);
  assert.ok(request.kind === "print", JSON.stringify(request));
  return request.text;
}

/** Flags that make sense only together with another one. */
const COMPANIONS: Readonly<Record<string, [flags: string, settings: Partial<Config>]>> = {
  "tls-cert": [" --tls-key key.pem", { tlsKey: "key.pem" }],
  "tls-key": [" --tls-cert cert.pem", { tlsCert: "cert.pem" }],
};

/** A value that is right and not the default, for each flag. */
const OTHER_VALUES: Readonly<Record<string, [text: string, settings: Partial<Config>]>> = {
  "host": ["::1", { host: "::1" }],
  "http-port": ["0", { httpPort: 0 }],
  "resp-port": ["off", { respPort: "off" }],
  "proto-port": ["9091", { protoPort: 9091 }],
  "proto-framing": ["none", { protoFraming: "none" }],
  "io-threads": ["2", { ioThreads: 2 }],
  "password": ["open-sesame", { password: "open-sesame" }],
  "password-file": ["/run/secrets/sluice", { passwordFile: "/run/secrets/sluice" }],
  "tls-cert": ["cert.pem", { tlsCert: "cert.pem" }],
  "tls-key": ["key.pem", { tlsKey: "key.pem" }],
  "insecure": ["true", { insecure: true }],
  "workers": ["2-8", { workersMin: 2, workersMax: 8 }],
  "channel-capacity": ["10", { channelCapacity: 10 }],
  "dedup-window": ["1h", { dedupWindowMs: 3_600_000 }],
  "dedup-max": ["5000", { dedupMax: 5000 }],
  "processor": ["./mine.ts", { processor: "./mine.ts" }],
  "processor-memory": ["256mb", { processorMemoryBytes: 268435456 }],
  "work-ms": ["100", { workMs: 100 }],
  "hold-ms": ["10ms", { holdMs: 10 }],
  "max-memory": ["64mb", { maxMemoryBytes: 67108864 }],
  "max-value-bytes": ["1kb", { maxValueBytes: 1024 }],
  "shards": ["16", { shards: 16 }],
  "lock": ["rwlock", { lock: "rwlock" }],
  "lock-timing": ["true", { lockTiming: true }],
  "eviction": ["allkeys-lru", { eviction: "allkeys-lru" }],
  "max-connections": ["5000", { maxConnections: 5000 }],
  "max-connections-per-ip": ["20", { maxConnectionsPerIp: 20 }],
  "max-client-memory": ["128mb", { maxClientMemoryBytes: 134217728 }],
  "allow": ["10.0.0.0/8,::1", { allow: ["10.0.0.0/8", "::1"] }],
  "deny": ["10.1.0.0/16", { deny: ["10.1.0.0/16"] }],
  "cors-origin": ["https://App.example", { corsOrigins: ["https://app.example"] }],
  "min-transfer-rate": ["1kb", { minTransferRate: 1024 }],
  "rate-limit": ["100/1m", { rateLimit: { count: 100, perMs: 60_000 } }],
  "access-log": ["true", { accessLog: true }],
  "data-dir": ["data", { dataDir: "data" }],
  "fsync": ["always", { fsync: "always" }],
  "static-dir": ["site", { staticDir: "site" }],
  "static-cache": ["0", { staticCacheBytes: 0 }],
  "static-cache-ttl": ["5s", { staticCacheTtlMs: 5000 }],
  "static-max-age": ["1m", { staticMaxAgeMs: 60_000 }],
  "resp-rate-limit": ["1000/s", { respRateLimit: { count: 1000, perMs: 1000 } }],
  "allowed-hosts": ["sluice,Events.example", { allowedHosts: ["sluice", "Events.example"] }],
  "max-request-bytes": ["2mb", { maxRequestBytes: 2097152 }],
  "header-timeout": ["500ms", { headerTimeoutMs: 500 }],
  "idle-timeout": ["2m", { idleTimeoutMs: 120_000 }],
  "resp-idle-timeout": ["1h", { respIdleTimeoutMs: 3_600_000 }],
  "drain-delay": ["1s", { drainDelayMs: 1000 }],
  "shutdown-timeout": ["30s", { shutdownTimeoutMs: 30_000 }],
  "stop-on-eof": ["true", { stopOnEof: true }],
  "log-level": ["debug", { logLevel: "debug" }],
  "log-format": ["json", { logFormat: "json" }],
};

Deno.test("parseCommandLine: without arguments runs the server with the defaults", () => {
  assert.deepEqual(configOf(""), DEFAULTS);
  assert.deepEqual(configOf("serve"), DEFAULTS);
});

Deno.test("parseCommandLine: every flag sets its settings, as a flag and from the environment", () => {
  assert.deepEqual(Object.keys(OTHER_VALUES).toSorted(), FLAGS.map(({ name }) => name).toSorted());
  for (const { name, placeholder } of FLAGS) {
    const [text, settings] = OTHER_VALUES[name]!;
    const [companion, companionSettings] = COMPANIONS[name] ?? ["", {}];
    const expected = { ...DEFAULTS, ...settings, ...companionSettings };
    const value = (placeholder === "" ? "" : ` ${text}`) + companion;
    assert.deepEqual(configOf(`--${name}${value}`), expected, name);
    assert.deepEqual(configOf(`serve --${name}${value}`), expected, name);
    assert.deepEqual(configOf(companion.trim(), { [environmentName(name)]: text }), expected, name);
  }
});

Deno.test("parseCommandLine: the shown default of every flag is read back as the default", () => {
  for (const { name, placeholder, show } of FLAGS) {
    if (placeholder === "") continue;
    assert.deepEqual(configOf(`--${name} ${show(DEFAULTS)}`), DEFAULTS, name);
  }
});

Deno.test("parseCommandLine: every setting has a flag", () => {
  const covered = new Set(FLAGS.flatMap(({ fields }) => fields));
  assert.deepEqual([...covered].toSorted(), Object.keys(DEFAULTS).toSorted());
});

Deno.test("parseCommandLine: a flag beats the environment, which beats the default", () => {
  const variables = { SLUICE_WORKERS: "3", SLUICE_SHARDS: "" };
  assert.equal(configOf("", variables).workersMax, 3);
  assert.equal(configOf("--workers 5", variables).workersMax, 5);
  assert.equal(configOf("", variables).shards, DEFAULTS.shards, "empty means not set");
  assert.equal(configOf("--workers=5 --workers 6").workersMax, 6, "the last one counts");
});

Deno.test("parseCommandLine: an error names the flag or variable, its value, and what is right", () => {
  const cases: [line: string, variables: Record<string, string>, message: string][] = [
    ["--http-port 70000", {}, '--http-port "70000" must be a port from 0 to 65535, or off'],
    ["--http-port -1", {}, '--http-port "-1" must be a port from 0 to 65535, or off'],
    ["", { SLUICE_RESP_PORT: "x" }, 'SLUICE_RESP_PORT "x" must be a port from 0 to 65535, or off'],
    [
      "--workers 8-2",
      {},
      '--workers "8-2" must be N from 1 to 256, or MIN-MAX with MIN from 0 and at most MAX: ' +
      "e.g. 4 or 2-8",
    ],
    [
      "--allowed-hosts a.example:80",
      {},
      '--allowed-hosts "a.example:80" must be host names without ports, separated by commas, ' +
      "e.g. sluice,events.example, or none",
    ],
    ["--shards 48", {}, '--shards "48" must be a power of two from 1 to 4096'],
    ["--max-memory 12", {}, '--max-memory "12" must be a size from 1mb to 32gb, e.g. 64mb'],
    [
      "--idle-timeout 10",
      {},
      '--idle-timeout "10" must be a duration from 1ms to 24h, e.g. 500ms or 10s',
    ],
    ["--lock spin", {}, '--lock "spin" must be mutex or rwlock'],
    ["--log-level loud", {}, '--log-level "loud" must be trace, debug, info, warn or error'],
    ["--work-ms 1e3", {}, '--work-ms "1e3" must be milliseconds from 0 to 60000, e.g. 100'],
    [
      "--host localhost:80",
      {},
      '--host "localhost:80" must be an address without a port; --http-port and its ' +
      "like give the ports",
    ],
    [
      "--allow 10.0.0.0/8,10.0.0.300",
      {},
      '--allow "10.0.0.0/8,10.0.0.300" must be addresses or networks separated by commas, e.g. ' +
      '10.0.0.0/8,2001:db8::/32, or none; "10.0.0.300" is neither',
    ],
    [
      "--resp-rate-limit 100",
      {},
      '--resp-rate-limit "100" must be a rate such as 1000/1s, over at most 1h, or off',
    ],
    [
      "--cors-origin https://app.example/page",
      {},
      '--cors-origin "https://app.example/page" must be origins separated by commas, e.g. ' +
      "https://app.example,http://localhost:3000, or none",
    ],
    [
      "",
      { SLUICE_PASSWORD: "secret\nsecond" },
      "SLUICE_PASSWORD must be one line that is not empty",
    ],
    [
      "--password secret --password-file secret.txt",
      {},
      '--password-file "secret.txt" must not be given together with a password',
    ],
    ["", { SLUICE_INSECURE: "maybe" }, 'SLUICE_INSECURE "maybe" must be true or false'],
  ];
  for (const [line, variables, message] of cases) assert.equal(errorOf(line, variables), message);
});

Deno.test("parseCommandLine: settings that do not fit together are told by flag, default or not", () => {
  assert.equal(
    errorOf("--shards 4096"),
    '--max-memory "256mb" (the default) must be at least 2gb for 4096 shards',
  );
  assert.equal(
    errorOf("--max-memory 1mb", { SLUICE_SHARDS: "64" }),
    '--max-memory "1mb" must be at least 32mb for 64 shards',
  );
  assert.match(
    errorOf("--http-port off --resp-port off --proto-port off"),
    /^--http-port "off" must not be off/,
  );
  assert.match(errorOf("--resp-port 8080"), /^--resp-port "8080" must differ from the HTTP port/);
});

Deno.test("parseCommandLine: a host that other machines reach is refused without a password or --insecure", () => {
  for (const host of ["0.0.0.0", "::", "[::]", "192.168.1.5", "example.org"]) {
    assert.match(errorOf(`--host ${host}`), /must be a loopback address .* --insecure/, host);
    assert.equal(configOf(`--insecure --host ${host}`).host, host.replace(/[[\]]/g, ""));
    assert.equal(configOf(`--password x --host ${host}`).password, "x");
    assert.equal(configOf(`--password-file x --host ${host}`).passwordFile, "x");
  }
  assert.match(
    errorOf("", { SLUICE_HOST: "0.0.0.0" }),
    /^SLUICE_HOST "0.0.0.0" must be a loopback/,
  );
});

Deno.test("parseCommandLine: unknown flags and arguments are one line, with a guess where there is one", () => {
  assert.match(errorOf("--workrs 4"), /^unknown option '--workrs' \(Did you mean --workers\?\)$/);
  assert.match(errorOf("--bogus"), /^unknown option '--bogus'; see sluice --help$/);
  assert.match(errorOf("--workers"), /'--workers <n\|min-max>' argument missing; see/);
  assert.equal(
    errorOf("frobnicate"),
    'unknown command or argument "frobnicate"; see sluice --help',
  );
  assert.equal(errorOf("serve x"), 'unknown command or argument "x"; see sluice --help');
  assert.equal(errorOf("version x"), 'unknown command or argument "x"; see sluice --help');
  assert.match(errorOf("version --workers 3"), /^unknown option '--workers'/);
  for (const name of ["health", "stress", "lab", "dump", "load", "repair", "init-processor"]) {
    assert.equal(errorOf(`${name} --bogus`), `unknown option '--bogus'; see sluice ${name} --help`);
  }
  for (const name of ["dump", "repair"]) {
    const message = `unknown command or argument "b"; see sluice ${name} --help`;
    assert.equal(errorOf(`${name} a b`), message);
  }
  assert.equal(errorOf("help frobnicate"), 'unknown command "frobnicate"; see sluice --help');
});

Deno.test("parseCommandLine: no error repeats what may be a password", () => {
  const lines = [
    "--password sesame --workers x",
    "--password=sesame --shards 3",
    "--password open sesame",
    "serve --password open sesame",
    "--pasword=sesame",
    "--passwort=sesame",
    "--passwordsesame",
    "--password sesame --password-file x",
    "--password sesame --workers",
    "health --password=sesame",
    "version --password=sesame",
    "help --password=sesame",
  ];
  for (const line of lines) assert.doesNotMatch(errorOf(line), /sesame/, line);
  assert.match(errorOf("--pasword=sesame"), /^unknown option '--pasword…'/);
});

Deno.test("--help: lists every flag with its default and environment variable, within its width", () => {
  for (const columns of [80, 90, 100]) {
    for (const line of ["--help", "-h", "help", "serve --help", "help serve"]) {
      const text = textOf(line, columns);
      for (const row of text.split("\n")) assert.ok(row.length <= columns, `${columns}: ${row}`);
      for (const { name, show } of FLAGS) {
        assert.match(text, new RegExp(`^  --${name}( <[^>]+>)?  +\\S`, "m"), name);
        // In a narrow window it may be cut in two at a space.
        const shown = `(default: ${show(DEFAULTS)}, env: ${environmentName(name)})`;
        assert.ok(text.replace(/\s+/g, " ").includes(shown), name);
      }
      assert.ok(text.endsWith("\n") && !text.endsWith("\n\n"));
    }
  }
});

Deno.test("--help: lists every command, and `health` its own flags", () => {
  const text = textOf("--help");
  for (
    const name of [
      "serve",
      "health",
      "stress",
      "lab",
      "dump",
      "load",
      "repair",
      "init-processor",
      "version",
      "help",
    ]
  ) {
    assert.match(text, new RegExp(`^  ${name}  +\\S`, "m"));
  }
  assert.match(text, /Authorization: Bearer/);
  for (const line of ["health --help", "help health"]) {
    const flags = [...textOf(line).matchAll(/^ {2}(?:-h, )?--([a-z-]+)/gm)].map(([, name]) => name);
    assert.deepEqual(flags, [
      "host",
      "http-port",
      "tls-cert",
      "url",
      "tls-ca",
      "ready",
      "timeout",
      "help",
    ]);
  }
});

Deno.test("--help: aligns all descriptions", () => {
  const starts = textOf("--help").split("\n")
    .filter((row) => /^ {2}\S/.test(row))
    .map((row) => /^ {2}(?:\S+ )+ */.exec(row)![0].length);
  assert.equal(new Set(starts).size, 1, starts.join());
});

Deno.test("version: says the version, and the command also that of the runtime", () => {
  assert.match(textOf("--version"), /^sluice \d+\.\d+\.\d+\n$/);
  assert.equal(textOf("-V"), textOf("--version"));
  assert.match(textOf("version"), /^sluice \d+\.\d+\.\d+\ndeno \d/);
});
