/**
 * Every port, with a password set, lets nobody do anything before it is given: all commands, routes
 * and messages that there are, each tried without the password and then with it.
 */

import assert from "node:assert/strict";
import type { CommandRow } from "../../src/command/row.ts";
import { makeCommandTable } from "../../src/command/table.ts";
import { ClientMessageSchema } from "../../src/protocol/protobuf/gen/sluice/v1/messages_pb.ts";
import { METHOD_NAMES } from "../../src/protocol/http/method.ts";
import { createHttpRoutes } from "../../src/server/http_routes.ts";
import { isFull } from "../helpers/effort.ts";
import { parseHttpReplies } from "../helpers/http_reply_parser.ts";
import { GUESS, LockedServer, PASSWORD, type ServerState } from "../helpers/locked_server.ts";
import { type Ask, askBytes, askUnframed, ProtoTcpClient } from "../helpers/proto_client.ts";
import { respCommand } from "../helpers/raw_client.ts";
import { Harness } from "../unit/command/harness.ts";
import { routeParts } from "../unit/server/http_world.ts";

const RIGHT = `Authorization: Bearer ${PASSWORD}\r\n`;
const NOAUTH = "-NOAUTH Authentication required.\r\n";
const AUTH = respCommand("AUTH", PASSWORD);

/** What the server starts with, and has to stay with. */
const UNTOUCHED: ServerState = { keys: ":2", guarded: "treasure", balance: ":100", received: 1 };

/** Arguments for commands that would not take just anything. */
const ARGUMENTS: Readonly<Record<string, readonly string[]>> = {
  set: ["guarded", "stolen"],
  get: ["guarded"],
  del: ["guarded", "balance:alice"],
  incrby: ["balance:alice", "5"],
  decrby: ["balance:alice", "5"],
  event: ["alice", "buy", "7"],
  balance: ["alice"],
  select: ["0"],
  scan: ["0", "COUNT", "1000"],
  shutdown: ["ABORT"],
  "command|getkeys": ["GET", "guarded"],
  "config|get": ["*"],
  "config|set": ["slowlog-max-len", "128"],
  "client|kill": ["ID", "1000000"],
  "client|list": [],
  "client|no-evict": ["OFF"],
  "client|no-touch": ["OFF"],
  "client|pause": ["0"],
  "client|reply": ["ON"],
  "client|setinfo": ["LIB-NAME", "thief"],
  "client|tracking": ["OFF"],
};

/** All rows that a client can name, subcommands included. */
function allRows(): CommandRow[] {
  return makeCommandTable().rows.flatMap((row) => [row, ...row.subcommands?.rows ?? []]);
}

/** A well-formed call. */
function wordsOf(row: CommandRow): string[] {
  const words = row.name.split("|");
  words.push(...ARGUMENTS[row.name] ?? []);
  while (words.length < row.minArguments) words.push("counter");
  return words;
}

async function checkCommands(server: LockedServer): Promise<void> {
  const rows = allRows().filter((row) => !row.allowedUnauthenticated);
  assert.ok(rows.length > 40, "the table has its rows");
  const open = allRows().filter((row) => row.allowedUnauthenticated).map(({ name }) => name);
  assert.deepEqual(open.toSorted(), ["auth", "hello", "quit", "reset"]);
  for (const row of rows) {
    // A container alone is malformed, which everybody may hear.
    if (row.subcommands !== undefined && row.minArguments > 1) continue;
    const words = wordsOf(row);
    for (const request of [respCommand(...words), `${words.join(" ")}\r\n`]) {
      assert.equal(await server.resp(request), NOAUTH, words.join(" "));
    }
  }
}

/** After the password, none of the same requests is refused for want of it, nor malformed. */
async function checkCommandsWork(server: LockedServer): Promise<void> {
  for (const row of allRows()) {
    if (row.allowedUnauthenticated) continue;
    if (row.subcommands !== undefined && row.minArguments > 1) continue;
    const reply = await server.resp(AUTH + respCommand(...wordsOf(row)));
    assert.match(reply, /^\+OK\r\n[^]/, row.name);
    assert.doesNotMatch(
      reply,
      /^\+OK\r\n-(NOAUTH|ERR wrong number of arguments|ERR unknown command)/,
      row.name,
    );
  }
}

/** Requests in one connection, and the replies that a stranger should get. */
const RESP_TRICKS: readonly (readonly [string, RegExp])[] = [
  ["PING\r\nSET guarded stolen\r\n", /^(-NOAUTH [^\r]*\r\n){2}$/],
  [respCommand("HELLO", "3") + "GET guarded\r\n", /^-NOAUTH HELLO [^\r]*\r\n-NOAUTH [^\r]*\r\n$/],
  ["HELLO\r\nDBSIZE\r\n", /^-NOAUTH HELLO [^\r]*\r\n-NOAUTH [^\r]*\r\n$/],
  ["HELLO 3 SETNAME thief\r\nDBSIZE\r\n", /^-NOAUTH HELLO [^\r]*\r\n-NOAUTH [^\r]*\r\n$/],
  [
    `HELLO 3 AUTH default ${GUESS}\r\nGET guarded\r\n`,
    /^-WRONGPASS [^\r]*\r\n-NOAUTH [^\r]*\r\n$/,
  ],
  [`AUTH ${GUESS}\r\nDEL guarded\r\n`, /^-WRONGPASS [^\r]*\r\n-NOAUTH [^\r]*\r\n$/],
  [`AUTH ${PASSWORD}x\r\nDEL guarded\r\n`, /^-WRONGPASS [^\r]*\r\n-NOAUTH [^\r]*\r\n$/],
  [
    `AUTH ${PASSWORD.toLowerCase()}\r\nDEL guarded\r\n`,
    /^-WRONGPASS [^\r]*\r\n-NOAUTH [^\r]*\r\n$/,
  ],
  [respCommand("AUTH", "") + "DEL guarded\r\n", /^-WRONGPASS [^\r]*\r\n-NOAUTH [^\r]*\r\n$/],
  [`AUTH admin ${PASSWORD}\r\nDEL guarded\r\n`, /^-WRONGPASS [^\r]*\r\n-NOAUTH [^\r]*\r\n$/],
  [`AUTH a b c\r\nDEL guarded\r\n`, /^-ERR [^\r]*\r\n-NOAUTH [^\r]*\r\n$/],
  ["RESET\r\nDEL guarded\r\n", /^\+RESET\r\n-NOAUTH [^\r]*\r\n$/],
  [`${AUTH}RESET\r\nDEL guarded\r\n`, /^\+OK\r\n\+RESET\r\n-NOAUTH [^\r]*\r\n$/],
  ["QUIT\r\nDEL guarded\r\n", /^\+OK\r\n$/],
  ["NOSUCH guarded\r\nDEL guarded\r\n", /^-ERR unknown command[^\r]*\r\n-NOAUTH [^\r]*\r\n$/],
  ["SET guarded\r\nDEL guarded\r\n", /^-ERR wrong number[^\r]*\r\n-NOAUTH [^\r]*\r\n$/],
  ["CLIENT\r\nDEL guarded\r\n", /^-ERR wrong number[^\r]*\r\n-NOAUTH [^\r]*\r\n$/],
  [respCommand("DEL", ..."abcdefghijk"), /^-ERR Protocol error: [^\r]*\r\n$/],
  [respCommand("SET", "guarded", "x".repeat(20_000)), /^-ERR Protocol error: [^\r]*\r\n$/],
  ["POST / HTTP/1.1\r\nDEL guarded\r\n", /^$/],
];

async function checkRespTricks(server: LockedServer): Promise<void> {
  const check = async ([request, expected]: readonly [string, RegExp]): Promise<void> => {
    assert.match(await server.resp(request), expected, request.slice(0, 60));
  };
  await Promise.all(RESP_TRICKS.map(check));
}

function hasBody(method: string): boolean {
  return ["POST", "PUT", "PATCH"].includes(method);
}

function httpRequest(method: string, path: string, headers = "", version = "1.1"): string {
  const body = method === "POST" ? `{"user":"alice","action":"buy","amount":7}` : "stolen";
  return `${method} ${path} HTTP/${version}\r\nHost: localhost\r\n${headers}` +
    (hasBody(method) ? `Content-Length: ${body.length}\r\n\r\n${body}` : "\r\n");
}

/** `CONNECT` is refused before anybody looks at its path, which would not be one. */
const METHODS = [...METHOD_NAMES.filter((name) => name !== "CONNECT"), "PROPFIND"];

/** Every path that the router knows, some that it does not, and whether it is open to all. */
function allPaths(): [path: string, isOpen: boolean][] {
  const { resources } = createHttpRoutes(routeParts(new Harness()));
  const paths = resources.map(({ pattern, isOpen }): [string, boolean] => [
    pattern.replace(":user", "alice").replace(":key", "guarded").replace(
      "/page/*",
      "/page/icon.svg",
    ),
    isOpen,
  ]);
  assert.ok(paths.some(([path]) => path === "/keys/guarded"), "the router has its routes");
  const open = paths.filter(([, isOpen]) => isOpen).map(([path]) => path);
  // The live page says nothing by itself; what it shows, it asks for like everybody.
  assert.deepEqual(open, ["/", "/page/icon.svg", "/health", "/ready"]);
  const others = ["/nothing", "/static/a", "/ws", "/metrics/stream", "/health/", "/keys/a%2Fb"];
  return [...paths, ...others.map((path): [string, boolean] => [path, false])];
}

async function statusOf(server: LockedServer, request: string): Promise<number> {
  const text = await server.http(request);
  // A stream has no length: it ends when its reader has had enough.
  if (/^HTTP\/1\.1 200 [^]*\r\nContent-Type: text\/event-stream\r\n/.test(text)) return 200;
  const [reply, ...more] = parseHttpReplies(text, { headPossible: true, cutOff: false });
  assert.ok(reply !== undefined && more.length === 0, `one reply to ${request.slice(0, 60)}`);
  if (request.startsWith("HEAD ")) assert.equal(reply.body, "");
  assert.ok(reply.headers.has("date"), "every reply says when");
  if (reply.status === 401) {
    assert.equal(reply.headers.get("www-authenticate"), "Bearer");
    assert.ok(!reply.headers.has("allow"), "a stranger does not learn which methods there are");
    if (reply.body !== "") {
      assert.deepEqual(JSON.parse(reply.body), { status: "error", reason: "unauthorized" });
    }
  }
  return reply.status;
}

async function checkRoutes(server: LockedServer): Promise<void> {
  for (const [path, isOpen] of allPaths()) {
    for (const method of METHODS) {
      for (const version of ["1.1", "1.0"]) {
        const status = await statusOf(server, httpRequest(method, path, "", version));
        const name = `${method} ${path} HTTP/${version}`;
        // Nobody's body is read before the password, not even where nothing would be done with it.
        if (isOpen && !hasBody(method)) {
          assert.ok([200, 204, 405].includes(status), `${name}: ${status}`);
        } else assert.equal(status, 401, name);
      }
    }
  }
  assert.equal(await statusOf(server, httpRequest("OPTIONS", "*")), 401);
}

/** With the password, no route refuses, and the same requests change what they should. */
async function checkRoutesWork(server: LockedServer): Promise<void> {
  for (const [path] of allPaths()) {
    for (const method of METHODS) {
      const status = await statusOf(server, httpRequest(method, path, RIGHT));
      assert.notEqual(status, 401, `${method} ${path}`);
    }
  }
}

/** `Authorization` lines of somebody who does not have the password. */
const WRONG_CREDENTIALS = [
  "Authorization:\r\n",
  "Authorization: Bearer\r\n",
  "Authorization: Bearer \r\n",
  `Authorization: ${PASSWORD}\r\n`,
  `Authorization: Basic ${PASSWORD}\r\n`,
  `Authorization: Basic ${btoa(`default:${PASSWORD}`)}\r\n`,
  `Authorization: Bearer${PASSWORD}\r\n`,
  `Authorization: Bearer\t${PASSWORD}\r\n`,
  `Authorization: Bearer ${GUESS}\r\n`,
  `Authorization: Bearer ${PASSWORD.toLowerCase()}\r\n`,
  `Authorization: Bearer ${PASSWORD.slice(0, -1)}\r\n`,
  `Authorization: Bearer ${PASSWORD}${PASSWORD}\r\n`,
  `Authorization: Bearer "${PASSWORD}"\r\n`,
  `Authorization: Bearer ${PASSWORD}, Bearer ${PASSWORD}\r\n`,
  `Authorization: Bearer ${"x".repeat(10_000)}\r\n`,
  `${RIGHT}${RIGHT}`,
  `${RIGHT}Authorization: Bearer ${GUESS}\r\n`,
  `Authorization: Bearer ${GUESS}\r\n${RIGHT}`,
  `Proxy-Authorization: Bearer ${PASSWORD}\r\n`,
  `X-Authorization: Bearer ${PASSWORD}\r\n`,
  `Cookie: password=${PASSWORD}\r\n`,
];

/** Other ways to write it down. */
const RIGHT_CREDENTIALS = [
  RIGHT,
  `authorization: bearer ${PASSWORD}\r\n`,
  `AUTHORIZATION:BEARER ${PASSWORD}\r\n`,
  `Authorization:   Bearer   ${PASSWORD} \t\r\n`,
];

async function checkCredentials(server: LockedServer): Promise<void> {
  await Promise.all(WRONG_CREDENTIALS.map(async (headers) => {
    assert.equal(await statusOf(server, httpRequest("DELETE", "/keys/guarded", headers)), 401);
  }));
  for (const headers of RIGHT_CREDENTIALS) {
    assert.equal(await statusOf(server, httpRequest("GET", "/keys/guarded", headers)), 200);
  }
}

/** Requests in one connection, and the statuses that a stranger should get. */
const HTTP_TRICKS: readonly (readonly [string, readonly number[]])[] = [
  [httpRequest("GET", "/health") + httpRequest("DELETE", "/keys/guarded"), [200, 401]],
  [httpRequest("GET", "/ready") + httpRequest("PUT", "/keys/new"), [200, 401]],
  // A password is good for one request, not for those behind it.
  [
    httpRequest("GET", "/keys/guarded", RIGHT) + httpRequest("DELETE", "/keys/guarded"),
    [200, 401],
  ],
  [httpRequest("PUT", "/keys/new") + httpRequest("GET", "/health"), [401]],
  [httpRequest("GET", "/health?x=/keys") + httpRequest("GET", "/keys"), [200, 401]],
  [httpRequest("GET", "/health/../keys"), [401]],
  [httpRequest("GET", "/%68ealth"), [401]],
  [httpRequest("GET", "//health"), [401]],
  [httpRequest("GET", "http://localhost/keys"), [401]],
  // The live page, which is open; what is sent to the same path is not.
  [httpRequest("GET", "http://localhost"), [200]],
  [httpRequest("POST", "http://localhost"), [401]],
  [httpRequest("POST", "/"), [401]],
  [httpRequest("PUT", "/keys/new", "Expect: 100-continue\r\n"), [401]],
  [httpRequest("POST", "/events", "Transfer-Encoding: chunked\r\n"), [400]],
  ["DELETE /keys/guarded HTTP/1.1\r\n\r\n", [400]],
  ["DELETE /keys/guarded\r\n\r\n", [400]],
  ["DELETE /keys/guarded HTTP/2.0\r\nHost: a\r\n\r\n", [505]],
  ["CONNECT localhost:6379 HTTP/1.1\r\nHost: localhost\r\n\r\n", [501]],
  ["DEL guarded\r\n", [400]],
];

async function checkHttpTricks(server: LockedServer): Promise<void> {
  for (const [requests, statuses] of HTTP_TRICKS) {
    const replies = parseHttpReplies(await server.http(requests));
    assert.deepEqual(replies.map(({ status }) => status), statuses, requests.slice(0, 80));
    const shown = replies.filter(({ status }) => status === 401).map(({ body }) => body).join("");
    assert.doesNotMatch(shown, /treasure|sluice_/);
  }
}

const MESSAGES: Readonly<Record<string, Ask>> = {
  echoMessage: { case: "echoMessage", value: { content: "let me in" } },
  addRequest: { case: "addRequest", value: { a: 1, b: 2 } },
  event: { case: "event", value: { user: "alice", action: "buy", amount: 7n } },
  balanceRequest: { case: "balanceRequest", value: { user: "alice" } },
};
const PROOF: Ask = { case: "authRequest", value: { password: PASSWORD } };
const BAD_PROOF: Ask = { case: "authRequest", value: { password: GUESS } };

/** All messages that a client can send, but for the one with the password. */
function allMessages(): Ask[] {
  const names = ClientMessageSchema.oneofs[0]!.fields.map(({ localName }) => localName);
  const others = names.filter((name) => name !== "authRequest");
  return others.map((name) => MESSAGES[name] ?? assert.fail(`no sample of ${name}`));
}

/** Asks one thing. */
type Asker = (message: Ask) => Promise<unknown>;

function codeOf(reply: unknown): string | undefined {
  return (reply as { error?: { code: string } } | undefined)?.error?.code;
}

/** Runs `use` with a connection of its own. */
async function withProto(
  server: LockedServer,
  framing: "delimited" | "none",
  use: (ask: Asker, askRaw: (bytes: Uint8Array) => Promise<unknown>) => Promise<void>,
): Promise<void> {
  const port = server.process.port("proto");
  const keep = <T>(reply: T): T => {
    server.transcript.push(JSON.stringify(reply));
    return reply;
  };
  if (framing === "delimited") {
    await using client = await ProtoTcpClient.connect(port);
    await use(
      async (message) => keep(await client.ask(message)),
      async (bytes) => {
        await client.sendBytes(Uint8Array.of(bytes.length, ...bytes));
        return keep(await client.reply());
      },
    );
  } else {
    using socket = await Deno.connect({ hostname: "127.0.0.1", port });
    await use(
      async (message) => keep(await askUnframed(socket, message)),
      async (bytes) => keep(await askBytes(socket, bytes)),
    );
  }
}

async function checkMessages(server: LockedServer, framing: "delimited" | "none"): Promise<void> {
  await withProto(server, framing, async (ask, askRaw) => {
    for (const message of allMessages()) {
      assert.equal(codeOf(await ask(message)), "ERROR_CODE_UNAUTHENTICATED", message.case);
    }
    // A field that nobody knows, and bytes that are no message.
    assert.equal(codeOf(await askRaw(Uint8Array.of(0x78, 1))), "ERROR_CODE_UNAUTHENTICATED");
    assert.equal(codeOf(await askRaw(Uint8Array.of(0xff, 1))), "ERROR_CODE_MALFORMED");
    assert.equal(codeOf(await ask(BAD_PROOF)), "ERROR_CODE_WRONG_PASSWORD");
    const empty: Ask = { case: "authRequest", value: { password: "" } };
    assert.equal(codeOf(await ask(empty)), "ERROR_CODE_WRONG_PASSWORD");
    for (const message of allMessages()) {
      assert.equal(codeOf(await ask(message)), "ERROR_CODE_UNAUTHENTICATED", message.case);
    }
    // Somebody else's password does not help, nor does one's own before it is given.
    await withProto(server, framing, async (askOther) => {
      assert.deepEqual(await askOther(PROOF), { authReply: {} });
      assert.equal(codeOf(await ask(MESSAGES["event"]!)), "ERROR_CODE_UNAUTHENTICATED");
      assert.equal(codeOf(await askOther(MESSAGES["balanceRequest"]!)), undefined);
    });
  });
}

async function checkMessagesWork(server: LockedServer, framing: "delimited" | "none") {
  await withProto(server, framing, async (ask) => {
    assert.deepEqual(await ask(PROOF), { authReply: {} });
    for (const message of allMessages()) {
      assert.equal(codeOf(await ask(message)), undefined, message.case);
    }
  });
}

/** What the server says about itself to those who may ask; all of it goes to the transcript. */
async function readSelfDescriptions(server: LockedServer): Promise<void> {
  const config = await server.resp(`${AUTH}CONFIG GET *\r\n`);
  assert.match(config, /maxclients/);
  const info = await server.resp(`${AUTH}INFO everything\r\nCLIENT LIST\r\nCLIENT INFO\r\n`);
  assert.match(info, /http_port/);
  assert.match(await server.http(httpRequest("GET", "/metrics", RIGHT)), /sluice_auth/);
  const json = `${RIGHT}Accept: application/json\r\n`;
  assert.match(await server.http(httpRequest("GET", "/metrics", json)), /"received"/);
}

/** The arguments of the process, as `ps` shows them. */
async function assertNotInProcessList(server: LockedServer): Promise<void> {
  if (Deno.build.os !== "linux") return;
  const command = new Deno.Command("cat", { args: [`/proc/${server.process.pid}/cmdline`] });
  const text = new TextDecoder().decode((await command.output()).stdout);
  assert.match(text, /main\.[jt]s/);
  assert.ok(!text.includes(PASSWORD));
}

/** @param isWhole whether every command and route is tried before the password is given */
async function checkServer(
  server: LockedServer,
  framing: "delimited" | "none",
  isWhole: boolean,
): Promise<void> {
  if (isWhole) await checkCommands(server);
  await checkRespTricks(server);
  if (isWhole) await checkRoutes(server);
  await checkCredentials(server);
  await checkHttpTricks(server);
  await checkMessages(server, framing);
  assert.deepEqual(await server.state(), UNTOUCHED);

  await readSelfDescriptions(server);
  await assertNotInProcessList(server);
  await checkMessagesWork(server, framing);
  await checkRoutesWork(server);
  await checkCommandsWork(server);
  const { guarded, received } = await server.state();
  // The last to touch the key was DEL; events came by all three protocols.
  assert.notEqual(guarded, UNTOUCHED.guarded);
  assert.ok(received >= UNTOUCHED.received + 3, `${received} events`);
  await server.assertDiscreet();
}

Deno.test("server: with a password in its environment, nobody may do anything before it is given", async () => {
  await using server = await LockedServer.start([], { SLUICE_PASSWORD: PASSWORD });
  await checkServer(server, "delimited", true);
});

Deno.test("server: with a password from a file, nobody may do anything before it is given", async () => {
  const file = await Deno.makeTempFile({ dir: ".", prefix: ".password-" });
  try {
    await Deno.writeTextFile(file, `${PASSWORD}\nnot this line\n`);
    await using server = await LockedServer.start(
      ["--password-file", file, "--proto-framing", "none"],
      {},
    );
    // The password is the same one by then: which commands and routes want it, the test before has seen.
    await checkServer(server, "none", isFull());
  } finally {
    await Deno.remove(file);
  }
});
