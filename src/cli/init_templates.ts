/**
 * What `sluice init-processor` writes: an example of a processor, a test of it, and the types of both.
 *
 * They are texts and not files, so that they are in the executable; a test runs what is written.
 *
 * @module
 */

import { VERSION } from "../server/version.ts";

/** Name of the file with the types, next to the processor. */
export const TYPES_FILE = "sluice_processor.d.ts";

/** How the written files are called. */
export interface ExampleNames {
  /** The processor, e.g. `"processor.ts"`. */
  readonly processor: string;
  /** Its test, e.g. `"processor_test.ts"`. */
  readonly test: string;
  /** Whether they are TypeScript. */
  readonly isTyped: boolean;
}

/** The processor. */
export function processorText({ processor, test, isTyped }: ExampleNames): string {
  const head = isTyped
    ? `import type { Processor } from "./${TYPES_FILE}";\n\nconst processor: Processor = {`
    : `/** @type {import("./${TYPES_FILE}").Processor} */\nconst processor = {`;
  return `${isTyped ? "" : "// @ts-check\n"}/**
 * A processor for Sluice: users earn points and spend them, and nobody spends more than there is.
 *
 *     sluice --processor ./${processor}
 *     curl -d '{"user":"ann","action":"earn","amount":5}' 'localhost:8080/events?wait=1s'
 *     curl -d '{"user":"ann","action":"spend","amount":7}' 'localhost:8080/events?wait=1s'
 *
 * ${test} has it run in a real server.
 */
${head}
  // What logs and metrics call it. Left out: made from the name of the file.
  name: "points",

  // How many events each worker has in hand at once while they are waited for (1 to 64). More than 1
  // pays when process() awaits something: a request to another server, say.
  concurrency: 1,

  // How long one try of an event may take, in milliseconds; after it the event fails ("timeout").
  timeoutMs: 5_000,

  // Counters of its own: sluice_processor_earned_total and so on in /metrics.
  counters: ["earned", "spent", "refused"],

  // What events may have besides user, action, amount and id: a part of JSON Schema. What breaks a rule
  // is refused at once, and the client is told which field and what would be right.
  schema: {
    properties: {
      note: { type: "string", maxLength: 80 },
    },
  },

  /**
   * Looks at an event before it is accepted, in the thread that serves the client: it must be quick and
   * must not change anything. A text refuses the event, and is what the client reads.
   */
  validate(event) {
    if (event.action !== "earn" && event.action !== "spend") return "action must be earn or spend";
    if (event.amount <= 0n) return "amount must be more than 0";
  },

  /**
   * Sees to an event that was accepted, in a worker. It may be async.
   *
   * What is read by ctx is looked at again in the end, and what is written is done then, all of it at
   * once and together with the note that this event is settled. If somebody has changed what was read,
   * process() runs again; if it throws, nothing happens, and the event fails ("processor_error").
   * So whatever it does besides ctx (a request, a file) may happen more than once.
   *
   * What it returns is the result, which a client who waits is told; JSON, at most 16 KiB.
   */
  process(event, ctx) {
    const key = "points:" + event.user;
    const points = ctx.getInteger(key) ?? 0n;
    if (event.action === "spend" && event.amount > points) {
      ctx.count("refused");
      return { done: false, points: String(points) };
    }
    const left = event.action === "earn" ? points + event.amount : points - event.amount;
    ctx.set(key, left);
    ctx.count(event.action === "earn" ? "earned" : "spent", Number(event.amount));
    // Published once the event is settled: SUBSCRIBE points. Fields are those of the schema.
    ctx.emit({ user: event.user, points: String(left), note: event.fields["note"] }, "points");
    if (left === 0n) ctx.log.info("a user has no points left", { user: event.user });
    return { done: true, points: String(left) };
  },
};

export default processor;
`;
}

/** The test of {@link processorText}. */
export function testText({ processor, test, isTyped }: ExampleNames): string {
  const typed = (type: string): string => isTyped ? `: ${type}` : "";
  const argument = isTyped ? "<string>" : "";
  return `/**
 * Has the processor run in a real server:
 *
 *     deno test -A ${test}
 *
 * The server is the program "sluice" on the PATH, or whatever the variable SLUICE says:
 *
 *     SLUICE=./dist/sluice deno test -A ${test}
 *     SLUICE="deno run -A /where/sluice/is/main.ts" deno test -A ${test}
 *     SLUICE='["/a path with spaces/sluice"]' deno test -A ${test}
 */

import assert from "node:assert/strict";

const called = Deno.env.get("SLUICE") ?? "sluice";
const [program = "sluice", ...words]${typed("string[]")} = called.startsWith("[")
  ? JSON.parse(called)
  : called.split(" ");
const processor = new URL("./${processor}", import.meta.url).href;

/** Starts a server with the processor, on a free port, and stops it when \`use\` is done. */
async function withServer(use${typed("(address: string) => Promise<void>")})${
    typed("Promise<void>")
  } {
  const server = new Deno.Command(program, {
    args: [
      ...words,
      ...["--processor", processor, "--log-format", "json"],
      ...["--http-port", "0", "--resp-port", "off", "--proto-port", "off"],
    ],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const address = Promise.withResolvers${argument}();
  const reading = (async () => {
    let log = "";
    for await (const text of server.stderr.pipeThrough(new TextDecoderStream())) {
      log += text;
      const port = /"protocol":"http"[^}]*"port":(\\d+)/.exec(log);
      if (port !== null && log.includes('"event":"ready"')) {
        address.resolve("http://127.0.0.1:" + port[1]);
      }
    }
    // If it had been ready, this would come too late to matter.
    address.reject(new Error("the server did not start: " + log));
  })();
  try {
    await use(await address.promise);
  } finally {
    try {
      server.kill("SIGTERM");
    } catch {
      // It has ended already.
    }
    await server.status;
    await reading;
  }
}

/** Sends an event and waits for its result. */
async function send(address${typed("string")}, event${typed("unknown")}) {
  const response = await fetch(address + "/events?wait=10s", {
    method: "POST",
    body: JSON.stringify(event),
  });
  return { status: response.status, reply: await response.json() };
}

Deno.test("points are earned and spent, and never more than there are", async () => {
  await withServer(async (address) => {
    const ann = (action${typed("string")}, amount${
    typed("number")
  }) => send(address, { user: "ann", action, amount });
    assert.deepEqual(await ann("earn", 5), {
      status: 200,
      reply: { status: "processed", result: { done: true, points: "5" } },
    });
    assert.deepEqual((await ann("spend", 7)).reply.result, { done: false, points: "5" });
    assert.deepEqual((await ann("spend", 5)).reply.result, { done: true, points: "0" });
    const metrics = await (await fetch(address + "/metrics")).text();
    assert.match(metrics, /^sluice_processor_earned_total(\\{.*\\})? 5$/m);
    assert.match(metrics, /^sluice_processor_refused_total(\\{.*\\})? 1$/m);
  });
});

Deno.test("many spend at once, and what is spent is what was there", async () => {
  await withServer(async (address) => {
    await send(address, { user: "bob", action: "earn", amount: 10 });
    const tries = await Promise.all(
      Array.from({ length: 25 }, () => send(address, { user: "bob", action: "spend", amount: 1 })),
    );
    assert.equal(tries.filter(({ reply }) => reply.result.done).length, 10);
  });
});

Deno.test("an event that makes no sense is refused, and says why", async () => {
  await withServer(async (address) => {
    const refused = async (event${typed("unknown")}) => {
      const { status, reply } = await send(address, event);
      assert.equal(status, 400);
      return reply.detail;
    };
    const event = { user: "cy", action: "earn", amount: 1 };
    assert.equal(await refused({ ...event, action: "buy" }), "action must be earn or spend");
    assert.equal(await refused({ ...event, amount: -1 }), "amount must be more than 0");
    assert.equal(
      await refused({ ...event, note: "x".repeat(81) }),
      "note must be a string of at most 80 characters",
    );
  });
});
`;
}

/** The types that a processor is written with; a test holds them against those of the program. */
export function typesText(): string {
  return `/**
 * The types of a processor for Sluice ${VERSION}, as \`sluice init-processor\` writes them. Only types: nothing
 * of this is loaded.
 */

/** A processor: the default export of the module that \`sluice --processor\` names. */
export interface Processor {
  /** What logs and metrics call it: a small letter, then up to 31 small letters, digits and _. */
  readonly name?: string;
  /** How many events a worker has in hand at once while they are waited for, 1 to 64; default 1. */
  readonly concurrency?: number;
  /** How long one try of an event may take. Unit: ms, 1 to 3,600,000; default 30,000. */
  readonly timeoutMs?: number;
  /** Counters of its own, at most 32, e.g. "seen" for sluice_processor_seen_total. */
  readonly counters?: readonly string[];
  /** The further fields of events; left out: there are none. */
  readonly schema?: EventSchema;
  /** Looks at an event before it is accepted; a text refuses it. Quick, and changes nothing. */
  validate?(event: ProcessorEvent): string | undefined | void;
  /** Sees to an event; what it returns is the result, JSON of at most 16 KiB. */
  process(event: ProcessorEvent, ctx: ProcessorContext): unknown | Promise<unknown>;
}

/** An event. Valid until process() or validate() has ended. */
export interface ProcessorEvent {
  /** Who. */
  readonly user: string;
  /** What. */
  readonly action: string;
  /** How much. */
  readonly amount: bigint;
  /** What the client calls it, if it does. */
  readonly id: string | undefined;
  /** Its further fields, those of the schema. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** Who, in UTF-8. Must not be kept nor changed. */
  readonly userBytes: Uint8Array;
  /** How much, without a bigint. Must not be kept nor changed. */
  readonly amountInt64: Int64;
  /** When it was accepted. Unit: ms since 1970. */
  readonly acceptedAtMs: number;
}

/** What process() works with, for one try of one event. */
export interface ProcessorContext extends StoreReads, StoreWrites {
  /** Aborted when the time for this try is over, and when the server stops for good. */
  readonly signal: AbortSignal;
  /** Which try this is, from 1. */
  readonly attempt: number;
  /** The server's log. */
  readonly log: ProcessorLogger;
  /** Adds \`by\`, or 1, to one of its own counters, once the event is settled as processed. */
  count(counter: string, by?: number): void;
  /** Publishes a value once the event is settled as processed; default channel: results. */
  emit(value: unknown, channel?: string): void;
}

/** The server's log. */
export interface ProcessorLogger {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/**
 * Looks at the store, in database 0. Throws when a key holds another type, and when the same process()
 * has written it. At most 1,000 elements or 1 MiB at a time.
 */
export interface StoreReads {
  get(key: KeyLike): string | undefined;
  getBytes(key: KeyLike): Uint8Array | undefined;
  getInteger(key: KeyLike): bigint | undefined;
  exists(key: KeyLike): boolean;
  /** string, list, hash, set or zset. */
  type(key: KeyLike): string | undefined;
  /** Undefined: there is no such key; Infinity: it never expires. */
  ttlMs(key: KeyLike): number | undefined;
  hget(key: KeyLike, field: KeyLike): string | undefined;
  hgetall(key: KeyLike): Map<string, string>;
  hlen(key: KeyLike): number;
  sismember(key: KeyLike, member: KeyLike): boolean;
  scard(key: KeyLike): number;
  smembers(key: KeyLike): string[];
  zscore(key: KeyLike, member: KeyLike): number | undefined;
  /** 0 = the lowest score, with reverse the highest. */
  zrank(key: KeyLike, member: KeyLike, options?: { reverse?: boolean }): number | undefined;
  /** By rank, both ends included; -1 is the last one. */
  zrange(
    key: KeyLike,
    start: number,
    stop: number,
    options?: { reverse?: boolean },
  ): ScoredMember[];
  zrangeByScore(
    key: KeyLike,
    min: number,
    max: number,
    options?: { limit?: number; reverse?: boolean },
  ): ScoredMember[];
  zcard(key: KeyLike): number;
  zcount(key: KeyLike, min: number, max: number): number;
  /** Both ends included; -1 is the last one. */
  lrange(key: KeyLike, start: number, stop: number): string[];
  llen(key: KeyLike): number;
}

/**
 * Notes changes of the store, which are made together when process() has ended: at most 1,024 and 1 MiB
 * of keys and values.
 */
export interface StoreWrites {
  set(key: KeyLike, value: ValueLike, options?: { ttlMs?: number; keepTtl?: boolean }): void;
  /** Adds to an integer; a missing key counts as 0. */
  add(key: KeyLike, delta: number | bigint | Int64): void;
  del(key: KeyLike): void;
  expire(key: KeyLike, ttlMs: number): void;
  persist(key: KeyLike): void;
  hset(key: KeyLike, field: KeyLike, value: ValueLike): void;
  hincrby(key: KeyLike, field: KeyLike, delta: number | bigint | Int64): void;
  hdel(key: KeyLike, ...fields: KeyLike[]): void;
  sadd(key: KeyLike, ...members: KeyLike[]): void;
  srem(key: KeyLike, ...members: KeyLike[]): void;
  zadd(key: KeyLike, member: KeyLike, score: number): void;
  zincrby(key: KeyLike, member: KeyLike, by: number): void;
  zrem(key: KeyLike, ...members: KeyLike[]): void;
  lpush(key: KeyLike, ...values: ValueLike[]): void;
  rpush(key: KeyLike, ...values: ValueLike[]): void;
}

/** A key, field or member; text is UTF-8. */
export type KeyLike = string | Uint8Array;

/** A value; text is UTF-8, numbers are written as in JSON. */
export type ValueLike = string | Uint8Array | number | bigint;

/** A member of a sorted set. */
export interface ScoredMember {
  member: string;
  score: number;
}

/** A 64-bit integer in two halves. */
export interface Int64 {
  hi: number;
  lo: number;
  toBigInt(): bigint;
  toNumber(): number;
}

/** The further fields of events: a part of JSON Schema. */
export interface EventSchema {
  readonly type?: "object";
  readonly description?: string;
  /** By name; not user, action, amount, id, type, ref, wait_ms or interval_ms. */
  readonly properties: Readonly<Record<string, FieldSchema>>;
  readonly required?: readonly string[];
}

/** What is said of one field; what does not go with its type is refused. */
export interface FieldSchema {
  readonly type: "string" | "integer" | "number" | "boolean" | "array" | "object";
  readonly description?: string;
  readonly enum?: readonly (string | number | boolean)[];
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: FieldSchema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly properties?: Readonly<Record<string, FieldSchema>>;
  readonly required?: readonly string[];
}
`;
}
