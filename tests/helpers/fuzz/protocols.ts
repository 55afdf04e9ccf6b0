/**
 * What the fuzzer knows of each protocol: one row each.
 *
 * @module
 */

import assert from "node:assert/strict";
import * as httpEvents from "../../cases/http_events.ts";
import * as httpRequests from "../../cases/http_requests.ts";
import * as protoCases from "../../cases/proto_cases.ts";
import * as respCases from "../../cases/resp_cases.ts";
import { parseHttpReplies } from "../http_reply_parser.ts";
import { latin1, toLatin1 } from "../latin1.ts";
import { askUnframed, ProtoTcpClient } from "../proto_client.ts";
import { parseProtoReplies } from "../proto_reply_parser.ts";
import { RawClient, respCommand } from "../raw_client.ts";
import { parseRespReplies } from "../resp_reply_parser.ts";
import type { ServerProcess } from "../server_process.ts";
import type { FuzzMaterial } from "./mutate.ts";
import { WEBSOCKET_PROTOCOL } from "./websocket.ts";

/** A protocol to fuzz. */
export interface FuzzProtocol extends FuzzMaterial {
  /** Its name in tests and reports. */
  readonly name: string;
  /** The port, as the server's log calls it. */
  readonly port: Parameters<ServerProcess["port"]>[0];
  /** Sent first on every connection, as it is and in one piece. */
  readonly prefix?: Uint8Array;
  /** Whether the server lets clients be silent for long, so that nobody should wait for its end. */
  readonly isPatient?: boolean;
  /** Flags that the server needs. */
  readonly flags?: readonly string[];
  /** A reply that is well-formed, and one that is not. */
  readonly samples: { readonly well: Uint8Array; readonly broken: Uint8Array };
  /**
   * Takes everything received apart.
   *
   * @param cutOff the connection was reset, so the last reply may not be whole
   * @returns how many replies there were
   * @throws when one is malformed
   */
  countReplies(received: Uint8Array, sent: Uint8Array, cutOff: boolean): number;
  /** Fails unless the server answers a valid request as it should. */
  probe(port: number): Promise<void>;
}

const STILL_HERE = { case: "echoMessage", value: { content: "still here" } } as const;

/** Hexadecimal pairs and texts in quotes. */
const protoBytes = protoCases.bytesOf;

/** Tags, lengths and numbers at their edges. */
const PROTO_TOKENS = [
  ...["0a", "12", "1a", "22", "2a", "08", "10", "18", "07", "0b", "0c", "7a 00", "00", "80", "ff"],
  ...[
    "ff ff ff ff 0f",
    "ff ff ff ff 07",
    "80 80 80 80 08",
    "80 80 40",
    "81 80 40",
    "ff ff ff ff ff",
  ],
  ...[
    "ff ff ff ff ff ff ff ff ff 01",
    "80 80 80 80 80 80 80 80 80 01",
    "80 00",
    "f8 ff ff ff 0f 00",
  ],
  ...["0a 04 0a 02 'hi'", "06 0a 04 0a 02 'hi'", "12 04 08 02 10 03", "c0 80", "ed a0 80", "28 0a"],
].map(protoBytes);

/** All of them. */
export const FUZZ_PROTOCOLS: readonly FuzzProtocol[] = [
  {
    name: "http",
    port: "http",
    samples: {
      well: latin1("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
      broken: latin1("HTTP/1.1 200 OK\nContent-Length: 0\n\n"),
    },
    corpus: httpCorpus(),
    tokens: [
      ...[
        "\r\n",
        "\n",
        "\r",
        "\0",
        " ",
        "\t",
        ":",
        "\r\n\r\n",
        "\r\n ",
        "\x7f",
        "\xff",
        "%",
        "%00",
      ],
      ...["Host: localhost\r\n", "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"],
      ...["Connection: close\r\n", "Connection: keep-alive\r\n", "Expect: 100-continue\r\n"],
      ...["0\r\n\r\n", "5\r\nhello\r\n", "ffffffffffffffff\r\n", "Origin: http://evil.example\r\n"],
      ...[
        "HEAD ",
        "OPTIONS * ",
        "HTTP/1.0",
        "HTTP/1.1",
        "HTTP/2.0",
        "/users/",
        "/keys/",
        "?wait=1",
      ],
    ].map(latin1),
    countReplies: (received, sent, cutOff) =>
      parseHttpReplies(toLatin1(received), {
        headPossible: toLatin1(sent).includes("HEAD"),
        cutOff,
      }).length,
    probe: async (port) => {
      using client = await RawClient.connect(port);
      await client.send("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
      const { status, body } = await client.readHttpReply();
      assert.deepEqual([status, body], [200, `{"status":"ok"}`]);
    },
  },
  {
    name: "resp",
    port: "resp",
    samples: { well: latin1("+OK\r\n"), broken: latin1("+OK\n") },
    corpus: respCorpus(),
    tokens: [
      ...[
        "\r\n",
        "\n",
        "\r",
        "\0",
        "*",
        "$",
        "*0\r\n",
        "*-1\r\n",
        "$-1\r\n",
        "$0\r\n\r\n",
        '"',
        "'",
      ],
      ...[
        "*3\r\n",
        "$5\r\n",
        "*1\r\n$4\r\nPING\r\n",
        "PING\r\n",
        "HELLO 3\r\n",
        "HELLO 2\r\n",
        "\xff",
      ],
      ...[
        "SET",
        "GET",
        "EVENT",
        "CLIENT REPLY OFF\r\n",
        "CLIENT REPLY ON\r\n",
        "SELECT 1\r\n",
        "EX",
      ],
    ].map(latin1),
    countReplies: (received, sent, cutOff) =>
      parseRespReplies(toLatin1(received), {
        version: /hello/i.test(toLatin1(sent)) ? "either" : 2,
        cutOff,
      }).length,
    probe: async (port) => {
      using client = await RawClient.connect(port);
      await client.send(respCommand("ECHO", "still here"));
      assert.equal(await client.read(17), "$10\r\nstill here\r\n");
    },
  },
  {
    name: "proto",
    port: "proto",
    samples: { well: protoBytes("02 32 00"), broken: protoBytes("00") },
    corpus: protoCorpus("delimited"),
    tokens: PROTO_TOKENS,
    countReplies: (received, _sent, cutOff) =>
      parseProtoReplies(received, { framing: "delimited", cutOff }).length,
    probe: async (port) => {
      await using client = await ProtoTcpClient.connect(port);
      assert.deepEqual(await client.ask(STILL_HERE), { echoMessage: STILL_HERE.value });
    },
  },
  {
    name: "proto without framing",
    port: "proto",
    flags: ["--proto-framing", "none"],
    samples: { well: protoBytes("32 00"), broken: protoBytes("7a 00") },
    corpus: protoCorpus("none"),
    tokens: PROTO_TOKENS,
    countReplies: (received, _sent, cutOff) =>
      parseProtoReplies(received, { framing: "none", cutOff }).length,
    probe: async (port) => {
      using socket = await Deno.connect({ hostname: "127.0.0.1", port });
      assert.deepEqual(await askUnframed(socket, STILL_HERE), { echoMessage: STILL_HERE.value });
    },
  },
  WEBSOCKET_PROTOCOL,
];

/** Every message and stream of the case file; the largest are left out. */
function protoCorpus(framing: "delimited" | "none"): Uint8Array[] {
  const messages = casesOf<{ message?: string; stream?: string }>(protoCases);
  return messages.flatMap(({ message, stream }) => {
    if (stream !== undefined) return [protoBytes(stream)];
    if (message === undefined) return [];
    const bytes = protoBytes(message);
    if (framing === "none") return [bytes];
    const length = bytes.length < 0x80
      ? [bytes.length]
      : [bytes.length & 0x7f | 0x80, bytes.length >> 7 & 0x7f | 0x80, bytes.length >> 14];
    return [Uint8Array.from([...length, ...bytes])];
  });
}

/** Every request of the case files, and the requests of every route. */
function httpCorpus(): Uint8Array[] {
  const texts: string[] = [];
  for (const { text } of casesOf<{ text: string }>(httpRequests)) texts.push(text);
  const requests = casesOf<{ body: string | Uint8Array }>(httpEvents).map(({ body }) => body);
  const head = "Host: localhost\r\n";
  for (
    const path of ["/", "/health", "/ready", "/metrics", "/users/alice", "/keys/a", "/keys?match=*"]
  ) {
    for (const method of ["GET", "HEAD", "OPTIONS", "DELETE"]) {
      texts.push(`${method} ${path} HTTP/1.1\r\n${head}\r\n`);
    }
  }
  texts.push(`GET /metrics HTTP/1.1\r\n${head}Accept: application/json\r\n\r\n`);
  texts.push(`PUT /keys/a%20b?ttl=1s HTTP/1.1\r\n${head}Content-Length: 3\r\n\r\nabc`);
  texts.push(
    `POST /events HTTP/1.1\r\n${head}Content-Type: application/x-ndjson\r\nContent-Length: 90\r\n\r\n` +
      `{"user":"alice","action":"buy","amount":1}\n{"user":"alice","action":"buy","amount":1}\nnope`,
  );
  const corpus = texts.map(latin1);
  for (const body of requests) {
    const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
    corpus.push(
      Uint8Array.from([
        ...latin1(`POST /events HTTP/1.1\r\n${head}Content-Length: ${bytes.length}\r\n\r\n`),
        ...bytes,
      ]),
    );
  }
  return corpus;
}

/** Every conversation of the case files, and every command with a few arguments. */
function respCorpus(): Uint8Array[] {
  const texts: string[] = [];
  for (const { request } of casesOf<{ request: string }>(respCases)) texts.push(request);
  const commands = [
    ...[
      "PING",
      "PING hi",
      "ECHO hi",
      "HELLO",
      "HELLO 3",
      "HELLO 2 SETNAME me",
      "HELLO 4",
      "SELECT 3",
    ],
    ...[
      "SELECT 99",
      "GET a",
      "SET a 1",
      "SET a b EX 10 GET",
      "SET a b PX 1 NX",
      "SET a b KEEPTTL XX",
    ],
    ...[
      "INCR a",
      "DECR a",
      "INCRBY a 5",
      "DECRBY a 9223372036854775807",
      "DEL a b c",
      "EXISTS a a b",
    ],
    ...[
      "DBSIZE",
      "INFO",
      "INFO server",
      "COMMAND",
      "COMMAND COUNT",
      "COMMAND INFO get",
      "COMMAND DOCS",
    ],
    ...[
      "CONFIG GET *",
      "CLIENT ID",
      "CLIENT SETNAME x",
      "CLIENT GETNAME",
      "CLIENT INFO",
      "CLIENT LIST",
    ],
    ...[
      "CLIENT REPLY SKIP",
      "CLIENT SETINFO lib-name x",
      "EVENT alice buy 1",
      "EVENT alice buy 1 ID i",
    ],
    ...[
      "EVENT alice buy 1 WAIT 10",
      "BALANCE alice",
      "AUTH x",
      "AUTH a b",
      "RESET",
      "QUIT",
      "NOPE a b",
    ],
  ];
  for (const command of commands) {
    texts.push(respCommand(...command.split(" ")), `${command}\r\n`);
  }
  return texts.map(latin1);
}

/** What the arrays that a case file exports have in them; the largest are left out. */
function casesOf<T extends object>(module: object): T[] {
  const lists = Object.values(module).filter((value): value is T[] => Array.isArray(value));
  const cases = lists.flat().filter((one) => JSON.stringify(one).length < 80_000);
  assert.ok(cases.length > 20, "the case file has cases");
  return cases;
}
