/** A thread of threads_main.mjs: half of them block in a receive, the others await it. */

import { parentPort, workerData } from "node:worker_threads";

const { moduleUrl, index } = workerData;
const { BoundedChannel, Store } = await import(moduleUrl);

const store = Store.attach(workerData.store);
const requests = BoundedChannel.attach(workerData.requests);

if (index < 0) {
  requests.recv(0);
  parentPort.postMessage({ threadId: store.threadId, receiverIds: requests.receiverIds });
  requests.recv();
  throw new Error("nothing was ever sent to this one");
}

const replies = BoundedChannel.attach(workerData.replies);
const text = (message) => new TextDecoder().decode(message);

const nap = new Int32Array(new SharedArrayBuffer(4));
let isFirst = true;

function work(message) {
  if (isFirst) {
    isFirst = false;
    // Nobody goes on before everybody has something.
    store.add("started");
    while (store.getInteger("started") < workerData.threads) Atomics.wait(nap, 0, 0, 1);
  }
  const number = Number(text(message));
  store.add("processed");
  store.add(`thread:${index}`, number);
  return JSON.stringify({ index, number });
}

if (index % 2 === 0) {
  for (const message of requests.messages()) replies.sendBlocking(work(message));
} else {
  for await (const message of requests) await replies.send(work(message));
}
store.close();
requests.detach();
replies.detach();
