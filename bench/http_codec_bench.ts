/**
 * What one HTTP request costs between the read and the write, by layer: parser alone, session with
 * a canned reply, and with the store or the channel behind it; and what reading an event costs
 * against `JSON.parse`.
 *
 * One iteration of a "pipeline" is {@link BATCH_REQUESTS} requests; divide by that.
 *
 *     deno bench bench/http_codec_bench.ts
 *
 * @module
 */

import { ByteWriter, InputBuffer } from "../src/base/bytes.ts";
import { EventFields } from "../src/base/job.ts";
import { CommandArguments } from "../src/command/arguments.ts";
import { ClientState } from "../src/command/client_state.ts";
import { Authenticator } from "../src/command/authenticator.ts";
import { LocalClients } from "../src/command/client_directory.ts";
import { EventWaits } from "../src/command/event_waits.ts";
import { Dispatcher } from "../src/command/dispatch.ts";
import { EventIntake } from "../src/command/event_intake.ts";
import { Operations } from "../src/command/operations.ts";
import type { ServerSnapshot } from "../src/command/services.ts";
import { makeCommandTable } from "../src/command/table.ts";
import { CapturedReply } from "../src/protocol/captured_reply.ts";
import { CommandClient } from "../src/protocol/command_client.ts";
import { EventJsonDecoder } from "../src/protocol/http/event_json.ts";
import { HttpService } from "../src/protocol/http/http_service.ts";
import { ParseStep } from "../src/protocol/http/parse_step.ts";
import { HttpRequestParser } from "../src/protocol/http/request_parser.ts";
import { type Session, SessionStep } from "../src/protocol/session.ts";
import { createHttpRoutes } from "../src/server/http_routes.ts";
import { Store } from "../src/store/store.ts";

/** Requests in one pipeline. */
const BATCH_REQUESTS = 64;
const MAX_REQUEST_BYTES = 2 ** 20;

const encoder = new TextEncoder();
const EVENT = `{"user":"alice","action":"buy","amount":100}`;
/** What `curl` and load generators send along. */
const FEW_HEADERS = "Host: 127.0.0.1:8080\r\nUser-Agent: bench/1.0\r\nAccept: */*\r\n";
/** What browsers send along. */
const MANY_HEADERS = FEW_HEADERS +
  "Connection: keep-alive\r\nPragma: no-cache\r\nCache-Control: no-cache\r\n" +
  "Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-GB,en;q=0.9,de;q=0.8\r\n" +
  "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Site: none\r\nUpgrade-Insecure-Requests: 1\r\n";

const GET_HEALTH = `GET /health HTTP/1.1\r\n${FEW_HEADERS}\r\n`;
const GET_HEALTH_MANY = `GET /health HTTP/1.1\r\n${MANY_HEADERS}\r\n`;
const GET_USER = `GET /users/alice HTTP/1.1\r\n${FEW_HEADERS}\r\n`;
const POST_EVENT = `POST /events HTTP/1.1\r\n${FEW_HEADERS}Content-Type: application/json\r\n` +
  `Content-Length: ${EVENT.length}\r\n\r\n${EVENT}`;

function makeSession(isFull: boolean): Session {
  const store = Store.create({
    shardCount: 64,
    lockKind: "mutex",
    maxMemoryBytes: 64 * 2 ** 20,
    maxValueBytes: 2 ** 20,
    threadCount: 2,
  });
  const counters = { add: () => {} };
  const phase = { stopping: false };
  const intake = new EventIntake({
    channel: {
      closed: false,
      depth: 0,
      tryReserve: () => !isFull,
      publish: () => {},
      cancelReservation: () => {},
    },
    credits: { tryAcquire: () => true, release: () => {} },
    phase,
    counters,
    counterIds: {
      received: 0,
      droppedBusy: 1,
      droppedOutOfMemory: 2,
      droppedShuttingDown: 3,
      invalid: 4,
    },
    waits: new EventWaits(0),
    settledTotal: () => 0,
  });
  const table = makeCommandTable();
  const authenticator = new Authenticator({
    password: new Uint8Array(0),
    counters,
    failures: 7,
  });
  const dispatcher = new Dispatcher({
    store,
    intake,
    authenticator,
    clients: new LocalClients(),
    table,
    settings: new Map(),
    operations: Operations.alone(table, phase),
    snapshot: () => ({} as ServerSnapshot),
    clock: Date.now,
    counters,
    counterIds: { parkedCommands: 5 },
  });
  setBalance(dispatcher);
  return new HttpService({
    router: createHttpRoutes({
      intake,
      commands: new CommandClient(dispatcher, table),
      metrics: {
        json: () => ({}),
        contention: () => Promise.resolve(new Uint8Array()),
        text: () => "",
        textType: "text/plain",
      },
      readiness: () => "ready",
    }),
    phase,
    maxRequestBytes: MAX_REQUEST_BYTES,
    counters,
    counterIds: { requests: 6, limited: 7 },
    onBatch: () => dispatcher.beginBatch(),
  }).createSession();
}

/** `SET balance:alice 100` */
function setBalance(dispatcher: Dispatcher): void {
  const bytes = encoder.encode("SETbalance:alice100");
  const args = new CommandArguments();
  args.reset(bytes);
  args.push(0, 3);
  args.push(3, 16);
  args.push(16, 19);
  dispatcher.execute(args, new CapturedReply(), new ClientState({ id: 1, connectedAtMs: 0 }, true));
}

function makePipeline(request: string, count: number): Uint8Array {
  return encoder.encode(request.repeat(count));
}

function benchParser(name: string, request: string): void {
  const pipeline = makePipeline(request, BATCH_REQUESTS);
  const input = new InputBuffer(65536);
  const parser = new HttpRequestParser(MAX_REQUEST_BYTES);
  Deno.bench({ name, group: "parser, pipeline of 64" }, () => {
    input.space().set(pipeline);
    input.commit(pipeline.length);
    while (input.start < input.end) {
      parser.begin(input);
      if (parser.parse(input) !== ParseStep.COMPLETE) throw new Error("Cannot parse the pipeline");
      input.start = parser.requestEnd;
    }
  });
}

function benchSession(name: string, request: string, count: number, isFull = false): void {
  const pipeline = makePipeline(request, count);
  const input = new InputBuffer(65536);
  const output = new ByteWriter(65536);
  const session = makeSession(isFull);
  const group = count === 1 ? "session, one request" : "session, pipeline of 64";
  Deno.bench({ name: count === 1 ? `${name}, alone` : name, group }, () => {
    input.space().set(pipeline);
    input.commit(pipeline.length);
    output.clear(65536);
    answerAll(session, input, output);
  });
}

/** A batch pauses when it took long, which on a busy machine is nobody's fault. */
function answerAll(session: Session, input: InputBuffer, output: ByteWriter): void {
  let step = session.process(input, output);
  while (step === SessionStep.FLUSH) step = session.process(input, output);
  if (step !== SessionStep.NEED_INPUT) throw new Error("Cannot answer the pipeline");
}

benchParser("parse GET /health, 3 headers", GET_HEALTH);
benchParser("parse GET /health, 11 headers", GET_HEALTH_MANY);
benchParser("parse POST /events, 5 headers", POST_EVENT);

for (const count of [BATCH_REQUESTS, 1]) {
  benchSession("GET /health", GET_HEALTH, count);
  benchSession("GET /users/alice", GET_USER, count);
  benchSession("POST /events → 202", POST_EVENT, count);
  benchSession("POST /events → 503", POST_EVENT, count, true);
}

const body = encoder.encode(EVENT);
const eventDecoder = new EventJsonDecoder();
const event = new EventFields();
const textDecoder = new TextDecoder("utf-8", { fatal: true });

Deno.bench({ name: "EventJsonDecoder", group: "event", baseline: true }, () => {
  if (!eventDecoder.scan(body, 0, body.length)) throw new Error("Cannot decode the event");
  if (eventDecoder.read(event) !== undefined) throw new Error("Cannot decode the event");
});

Deno.bench({ name: "TextDecoder + JSON.parse", group: "event" }, () => {
  JSON.parse(textDecoder.decode(body));
});

Deno.bench({ name: "TextDecoder + JSON.parse with source", group: "event" }, () => {
  JSON.parse(
    textDecoder.decode(body),
    (_key, value, context?: { source?: string }) =>
      typeof value === "number" ? context?.source : value,
  );
});
