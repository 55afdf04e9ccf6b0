/**
 * RESP: what finding the arguments of commands costs, here and by splitting text, and what whole
 * commands cost between the read and the write.
 *
 * - `parse …`: {@link RequestParser} finds each argument's place in the bytes. It is compared with
 *   the short way, one `TextDecoder` and a `split` at line ends, which makes a string of each
 *   argument and checks nothing: it would take a line end in a value for the end of the value.
 *   The layer beneath is the copy of the bytes into the input, in both.
 * - `execute …`: a whole session, with the store or a bottomless channel behind it. The layer
 *   beneath is parser, dispatch and reply, which `PING` shows: what a command costs more is its own.
 *
 * One iteration is a pipeline of {@link BATCH_COMMANDS} commands; divide by that.
 *
 *     deno bench --allow-read bench/resp_codec_bench.ts
 *
 * @module
 */

import { ByteWriter, InputBuffer } from "../src/base/bytes.ts";
import { ArgumentsPool, CommandArguments } from "../src/command/arguments.ts";
import { RespWorks } from "../src/protocol/resp/resp_work.ts";
import { ParseResult, RequestParser } from "../src/protocol/resp/request_parser.ts";
import { RespSession } from "../src/protocol/resp/resp_session.ts";
import { UpcomingKeys } from "../src/command/upcoming_keys.ts";
import { KeyScan } from "../src/protocol/resp/key_scan.ts";
import { CounterId, makeServerParts } from "./server_parts.ts";

/** Commands in one pipeline. */
const BATCH_COMMANDS = 64;
const MAX_REQUEST_BYTES = 2 ** 20;
const KEY_COUNT = 10_000;

function makeSession(): RespSession {
  const { store, dispatcher, authenticator, clients, phase, counters } = makeServerParts();
  const options = {
    dispatcher,
    argumentsPool: new ArgumentsPool(),
    keyScan: new KeyScan(new UpcomingKeys(store)),
    works: new RespWorks(MAX_REQUEST_BYTES),
    authenticator,
    clients,
    phase,
    rateLimit: null,
    counters,
    commandsProcessed: CounterId.SESSION,
    throttledCommands: CounterId.SESSION + 1,
  };
  return new RespSession(options, { id: 1, connectedAtMs: Date.now() });
}

/** A pipeline of one command over spread keys, as bytes. */
function pipeline(words: (index: number) => string[]): Uint8Array<ArrayBuffer> {
  let text = "";
  for (let i = 0; i < BATCH_COMMANDS; i++) {
    const parts = words(i);
    text += `*${parts.length}\r\n`;
    for (const part of parts) text += `$${part.length}\r\n${part}\r\n`;
  }
  return new TextEncoder().encode(text);
}

function key(index: number): string {
  return `key:${String((index * 7919) % KEY_COUNT).padStart(12, "0")}`;
}

const PIPELINES = {
  PING: pipeline(() => ["PING"]),
  SET: pipeline((i) => ["SET", key(i), "VXK"]),
  GET: pipeline((i) => ["GET", key(i)]),
  INCRBY: pipeline((i) => ["INCRBY", `n:${i}`, "17"]),
  "DEL of a missing key": pipeline((i) => ["DEL", `none:${i}`]),
  EVENT: pipeline((i) => ["EVENT", `user${i}`, "buy", "100"]),
};

/** What only the parsers get. */
const LONG_SET = pipeline((i) => ["SET", key(i), "v".repeat(1024)]);

const input = new InputBuffer(2 ** 17);
const output = new ByteWriter(16384);

/** Puts one pipeline into the empty input, as a read would. */
function fill(bytes: Uint8Array): void {
  input.space().set(bytes);
  input.commit(bytes.length);
}

const decoder = new TextDecoder();

/** The arguments of each command in the input. */
function splitByHand(): string[][] {
  const lines = decoder.decode(input.bytes.subarray(input.start, input.end)).split("\r\n");
  const commands: string[][] = [];
  // Behind the last line end there is one more line, which is empty.
  for (let at = 0; at < lines.length - 1;) {
    const argumentCount = Number(lines[at]!.slice(1));
    const args: string[] = [];
    for (let i = 0; i < argumentCount; i++) args.push(lines[at + 2 + 2 * i]!);
    commands.push(args);
    at += 1 + 2 * argumentCount;
  }
  input.start = input.end;
  return commands;
}

for (
  const [name, bytes] of [
    ["PING", PIPELINES.PING],
    ["SET", PIPELINES.SET],
    ["SET of 1 KiB", LONG_SET],
  ] as const
) {
  const group = `parse ${BATCH_COMMANDS} ${name}`;
  const parser = new RequestParser(MAX_REQUEST_BYTES);
  const args = new CommandArguments();
  Deno.bench({ name: "RequestParser", group, baseline: true }, () => {
    fill(bytes);
    let count = 0;
    while (parser.parse(input, args) === ParseResult.COMPLETE) count++;
    if (count !== BATCH_COMMANDS) throw new Error(`parsed ${count} requests`);
  });
  Deno.bench({ name: "TextDecoder and split", group }, () => {
    fill(bytes);
    const { length } = splitByHand();
    if (length !== BATCH_COMMANDS) throw new Error(`parsed ${length} requests`);
  });
}

const session = makeSession();
for (const [name, bytes] of Object.entries(PIPELINES)) {
  Deno.bench({
    name: `execute ${BATCH_COMMANDS} ${name}`,
    group: `session, ${BATCH_COMMANDS} commands`,
    baseline: name === "PING",
  }, () => {
    fill(bytes);
    session.process(input, output);
    if (output.length === 0) throw new Error("no reply");
    output.clear();
  });
}
