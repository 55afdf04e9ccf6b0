import assert from "node:assert/strict";
import { RawClient, respCommand } from "../helpers/raw_client.ts";
import { ServerProcess } from "../helpers/server_process.ts";
import { TestSubscriber } from "../helpers/subscriber.ts";

/** A server with one of the examples. */
async function start(name: string, ...flags: string[]): Promise<ServerProcess> {
  return await ServerProcess.start([
    "--processor",
    `examples/${name}.ts`,
    "--workers",
    "2",
    ...flags,
  ]);
}

type Result = Record<string, unknown>;

/** Sends events over HTTP and tells what came of them. */
class Sender {
  readonly #address: string;

  constructor(server: ServerProcess) {
    this.#address = `http://127.0.0.1:${server.port("http")}`;
  }

  async send(event: Result): Promise<{ status: number; reply: Result }> {
    const response = await fetch(`${this.#address}/events?wait=20s`, {
      method: "POST",
      body: JSON.stringify(event),
    });
    return { status: response.status, reply: await response.json() };
  }

  /** The result of an event that is processed. */
  async result(event: Result): Promise<Result> {
    const { reply } = await this.send(event);
    assert.equal(reply["status"], "processed", JSON.stringify([event, reply]));
    return reply["result"] as Result;
  }

  /** What is said of an event that is refused. */
  async refusal(event: Result): Promise<unknown> {
    const { status, reply } = await this.send(event);
    assert.deepEqual([status, reply["reason"]], [400, "invalid_event"]);
    return reply["detail"];
  }

  async counter(processor: string, name: string): Promise<number> {
    const text = await (await fetch(`${this.#address}/metrics`)).text();
    const line = new RegExp(`^sluice_processor_${name}_total(?:\\{([^}]*)\\})? (\\d+)$`, "m").exec(
      text,
    );
    assert.ok(line !== null, `${name} is among the metrics`);
    if (line[1] !== undefined) assert.match(line[1], new RegExp(processor));
    return Number(line[2]);
  }
}

class Redis implements Disposable {
  readonly #client: RawClient;

  private constructor(client: RawClient) {
    this.#client = client;
  }

  static async open(server: ServerProcess): Promise<Redis> {
    return new Redis(await RawClient.connect(server.port("resp")));
  }

  async ask(...words: string[]): Promise<string> {
    await this.#client.send(respCommand(...words));
    return await this.#reply();
  }

  async #reply(): Promise<string> {
    const head = (await this.#client.readUntil("\r\n")).trimEnd();
    if (head[0] === "$" && head !== "$-1") {
      return (await this.#client.read(Number(head.slice(1)) + 2)).slice(0, -2);
    }
    if (head[0] !== "*") return head;
    const elements: string[] = [];
    for (let i = 0; i < Number(head.slice(1)); i++) elements.push(await this.#reply());
    return elements.join(" ");
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

function times<T>(count: number, make: (index: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => make(index)));
}

Deno.test("examples/api_credits: nobody uses more than there is, nor more than a day's share", async () => {
  await using server = await start("api_credits", "--io-threads", "2");
  const sender = new Sender(server);
  using redis = await Redis.open(server);
  const call = { user: "ann", action: "call", endpoint: "/search" };
  assert.deepEqual(await sender.result({ ...call, amount: 1 }), {
    ...{ allowed: false, reason: "no_credits", credits: 0 },
  });
  assert.deepEqual(await sender.result({ user: "ann", action: "grant", amount: 30 }), {
    credits: 30,
  });
  // All at once: 10 of them fit.
  const tries = await times(16, () => sender.result({ ...call, amount: 3 }));
  assert.equal(tries.filter(({ allowed }) => allowed).length, 10);
  assert.equal(await redis.ask("GET", "credits:ann"), "0");
  assert.equal(await redis.ask("HGET", "calls:ann", "/search"), "10");

  await sender.result({ user: "ann", action: "grant", amount: 1000 });
  const more = await times(12, () => sender.result({ ...call, amount: 2 }));
  assert.equal(more.filter(({ allowed }) => allowed).length, 10, "30 and 20 are a day's share");
  assert.ok(more.some(({ reason }) => reason === "daily_limit"));
  assert.equal(await redis.ask("GET", "credits:ann"), "980");
  const [day] = (await redis.ask("KEYS", "used:ann:*")).split(" ");
  assert.equal(await redis.ask("GET", day!), "50");
  assert.match(await redis.ask("TTL", day!), /^:1\d{5}$/);
  assert.equal(await sender.counter("api_credits", "allowed"), 20);
  assert.equal(await sender.counter("api_credits", "denied"), 9);
  assert.equal(await sender.counter("api_credits", "granted"), 1030);

  assert.equal(
    await sender.refusal({ ...call, action: "x", amount: 1 }),
    "action must be grant or call",
  );
  assert.equal(
    await sender.refusal({ ...call, amount: -1 }),
    "amount must be from 0 to 1000000, not -1",
  );
  assert.match(
    String(await sender.refusal({ ...call, endpoint: "x", amount: 1 })),
    /^endpoint must be/,
  );
});

Deno.test("examples/sliding_window_limiter: RESP and HTTP see one window, which slides", async () => {
  await using server = await start("sliding_window_limiter", "--io-threads", "2");
  const sender = new Sender(server);
  using redis = await Redis.open(server);
  const rule = { limit: 5, window_ms: 3_600_000 };
  const overHttp = (user: string, fields: Result = rule) =>
    sender.result({ user, action: "hit", amount: 1, ...fields });
  const overResp = async (user: string, fields: Result = rule): Promise<Result> =>
    JSON.parse(
      await redis.ask("EVENT", user, "hit", "1", "WAIT", "20000", "FIELDS", JSON.stringify(fields)),
    );
  assert.deepEqual(await overResp("ann"), { allowed: true, remaining: 4 });
  assert.deepEqual(await overHttp("ann"), { allowed: true, remaining: 3 });
  assert.deepEqual(await overResp("bob"), { allowed: true, remaining: 4 }, "each has their own");
  // At once, over both.
  const answers = await Promise.all([
    times(6, () => overHttp("ann")),
    times(1, () => overResp("ann")),
  ]);
  const all = answers.flat();
  assert.equal(all.filter(({ allowed }) => allowed).length, 3);
  const denied = all.find(({ allowed }) => !allowed)!;
  const retryMs = denied["retry_after_ms"] as number;
  assert.ok(retryMs > 3_500_000 && retryMs <= 3_600_000, `${retryMs}`);
  assert.equal(await redis.ask("ZCARD", "window:ann:3600000"), ":5");
  assert.equal(await sender.counter("sliding_window", "allowed"), 6);
  assert.equal(await sender.counter("sliding_window", "denied"), 4);

  // A window that is over lets through again; how long that takes does not matter.
  const short = { limit: 1, window_ms: 50 };
  assert.deepEqual(await overHttp("cy", short), { allowed: true, remaining: 0 });
  for (let isAllowed = false; !isAllowed;) {
    isAllowed = (await overResp("cy", short))["allowed"] === true;
  }
  assert.equal(await redis.ask("ZCARD", "window:cy:50"), ":1");
  assert.match(
    await redis.ask("EVENT", "ann", "hit", "2"),
    /^-ERR invalid event: amount must be 1/,
  );
});

Deno.test("examples/leaderboard: scores add up, and the top is published when it changes", async () => {
  await using server = await start("leaderboard");
  const sender = new Sender(server);
  using redis = await Redis.open(server);
  using subscriber = await TestSubscriber.open(server.port("resp"), "SUBSCRIBE", "top:chess");
  const score = (user: string, amount: number) =>
    sender.result({ user, action: "score", amount, game: "chess" });
  const published = async () => JSON.parse((await subscriber.next())[2]!);
  assert.deepEqual(await score("ann", 30), { score: 30, rank: 1 });
  assert.deepEqual(await published(), [{ user: "ann", score: 30 }]);
  assert.deepEqual(await score("bob", 40), { score: 40, rank: 1 });
  assert.deepEqual((await published()).map(({ user }: Result) => user), ["bob", "ann"]);
  assert.deepEqual(await score("cy", 10), { score: 10, rank: 3 });
  assert.deepEqual((await published()).map(({ user }: Result) => user), ["bob", "ann", "cy"]);
  assert.deepEqual(await score("dan", 5), { score: 5, rank: 4 }, "the top stays, nothing is said");
  assert.deepEqual(await score("bob", -35), { score: 5, rank: 3 });
  assert.deepEqual(await published(), [
    { user: "ann", score: 30 },
    { user: "cy", score: 10 },
    { user: "dan", score: 5 },
  ], "of the same score the last by name is in front, as in a sorted set");
  assert.deepEqual(await score("dan", 100), { score: 105, rank: 1 });
  assert.deepEqual((await published()).map(({ user }: Result) => user), ["dan", "ann", "cy"]);
  assert.equal(await redis.ask("ZREVRANGE", "board:chess", "0", "2"), "dan ann cy");

  await times(40, (index) => score(`p${index % 4}`, index));
  const sums = [0, 1, 2, 3].map((p) => 10 * p + 4 * 45);
  for (const [p, sum] of sums.entries()) {
    assert.equal(await redis.ask("ZSCORE", "board:chess", `p${p}`), String(sum));
    assert.equal(await redis.ask("HGET", `player:p${p}`, "games"), "10");
    assert.equal(await redis.ask("HGET", `player:p${p}`, "points:chess"), String(sum));
  }
  assert.equal(await sender.counter("leaderboard", "scores"), 46);
  assert.equal(
    await sender.refusal({ user: "ann", action: "score", amount: 1 }),
    "game is missing",
  );
});

Deno.test("examples/webhook_intake: each delivery is in the queue once, however often it comes", async () => {
  for (const flags of [[], ["--dedup-window", "0"]]) {
    await using server = await start("webhook_intake", ...flags);
    const sender = new Sender(server);
    using redis = await Redis.open(server);
    const delivery = (index: number) => ({
      ...{
        user: "github",
        action: index % 2 === 0 ? "push" : "issue",
        amount: 0,
        id: `d-${index}`,
      },
      payload: { index, text: "x" },
    });
    // Everything five times, mixed.
    const replies = await times(50, (index) => sender.send(delivery(index % 10)));
    assert.ok(replies.every(({ reply }) => reply["status"] === "processed"));
    const queued = replies.filter(({ reply }) => (reply["result"] as Result)?.["queued"] === true);
    assert.equal(queued.length, 10);
    assert.equal(await redis.ask("LLEN", "queue:github"), ":10");
    const ids = new Set<string>();
    for (let i = 0; i < 10; i++) {
      const taken = JSON.parse(await redis.ask("LPOP", "queue:github"));
      assert.deepEqual(taken.payload.index, Number(taken.id.slice(2)));
      ids.add(taken.id);
    }
    assert.equal(ids.size, 10);
    assert.equal(await redis.ask("HGET", "stats:github", "push"), "5");
    assert.equal(await sender.counter("webhook_intake", "queued"), 10);
    const { id: _, ...nameless } = delivery(1);
    assert.equal(
      await sender.refusal(nameless),
      "id is missing: deliveries are told apart by it",
    );
  }
});
