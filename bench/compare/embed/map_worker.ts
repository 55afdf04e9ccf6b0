/**
 * The thread that has all balances in a Map, and is asked for everything by message.
 *
 * @module
 */

import { parentPort, workerData } from "node:worker_threads";
import { computeFor, type NumberedDeposit } from "./work.ts";

const balances = new Map<string, number>();

function handle({ id, user, amount }: NumberedDeposit): { id: number; balance: number } {
  if (id < 0) {
    return { id, balance: [...balances.values()].reduce((sum, value) => sum + value, 0) };
  }
  computeFor(workerData.workUs);
  const balance = (balances.get(user) ?? 0) + amount;
  balances.set(user, balance);
  return { id, balance };
}

parentPort!.on("message", (message: NumberedDeposit | { port: MessagePort }) => {
  if (!("port" in message)) return parentPort!.postMessage(handle(message));
  // Other threads ask directly.
  const { port } = message;
  port.onmessage = ({ data }: MessageEvent<NumberedDeposit>) => port.postMessage(handle(data));
});
