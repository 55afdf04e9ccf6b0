/**
 * Hostile clients as a process: groups of {@link AttackGroup} as JSON in the argument; a line on
 * stdout when all are connected. Goes on until it is killed.
 *
 * @module
 */

import type { AttackGroup } from "./attack_plan.ts";
import { close, connect, NOT_NOW, receive, type Socket, trySend } from "./sockets.ts";

/** How often those are looked at that still have something to send. Unit: ms. */
const TICK_MS = 10;

const encoder = new TextEncoder();
const room = new Uint8Array(1 << 20);

interface Attacker {
  readonly socket: Socket;
  readonly group: AttackGroup;
  readonly opening: Uint8Array<ArrayBuffer>;
  readonly drip: Uint8Array<ArrayBuffer>;
  sentBytes: number;
  dripAtMs: number;
  gone: boolean;
}

const groups: AttackGroup[] = JSON.parse(Deno.args[0]!);
const attackers: Attacker[] = groups.flatMap((group) => {
  const { filler = { text: "", times: 0 }, drip = "" } = group;
  const opening = encoder.encode(group.opening + filler.text.repeat(filler.times));
  return Array.from({ length: group.connectionCount }, (_, i) => ({
    socket: connect(
      group.port,
      group.receiveBytes === undefined ? {} : { receiveBytes: group.receiveBytes },
    ),
    ...{ group, opening, drip: encoder.encode(drip), sentBytes: 0, gone: false },
    dripAtMs: performance.now() + group.dripMs * i / group.connectionCount,
  }));
});
await Deno.stdout.write(encoder.encode("connected\n"));
while (attackers.some(({ gone }) => !gone)) {
  const nowMs = performance.now();
  for (const attacker of attackers) if (!attacker.gone) act(attacker, nowMs);
  await new Promise((resolve) => setTimeout(resolve, TICK_MS));
}

function act(attacker: Attacker, nowMs: number): void {
  const { socket, opening, drip, group } = attacker;
  if (attacker.sentBytes < opening.length) {
    const count = trySend(socket, opening.subarray(attacker.sentBytes));
    if (count >= 0) attacker.sentBytes += count;
    else if (count !== NOT_NOW) return leave(attacker);
  }
  if (nowMs < attacker.dripAtMs) return;
  attacker.dripAtMs = nowMs + group.dripMs;
  if (drip.length > 0 && attacker.sentBytes === opening.length) {
    const count = trySend(socket, drip);
    if (count < 0 && count !== NOT_NOW) return leave(attacker);
  }
  if (group.readBytes > 0) {
    const count = receive(socket, room.subarray(0, group.readBytes));
    if (count <= 0 && count !== NOT_NOW) return leave(attacker);
  }
}

function leave(attacker: Attacker): void {
  attacker.gone = true;
  close(attacker.socket);
}
