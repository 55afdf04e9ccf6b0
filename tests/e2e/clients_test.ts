import assert from "node:assert/strict";
import { respCommand } from "../helpers/raw_client.ts";
import { isInstalled, ServerProcess } from "../helpers/server_process.ts";

/** Runs a program to its end and returns what it printed, both streams. */
async function run(program: string, args: readonly string[], input = ""): Promise<string> {
  const command = new Deno.Command(program, {
    args: [...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  });
  const process = command.spawn();
  const writer = process.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { code, stdout, stderr } = await process.output();
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assert.equal(code, 0, text);
  return text;
}

// Skipped where the program is not installed: nothing of ours is broken there.
const without = async (program: string): Promise<{ ignore: boolean }> => ({
  ignore: !await isInstalled(program),
});

Deno.test(
  "server: redis-benchmark sets and gets without an error",
  await without("redis-benchmark"),
  async () => {
    await using server = await ServerProcess.start();
    const text = await run("redis-benchmark", [
      ...["-p", String(server.port("resp")), "-t", "set,get,ping", "-n", "20000", "-P", "16"],
      ...["-r", "1000", "--csv"],
    ]);
    for (const name of ["SET", "GET", "PING_MBULK"]) {
      assert.match(text, new RegExp(`^"${name}",`, "m"));
    }
    assert.doesNotMatch(text, /error/i);
  },
);

Deno.test(
  "server: redis-benchmark finds what it asks for, with a password and without",
  await without("redis-benchmark"),
  async () => {
    for (const password of ["", "sesame"]) {
      await using server = await ServerProcess.start([], { env: { SLUICE_PASSWORD: password } });
      const text = await run("redis-benchmark", [
        ...["-p", String(server.port("resp")), ...(password === "" ? [] : ["-a", password])],
        ...["-t", "ping,set,get,incr", "-n", "5000", "-P", "16", "-c", "10"],
      ]);
      for (const name of ["PING_INLINE", "PING_MBULK", "SET", "GET", "INCR"]) {
        assert.match(text, new RegExp(`====== ${name} ======`));
      }
      // What it read of our settings, instead of a warning that it could not.
      assert.match(text, /host configuration "save": \s*host configuration "appendonly": no/);
      assert.doesNotMatch(text, /warn|error|could not/i);
    }
  },
);

Deno.test(
  "server: redis-cli runs a session in both versions, with a password and without",
  await without("redis-cli"),
  async () => {
    for (const password of ["", "sesame"]) {
      await using server = await ServerProcess.start([], { env: { SLUICE_PASSWORD: password } });
      const login = password === "" ? [] : ["-a", password, "--no-auth-warning"];
      for (const version of ["-2", "-3"]) {
        const args = [version, "-p", String(server.port("resp")), ...login, "-n", "3"];
        const lines = [
          ...['SET greeting "hello world"', "GET greeting", "GET nothing", "INCR greeting"],
          ...[
            "SELECT 4",
            "EXISTS greeting",
            "CLIENT SETNAME cli",
            "CLIENT GETNAME",
            "DEL greeting",
          ],
        ];
        assert.equal(
          await run("redis-cli", args, `${lines.join("\n")}\n`),
          "OK\nhello world\n\nERR value is not an integer or out of range\n\nOK\n0\nOK\ncli\n0\n",
        );
      }
      if (password === "") continue;
      const args = ["-p", String(server.port("resp"))];
      assert.equal(await run("redis-cli", args, "PING\n"), "NOAUTH Authentication required.\n\n");
      assert.match(await run("redis-cli", [...args, "-a", "wrong"], "PING\n"), /WRONGPASS/);
    }
  },
);

Deno.test(
  "server: redis-cli --pipe inserts in bulk",
  await without("redis-cli"),
  async () => {
    await using server = await ServerProcess.start();
    const args = ["-p", String(server.port("resp")), "--pipe"];
    const input = Array.from({ length: 5000 }, (_, i) => respCommand("SET", `k${i}`, `v${i}`));
    assert.match(await run("redis-cli", args, input.join("")), /errors: 0, replies: 5000\n$/);
  },
);

/** What redis-py does; prints nothing when all is well. */
const PYTHON_SESSION = `
import sys, redis
port, password = int(sys.argv[1]), sys.argv[2] or None
r = redis.Redis(port=port, password=password, client_name="py")
assert r.ping()
assert r.client_getname() == "py"
every_byte = bytes(range(256))
assert r.set(every_byte, every_byte) and r.get(every_byte) == every_byte
assert r.get("nothing") is None
large = b"0123456789" * 90000
assert r.set("large", large) and r.get("large") == large
with r.pipeline(transaction=False) as p:
    for i in range(1000):
        p.incr("pipelined")
    assert p.execute() == list(range(1, 1001))
r3 = redis.Redis(port=port, password=password, db=3)
assert r3.get("large") is None and r3.dbsize() == 0
try:
    r.set("word", "w")
    r.incr("word")
    raise AssertionError("not refused")
except redis.ResponseError as e:
    assert str(e) == "value is not an integer or out of range", e
assert r.config_get("port") == {"port": str(port)}
assert r.info()["redis_mode"] == "standalone"
assert r.info("keyspace")["db0"]["keys"] == 4
assert r.time()[0] > 1500000000
assert r.execute_command("EVENT", "alice", "buy", 100) == b"ACCEPTED"
balance = None
while balance is None:
    balance = r.execute_command("BALANCE", "alice")
assert balance == 100
me = r.client_id()
assert me in [int(c["id"]) for c in r.client_list()]
assert r3.client_kill_filter(_id=me) == 1
assert r.ping() and r.client_id() != me
if password:
    for wrong in [None, "wrong"]:
        try:
            redis.Redis(port=port, password=wrong).ping()
            raise AssertionError("not refused")
        except redis.RedisError as e:
            assert isinstance(e, redis.AuthenticationError) or str(e).startswith("WRONGPASS"), e
`;

const hasRedisPy = await (async () => {
  if (!await isInstalled("/usr/bin/python3")) return false;
  const args = ["-c", "import redis"];
  const { success } = await new Deno.Command("/usr/bin/python3", { args, stderr: "null" }).output();
  return success;
})();

for (const password of ["", "sesame"]) {
  Deno.test(
    `server: redis-py runs a session ${password === "" ? "without" : "with"} a password`,
    { ignore: !hasRedisPy },
    async () => {
      await using server = await ServerProcess.start([], { env: { SLUICE_PASSWORD: password } });
      const args = ["-W", "error", "-c", PYTHON_SESSION, String(server.port("resp")), password];
      assert.equal(await run("/usr/bin/python3", args), "");
    },
  );
}

Deno.test(
  "server: redis-cli reads a balance that an event made",
  await without("redis-cli"),
  async () => {
    await using server = await ServerProcess.start();
    const port = String(server.port("resp"));
    assert.equal(
      await run("redis-cli", ["-p", port, "event", "alice", "buy", "100"]),
      "ACCEPTED\n",
    );
    let balance = "\n";
    while (balance === "\n") balance = await run("redis-cli", ["-p", port, "balance", "alice"]);
    assert.equal(balance, "100\n");
    assert.equal(await run("redis-cli", ["-p", port, "get", "balance:alice"]), "100\n");
    assert.match(await run("redis-cli", ["-3", "-p", port, "info", "server"]), /^# Server\r?\n/);
  },
);

Deno.test(
  "server: wrk with 256 connections sees no error",
  await without("wrk"),
  async () => {
    await using server = await ServerProcess.start();
    const url = `http://127.0.0.1:${server.port("http")}/health`;
    const text = await run("wrk", ["-t1", "-c256", "-d1s", url]);
    assert.match(text, /Requests\/sec/);
    assert.doesNotMatch(text, /Socket errors|Non-2xx/);
  },
);

Deno.test(
  "server: curl posts an event and reads the metrics",
  await without("curl"),
  async () => {
    await using server = await ServerProcess.start();
    const base = `http://127.0.0.1:${server.port("http")}`;
    const event = `{"user":"alice","action":"buy","amount":100}`;
    assert.equal(await run("curl", ["-s", `${base}/events`, "-d", event]), `{"status":"accepted"}`);
    assert.match(await run("curl", ["-s", `${base}/metrics`]), /^sluice_events_received_total 1$/m);
  },
);
