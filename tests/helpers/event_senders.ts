/**
 * Sends the same event over every protocol, and says of the replies what they have in common.
 *
 * @module
 */

import { ProtoTcpClient } from "./proto_client.ts";
import { RawClient, respCommand } from "./raw_client.ts";
import type { ServerProcess } from "./server_process.ts";

/** One event. */
export interface EventToSend {
  readonly user: string;
  readonly amount: number;
  readonly id?: string;
  /** How long to wait for its outcome; left out: not at all. Unit: ms. */
  readonly waitMs?: number | undefined;
}

/**
 * Sends an event over a connection of its own: `accepted`, `processed 5`, `failed overflow`, or what else
 * was replied.
 */
export type EventSender = (server: ServerProcess, event: EventToSend) => Promise<string>;

async function sendHttp(
  server: ServerProcess,
  path: string,
  body: string,
  headers = "",
): Promise<string> {
  using client = await RawClient.connect(server.port("http"));
  await client.send(
    `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n${headers}\r\n${body}`,
  );
  return (await client.readHttpReply()).body;
}

/** `{"status":"processed","balance":5}` → `processed 5` */
function fromJson(text: string): string {
  const { status, balance, reason, detail } = JSON.parse(text);
  return [status, balance ?? reason, detail].filter((part) => part !== undefined).join(" ");
}

function bodyOf({ user, amount, id }: EventToSend): string {
  return JSON.stringify({ user, action: "add", amount, id });
}

const pathOf = ({ waitMs }: EventToSend): string =>
  waitMs === undefined ? "/events" : `/events?wait=${waitMs}ms`;

/** By the name of the way. */
export const EVENT_SENDERS: Readonly<Record<string, EventSender>> = {
  "HTTP, the field id": async (server, event) =>
    fromJson(await sendHttp(server, pathOf(event), bodyOf(event))),

  "HTTP, Idempotency-Key": async (server, { id, ...event }) => {
    const header = id === undefined ? "" : `Idempotency-Key: ${id}\r\n`;
    return fromJson(await sendHttp(server, pathOf(event), bodyOf(event), header));
  },

  "RESP": async (server, { user, amount, id, waitMs }) => {
    using client = await RawClient.connect(server.port("resp"));
    const words = ["EVENT", user, "add", String(amount)];
    if (id !== undefined) words.push("ID", id);
    if (waitMs !== undefined) words.push("WAIT", String(waitMs));
    await client.send(respCommand(...words));
    const reply = (await client.readUntil("\r\n")).trimEnd();
    if (reply === "+ACCEPTED") return "accepted";
    if (reply.startsWith(":")) return `processed ${reply.slice(1)}`;
    return reply.replace(/^-FAILED/, "failed");
  },

  "Protobuf": async (server, { user, amount, id = "", waitMs = 0 }) => {
    await using client = await ProtoTcpClient.connect(server.port("proto"));
    const value = { user, action: "add", amount: BigInt(amount), id, waitMs };
    const { eventReply } = await client.ask({ case: "event", value }) as {
      eventReply: { status: string; balance?: string; reason?: string };
    };
    const status = eventReply.status.replace("EVENT_STATUS_", "").toLowerCase();
    const rest = status === "processed" ? eventReply.balance ?? "0" : eventReply.reason;
    return rest === undefined ? status : `${status} ${rest}`;
  },

  "WebSocket": async (server, { user, amount, id, waitMs }) => {
    const socket = new WebSocket(`ws://127.0.0.1:${server.port("http")}/ws`);
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    socket.onopen = () =>
      socket.send(
        JSON.stringify({ type: "event", ref: 1, user, action: "add", amount, id, wait_ms: waitMs }),
      );
    socket.onmessage = ({ data }) => resolve(data);
    socket.onerror = () => reject(new Error("the WebSocket failed"));
    const reply = await promise;
    const closed = new Promise((resolve) => socket.onclose = resolve);
    socket.close();
    await closed;
    return fromJson(reply);
  },
};

/** Sends lines of JSON, and says what was replied. */
export async function sendLines(
  server: ServerProcess,
  events: readonly EventToSend[],
): Promise<{ accepted: number; rejected: number }> {
  const body = events.map(bodyOf).join("\n");
  return JSON.parse(
    await sendHttp(server, "/events", body, "Content-Type: application/x-ndjson\r\n"),
  );
}
