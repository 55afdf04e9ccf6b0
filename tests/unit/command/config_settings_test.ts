/** CONFIG SET of the password, of the number of clients and of what is logged. */

import assert from "node:assert/strict";
import { OperationsRegion } from "../../../src/command/operations_memory.ts";
import { RuntimeSettings, SettingIndex } from "../../../src/command/runtime_settings.ts";
import { SharedPassword } from "../../../src/command/shared_password.ts";
import { Harness, request } from "./harness.ts";

const encoder = new TextEncoder();
const NOAUTH = "-NOAUTH Authentication required.\r\n";

function shown(name: string, value: string): string {
  return `*2\r\n$${name.length}\r\n${name}\r\n$${value.length}\r\n${value}\r\n`;
}

Deno.test("CONFIG SET requirepass: is wanted of who comes, and not of who is there; it is never shown", async () => {
  const harness = new Harness();
  const old = harness.connect();
  assert.equal(await old.send("CONFIG GET requirepass\r\n"), shown("requirepass", ""));
  assert.equal(
    await old.send(request("CONFIG", "SET", "RequirePass", "s3cret", "slowlog-max-len", "100")),
    "+OK\r\n",
  );
  assert.equal(await old.send("PING\r\n"), "+PONG\r\n", "as in Redis, it stays");
  const client = harness.connect();
  assert.equal(await client.send("GET k\r\n"), NOAUTH);
  assert.match(await client.send("AUTH wrong\r\n"), /^-WRONGPASS /);
  assert.equal(await client.send("AUTH s3cret\r\nGET k\r\n"), "+OK\r\n$-1\r\n");
  assert.equal(await client.send("CONFIG GET require*\r\n"), shown("requirepass", "(redacted)"));
  const everything = await client.send("CONFIG GET *\r\nSLOWLOG GET -1\r\nINFO everything\r\n");
  assert.ok(!everything.includes("s3cret"));
  // Another one: both of them go on, a third has to know it.
  assert.equal(await client.send("CONFIG SET requirepass other\r\n"), "+OK\r\n");
  assert.equal(await client.send("PING\r\n"), "+PONG\r\n");
  const third = harness.connect();
  assert.match(await third.send("AUTH s3cret\r\n"), /^-WRONGPASS /);
  assert.equal(await third.send("AUTH default other\r\n"), "+OK\r\n");
  // None: also who was refused so far may come in.
  const fourth = harness.connect();
  assert.equal(await fourth.send("GET k\r\n"), NOAUTH);
  assert.equal(await client.send(request("CONFIG", "SET", "requirepass", "")), "+OK\r\n");
  assert.equal(await fourth.send("GET k\r\n"), "$-1\r\n");
  assert.match(await fourth.send("AUTH other\r\n"), /^-ERR AUTH <password> called without any/);
});

Deno.test("CONFIG SET requirepass: all or nothing, and at most 1,024 bytes", async () => {
  const harness = new Harness();
  const client = harness.connect();
  const failed = /^-ERR CONFIG SET failed \(possibly related to argument '([^']*)'\) - (.*)\r\n$/;
  const long = await client.send(request("CONFIG", "SET", "requirepass", "x".repeat(1025)));
  assert.deepEqual(failed.exec(long)?.slice(1), [
    "requirepass",
    "argument must be at most 1024 bytes long",
  ]);
  const both = await client.send(request("CONFIG", "SET", "requirepass", "x", "timeout", "-1"));
  assert.equal(failed.exec(both)?.[1], "timeout");
  assert.equal(await harness.connect().send("PING\r\n"), "+PONG\r\n", "none was set");
  const twice = await client.send(request("CONFIG", "SET", "requirepass", "x", "requirepass", "y"));
  assert.equal(failed.exec(twice)?.[2], "duplicate parameter");
  assert.equal(
    await client.send(request("CONFIG", "SET", "requirepass", "p".repeat(1024))),
    "+OK\r\n",
  );
  const other = harness.connect();
  assert.equal(await other.send(request("AUTH", "p".repeat(1024))), "+OK\r\n");
});

Deno.test("CONFIG SET requirepass: a server that other machines reach cannot be without", async () => {
  const harness = new Harness({ password: "first" });
  Object.assign(harness.services, { mustHavePassword: true });
  const client = harness.connect();
  await client.send("AUTH first\r\n");
  assert.match(
    await client.send(request("CONFIG", "SET", "requirepass", "")),
    /^-ERR CONFIG SET failed .* - the server must have a password, because other machines reach it/,
  );
  assert.equal(await client.send("CONFIG SET requirepass second\r\n"), "+OK\r\n");
  assert.equal(await harness.connect().send("AUTH second\r\n"), "+OK\r\n");
});

Deno.test("CONFIG SET requirepass: SLOWLOG and MONITOR do not show it", async () => {
  const harness = new Harness();
  const client = harness.connect();
  await client.send("CONFIG SET slowlog-log-slower-than 0\r\n");
  await client.send(request("CONFIG", "SET", "timeout", "5", "requirepass", "s3cret"));
  const slow = await client.send("SLOWLOG GET -1\r\n");
  assert.ok(slow.includes("(redacted)"), slow);
  assert.ok(slow.includes("timeout") && !slow.includes("s3cret"), slow);
});

Deno.test("SharedPassword: what one thread sets, all others have, whole", () => {
  const one = new SharedPassword();
  const other = new SharedPassword(one.memory);
  assert.equal(other.bytes.length, 0);
  for (const text of ["first", "a much longer one", "", "x"]) {
    one.set(encoder.encode(text));
    assert.equal(new TextDecoder().decode(other.bytes), text);
    assert.equal(new TextDecoder().decode(one.bytes), text);
  }
  assert.throws(() => one.set(new Uint8Array(1025)), /bounded/);
});

Deno.test("CONFIG SET maxclients: up to what there is room for since the start", async () => {
  const region = OperationsRegion.create(1);
  const { values } = new RuntimeSettings(region.settings).begin();
  values[SettingIndex.MAX_CLIENTS] = values[SettingIndex.MAX_CLIENTS_EVER] = 50;
  const harness = new Harness({ region });
  let told = 0;
  Object.assign(harness.services, { settingsChanged: () => void told++ });
  const client = harness.connect();
  assert.equal(await client.send("CONFIG GET maxclients\r\n"), shown("maxclients", "50"));
  assert.equal(await client.send("CONFIG SET maxclients 20\r\n"), "+OK\r\n");
  assert.equal(told, 1);
  assert.equal(await client.send("CONFIG GET maxclients\r\n"), shown("maxclients", "20"));
  for (const wrong of ["0", "51", "-1"]) {
    assert.equal(
      await client.send(`CONFIG SET maxclients ${wrong}\r\n`),
      "-ERR CONFIG SET failed (possibly related to argument 'maxclients') - " +
        "argument must be between 1 and 50 inclusive\r\n",
    );
  }
  assert.equal(await client.send("CONFIG SET maxclients 50\r\n"), "+OK\r\n");
});

Deno.test("CONFIG SET loglevel: takes Redis's words, and two more", async () => {
  const harness = new Harness();
  const client = harness.connect();
  assert.equal(await client.send("CONFIG GET loglevel\r\n"), shown("loglevel", "notice"));
  for (const word of ["trace", "debug", "verbose", "notice", "warning", "error"]) {
    assert.equal(await client.send(`CONFIG SET loglevel ${word.toUpperCase()}\r\n`), "+OK\r\n");
    assert.equal(await client.send("CONFIG GET loglevel\r\n"), shown("loglevel", word));
  }
  assert.equal(
    await client.send("CONFIG SET loglevel loud\r\n"),
    "-ERR CONFIG SET failed (possibly related to argument 'loglevel') - argument(s) must be one " +
      "of the following: trace, debug, verbose, notice, warning, error\r\n",
  );
});
