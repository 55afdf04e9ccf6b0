import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import process from "node:process";
import { makeCommandTable } from "../../src/command/table.ts";
import { LIBRARIES, type Library, type LibraryClient } from "../helpers/npm_clients.ts";
import { ServerProcess } from "../helpers/server_process.ts";
import { flatReply, sessionOf } from "../helpers/type_session.ts";

const PASSWORD = "correct horse battery staple";

/** Runs `work` and returns what the console and the runtime were told meanwhile. */
async function warningsDuring(work: () => Promise<void>): Promise<string[]> {
  const heard: string[] = [];
  const target = globalThis.console;
  const names = ["log", "info", "warn", "error", "debug"] as const;
  const kept = names.map((name) => target[name]);
  for (const name of names) {
    target[name] = (...words: unknown[]) => void heard.push(words.join(" "));
  }
  const hearWarning = (warning: Error) => void heard.push(String(warning));
  process.on("warning", hearWarning);
  try {
    await work();
  } finally {
    process.off("warning", hearWarning);
    names.forEach((name, i) => target[name] = kept[i]!);
  }
  return heard;
}

/** What `action` is refused with. */
async function errorOf(action: Promise<unknown>): Promise<Error> {
  const error = await action.then(() => assert.fail("it was not refused"), (error) => error);
  assert.ok(error instanceof Error);
  return error;
}

async function useDatabases(client: LibraryClient): Promise<void> {
  assert.equal(await client.call("PING"), "PONG");
  assert.equal(await client.call("SET", "where", "zero"), "OK");
  assert.equal(await client.call("SELECT", "3"), "OK");
  assert.equal(await client.call("GET", "where"), null);
  assert.equal(await client.call("SELECT", "0"), "OK");
  assert.equal(await client.call("GET", "where"), "zero");
}

async function usePipeline(client: LibraryClient): Promise<void> {
  const replies = await client.pipeline(new Array(1000).fill(["INCR", "pipelined"]));
  assert.deepEqual(replies, Array.from({ length: 1000 }, (_, i) => i + 1));
}

async function useBytes(client: LibraryClient): Promise<void> {
  const everyByte = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  await client.call("SET", everyByte, everyByte);
  assert.deepEqual(Buffer.from(await client.callBytes("GET", everyByte)), everyByte);
  const large = Buffer.alloc(900_000, "0123456789");
  await client.call("SET", "large", large);
  assert.ok(Buffer.from(await client.callBytes("GET", "large")).equals(large));
}

async function useTypes(client: LibraryClient): Promise<void> {
  for (const { words, reply, unordered } of sessionOf(makeCommandTable())) {
    const flat = flatReply(await client.call(...words));
    assert.deepEqual(unordered ? flat.toSorted() : flat, reply, words.join(" "));
  }
}

async function meetErrors(client: LibraryClient): Promise<void> {
  await client.call("SET", "word", "w");
  const error = await errorOf(client.call("INCR", "word"));
  assert.match(error.message, /^ERR value is not an integer or out of range$/);
  assert.match(error.constructor.name, /^(Reply|Simple)Error$/);
  assert.match((await errorOf(client.call("NOPE"))).message, /^ERR unknown command/);
  assert.equal(await client.call("PING"), "PONG");
}

async function useEvents(client: LibraryClient): Promise<void> {
  assert.equal(await client.call("EVENT", "alice", "buy", "100"), "ACCEPTED");
  let balance: unknown = null;
  while (balance === null) balance = await client.call("BALANCE", "alice");
  assert.equal(balance, 100);
}

/** Has `client` thrown out by another one, and waits until the library came back by itself. */
async function comeBack(client: LibraryClient, killer: LibraryClient): Promise<void> {
  const id = await client.call("CLIENT", "ID");
  assert.equal(await killer.call("CLIENT", "KILL", "ID", String(id)), 1);
  for (;;) {
    try {
      assert.notEqual(await client.call("CLIENT", "ID"), id);
      return;
    } catch (error) {
      // What was under way when the connection ended is lost; the library says so.
      if (error instanceof assert.AssertionError) throw error;
    }
  }
}

async function runSession(library: Library, version: 2 | 3, password?: string): Promise<void> {
  await using server = await ServerProcess.start(
    [],
    password === undefined ? {} : {
      env: { SLUICE_PASSWORD: password },
    },
  );
  const options = { port: server.port("resp"), version, ...(password ? { password } : {}) };
  const client = await library.connect(options);
  const killer = await library.connect(options);
  await useDatabases(client);
  await usePipeline(client);
  await useBytes(client);
  await useTypes(client);
  await meetErrors(client);
  await useEvents(client);
  assert.deepEqual(client.errors, []);
  await comeBack(client, killer);
  assert.equal(await client.call("GET", "where"), "zero");
  if (password !== undefined) {
    const error = await errorOf(library.connect({ ...options, password: "wrong" }));
    assert.match(error.message, /WRONGPASS/);
    const { password: _, ...without } = options;
    assert.match((await errorOf(useWithout(library, without))).message, /NOAUTH/);
  }
  await client.quit();
  await killer.quit();
  assert.deepEqual(server.linesOf("session_failed"), []);
}

/** Connects without the password; some libraries notice at once, some with the first command. */
async function useWithout(
  library: Library,
  options: { port: number; version: 2 | 3 },
): Promise<unknown> {
  const client = await library.connect(options);
  try {
    return await client.call("PING");
  } finally {
    await client.quit();
  }
}

for (const library of LIBRARIES) {
  for (const version of library.versions) {
    for (const password of [undefined, PASSWORD]) {
      const how = password === undefined ? "" : " with a password";
      Deno.test({
        name: `server: ${library.name} speaks RESP${version}${how} for a session`,
        // The libraries leave timers behind when a connection is refused.
        sanitizeOps: false,
        sanitizeResources: false,
        async fn() {
          const warnings = await warningsDuring(() => runSession(library, version, password));
          assert.deepEqual(warnings, []);
        },
      });
    }
  }
}
