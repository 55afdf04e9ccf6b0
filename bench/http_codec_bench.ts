/**
 * HTTP/1.1: what finding the parts of requests costs, here and by splitting text, and what whole
 * requests cost between the read and the write.
 *
 * - `parse …`: {@link HttpRequestParser} finds method, target, header fields and body in the bytes and
 *   checks all of them. It is compared with the short way, one `TextDecoder` and `split`, which makes
 *   strings and a `Map` of each request and checks nothing. The layer beneath is the copy of the
 *   bytes into the input, in both.
 * - `session, …`: a whole session, with the store or a bottomless channel behind it. The layer
 *   beneath is parser, router and reply, which `GET /health` shows.
 *
 * One iteration of a "pipeline" is {@link BATCH_REQUESTS} requests; divide by that. What reading an
 * event from the body costs is in event_json_bench.ts, what finding the route costs in
 * router_bench.ts.
 *
 *     deno bench --allow-read --allow-env bench/http_codec_bench.ts
 *
 * @module
 */

import { ByteWriter, InputBuffer } from "../src/base/bytes.ts";
import { CommandArguments } from "../src/command/arguments.ts";
import { ClientState } from "../src/command/client_state.ts";
import type { Dispatcher } from "../src/command/dispatch.ts";
import { CapturedReply } from "../src/protocol/captured_reply.ts";
import { CommandClient } from "../src/protocol/command_client.ts";
import { HttpService } from "../src/protocol/http/http_service.ts";
import { ParseStep } from "../src/protocol/http/parse_step.ts";
import { HttpRequestParser } from "../src/protocol/http/request_parser.ts";
import { type Session, SessionStep } from "../src/protocol/session.ts";
import { createHttpRoutes } from "../src/server/http_routes.ts";
import { CounterId, makeServerParts } from "./server_parts.ts";

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
  const { dispatcher, table, intake, phase, counters } = makeServerParts(isFull);
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
    counterIds: { requests: CounterId.SESSION, limited: CounterId.SESSION + 1 },
    clock: () => dispatcher.beginBatch(),
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

interface PlainRequest {
  method: string;
  target: string;
  headers: Map<string, string>;
  body: string;
}

const decoder = new TextDecoder();

/** The requests in the input, which are whole and plain ASCII. */
function splitByHand(input: InputBuffer): PlainRequest[] {
  const text = decoder.decode(input.bytes.subarray(input.start, input.end));
  const requests: PlainRequest[] = [];
  for (let at = 0; at < text.length;) {
    const headEnd = text.indexOf("\r\n\r\n", at);
    const [requestLine, ...fields] = text.slice(at, headEnd).split("\r\n");
    const [method, target] = requestLine!.split(" ");
    const headers = new Map<string, string>();
    for (const field of fields) {
      const colon = field.indexOf(":");
      headers.set(field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim());
    }
    const bodyStart = headEnd + 4;
    at = bodyStart + Number(headers.get("content-length") ?? 0);
    requests.push({
      method: method!,
      target: target!,
      headers,
      body: text.slice(bodyStart, at),
    });
  }
  input.start = input.end;
  return requests;
}

function parseAll(parser: HttpRequestParser, input: InputBuffer): number {
  let count = 0;
  while (input.start < input.end) {
    parser.begin(input);
    if (parser.parse(input) !== ParseStep.COMPLETE) throw new Error("Cannot parse the pipeline");
    input.start = parser.requestEnd;
    count++;
  }
  return count;
}

function benchParsers(name: string, request: string): void {
  const pipeline = makePipeline(request, BATCH_REQUESTS);
  const input = new InputBuffer(65536);
  const parser = new HttpRequestParser(MAX_REQUEST_BYTES);
  const group = `parse ${BATCH_REQUESTS} ${name}`;
  Deno.bench({ name: "HttpRequestParser", group, baseline: true }, () => {
    input.space().set(pipeline);
    input.commit(pipeline.length);
    if (parseAll(parser, input) !== BATCH_REQUESTS) throw new Error("a request is missing");
  });
  Deno.bench({ name: "TextDecoder and split", group }, () => {
    input.space().set(pipeline);
    input.commit(pipeline.length);
    if (splitByHand(input).length !== BATCH_REQUESTS) throw new Error("a request is missing");
  });
}

function benchSession(name: string, request: string, count: number, isFull = false): void {
  const pipeline = makePipeline(request, count);
  const input = new InputBuffer(65536);
  const output = new ByteWriter(65536);
  const session = makeSession(isFull);
  const group = count === 1 ? "session, 1 request" : `session, ${count} requests`;
  Deno.bench({ name, group, baseline: request === GET_HEALTH }, () => {
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

benchParsers("GET /health with 3 header fields", GET_HEALTH);
benchParsers("GET /health with 11 header fields", GET_HEALTH_MANY);
benchParsers("POST /events with 5 header fields", POST_EVENT);

for (const count of [BATCH_REQUESTS, 1]) {
  benchSession("GET /health", GET_HEALTH, count);
  benchSession("GET /users/alice", GET_USER, count);
  benchSession("POST /events → 202", POST_EVENT, count);
  benchSession("POST /events → 503", POST_EVENT, count, true);
}
