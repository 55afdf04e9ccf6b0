/**
 * A server that is killed again and again while clients of all protocols use it, and what each start
 * finds of what they were told.
 *
 * Every event has a user of its own, so that its balance says whether it was applied, and how often.
 * Every key has one writer that sets it to 1, 2, 3 and so on, so that its value says up to where its
 * writes survived. Keys that are set in pairs by a transaction must be equal.
 *
 * Every event has an id. After each start all are sent again, whether they were confirmed or not, and some
 * of those of earlier rounds: then each of them must have been applied exactly once.
 */

import assert from "node:assert/strict";
import { Random } from "./fuzz/random.ts";
import { ProtoTcpClient } from "./proto_client.ts";
import { eventRequest, RawClient, respCommand } from "./raw_client.ts";
import { PROGRAM, ServerProcess } from "./server_process.ts";

/** Writers of keys, and of pairs; clients of events per protocol. */
const WRITERS = 3;
/** How many values a writer sends at once, at most. */
const MOST_IN_A_ROW = 5;
/** Events of earlier rounds that are sent again. */
const KEPT_EVENTS = 300;
/** Events that are sent again at once. */
const RETRIES_AT_ONCE = 200;
/** With `everysec`: what was confirmed longer ago than this has to be there. Unit: ms. */
const LOSS_MS = 1500;

/** How long a round waits for events to be accepted, where the machine is busy. Unit: ms. */
const MOST_WAIT_MS = 3000;

/** What came out of some rounds. */
export interface CrashCounts {
  /** Times that the server was killed. */
  kills: number;
  /** Writes that were confirmed. */
  writes: number;
  /** Events that were accepted. */
  events: number;
  /** Events found at a start that were accepted before and not settled. */
  requeued: number;
  /** Starts that found a torn end. */
  torn: number;
  /** Starts from a snapshot. */
  fromSnapshot: number;
  /** Events that were sent again after a start. */
  retried: number;
  /** Of those, the ones that had to be applied, because the server did not have them. */
  missing: number;
  /** Confirmed writes and events that were lost; with `everysec` the last second's may be. */
  lost: number;
}

/** A confirmed step of a writer. */
interface Confirmed {
  readonly value: number;
  readonly atMs: number;
}

interface Over {
  isOver: boolean;
}

interface Writer {
  readonly keys: readonly string[];
  /** The last value that was sent. */
  sent: number;
  /** Confirmed steps of the round under way, and the last one before it. */
  confirmed: Confirmed[];
}

interface SentEvent {
  readonly user: string;
  /** When it was accepted the last time; 0 = nobody knows. */
  acceptedAtMs: number;
}

/** What to run. */
export interface CrashOptions {
  readonly path: string;
  readonly fsync: "always" | "everysec";
  readonly rounds: number;
  /** Goes on for a few times as many rounds until so many writes and events were confirmed. */
  readonly confirmed?: number;
  readonly seed: number;
  readonly flags?: readonly string[];
  /** How long clients work in a round in any case, at most; default: 420. Unit: ms. */
  readonly mostWorkMs?: number;
  /** Told after each round. */
  readonly onRound?: (counts: CrashCounts) => void;
}

/** Runs rounds of load and kills; fails at the first thing that is not as promised. */
export async function runCrashes(options: CrashOptions): Promise<CrashCounts> {
  const run = new CrashRun(options);
  const { rounds, confirmed = 0 } = options;
  const isShort = (): boolean => run.counts.writes < confirmed || run.counts.events < confirmed;
  // On a busy machine a client may not get far before the server is killed.
  for (let round = 0; round < rounds || (round < rounds * 5 && isShort()); round++) {
    await run.round();
    options.onRound?.(run.counts);
  }
  await run.check();
  return run.counts;
}

/** The clients of a server that is killed again and again, and what they were told. */
export class CrashRun {
  readonly counts: CrashCounts = {
    kills: 0,
    writes: 0,
    events: 0,
    requeued: 0,
    torn: 0,
    fromSnapshot: 0,
    retried: 0,
    missing: 0,
    lost: 0,
  };
  readonly #options: CrashOptions;
  readonly #random: Random;
  readonly #writers: Writer[] = [];
  #events: SentEvent[] = [];
  #eventNumber = 0;
  #killedAtMs = 0;

  constructor(options: CrashOptions) {
    this.#options = options;
    this.#random = new Random(options.seed);
    for (let i = 0; i < WRITERS; i++) {
      this.#writers.push({ keys: [`set:${i}`], sent: 0, confirmed: [] });
      this.#writers.push({ keys: [`pair:${i}:a`, `pair:${i}:b`], sent: 0, confirmed: [] });
    }
  }

  /** Starts, checks what is there, lets clients work, kills. */
  async round(): Promise<void> {
    await using server = await this.#start();
    await this.#verify(server);
    const port = server.port("resp");
    const over = { isOver: false };
    const clients = this.#startClients(server, over);
    // The second start is from a snapshot, unless that was not done in time.
    const isFirst = this.counts.kills === 0;
    if (isFirst || this.#random.oneIn(4)) clients.push(saveSoon(port, this.#random.below(50)));
    await this.#letWork();
    this.#killedAtMs = performance.now();
    server.signal("SIGKILL");
    over.isOver = true;
    await Promise.all(clients);
    this.counts.kills++;
  }

  /** Waits for a while, and longer where nothing gets done, so that every round counts for something. */
  async #letWork(): Promise<void> {
    const { rounds, confirmed = 0, mostWorkMs = 420 } = this.#options;
    const wanted = this.counts.events + this.#random.below(2 * confirmed / rounds + 1);
    const untilMs = performance.now() + MOST_WAIT_MS;
    await sleep(20 + this.#random.below(mostWorkMs - 20));
    while (this.counts.events < wanted && performance.now() < untilMs) await sleep(10);
  }

  /**
   * Lets clients work until the server dies by itself.
   *
   * @returns whether it was killed within the time
   */
  async workUntilDeath(server: ServerProcess, patienceMs: number): Promise<boolean> {
    const over = { isOver: false };
    const clients = this.#startClients(server, over, true);
    const isDead = await Promise.race([
      server.waitForEnd().then(() => true),
      sleep(patienceMs).then(() => false),
    ]);
    over.isOver = true;
    this.#killedAtMs = performance.now();
    if (!isDead) server.signal("SIGKILL");
    await Promise.all(clients);
    this.counts.kills++;
    return isDead;
  }

  /** Checks what a server has that was just started. */
  verify(server: ServerProcess): Promise<void> {
    return this.#verify(server);
  }

  /** A last start, and what is there then. */
  async check(): Promise<void> {
    await using server = await this.#start();
    await this.#verify(server);
  }

  /** Clients of all kinds. With `mayEnd` they do not mind when the server ends. */
  #startClients(server: ServerProcess, over: Over, mayEnd = false): Promise<void>[] {
    const port = server.port("resp");
    const clients = [
      ...this.#writers.map((writer) => this.#write(writer, port, over)),
      this.#sendHttpEvents(server.port("http"), over),
      this.#sendRespEvents(port, over),
      this.#sendProtoEvents(server.port("proto"), over),
    ];
    return mayEnd ? clients.map((client) => client.catch(() => {})) : clients;
  }

  async #start(): Promise<ServerProcess> {
    const { path, fsync, flags = [] } = this.#options;
    const server = await startWithData(path, ["--fsync", fsync, "--dedup-window", "1h", ...flags]);
    const line = server.linesOf("recovered")[0]!;
    this.counts.requeued += line["pending_events"] as number;
    if (line["snapshot_keys"] as number > 0) this.counts.fromSnapshot++;
    if (server.linesOf("log_torn").length > 0) this.counts.torn++;
    return server;
  }

  /** Whether something that was confirmed then may be gone after the last kill. */
  #mayBeLost(atMs: number): boolean {
    return this.#options.fsync !== "always" && this.#killedAtMs - atMs < LOSS_MS;
  }

  async #verify(server: ServerProcess): Promise<void> {
    const client = await RawClient.connect(server.port("resp"));
    // Some while what was pending is still being settled.
    if (this.#random.oneIn(2)) {
      await this.#sendAgain(client, this.#events.filter(({ acceptedAtMs }) => acceptedAtMs === 0));
    }
    await waitUntilSettled(server.port("http"));
    for (const writer of this.#writers) await this.#verifyWriter(client, writer);
    const balances = await this.#balances(client);
    for (const [i, event] of this.#events.entries()) this.#verifyEvent(event, balances[i]);
    await this.#retryEvents(client, server.port("http"));
    client.close();
  }

  /** Sends all events again: each is then applied once, whatever has become of it before. */
  async #retryEvents(client: RawClient, httpPort: number): Promise<void> {
    await this.#sendAgain(client, this.#events);
    await waitUntilSettled(httpPort);
    for (const [i, balance] of (await this.#balances(client)).entries()) {
      assert.equal(balance, "1", `${this.#events[i]!.user} was applied once`);
    }
    while (this.#events.length > KEPT_EVENTS) {
      this.#events[this.#random.below(this.#events.length)] = this.#events.at(-1)!;
      this.#events.pop();
    }
  }

  /** Sends events until all are accepted. */
  async #sendAgain(client: RawClient, events: readonly SentEvent[]): Promise<void> {
    this.counts.retried += events.length;
    for (let left = events; left.length > 0;) {
      const refused = left.slice(RETRIES_AT_ONCE);
      const batch = left.slice(0, RETRIES_AT_ONCE);
      await client.send(batch.map(eventCommand).join(""));
      for (const event of batch) {
        const reply = await client.readUntil("\r\n");
        if (reply === "+ACCEPTED\r\n") event.acceptedAtMs = performance.now();
        else refused.push(event);
      }
      left = refused;
    }
  }

  async #verifyWriter(client: RawClient, writer: Writer): Promise<void> {
    const values: number[] = [];
    for (const value of await getAll(client, writer.keys)) values.push(Number(value ?? "0"));
    const context = `${writer.keys.join(" ")}: ${values}, sent ${writer.sent}`;
    assert.ok(values.every((value) => value === values[0]), `${context}: a transaction is torn`);
    const found = values[0]!;
    assert.ok(found <= writer.sent, context);
    const last = writer.confirmed.at(-1)?.value ?? 0;
    const needed = writer.confirmed.findLast(({ atMs }) => !this.#mayBeLost(atMs))?.value ?? 0;
    assert.ok(found >= needed, `${context}, confirmed up to ${last}, of which ${needed} long ago`);
    this.counts.lost += Math.max(0, last - found);
    // What is found is durable by now: it was recovered from the disk.
    writer.confirmed = [{ value: found, atMs: -Infinity }];
    writer.sent = found;
  }

  /** What the users of all events have. */
  #balances(client: RawClient): Promise<(string | undefined)[]> {
    return getAll(client, this.#events.map(({ user }) => `balance:${user}`));
  }

  #verifyEvent({ user, acceptedAtMs }: SentEvent, found: string | undefined): void {
    const balance = Number(found ?? "0");
    assert.ok(balance <= 1, `${user} was applied ${balance} times`);
    if (balance === 0) this.counts.missing++;
    if (balance === 1 || acceptedAtMs === 0) return;
    assert.ok(this.#mayBeLost(acceptedAtMs), `${user} was accepted and is gone`);
    this.counts.lost++;
  }

  async #write(writer: Writer, port: number, over: { isOver: boolean }): Promise<void> {
    await this.#untilCut(port, over, async (client) => {
      // Several in a row, for what they do goes into the log together.
      const values = Array.from({ length: 1 + writer.sent % MOST_IN_A_ROW }, () => ++writer.sent);
      await client.send(values.map((value) => setCommands(writer.keys, `${value}`)).join(""));
      for (const value of values) {
        await readSetReplies(client, writer.keys);
        writer.confirmed.push({ value, atMs: performance.now() });
        this.counts.writes++;
      }
    });
  }

  #newEvent(): SentEvent {
    const event = { user: `u${this.#eventNumber++}`, acceptedAtMs: 0 };
    this.#events.push(event);
    return event;
  }

  #accepted(event: SentEvent): void {
    event.acceptedAtMs = performance.now();
    this.counts.events++;
  }

  async #sendHttpEvents(port: number, over: { isOver: boolean }): Promise<void> {
    await this.#untilCut(port, over, async (client) => {
      const event = this.#newEvent();
      await client.send(eventRequest(event.user, 1, `Idempotency-Key: ${event.user}\r\n`));
      const { status } = await client.readHttpReply();
      if (status === 202) this.#accepted(event);
    });
  }

  async #sendRespEvents(port: number, over: { isOver: boolean }): Promise<void> {
    await this.#untilCut(port, over, async (client) => {
      const event = this.#newEvent();
      await client.send(eventCommand(event));
      const reply = await client.readUntil("\r\n");
      if (reply === "+ACCEPTED\r\n") this.#accepted(event);
    });
  }

  async #sendProtoEvents(port: number, over: { isOver: boolean }): Promise<void> {
    try {
      await using client = await ProtoTcpClient.connect(port);
      while (!over.isOver) {
        const event = this.#newEvent();
        const value = { user: event.user, action: "add", amount: 1n, id: event.user };
        const reply = await client.ask({ case: "event", value });
        if (reply === undefined) return;
        if (JSON.stringify(reply).includes("EVENT_STATUS_ACCEPTED")) this.#accepted(event);
      }
    } catch (error) {
      if (!over.isOver) throw error;
    }
  }

  /** Does something over one connection until the server is killed. */
  async #untilCut(
    port: number,
    over: { isOver: boolean },
    body: (client: RawClient) => Promise<void>,
  ): Promise<void> {
    const client = await RawClient.connect(port);
    try {
      while (!over.isOver) await body(client);
    } catch (error) {
      // What was sent last was not answered.
      if (!over.isOver) throw error;
    } finally {
      client.close();
    }
  }
}

/** Sets one key, or two in a transaction. */
function setCommands([key, other]: readonly string[], value: string): string {
  const set = respCommand("SET", key!, value);
  if (other === undefined) return set;
  return respCommand("MULTI") + set + respCommand("SET", other, value) + respCommand("EXEC");
}

/** Reads what is said to them, as long as nothing is refused. */
async function readSetReplies(client: RawClient, { length }: readonly string[]): Promise<void> {
  const replies = length === 1 ? ["+OK"] : ["+OK", "+QUEUED", "+QUEUED", "*2", "+OK", "+OK"];
  for (const reply of replies) assert.equal(await client.readUntil("\r\n"), `${reply}\r\n`);
}

/** An event, whose id is its user's name. */
function eventCommand({ user }: SentEvent): string {
  return respCommand("EVENT", user, "add", "1", "ID", user);
}

/** A server with a data directory, which it may write to. */
export function startWithData(
  path: string,
  flags: readonly string[],
  env: Readonly<Record<string, string>> = {},
  skipReady = false,
): Promise<ServerProcess> {
  return ServerProcess.start(["--data-dir", path, ...flags], {
    env,
    skipReady,
    denoArgs: [
      "run",
      "--no-check",
      "--no-prompt",
      "--allow-net",
      "--allow-read",
      "--allow-write",
      "--allow-env=SLUICE_*,NO_COLOR",
      PROGRAM,
    ],
  });
}

/** Asks for a snapshot after a while. */
async function saveSoon(port: number, afterMs: number): Promise<void> {
  try {
    const client = await RawClient.connect(port);
    await sleep(afterMs);
    await client.send(respCommand("BGSAVE"));
    client.close();
  } catch {
    // The server is gone.
  }
}

/** The values of keys, asked for at once. */
async function getAll(
  client: RawClient,
  keys: readonly string[],
): Promise<(string | undefined)[]> {
  await client.send(keys.map((key) => respCommand("GET", key)).join(""));
  const values: (string | undefined)[] = [];
  for (let i = 0; i < keys.length; i++) {
    const head = await client.readUntil("\r\n");
    values.push(head === "$-1\r\n" ? undefined : (await client.readUntil("\r\n")).slice(0, -2));
  }
  return values;
}

/** Events that were accepted before go through the channel again. */
async function waitUntilSettled(port: number): Promise<void> {
  for (let attempt = 0; attempt < 1000; attempt++) {
    const reply = await fetch(`http://127.0.0.1:${port}/metrics`, {
      headers: { Accept: "application/json" },
    });
    const { pending } = await reply.json();
    if (pending === 0) return;
    await sleep(5);
  }
  assert.fail("events that were pending are not settled");
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
