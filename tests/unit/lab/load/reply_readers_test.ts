import assert from "node:assert/strict";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { sizeDelimitedEncode } from "@bufbuild/protobuf/wire";
import {
  ErrorCode,
  EventStatus,
  ServerMessageSchema,
} from "../../../../src/protocol/protobuf/gen/sluice/v1/messages_pb.ts";
import { HttpReplyReader } from "../../../../src/lab/load/http_reply_reader.ts";
import { ProtoReplyReader } from "../../../../src/lab/load/proto_reply_reader.ts";
import { SeededRandom } from "../../../../src/lab/load/random.ts";
import { Outcome, type ReplyReader } from "../../../../src/lab/load/reply_reader.ts";
import { RespReplyReader } from "../../../../src/lab/load/resp_reply_reader.ts";

const encoder = new TextEncoder();

/** A reply and what it says. */
interface Case {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly outcome: Outcome;
  /** For errors. */
  readonly text?: string;
  readonly isLast?: boolean;
  /** Ends with the connection. */
  readonly endsOnClose?: boolean;
}

function http(name: string, text: string, rest: Omit<Case, "name" | "bytes">): Case {
  return { name, bytes: encoder.encode(text.replaceAll("\n", "\r\n")), ...rest };
}

const { ACCEPTED, REFUSED, ERROR } = Outcome;
const BUSY_BODY = '{"status":"rejected","reason":"server_busy"}';

const HTTP_CASES: readonly Case[] = [
  http("accepted", 'HTTP/1.1 202 Accepted\nContent-Length: 21\n\n{"status":"accepted"}', {
    outcome: ACCEPTED,
  }),
  http("refused", `HTTP/1.1 503 Busy\nRetry-After: 1\ncontent-length:44\n\n${BUSY_BODY}`, {
    outcome: REFUSED,
  }),
  http(
    "stopping",
    "HTTP/1.1 503 Service Unavailable\nConnection: close\nContent-Length: 46\n\n" +
      '{"status":"rejected","reason":"shutting_down"}',
    { outcome: ERROR, text: "503 shutting_down", isLast: true },
  ),
  http("a body without a reason", "HTTP/1.1 500 Oops\nContent-Length: 4\n\noops", {
    outcome: ERROR,
    text: "500 oops",
  }),
  http("no body", "HTTP/1.1 202 Accepted\nContent-Length: 0\nX: y\n\n", { outcome: ACCEPTED }),
  http("204", "HTTP/1.1 204 No Content\n\n", { outcome: ERROR, text: "204" }),
  http(
    "something in front of it",
    "HTTP/1.1 100 Continue\n\nHTTP/1.1 202 Accepted\nContent-Length: 2\n\nok",
    { outcome: ACCEPTED },
  ),
  http(
    "chunks",
    "HTTP/1.1 503 Busy\nTransfer-Encoding: chunked\n\n10;x=y\n" + BUSY_BODY.slice(0, 16) +
      "\n1C\n" + BUSY_BODY.slice(16) + "\n0\nTrailer: yes\n\n",
    { outcome: REFUSED },
  ),
  http(
    "the end of the connection",
    "HTTP/1.1 202 Accepted\nX-Long: " + "y".repeat(5000) + "\n\nok",
    {
      outcome: ACCEPTED,
      isLast: true,
      endsOnClose: true,
    },
  ),
  http("HTTP/1.0", "HTTP/1.0 202 Accepted\nContent-Length: 2\n\nok", {
    outcome: ACCEPTED,
    isLast: true,
  }),
];

const RESP_CASES: readonly Case[] = [
  http("accepted", "+ACCEPTED\n", { outcome: ACCEPTED }),
  http("refused", "-BUSY channel is full, retry in 7 ms\n", { outcome: REFUSED }),
  http("no password", "-NOAUTH Authentication required.\n", {
    outcome: ERROR,
    text: "NOAUTH Authentication required.",
  }),
  http("a number", ":12\n", { outcome: ERROR, text: "unexpected reply :12" }),
  http("BUSY of another kind", "-BUSYGROUP x\n", { outcome: ERROR, text: "BUSYGROUP x" }),
  http("something that may go on", "$5\n", {
    outcome: ERROR,
    text: "unexpected reply $5",
    isLast: true,
  }),
];

function proto(
  name: string,
  message: NonNullable<MessageInitShape<typeof ServerMessageSchema>["message"]>,
  rest: Omit<Case, "name" | "bytes">,
): Case {
  const bytes = sizeDelimitedEncode(ServerMessageSchema, create(ServerMessageSchema, { message }));
  return { name, bytes, ...rest };
}

const PROTO_CASES: readonly Case[] = [
  proto("accepted", { case: "eventReply", value: { status: EventStatus.ACCEPTED } }, {
    outcome: ACCEPTED,
  }),
  proto("refused", {
    case: "eventReply",
    value: { status: EventStatus.BUSY, reason: "server_busy", retryAfterMs: 300 },
  }, { outcome: REFUSED }),
  proto("no memory", {
    case: "eventReply",
    value: { status: EventStatus.OUT_OF_MEMORY, reason: "out_of_memory" },
  }, { outcome: ERROR, text: "OUT_OF_MEMORY out_of_memory" }),
  proto("a long error", {
    case: "error",
    value: { code: ErrorCode.UNAUTHENTICATED, message: "first the password, ".repeat(20) },
  }, {
    outcome: ERROR,
    text: `UNAUTHENTICATED ${"first the password, ".repeat(20)}`.slice(0, 99) + "…",
  }),
  proto("another reply", { case: "echoMessage", value: { content: "hello" } }, {
    outcome: ERROR,
    text: "unexpected reply echoMessage",
  }),
];

const KINDS: readonly (readonly [name: string, make: () => ReplyReader, cases: readonly Case[]])[] =
  [
    ["HttpReplyReader", () => new HttpReplyReader(), HTTP_CASES],
    ["RespReplyReader", () => new RespReplyReader(), RESP_CASES],
    ["ProtoReplyReader", () => new ProtoReplyReader(), PROTO_CASES],
  ];

/** Feeds a reply cut at these places, and looks at what came out. */
function check(reader: ReplyReader, { name, bytes, ...expected }: Case, cuts: readonly number[]) {
  const where = `${name}, cut at ${cuts.length > 20 ? "every byte" : cuts.join()}`;
  // As on a connection: the bytes lie anywhere in a larger buffer that is used again.
  const room = new Uint8Array(bytes.length + 16);
  reader.begin();
  const ends = [...cuts, bytes.length];
  let start = 0;
  for (const end of ends) {
    room.fill(0x0a);
    room.set(bytes.subarray(start, end), 3);
    const stop = reader.feed(room, 3, 3 + end - start);
    const isWhole = end === bytes.length && !expected.endsOnClose;
    assert.equal(stop, isWhole ? 3 + end - start : -1, `${where}: byte ${end}`);
    start = end;
  }
  assert.equal(reader.close(), expected.endsOnClose === true, where);
  assert.equal(reader.outcome, expected.outcome, where);
  assert.equal(reader.isLast, expected.isLast === true, where);
  if (expected.text !== undefined) assert.equal(reader.text(), expected.text, where);
}

for (const [kind, make, cases] of KINDS) {
  Deno.test(`${kind}: reads every reply whole, one after the other`, () => {
    const reader = make();
    for (const one of cases) {
      for (const other of cases) {
        check(reader, one, []);
        check(reader, other, []);
      }
    }
  });

  Deno.test(`${kind}: reads every reply byte by byte, and cut once anywhere`, () => {
    const reader = make();
    for (const one of cases) {
      check(reader, one, Array.from({ length: one.bytes.length - 1 }, (_, i) => i + 1));
      for (let cut = 1; cut < one.bytes.length; cut++) check(reader, one, [cut]);
    }
  });

  Deno.test(`${kind}: reads every reply cut at random places`, () => {
    const seed = Date.now() % 2 ** 32;
    const random = new SeededRandom(seed);
    const reader = make();
    try {
      for (let round = 0; round < 200; round++) {
        for (const one of cases) {
          const cuts = Array.from(
            { length: Math.floor(random.next() * 6) },
            () => 1 + Math.floor(random.next() * (one.bytes.length - 1)),
          );
          check(reader, one, [...new Set(cuts)].toSorted((a, b) => a - b));
        }
      }
    } catch (error) {
      throw new Error(`with seed ${seed}`, { cause: error });
    }
  });

  Deno.test(`${kind}: tells where a reply ends when more follows`, () => {
    const reader = make();
    for (const { name, bytes, endsOnClose } of cases) {
      if (endsOnClose) continue;
      reader.begin();
      const room = new Uint8Array([...bytes, 1, 2, 3]);
      assert.equal(reader.feed(room, 0, room.length), bytes.length, name);
    }
  });
}

Deno.test("HttpReplyReader: what is no HTTP is an error, and the last of its connection", () => {
  const texts: readonly (readonly [sent: string, said: string])[] = [
    ["-ERR what is this?\r\n", "the answer is not HTTP"],
    ["SSH-2.0-OpenSSH_9.2\r\n", "the answer is not HTTP"],
    ["HTTP/1.1 20x Odd\r\n", "the answer is not HTTP"],
    ["HTTP/1.1 200 OK\r\nContent-Length: -1\r\n", "a length that is no number"],
    ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "a chunk without a length"],
    [`HTTP/1.1 200 OK\r\nX: ${"y".repeat(20_000)}`, "a line that does not end"],
  ];
  const reader = new HttpReplyReader();
  for (const [sent, said] of texts) {
    reader.begin();
    const bytes = encoder.encode(sent);
    assert.notEqual(reader.feed(bytes, 0, bytes.length), -1, sent);
    assert.deepEqual([reader.outcome, reader.isLast, reader.text()], [ERROR, true, said]);
  }
});

Deno.test("ProtoReplyReader: what has no length in front is an error, and the last of its connection", () => {
  const reader = new ProtoReplyReader();
  const noFrame = "the answer is not a Protobuf message with its length in front";
  for (const bytes of [[0xff, 0xff, 0xff, 0xff, 0xff], [0xff, 0x7f], [...encoder.encode("HTTP")]]) {
    reader.begin();
    const end = reader.feed(new Uint8Array(bytes), 0, bytes.length);
    if (end < 0) continue;
    assert.deepEqual([reader.outcome, reader.isLast, reader.text()], [ERROR, true, noFrame]);
  }
  reader.begin();
  assert.equal(reader.feed(new Uint8Array([3, 0xff, 0xff, 0xff]), 0, 4), 4);
  assert.equal(reader.text(), "the answer is not a Protobuf message");
});

Deno.test("readers of the first answer tell a password that was taken from one that was not", () => {
  const resp = new RespReplyReader();
  for (const [text, isLoggedIn] of [["+OK\r\n", true], ["-WRONGPASS no\r\n", false]] as const) {
    resp.begin();
    resp.feed(encoder.encode(text), 0, text.length);
    assert.equal(resp.isLoggedIn(), isLoggedIn);
  }
  const reader = new ProtoReplyReader();
  const replies = [
    proto("", { case: "authReply", value: {} }, { outcome: ERROR }),
    proto("", { case: "error", value: { code: ErrorCode.WRONG_PASSWORD } }, { outcome: ERROR }),
  ];
  assert.deepEqual(
    replies.map(({ bytes }) => {
      reader.begin();
      reader.feed(bytes, 0, bytes.length);
      return reader.isLoggedIn();
    }),
    [true, false],
  );
});
