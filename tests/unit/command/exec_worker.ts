/**
 * A thread with clients that run transactions, rightly or, to show that the checks see it, wrongly.
 *
 * @module
 */

import type { CommandCall } from "../../../src/command/call.ts";
import { LockSet } from "../../../src/store/lock_set.ts";
import { CommandTable } from "../../../src/command/lookup.ts";
import { CommandRow, HandlerStatus } from "../../../src/command/row.ts";
import { makeCommandTable } from "../../../src/command/table.ts";
import { Store, type StoreMemory } from "../../../src/store/store.ts";
import { Harness, type TestClient } from "./harness.ts";

/** What a thread does. */
export interface ExecOrder {
  memory: StoreMemory;
  threadId: number;
  /** `write` sets all keys to the same value, `read` compares them, `count` adds to the first. */
  role: "write" | "read" | "count";
  keys: string[];
  rounds: number;
  /** EXEC takes the locks of one command at a time, and looks at no watched key. */
  isBroken: boolean;
  /** Word 0: threads that are ready; word 1: threads that write and are done. */
  progress: SharedArrayBuffer;
  threadCount: number;
}

/** What it saw. */
export interface ExecReport {
  /** Reads of values that differ. */
  torn: number;
  /** Reads of another value than the one before. */
  changes: number;
  /** Transactions that were aborted. */
  aborted: number;
}

/** Compares keys in one go, as MGET would: replies how many different values they have. */
const compare = new CommandRow({
  name: "compare",
  arity: -2,
  summary: "Compares the values of keys.",
  group: "server",
  since: "0.1.0",
  flags: ["readonly"],
  access: "read",
  firstKey: 1,
  lastKey: -1,
  reply: "array",
  handler(call) {
    const bytes = new Uint8Array(64);
    const values = new Set<string>();
    for (let i = 1; i < call.args.count; i++) {
      const entry = call.store.lookup(0, call.keyAt(i));
      const length = entry === 0 ? 0 : call.store.copyString(entry, bytes, 0);
      values.add(String.fromCharCode(...bytes.subarray(0, length)));
    }
    call.sink.bulkText([...values].join(" "));
    return HandlerStatus.DONE;
  },
});

function brokenExec(call: CommandCall): HandlerStatus {
  const { client, sink, store, services } = call;
  const own = call.detach();
  sink.arrayStart(client.transaction!.count);
  client.transaction!.forEach((args) => {
    const row = services.table.find(args.bytes, args.starts[0]!, args.ends[0]!)!;
    own.begin(row, args, sink, client);
    const locks = new LockSet(store.locks, store.shardCount);
    locks.add(own.keyAt(1).shard);
    locks.seal();
    while (locks.tryLock(true) >= 0);
    row.handler(own);
    locks.unlock(true);
  });
  client.discard();
  return HandlerStatus.DONE;
}

function tableFor(isBroken: boolean): CommandTable {
  const rows = makeCommandTable().rows.map((row) =>
    row.name !== "exec" || !isBroken ? row : new CommandRow({
      name: "exec",
      arity: 1,
      summary: "Runs the queued commands, but not as one.",
      group: "transactions",
      since: "0.1.0",
      flags: [],
      runsAtOnce: true,
      reply: "array",
      handler: brokenExec,
    })
  );
  return new CommandTable([...rows, compare]);
}

async function write(client: TestClient, { keys, rounds }: ExecOrder): Promise<void> {
  for (let i = 0; i < rounds; i++) {
    await client.send(`MULTI\r\n${keys.map((key) => `SET ${key} ${i}\r\n`).join("")}EXEC\r\n`);
  }
}

async function read(
  client: TestClient,
  { keys }: ExecOrder,
  report: ExecReport,
  isOver: () => boolean,
): Promise<void> {
  let before = "";
  while (!isOver()) {
    const seen = (await client.send(`COMPARE ${keys.join(" ")}\r\n`)).split("\r\n")[1]!;
    if (seen.includes(" ")) report.torn++;
    if (seen !== before) report.changes++;
    before = seen;
  }
}

async function count(
  client: TestClient,
  { keys: [key], rounds }: ExecOrder,
  report: ExecReport,
): Promise<void> {
  for (let done = 0; done < rounds;) {
    const value = Number((await client.send(`WATCH ${key}\r\nGET ${key}\r\n`)).split("\r\n")[2]);
    const reply = await client.send(`MULTI\r\nSET ${key} ${value + 1}\r\nEXEC\r\n`);
    if (reply.endsWith("*-1\r\n")) report.aborted++;
    else done++;
  }
}

async function run(order: ExecOrder): Promise<ExecReport> {
  const store = Store.attach(order.memory, order.threadId, false);
  const client = new Harness({ store, table: tableFor(order.isBroken) }).connect(4096);
  const report: ExecReport = { torn: 0, changes: 0, aborted: 0 };
  const progress = new Int32Array(order.progress);
  Atomics.add(progress, 0, 1);
  while (Atomics.load(progress, 0) < order.threadCount);
  if (order.role === "write") await write(client, order);
  else if (order.role === "count") await count(client, order, report);
  else await read(client, order, report, () => Atomics.load(progress, 1) > 0);
  if (order.role === "write") Atomics.add(progress, 1, 1);
  return report;
}

declare const self: {
  onmessage: ((event: MessageEvent<ExecOrder>) => void) | null;
  postMessage(report: ExecReport): void;
};

self.onmessage = ({ data }) => void run(data).then((report) => self.postMessage(report));
