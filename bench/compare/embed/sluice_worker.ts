/**
 * A thread that takes deposits from a channel, and has the balances in a store.
 *
 * @module
 */

import { workerData } from "node:worker_threads";
import { BoundedChannel, Store } from "../../../src/embed/portable.ts";
import { computeFor, type NumberedDeposit } from "./work.ts";

const store = Store.attach(workerData.store);
const requests = BoundedChannel.attach(workerData.requests);
const replies = BoundedChannel.attach(workerData.replies);
const decoder = new TextDecoder();

for (const message of requests.messages()) {
  const { id, user, amount }: NumberedDeposit = JSON.parse(decoder.decode(message));
  computeFor(workerData.workUs);
  replies.sendBlocking(`${id} ${store.add(user, amount)}`);
}
store.close();
requests.detach();
replies.detach();
