/** Transactions of several clients against a model that runs one after the other. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { Harness } from "../unit/command/harness.ts";

const CLIENTS = 3;
const ABORTED = "-EXECABORT Transaction discarded because of previous errors.";

type Watched = { key: string; version: number; isAbsent: boolean };

/** What a client has under way. */
interface Conversation {
  queue: string[] | undefined;
  isSpoiled: boolean;
  watched: Watched[];
}

/** The keys, each with a number that grows with every change. */
class Model {
  readonly values = new Map<string, string>();
  readonly versions = new Map<string, number>();
  readonly clients: Conversation[] = Array.from(
    { length: CLIENTS },
    () => ({ queue: undefined, isSpoiled: false, watched: [] }),
  );

  /** Replies, one line or several; those of an EXEC that may also be nil, and why: a missing key. */
  send(index: number, line: string): { replies: string[]; mayAbort?: boolean } {
    const client = this.clients[index]!;
    const [name, ...keys] = line.split(" ") as [string, ...string[]];
    switch (name) {
      case "MULTI":
        if (client.queue !== undefined) return one("-ERR MULTI calls can not be nested");
        client.queue = [];
        return one("+OK");
      case "DISCARD":
        if (client.queue === undefined) return one("-ERR DISCARD without MULTI");
        this.#end(client);
        return one("+OK");
      case "WATCH":
        if (client.queue !== undefined) return one("-ERR WATCH inside MULTI is not allowed");
        for (const key of keys) {
          const version = this.#version(key);
          client.watched.push({ key, version, isAbsent: !this.values.has(key) });
        }
        return one("+OK");
      case "EXEC":
        return this.#exec(client);
    }
    if (name === "GET" && keys.length !== 1) {
      client.isSpoiled = client.queue !== undefined;
      return one("-ERR wrong number of arguments for 'get' command");
    }
    if (client.queue !== undefined) {
      client.queue.push(line);
      return one("+QUEUED");
    }
    if (name === "UNWATCH") client.watched = [];
    return { replies: this.#run(line) };
  }

  #exec(client: Conversation): { replies: string[]; mayAbort?: boolean } {
    const { queue, watched, isSpoiled } = client;
    if (queue === undefined) return one("-ERR EXEC without MULTI");
    this.#end(client);
    if (isSpoiled) return one(ABORTED);
    if (watched.some(({ key, version }) => this.#version(key) !== version)) return one("*-1");
    const before = new Map(this.values);
    const versions = new Map(this.versions);
    const replies = [`*${queue.length}`, ...queue.flatMap((line) => this.#run(line))];
    if (!watched.some(({ isAbsent }) => isAbsent)) return { replies };
    this.#undo = () => {
      this.values.clear();
      for (const [key, value] of before) this.values.set(key, value);
      this.versions.clear();
      for (const [key, version] of versions) this.versions.set(key, version);
    };
    return { replies, mayAbort: true };
  }

  #undo = (): void => {};

  /** The last EXEC was aborted without need. */
  undo(): void {
    this.#undo();
  }

  #end(client: Conversation): void {
    client.queue = undefined;
    client.isSpoiled = false;
    client.watched = [];
  }

  #version(key: string): number {
    return this.versions.get(key) ?? 0;
  }

  #change(key: string, value: string | undefined): void {
    this.versions.set(key, this.#version(key) + 1);
    if (value === undefined) this.values.delete(key);
    else this.values.set(key, value);
  }

  #run(line: string): string[] {
    const [name, ...keys] = line.split(" ") as [string, ...string[]];
    const key = keys[0] ?? "";
    const value = this.values.get(key);
    switch (name) {
      case "SET":
        this.#change(key, keys[1]);
        return ["+OK"];
      case "GET":
        return value === undefined ? ["$-1"] : [`$${value.length}`, value];
      case "DEL": {
        const found = keys.filter((each, i) => this.values.has(each) && keys.indexOf(each) === i);
        for (const each of found) this.#change(each, undefined);
        return [`:${found.length}`];
      }
      case "INCR":
        if (value === "text") return ["-ERR value is not an integer or out of range"];
        this.#change(key, String(Number(value ?? "0") + 1));
        return [`:${this.values.get(key)}`];
      case "DBSIZE":
        return [`:${this.values.size}`];
      default:
        return ["+OK"];
    }
  }
}

function one(reply: string): { replies: string[] } {
  return { replies: [reply] };
}

const key = fc.constantFrom("a", "b", "c", "d");
const line = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom("MULTI", "EXEC", "EXEC", "DISCARD", "UNWATCH", "DBSIZE"),
  },
  { weight: 3, arbitrary: fc.tuple(key, key).map(([one, other]) => `WATCH ${one} ${other}`) },
  {
    weight: 3,
    arbitrary: fc.tuple(key, fc.constantFrom("1", "text", "22")).map(([k, v]) => `SET ${k} ${v}`),
  },
  { weight: 3, arbitrary: key.map((k) => `INCR ${k}`) },
  { weight: 3, arbitrary: key.map((k) => `GET ${k}`) },
  { weight: 2, arbitrary: fc.tuple(key, key).map(([one, other]) => `DEL ${one} ${other}`) },
  { weight: 1, arbitrary: fc.constant("GET") },
);
const step = fc.tuple(fc.nat(CLIENTS - 1), line);

for (const shardCount of [1, 64]) {
  Deno.test(`Transaction (${shardCount} shards): any conversations get what the model says`, async () => {
    let execs = 0;
    let aborts = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 120, size: "max" }), async (steps) => {
        const harness = new Harness({ shardCount });
        const clients = Array.from({ length: CLIENTS }, () => harness.connect());
        const model = new Model();
        for (const [index, text] of steps) {
          const reply = (await clients[index]!.send(`${text}\r\n`)).split("\r\n").slice(0, -1);
          const { replies, mayAbort } = model.send(index, text);
          if (mayAbort && reply[0] === "*-1") model.undo();
          else assert.deepEqual(reply, replies, `client ${index}: ${text}`);
          if (/^\*[1-9]/.test(reply[0]!)) execs++;
          if (reply[0] === "*-1") aborts++;
        }
        for (const client of clients) client.session.close();
        harness.store.assertInvariants();
      }),
      { numRuns: 600 },
    );
    assert.ok(execs > 100 && aborts > 20, `${execs} transactions were run, ${aborts} aborted`);
  });
}
