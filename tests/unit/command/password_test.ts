import assert from "node:assert/strict";
import { makeCommandTable } from "../../../src/command/table.ts";
import { SessionStep } from "../../../src/protocol/session.ts";
import { Count, Harness, latin1, pause, request, toLatin1 } from "./harness.ts";

const PASSWORD = "sesame";
const NOAUTH = "-NOAUTH Authentication required.\r\n";
const WRONGPASS = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
const HELLO_NOAUTH =
  "-NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO " +
  "<proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP " +
  "protocol version at the same time\r\n";

const table = makeCommandTable();

/** Every command and subcommand as words that satisfy its arity. */
const calls = table.rows.flatMap((row) => [row, ...(row.subcommands?.rows ?? [])]).map((row) => {
  const words = row.name.split("|");
  // A key that exists, then a number: the forms that do something.
  const fill = ["victim", "1", "2", "3", "4", "5"];
  return { row, words: [...words, ...fill.slice(0, row.minArguments - words.length)] };
});

const OPEN_TO_ALL = ["auth", "hello", "reset", "quit"];

Deno.test("password: exactly AUTH, HELLO, RESET and QUIT are for everybody", () => {
  const open = calls.filter(({ row }) => row.allowedUnauthenticated).map(({ row }) => row.name);
  assert.deepEqual(open.sort(), [...OPEN_TO_ALL].sort());
});

for (const { row, words } of calls) {
  if (OPEN_TO_ALL.includes(row.name)) continue;
  for (const inline of [false, true]) {
    const form = inline ? "inline" : "an array";
    Deno.test(`password: before it, ${row.name} as ${form} does nothing`, async () => {
      const harness = new Harness({ password: PASSWORD });
      const owner = harness.connect();
      await owner.send(`AUTH ${PASSWORD}\r\nSET victim 7\r\n`);
      const stranger = harness.connect();
      const before = { ...stranger.session.client, lastSeenMs: 0 };
      const isBareContainer = row.subcommands !== undefined && row.minArguments === 2 &&
        words.length === 2;
      const text = inline ? `${words.join(" ")}\r\n` : request(...words);
      const expected = isBareContainer
        ? `-ERR unknown subcommand 'victim'. Try ${row.name.toUpperCase()} HELP.\r\n`
        : NOAUTH;
      assert.equal(await stranger.send(text), expected);
      assert.deepEqual({ ...stranger.session.client, lastSeenMs: 0 }, before);
      assert.equal(owner.endCount, 0);
      assert.equal(harness.channel.depth, 0);
      assert.equal(harness.counters.values[Count.RECEIVED], 0);
      assert.equal(harness.counters.values[Count.INVALID], 0);
      assert.equal(await owner.send("GET victim\r\nDBSIZE\r\n"), "$1\r\n7\r\n:1\r\n");
    });
  }
}

/** Conversations with a server that has the password `sesame`. */
const conversations: [string, [string, string | RegExp][]][] = [
  ["AUTH password", [["AUTH sesame", "+OK\r\n"], ["PING", "+PONG\r\n"]]],
  ["AUTH user password", [["AUTH default sesame", "+OK\r\n"], ["PING", "+PONG\r\n"]]],
  ["AUTH quoted", [['AUTH "ses\\x61me"', "+OK\r\n"], ["PING", "+PONG\r\n"]]],
  ["a wrong password", [["AUTH sesamo", WRONGPASS], ["PING", NOAUTH]]],
  ["an empty password", [['AUTH ""', WRONGPASS], ["PING", NOAUTH]]],
  ["another user", [["AUTH root sesame", WRONGPASS], ["AUTH DEFAULT sesame", WRONGPASS]]],
  ["AUTH with the wrong number of words", [
    ["AUTH", "-ERR wrong number of arguments for 'auth' command\r\n"],
    ["AUTH default sesame x", "-ERR syntax error\r\n"],
    ["PING", NOAUTH],
  ]],
  ["a wrong password after the right one takes nothing away", [
    ["AUTH sesame", "+OK\r\n"],
    ["AUTH sesamo", WRONGPASS],
    ["PING", "+PONG\r\n"],
  ]],
  ["HELLO without a password", [
    ["HELLO", HELLO_NOAUTH],
    ["HELLO 3", HELLO_NOAUTH],
    ["HELLO 3 SETNAME me", HELLO_NOAUTH],
    ["HELLO 4", "-NOPROTO unsupported protocol version\r\n"],
    ["AUTH sesame", "+OK\r\n"],
    ["CLIENT GETNAME", "$-1\r\n"],
  ]],
  ["HELLO with the password", [
    ["HELLO 3 AUTH default sesame SETNAME me", /^%7\r\n/],
    ["CLIENT GETNAME", "$2\r\nme\r\n"],
  ]],
  ["HELLO with the name before the password", [
    ["HELLO 3 SETNAME me AUTH default sesame", /^%7\r\n/],
    ["CLIENT GETNAME", "$2\r\nme\r\n"],
  ]],
  ["HELLO with a wrong password changes nothing", [
    ["HELLO 3 AUTH default sesamo SETNAME me", WRONGPASS],
    ["HELLO 3 AUTH root sesame SETNAME me", WRONGPASS],
    ["AUTH sesame", "+OK\r\n"],
    ["CLIENT GETNAME", "$-1\r\n"],
  ]],
  ["HELLO with the password and a bad name changes nothing", [
    ['HELLO 3 AUTH default sesame SETNAME "a b"', /^-ERR Client names/],
    ["PING", NOAUTH],
  ]],
  ["HELLO once the password was presented", [["AUTH sesame", "+OK\r\n"], ["HELLO 3", /^%7\r\n/]]],
  ["RESET takes the password back", [
    ["HELLO 3 AUTH default sesame SETNAME me", /^%7\r\n/],
    ["SELECT 3", "+OK\r\n"],
    ["CLIENT NO-EVICT ON", "+OK\r\n"],
    ["RESET", "+RESET\r\n"],
    ["PING", NOAUTH],
    ["AUTH sesame", "+OK\r\n"],
    ["GET missing", "$-1\r\n"],
    ["CLIENT INFO", / name= .* flags=N db=0 .* resp=2 /],
  ]],
  ["what is wrong in itself is said before the password is asked for", [
    ["NOPE", /^-ERR unknown command 'NOPE'/],
    ["GET", "-ERR wrong number of arguments for 'get' command\r\n"],
    ["CLIENT NOPE", /^-ERR unknown subcommand 'NOPE'/],
  ]],
];

for (const [name, exchanges] of conversations) {
  Deno.test(`password: ${name}`, async () => {
    const client = new Harness({ password: PASSWORD }).connect();
    for (const [line, expected] of exchanges) {
      const reply = await client.send(`${line}\r\n`);
      if (typeof expected === "string") assert.equal(reply, expected, line);
      else assert.match(reply, expected, line);
    }
    assert.equal(client.closed, false);
  });
}

Deno.test("password: without one, AUTH speaks as Redis does", async () => {
  const client = new Harness().connect();
  assert.equal(
    await client.send("AUTH x\r\n"),
    "-ERR AUTH <password> called without any password configured for the default user. " +
      "Are you sure your configuration is correct?\r\n",
  );
  assert.equal(await client.send("AUTH default x\r\n"), "+OK\r\n");
  assert.equal(await client.send("AUTH root x\r\n"), WRONGPASS);
  assert.match(await client.send("HELLO 2 AUTH default x\r\n"), /^\*14\r\n/);
  assert.equal(await client.send("RESET\r\nPING\r\n"), "+RESET\r\n+PONG\r\n");
});

Deno.test("password: a wrong one delays its own connection only, in order, and is counted", async () => {
  const gate = Promise.withResolvers<void>();
  const harness = new Harness({ password: PASSWORD, passwordPause: () => gate.promise });
  const guesser = harness.connect();
  let answered = false;
  const reply = guesser.send("RESET\r\nAUTH wrong\r\nPING\r\nAUTH sesame\r\nPING\r\n");
  reply.then(() => answered = true);
  const other = harness.connect();
  assert.equal(await other.send("AUTH sesame\r\nPING\r\n"), "+OK\r\n+PONG\r\n");
  await pause(5);
  assert.equal(answered, false);
  assert.equal(harness.counters.values[Count.AUTH_FAILURES], 1);
  gate.resolve();
  assert.equal(await reply, `+RESET\r\n${WRONGPASS}${NOAUTH}+OK\r\n+PONG\r\n`);
  assert.equal(guesser.closed, false);
});

Deno.test("password: after ten wrong ones the connection closes, however they were sent", async () => {
  const guess = "AUTH wrong\r\nHELLO 3 AUTH default wrong\r\n";
  for (const texts of [[guess.repeat(1000)], new Array<string>(1000).fill(guess)]) {
    const harness = new Harness({ password: PASSWORD });
    const client = harness.connect();
    let replies = "";
    for (const text of texts) {
      if (!client.closed) replies += await client.send(text);
    }
    assert.equal(replies, WRONGPASS.repeat(10));
    assert.equal(client.closed, true);
    assert.equal(harness.counters.values[Count.AUTH_FAILURES], 10);
  }
});

Deno.test("password: the right one behind nine wrong ones, RESET between, opens", async () => {
  const client = new Harness({ password: PASSWORD }).connect();
  const replies = await client.send("AUTH no\r\nRESET\r\n".repeat(9) + "AUTH sesame\r\nPING\r\n");
  assert.equal(replies, `${WRONGPASS}+RESET\r\n`.repeat(9) + "+OK\r\n+PONG\r\n");
  assert.equal(client.closed, false);
});

Deno.test("password: replies in front of a wrong one do not wait for its answer", async () => {
  const gate = Promise.withResolvers<void>();
  const harness = new Harness({ password: PASSWORD, passwordPause: () => gate.promise });
  const { session, input, output } = harness.connect();
  const text = latin1("PING\r\nAUTH wrong\r\nPING\r\n");
  input.space().set(text);
  input.commit(text.length);
  assert.equal(session.process(input, output), SessionStep.FLUSH);
  assert.equal(toLatin1(output.view()), NOAUTH);
  assert.equal(harness.counters.values[Count.AUTH_FAILURES], 0);
  output.clear();
  const step = session.process(input, output);
  assert.equal(harness.counters.values[Count.AUTH_FAILURES], 1);
  gate.resolve();
  await step;
  if (await step === SessionStep.FLUSH) await session.process(input, output);
  assert.equal(toLatin1(output.view()), WRONGPASS + NOAUTH);
  assert.equal(harness.counters.values[Count.COMMANDS], 3);
});

/** What somebody unknown may not even begin to send, and what they may. */
const sizes: [string, string, string][] = [
  ["more than 10 arguments", "*11\r\n", "unauthenticated multibulk length"],
  ["more arguments than anybody may send", "*2147483648\r\n", "invalid multibulk length"],
  ["an argument above 16 KiB", "*2\r\n$4\r\nAUTH\r\n$16385\r\n", "unauthenticated bulk length"],
  ["an argument above any bound", "*1\r\n$536870913\r\n", "invalid bulk length"],
];

for (const [name, text, refusal] of sizes) {
  Deno.test(`password: before it, ${name} ends the connection`, async () => {
    const client = new Harness({ password: PASSWORD }).connect();
    assert.equal(await client.send(text), `-ERR Protocol error: ${refusal}\r\n`);
    assert.equal(client.closed, true);
  });
}

Deno.test("password: before it, 10 arguments of 16 KiB are taken, and after it any number", async () => {
  const client = new Harness({ password: PASSWORD }).connect();
  const word = "x".repeat(16384);
  assert.equal(await client.send(request("DEL", ...new Array<string>(9).fill(word))), NOAUTH);
  const keys = Array.from({ length: 20 }, (_, i) => `k${i}`);
  const value = "v".repeat(20_000);
  assert.equal(
    await client.send(`AUTH sesame\r\n${request("DEL", ...keys)}${request("SET", "k", value)}`),
    "+OK\r\n:0\r\n+OK\r\n",
  );
  assert.match(await client.send(`RESET\r\n${request("SET", "k", value)}`), /unauthenticated bulk/);
});
