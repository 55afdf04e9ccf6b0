/**
 * A flood of connections as a process: a {@link FloodPlan} as JSON in the argument, a
 * {@link FloodReport} as JSON on stdout.
 *
 * Each connection misbehaves in one of five ways, in turn: closes at once; sends half a request and
 * closes, or resets; sends a whole one and resets; sends half and stays.
 *
 * @module
 */

import type { FloodPlan, FloodReport } from "./attack_plan.ts";
import { close, connect, receive, reset, type Socket, trySend } from "./sockets.ts";

const plan: FloodPlan = JSON.parse(Deno.args[0]!);
const encoder = new TextEncoder();
const room = new Uint8Array(4096);
const targets = plan.targets.map(({ port, half }) => ({
  port,
  half: encoder.encode(half),
  whole: encoder.encode(half + "\r\n\r\n"),
}));

/** Those that stay, the oldest first. */
let staying: { socket: Socket; untilMs: number }[] = [];
let connected = 0;
let failed = 0;
let turnedAway = 0;

function open(index: number, nowMs: number): void {
  const target = targets[index % targets.length]!;
  let socket: Socket;
  try {
    socket = connect(target.port);
  } catch {
    failed++;
    return;
  }
  connected++;
  switch (Math.floor(index / targets.length) % 5) {
    case 0:
      return close(socket);
    case 1:
      trySend(socket, target.half);
      return close(socket);
    case 2:
      trySend(socket, target.half);
      return reset(socket);
    case 3:
      trySend(socket, target.whole);
      return reset(socket);
    default:
      trySend(socket, target.half);
      staying.push({ socket, untilMs: nowMs + plan.stayMs });
  }
}

function closeStaying(nowMs: number): void {
  staying = staying.filter(({ socket, untilMs }) => {
    // A refusal is read, then the end behind it is seen the next time.
    const count = receive(socket, room);
    const isOver = count === 0 || count < -1;
    if (isOver) turnedAway++;
    if (!isOver && nowMs < untilMs) return true;
    close(socket);
    return false;
  });
}

const beganAtMs = performance.now();
for (let index = 0; index < plan.connectCount;) {
  const elapsedMs = performance.now() - beganAtMs;
  const dueCount = Math.min(plan.connectCount, plan.connectCount * elapsedMs / plan.durationMs);
  while (index < dueCount) open(index++, performance.now());
  closeStaying(performance.now());
  await new Promise((resolve) => setTimeout(resolve, 5));
}
const elapsedMs = performance.now() - beganAtMs;
while (staying.length > 0) {
  closeStaying(performance.now());
  await new Promise((resolve) => setTimeout(resolve, 5));
}
const report: FloodReport = { connected, failed, turnedAway, elapsedMs };
await Deno.stdout.write(encoder.encode(JSON.stringify(report)));
