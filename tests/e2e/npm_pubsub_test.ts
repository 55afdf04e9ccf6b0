import assert from "node:assert/strict";
import { Redis } from "ioredis";
import { createClient } from "redis";
import { IO_THREAD_COUNTS, ServerProcess, testsInTurn } from "../helpers/server_process.ts";

/** Waits until so many are there. */
async function until(list: readonly unknown[], count: number): Promise<void> {
  for (let attempt = 0; list.length < count && attempt < 500; attempt++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const EXPECTED = [["news", "one"], ["n*", "news", "one"], ["news", "two"], ["n*", "news", "two"]];

for (const threads of IO_THREAD_COUNTS) {
  const test = testsInTurn(threads);
  const flags = ["--io-threads", String(threads)];

  for (const protocol of [2, 3] as const) {
    test(`ioredis, version ${protocol} (${threads} I/O threads): subscribes, hears, comes back, unsubscribes`, async () => {
      await using server = await ServerProcess.start(flags);
      const options = { host: "127.0.0.1", port: server.port("resp"), retryStrategy: () => 10 };
      const subscriber = new Redis({ ...options, protocol });
      const publisher = new Redis({ ...options, protocol });
      const heard: string[][] = [];
      subscriber.on("error", () => {});
      subscriber.on("message", (channel: string, text: string) => heard.push([channel, text]));
      subscriber.on("pmessage", (...words: string[]) => heard.push(words));
      assert.equal(await subscriber.subscribe("news", "other"), 2);
      assert.equal(await subscriber.psubscribe("n*"), 3);
      assert.equal(await publisher.publish("news", "one"), 2);
      assert.equal(await publisher.publish("news", "two"), 2);
      await until(heard, 4);
      assert.deepEqual(heard, EXPECTED);
      // Thrown out, it subscribes again by itself.
      assert.equal(await publisher.call("CLIENT", "KILL", "TYPE", "pubsub"), 1);
      for (let count: unknown = 0; count !== 2;) count = await publisher.publish("news", "");
      assert.equal(await subscriber.unsubscribe("news", "other"), 1);
      assert.equal(await subscriber.punsubscribe("n*"), 0);
      assert.equal(await publisher.publish("news", "nobody"), 0);
      await Promise.all([subscriber.quit(), publisher.quit()]);
    });
  }

  for (const RESP of [2, 3] as const) {
    test(`redis, version ${RESP} (${threads} I/O threads): subscribes, hears, unsubscribes`, async () => {
      await using server = await ServerProcess.start(flags);
      const client = createClient({
        RESP,
        socket: { host: "127.0.0.1", port: server.port("resp") },
      });
      const subscriber = client.duplicate();
      await Promise.all([client.connect(), subscriber.connect()]);
      const heard: string[][] = [];
      await subscriber.subscribe("news", (text, channel) => void heard.push([channel, text]));
      await subscriber.pSubscribe("n*", (text, channel) => void heard.push(["n*", channel, text]));
      await subscriber.sSubscribe("news", (text, channel) => void heard.push(["s", channel, text]));
      assert.equal(await client.publish("news", "one"), 2);
      assert.equal(await client.publish("news", "two"), 2);
      assert.equal(await client.sPublish("news", "three"), 1);
      await until(heard, 5);
      assert.deepEqual(heard, [...EXPECTED, ["s", "news", "three"]]);
      await subscriber.unsubscribe();
      await subscriber.pUnsubscribe();
      await subscriber.sUnsubscribe();
      assert.equal(await client.publish("news", "nobody"), 0);
      assert.deepEqual(await client.pubSubChannels(), []);
      await Promise.all([client.close(), subscriber.close()]);
    });
  }
}
