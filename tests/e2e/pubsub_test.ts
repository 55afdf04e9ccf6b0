import assert from "node:assert/strict";
import { RawClient, respCommand } from "../helpers/raw_client.ts";
import { IO_THREAD_COUNTS, ServerProcess, testsInTurn } from "../helpers/server_process.ts";
import { TestSubscriber } from "../helpers/subscriber.ts";

/** Connections per role: with two I/O threads, some are on each. */
const CROWD = 6;
const EXPIRED = "__keyevent@0__:expired";

async function ask(client: RawClient, ...command: string[]): Promise<string> {
  await client.send(respCommand(...command));
  return await client.readUntil("\r\n");
}

/** Waits until a one-line reply is what it should be. */
async function eventually(client: RawClient, command: string[], expected: string): Promise<void> {
  for (let attempt = 0; attempt < 500; attempt++) {
    if (await ask(client, ...command) === expected) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.equal(await ask(client, ...command), expected, command.join(" "));
}

async function infoLine(client: RawClient, name: string): Promise<string> {
  await client.send(respCommand("INFO", "stats"));
  const text = await client.readUntil("pubsubshard_channels:") + await client.readUntil("\r\n\r\n");
  return new RegExp(`^${name}:(.*)\r$`, "m").exec(text)![1]!;
}

for (const threads of IO_THREAD_COUNTS) {
  const test = testsInTurn(threads);
  const flags = ["--io-threads", String(threads)];

  Deno.test(`pubsub (${threads} I/O threads): all subscribers see all messages in one order`, async () => {
    await using server = await ServerProcess.start(flags);
    const port = server.port("resp");
    const [publisherCount, messageCount] = [4, 300];
    const subscribers = await Promise.all([
      ...Array.from({ length: CROWD }, () => TestSubscriber.open(port, "SUBSCRIBE", "news")),
      ...Array.from({ length: CROWD }, () => TestSubscriber.open(port, "PSUBSCRIBE", "n?ws", "x*")),
    ]);
    const total = publisherCount * messageCount;
    const publish = async (publisher: number): Promise<void> => {
      using client = await RawClient.connect(port);
      let text = "";
      for (let i = 0; i < messageCount; i++) {
        text += respCommand("PUBLISH", "news", `${publisher} ${i}`);
        if (i % 20 !== 19) continue;
        await client.send(text);
        // Every PUBLISH says how many got it.
        const expected = `:${2 * CROWD}\r\n`.repeat(20);
        assert.equal(await client.read(expected.length), expected);
        text = "";
      }
    };
    const received = subscribers.map((subscriber) => subscriber.take(total));
    await Promise.all(Array.from({ length: publisherCount }, (_, i) => publish(i)));
    const orders = (await Promise.all(received)).map((pushes) =>
      pushes.map((push) => {
        assert.deepEqual(
          push.slice(0, -1),
          push[0] === "message" ? ["message", "news"] : ["pmessage", "n?ws", "news"],
        );
        return push.at(-1)!;
      })
    );
    for (const order of orders) assert.deepEqual(order, orders[0]);
    for (let publisher = 0; publisher < publisherCount; publisher++) {
      const own = orders[0]!.filter((text) => text.startsWith(`${publisher} `));
      assert.deepEqual(own, Array.from({ length: messageCount }, (_, i) => `${publisher} ${i}`));
    }
    for (const subscriber of subscribers) subscriber[Symbol.dispose]();
  });

  test(`pubsub (${threads} I/O threads): who leaves, however, is counted no more`, async () => {
    await using server = await ServerProcess.start(flags);
    const port = server.port("resp");
    using asker = await RawClient.connect(port);
    const subscribers = await Promise.all(
      Array.from(
        { length: 3 * CROWD },
        (_, i) => TestSubscriber.open(port, "SUBSCRIBE", "a", `own ${i}`),
      ),
    );
    for (const [i, subscriber] of subscribers.entries()) {
      await subscriber.send("PSUBSCRIBE", "a*", `p${i}`);
      await subscriber.take(2);
      await subscriber.send("SSUBSCRIBE", "a");
      await subscriber.next();
    }
    assert.equal(await ask(asker, "PUBLISH", "a", "1"), `:${6 * CROWD}\r\n`);
    assert.equal(await ask(asker, "SPUBLISH", "a", "1"), `:${3 * CROWD}\r\n`);
    assert.equal(await ask(asker, "PUBSUB", "NUMPAT"), `:${3 * CROWD + 1}\r\n`);
    assert.equal(await infoLine(asker, "pubsub_channels"), String(3 * CROWD + 1));
    // A third unsubscribes, a third resets, a third is gone.
    for (const [i, subscriber] of subscribers.entries()) {
      await subscriber.take(3);
      if (i % 3 === 0) {
        for (const kind of ["UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE"]) {
          await subscriber.send(kind);
        }
        await subscriber.take(5);
      } else if (i % 3 === 1) {
        await subscriber.send("RESET");
        assert.equal(await subscriber.client.readUntil("\r\n"), "+RESET\r\n");
      } else {
        subscriber[Symbol.dispose]();
      }
    }
    await eventually(asker, ["PUBSUB", "CHANNELS"], "*0\r\n");
    await eventually(asker, ["PUBSUB", "SHARDCHANNELS"], "*0\r\n");
    await eventually(asker, ["PUBSUB", "NUMPAT"], ":0\r\n");
    assert.equal(await infoLine(asker, "pubsub_channels"), "0");
    assert.equal(await infoLine(asker, "pubsubshard_channels"), "0");
    assert.equal(await ask(asker, "PUBLISH", "a", "1"), ":0\r\n");
    for (const subscriber of subscribers) subscriber[Symbol.dispose]();
  });

  test(`pubsub (${threads} I/O threads): a large message reaches everybody whole`, async () => {
    await using server = await ServerProcess.start(flags);
    const port = server.port("resp");
    const subscribers = await Promise.all(
      Array.from({ length: CROWD }, () => TestSubscriber.open(port, "SUBSCRIBE", "large")),
    );
    using publisher = await RawClient.connect(port);
    for (const length of [8191, 8193, 70_000, 1_000_000]) {
      const payload = `${length}`.padEnd(length, "0123456789");
      assert.equal(await ask(publisher, "PUBLISH", "large", payload), `:${CROWD}\r\n`);
      for (const subscriber of subscribers) {
        assert.deepEqual(await subscriber.next(), ["message", "large", payload]);
      }
    }
    // Nothing of it stays in the store.
    using http = await RawClient.connect(server.port("http"));
    await http.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: text/plain\r\n\r\n");
    const { body } = await http.readHttpReply();
    assert.match(body, /sluice_value_leases 0\n|"leases": ?0/);
    for (const subscriber of subscribers) subscriber[Symbol.dispose]();
  });

  test(`pubsub (${threads} I/O threads): who does not read is cut off, the others go on`, async () => {
    await using server = await ServerProcess.start([...flags, "--max-client-memory", "16mb"]);
    const port = server.port("resp");
    using slow = await TestSubscriber.open(port, "SUBSCRIBE", "flood");
    await slow.send("PING");
    await slow.next();
    const readers = await Promise.all(
      Array.from({ length: 3 }, () => TestSubscriber.open(port, "SUBSCRIBE", "flood")),
    );
    using publisher = await RawClient.connect(port);
    const payload = "x".repeat(100_000);
    let count = 0;
    // Until the system's own buffers are full, and ours are, too.
    for (let reply = ":4\r\n"; reply === ":4\r\n";) {
      reply = await ask(publisher, "PUBLISH", "flood", payload);
      count++;
      assert.ok(count < 2000, "it is cut off before 200 MB");
      for (const reader of readers) assert.equal((await reader.next()).at(-1), payload);
    }
    const line = await server.waitForLine("subscriber_cut_off");
    assert.equal(line["reason"], "does not read");
    assert.equal(line["level"], "warn");
    assert.equal(server.linesOf("subscriber_cut_off").length, 1);
    assert.equal(await ask(publisher, "PUBLISH", "flood", "on"), ":3\r\n");
    for (const reader of readers) {
      assert.deepEqual(await reader.next(), ["message", "flood", "on"]);
      reader[Symbol.dispose]();
    }
  });

  test(`pubsub (${threads} I/O threads): subscribers may be silent, and a stop ends them`, async () => {
    await using server = await ServerProcess.start([...flags, "--resp-idle-timeout", "300ms"]);
    const port = server.port("resp");
    using silent = await RawClient.connect(port);
    await ask(silent, "PING");
    using subscriber = await TestSubscriber.open(port, "SUBSCRIBE", "quiet");
    assert.equal(await silent.readToEnd(), "", "who subscribes to nothing is closed");
    using publisher = await RawClient.connect(port);
    assert.equal(await ask(publisher, "PUBLISH", "quiet", "still here"), ":1\r\n");
    assert.deepEqual(await subscriber.next(), ["message", "quiet", "still here"]);
    if (Deno.build.os === "windows") return;
    server.signal("SIGTERM");
    assert.equal(await subscriber.client.readToEnd(), "");
    assert.equal((await server.waitForEnd()).code, 0);
  });

  test(`pubsub (${threads} I/O threads): RESP3 mixes messages with replies, large ones too`, async () => {
    await using server = await ServerProcess.start(flags);
    const port = server.port("resp");
    using setter = await RawClient.connect(port);
    const value = "v".repeat(700_000);
    await ask(setter, "SET", "large", value);
    using mixed = await TestSubscriber.open(port, "SUBSCRIBE", "a");
    await mixed.send("UNSUBSCRIBE");
    await mixed.next();
    await mixed.client.send(`${respCommand("HELLO", "3")}${respCommand("SUBSCRIBE", "a")}`);
    await mixed.client.readUntil(">3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n");
    const flood = async (): Promise<void> => {
      using publisher = await RawClient.connect(port);
      for (let i = 0; i < 300; i++) {
        assert.equal(await ask(publisher, "PUBLISH", "a", `${i}`), ":1\r\n");
      }
    };
    const flooding = flood();
    let [replies, messages] = [0, 0];
    for (let i = 0; i < 10; i++) await mixed.send("GET", "large");
    while (replies < 10 || messages < 300) {
      const head = await mixed.client.readUntil("\r\n");
      if (head[0] === ">") {
        const text = String(messages++);
        const rest = `$7\r\nmessage\r\n$1\r\na\r\n$${text.length}\r\n${text}\r\n`;
        assert.equal(await mixed.client.read(rest.length), rest);
      } else {
        assert.equal(head, `$${value.length}\r\n`);
        assert.equal(await mixed.client.read(value.length + 2), `${value}\r\n`);
        replies++;
      }
    }
    await flooding;
  });

  test(`pubsub (${threads} I/O threads): what happens to keys is published when that is wanted`, async () => {
    await using server = await ServerProcess.start(flags);
    const port = server.port("resp");
    const watchers = await Promise.all(
      Array.from({ length: CROWD }, () => TestSubscriber.open(port, "PSUBSCRIBE", "__key*__:*")),
    );
    using client = await RawClient.connect(port);
    await ask(client, "SET", "k", "unseen");
    assert.equal(await ask(client, "CONFIG", "SET", "notify-keyspace-events", "EKg$"), "+OK\r\n");
    await client.send(respCommand("SELECT", "3") + respCommand("SET", "k", "1", "EX", "100"));
    await client.send(respCommand("INCRBY", "k", "2") + respCommand("DEL", "k", "none"));
    await client.readUntil(":3\r\n:1\r\n");
    assert.equal(await ask(client, "CONFIG", "SET", "notify-keyspace-events", ""), "+OK\r\n");
    await ask(client, "SET", "k", "unseen");
    const events = ["set", "expire", "incrby", "del"];
    const expected = events.flatMap((event) => [
      ["pmessage", "__key*__:*", "__keyspace@3__:k", event],
      ["pmessage", "__key*__:*", `__keyevent@3__:${event}`, "k"],
    ]);
    await client.send(respCommand("PUBLISH", "__key__:end", "end"));
    for (const watcher of watchers) {
      const seen = await watcher.take(expected.length + 1);
      assert.equal(seen.pop()!.at(-1), "end", "there is nothing else");
      // Channels lie in different shards, whose messages have no common order.
      const sorted = (list: readonly (readonly string[])[]): string[] =>
        list.map((push) => push.join(" ")).sort();
      assert.deepEqual(sorted(seen), sorted(expected));
      watcher[Symbol.dispose]();
    }
  });

  Deno.test(`pubsub (${threads} I/O threads): keys that expire unasked are published, whoever sweeps`, async () => {
    await using server = await ServerProcess.start(flags);
    const port = server.port("resp");
    const watchers = await Promise.all(
      Array.from({ length: CROWD }, () => TestSubscriber.open(port, "SUBSCRIBE", EXPIRED)),
    );
    using client = await RawClient.connect(port);
    assert.equal(await ask(client, "CONFIG", "SET", "notify-keyspace-events", "Ex"), "+OK\r\n");
    const names = Array.from({ length: 50 }, (_, i) => `k${i}`);
    for (const name of names) {
      assert.equal(await ask(client, "SET", name, "v", "PX", "1"), "+OK\r\n");
    }
    for (const watcher of watchers) {
      const seen = await watcher.take(names.length);
      assert.deepEqual(seen.map((push) => push.at(-1)!).sort(), [...names].sort());
      watcher[Symbol.dispose]();
    }
  });
}
