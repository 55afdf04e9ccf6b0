/** With `--fsync always` nothing is told while the disk has not answered, whoever asks and however. */

import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { sizeDelimitedEncode } from "@bufbuild/protobuf/wire";
import { ClientMessageSchema } from "../../src/protocol/protobuf/gen/sluice/v1/messages_pb.ts";
import { FailingDisk } from "../helpers/failing_disk.ts";
import { waitForMetrics } from "../helpers/metrics.ts";
import type { Ask } from "../helpers/proto_client.ts";
import { respCommand } from "../helpers/raw_client.ts";
import { IO_THREAD_COUNTS } from "../helpers/server_process.ts";

/** How long what must not come is waited for. Unit: ms. */
const SILENCE_MS = 400;
/** How long what must come is. Unit: ms. */
const PATIENCE_MS = 15_000;

/** A connection that notes all it hears. */
class Listener implements Disposable {
  heard = "";
  readonly #socket: Deno.TcpConn;

  private constructor(readonly name: string, socket: Deno.TcpConn) {
    this.#socket = socket;
    void this.#listen();
  }

  static async connect(name: string, port: number): Promise<Listener> {
    return new Listener(name, await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  async send(bytes: string | Uint8Array): Promise<void> {
    const all = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
    for (let at = 0; at < all.length;) at += await this.#socket.write(all.subarray(at));
  }

  /** Waits until something was heard, and forgets it. */
  async answer(): Promise<string> {
    for (let ms = 0; this.heard === "" && ms < PATIENCE_MS; ms += 5) await pause(5);
    assert.notEqual(this.heard, "", `${this.name} is answered`);
    const { heard } = this;
    this.heard = "";
    return heard;
  }

  async #listen(): Promise<void> {
    const bytes = new Uint8Array(65_536);
    try {
      for (let n = await this.#socket.read(bytes); n !== null; n = await this.#socket.read(bytes)) {
        this.heard += new TextDecoder("latin1").decode(bytes.subarray(0, n));
      }
    } catch {
      // It was closed.
    }
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function http(method: string, path: string, body = ""): string {
  return `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

function proto(message: Ask): Uint8Array {
  return sizeDelimitedEncode(ClientMessageSchema, create(ClientMessageSchema, { message }));
}

const resp = (line: string): string => respCommand(...line.split(" "));
const event = (id: string, extra = ""): string =>
  `{"user":"ann","action":"add","amount":1,"id":"${id}"${extra}}`;

interface Probe {
  readonly port: "resp" | "http" | "proto";
  /** Sent while the disk answers. */
  readonly before?: string;
  /** Sent while it does not. */
  readonly ask?: string | Uint8Array;
  /** What is told in the end. */
  readonly tells: RegExp;
}

/**
 * What is changed while the disk hangs: `k`, `list`, `hash`, the balance of ann. One step of a scan
 * may end before it comes to a key, when its time is over.
 */
const PROBES: Readonly<Record<string, Probe>> = {
  "GET": { port: "resp", ask: resp("GET k"), tells: /new/ },
  "GET in a line": { port: "resp", ask: "GET k\r\n", tells: /new/ },
  "GET behind PING": { port: "resp", ask: `${resp("PING")}${resp("GET k")}`, tells: /new/ },
  "GET behind AUTH": { port: "resp", ask: `${resp("AUTH x")}${resp("GET k")}`, tells: /new/ },
  "MGET": { port: "resp", ask: resp("MGET a k b"), tells: /new/ },
  "EXISTS": { port: "resp", ask: resp("EXISTS fresh"), tells: /:1/ },
  "TYPE": { port: "resp", ask: resp("TYPE fresh"), tells: /string/ },
  "KEYS": { port: "resp", ask: resp("KEYS *"), tells: /fresh/ },
  "SCAN": { port: "resp", ask: resp("SCAN 0 COUNT 100"), tells: /^\*2\r/ },
  "DBSIZE": { port: "resp", ask: resp("DBSIZE"), tells: /:/ },
  "RANDOMKEY": { port: "resp", ask: resp("RANDOMKEY"), tells: /\$/ },
  "SORT": { port: "resp", ask: resp("SORT list ALPHA"), tells: /one/ },
  "SORT BY, GET": { port: "resp", ask: resp("SORT other BY nosort GET fresh*"), tells: /\*/ },
  "DUMP": { port: "resp", ask: resp("DUMP fresh"), tells: /\$/ },
  "OBJECT": { port: "resp", ask: resp("OBJECT ENCODING fresh"), tells: /str/ },
  "a refusal by type": { port: "resp", ask: resp("INCR fresh"), tells: /ERR/ },
  "SETNX that sets nothing": { port: "resp", ask: resp("SETNX fresh 2"), tells: /:0/ },
  "EXEC": {
    port: "resp",
    ask: `${resp("MULTI")}${resp("GET k")}${resp("EXEC")}`,
    tells: /new/,
  },
  "EXEC of what was watched": {
    port: "resp",
    before: `${resp("WATCH k")}`,
    ask: `${resp("MULTI")}${resp("PING")}${resp("EXEC")}`,
    tells: /\*-1/,
  },
  "BLPOP": { port: "resp", before: resp("BLPOP queue 0"), tells: /job/ },
  "BLMOVE": { port: "resp", before: resp("BLMOVE source target LEFT LEFT 0"), tells: /moved/ },
  "a notification": {
    port: "resp",
    before: resp("SUBSCRIBE __keyspace@0__:fresh"),
    tells: /set/,
  },
  "BALANCE": { port: "resp", ask: resp("BALANCE ann"), tells: /\$|:|\d/ },
  "EVENT": { port: "resp", ask: resp("EVENT ann add 1 ID r1"), tells: /accepted/i },
  "EVENT with WAIT": { port: "resp", ask: resp("EVENT ann add 1 ID r2 WAIT 5000"), tells: /\d/ },
  "EVENT again": { port: "resp", ask: resp("EVENT ann add 1 ID e1"), tells: /accepted/i },
  "EVENT again with WAIT": {
    port: "resp",
    ask: resp("EVENT ann add 1 ID e1 WAIT 5000"),
    tells: /\d/,
  },
  "HTTP key": { port: "http", ask: http("GET", "/keys/k"), tells: /new/ },
  "HTTP keys": { port: "http", ask: http("GET", "/keys"), tells: /"cursor"/ },
  "HTTP user": { port: "http", ask: http("GET", "/users/ann"), tells: /balance/ },
  "HTTP event": { port: "http", ask: http("POST", "/events", event("h1")), tells: /accepted/ },
  "HTTP event again": {
    port: "http",
    ask: http("POST", "/events", event("e1")),
    tells: /accepted/,
  },
  "HTTP event with wait": {
    port: "http",
    ask: http("POST", "/events?wait=5s", event("h2")),
    tells: /processed|accepted/,
  },
  "Protobuf balance": {
    port: "proto",
    ask: proto({ case: "balanceRequest", value: { user: "ann" } }),
    tells: /ann/,
  },
  "Protobuf event": {
    port: "proto",
    ask: proto({ case: "event", value: { user: "ann", action: "add", amount: 1n, id: "p1" } }),
    tells: /./s,
  },
  "Protobuf event again, with wait": {
    port: "proto",
    ask: proto({
      case: "event",
      value: { user: "ann", action: "add", amount: 1n, id: "e1", waitMs: 5000 },
    }),
    tells: /./s,
  },
};

for (const ioThreads of IO_THREAD_COUNTS) {
  Deno.test(`always: while the disk does not answer nobody is told anything (${ioThreads} I/O threads)`, async () => {
    await using disk = await FailingDisk.make();
    const flags = ["--fsync", "always", "--io-threads", String(ioThreads), "--shards", "16"];
    const server = await disk.start(flags);
    using cleanup = new DisposableStack();
    const connect = async (name: string, port: Probe["port"]): Promise<Listener> =>
      cleanup.use(await Listener.connect(name, server.port(port)));
    const writer = await connect("writer", "resp");
    for (const line of ["CONFIG SET notify-keyspace-events KEA", "SET k old", "RPUSH other 1"]) {
      await writer.send(resp(line));
      await writer.answer();
    }
    const listeners = new Map<string, Listener>();
    for (const [name, { port, before }] of Object.entries(PROBES)) {
      const listener = await connect(name, port);
      listeners.set(name, listener);
      if (before === undefined) continue;
      await listener.send(before);
      if (!before.includes("BL")) await listener.answer();
    }
    await pause(50);
    await disk.plan({ hang: ["sync log"] });
    const lines = ["SET k new", "SET fresh 1x", "RPUSH list one", "EVENT ann add 1 ID e1"];
    await writer.send([...lines, "RPUSH queue job", "RPUSH source moved"].map(resp).join(""));
    // Whoever looks now sees it; and the balance, as a worker has made it.
    await waitForMetrics(
      server.port("http"),
      "the event being processed",
      (metrics) => metrics.get("sluice_events_processed_total") === 1,
    );
    for (const [name, { ask }] of Object.entries(PROBES)) {
      if (ask !== undefined) await listeners.get(name)!.send(ask);
    }
    await pause(SILENCE_MS);
    const told = [writer, ...listeners.values()].filter(({ heard }) => heard !== "");
    assert.deepEqual(told.map(({ name, heard }) => `${name}: ${heard}`), []);
    await disk.plan({});
    for (const [name, { tells }] of Object.entries(PROBES)) {
      const listener = listeners.get(name)!;
      for (let ms = 0; !tells.test(listener.heard) && ms < PATIENCE_MS; ms += 5) await pause(5);
      assert.match(listener.heard, tells, name);
    }
  });
}
