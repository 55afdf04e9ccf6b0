/**
 * What one RESP command costs between the read and the write, by layer: parser alone, codec with
 * dispatch (PING), and with the store or the channel behind it.
 *
 * One iteration is a pipeline of {@link BATCH_COMMANDS} commands; divide by that.
 *
 *     deno bench bench/resp_codec_bench.ts
 *
 * @module
 */

import { ByteWriter, InputBuffer } from "../src/base/bytes.ts";
import { ArgumentsPool, CommandArguments } from "../src/command/arguments.ts";
import { Authenticator } from "../src/command/authenticator.ts";
import { LocalClients } from "../src/command/client_directory.ts";
import { EventWaits } from "../src/command/event_waits.ts";
import { Dispatcher } from "../src/command/dispatch.ts";
import { type EventChannel, EventIntake } from "../src/command/event_intake.ts";
import { Operations } from "../src/command/operations.ts";
import type { ServerSnapshot } from "../src/command/services.ts";
import { makeCommandTable } from "../src/command/table.ts";
import { ParseResult, RequestParser } from "../src/protocol/resp/request_parser.ts";
import { RespSession } from "../src/protocol/resp/resp_session.ts";
import { Store } from "../src/store/store.ts";

/** Commands in one pipeline. */
const BATCH_COMMANDS = 64;
const MAX_REQUEST_BYTES = 2 ** 20;
const KEY_COUNT = 10_000;

/** Takes every job and forgets it: the channel itself has a bench of its own. */
const bottomlessChannel: EventChannel = {
  closed: false,
  depth: 0,
  tryReserve: () => true,
  publish: () => {},
  cancelReservation: () => {},
};

function makeSession(): RespSession {
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
    channel: bottomlessChannel,
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
  const authenticator = new Authenticator({
    password: new Uint8Array(0),
    counters,
    failures: 7,
  });
  const clients = new LocalClients();
  const table = makeCommandTable();
  const dispatcher = new Dispatcher({
    store,
    intake,
    authenticator,
    clients,
    table,
    settings: new Map(),
    operations: Operations.alone(table, phase),
    snapshot: () => ({ version: "bench" }) as ServerSnapshot,
    clock: Date.now,
    counters,
    counterIds: { parkedCommands: 5 },
  });
  const options = {
    dispatcher,
    argumentsPool: new ArgumentsPool(),
    authenticator,
    clients,
    phase,
    rateLimit: null,
    maxRequestBytes: MAX_REQUEST_BYTES,
    counters,
    commandsProcessed: 6,
    throttledCommands: 8,
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

const PIPELINES: Record<string, Uint8Array<ArrayBuffer>> = {
  PING: pipeline(() => ["PING"]),
  SET: pipeline((i) => ["SET", key(i), "VXK"]),
  GET: pipeline((i) => ["GET", key(i)]),
  INCRBY: pipeline((i) => ["INCRBY", `n:${i}`, "17"]),
  "DEL of a missing key": pipeline((i) => ["DEL", `none:${i}`]),
  EVENT: pipeline((i) => ["EVENT", `user${i}`, "buy", "100"]),
};

const input = new InputBuffer(16384);
const output = new ByteWriter(16384);

/** Puts one pipeline into the empty input, as a read would. */
function fill(bytes: Uint8Array): void {
  input.space().set(bytes);
  input.commit(bytes.length);
}

for (const name of ["PING", "SET"]) {
  const bytes = PIPELINES[name]!;
  const parser = new RequestParser(MAX_REQUEST_BYTES);
  const args = new CommandArguments();
  Deno.bench(`parse ${BATCH_COMMANDS} ${name}`, { group: "parser" }, () => {
    fill(bytes);
    let count = 0;
    while (parser.parse(input, args) === ParseResult.COMPLETE) count++;
    if (count !== BATCH_COMMANDS) throw new Error(`parsed ${count} requests`);
  });
}

const session = makeSession();
for (const [name, bytes] of Object.entries(PIPELINES)) {
  Deno.bench(`execute ${BATCH_COMMANDS} ${name}`, { group: "session" }, () => {
    fill(bytes);
    session.process(input, output);
    if (output.length === 0) throw new Error("no reply");
    output.clear();
  });
}
