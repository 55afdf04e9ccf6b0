/**
 * Run by Node.js: four threads on one store and one channel, and what the main thread sees of it.
 *
 * Argument: the module to try. Prints one JSON object.
 */

import { Worker } from "node:worker_threads";

const THREADS = 4;
const MESSAGES = 2_000;

const moduleUrl = process.argv[2];
const { BoundedChannel, Store, StoreError } = await import(moduleUrl);

const store = Store.create({ maxMemoryBytes: 16 * 2 ** 20, shards: 4 });
const requests = BoundedChannel.create({ capacity: 16 });
const replies = BoundedChannel.create({ capacity: 16 });
const url = new URL("./threads_worker.mjs", import.meta.url);
const workers = Array.from({ length: THREADS }, (_, index) =>
  new Worker(url, {
    workerData: {
      moduleUrl,
      index,
      threads: THREADS,
      store: store.memory,
      requests: requests.memory,
      replies: replies.memory,
    },
  }));
const exits = workers.map((worker) => new Promise((resolve) => worker.on("exit", resolve)));

const sending = (async () => {
  for (let i = 1; i <= MESSAGES; i++) await requests.send(String(i));
  requests.close();
})();
let sum = 0;
const byThread = new Array(THREADS).fill(0);
for (let i = 0; i < MESSAGES; i++) {
  const reply = JSON.parse(new TextDecoder().decode(await replies.recvAsync()));
  sum += reply.number;
  byThread[reply.index]++;
}
await sending;
const exitCodes = await Promise.all(exits);

// One that is ended while it sleeps in a receive: what it had is settled, and the others go on.
const jobs = BoundedChannel.create();
const sleeper = new Worker(url, {
  workerData: { moduleUrl, index: -1, store: store.memory, requests: jobs.memory },
});
const { threadId, receiverIds } = await new Promise((resolve) => sleeper.on("message", resolve));
await sleeper.terminate();
// From Node.js 24 on, this has happened by itself.
const recovery = store.recover(threadId);
for (const id of receiverIds) jobs.recover(id);
jobs.trySend("still works");
const afterDeath = new TextDecoder().decode(await jobs.recvAsync({ timeoutMs: 5000 }));

let code = "";
try {
  store.set("text", "no number");
  store.add("text");
} catch (error) {
  code = error instanceof StoreError ? error.code : String(error);
}
const result = {
  sum,
  byThread,
  exitCodes,
  processed: String(store.getInteger("processed")),
  perThread: [...store.keys()].filter((key) => key.startsWith("thread:")).length,
  highWaterMark: requests.highWaterMark,
  drained: requests.drained,
  recovery,
  afterDeath,
  code,
  threadCount: store.usage().threadCount,
};
store.close();
for (const channel of [requests, replies, jobs]) channel.detach();
process.stdout.write(JSON.stringify(result));
// It must end by itself from here on.
