/**
 * WebSocket and server-sent events over a whole command layer, without sockets.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { EventOffer } from "../../../src/server/routes/event_offer.ts";
import { createHttpRoutes } from "../../../src/server/http_routes.ts";
import { LiveRoutes } from "../../../src/server/routes/live_routes.ts";
import { text } from "../../cases/websocket_frames.ts";
import { parseServerFrames } from "../../helpers/websocket_frames.ts";
import type { HttpServiceOptions } from "../../../src/protocol/http/http_service.ts";
import { Count, Harness, type HarnessOptions } from "../command/harness.ts";
import { FakeConnection } from "../protocol/http/support.ts";
import { FakeTarget } from "../protocol/websocket/support.ts";
import { routeParts, TestServer } from "./http_world.ts";

/** Ids of the counters of streams. */
export const LiveCount = {
  connections: 10,
  messagesIn: 11,
  messagesOut: 12,
  viewers: 13,
  eventStreams: 14,
} as const;

/** What a client of WebSocket asks for. */
export const HANDSHAKE = "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n" +
  "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/** A server with the live routes. */
export class LiveServer extends TestServer {
  readonly cutOffs: string[] = [];
  /** How often the counters were read. */
  readonly reads: { count: number };
  /** What the page's view was told. */
  readonly watched: boolean[];

  constructor(
    options: HarnessOptions = {},
    intake?: EventOffer,
    serviceOptions: Partial<HttpServiceOptions> = {},
  ) {
    const harness = new Harness(options);
    const cutOffs: string[] = [];
    const reads = { count: 0 };
    const watched: boolean[] = [];
    const live = new LiveRoutes({
      intake: intake ?? harness.intake,
      metrics: () => ({ reads: ++reads.count, received: harness.counters.values[Count.RECEIVED] }),
      page: () => ({
        read: () => ({ page: 1 }),
        watch: (isWatched) => void watched.push(isWatched),
      }),
      phase: harness.phase,
      maxMessageBytes: 1000,
      counters: harness.counters,
      counterIds: LiveCount,
      onCutOff: (kind, peer, defect) => cutOffs.push(`${kind} ${peer} ${defect}`),
    });
    super(
      {},
      createHttpRoutes({ ...routeParts(harness), live }),
      {
        phase: harness.phase,
        counters: harness.counters,
        authenticator: harness.authenticator,
        ...serviceOptions,
      },
    );
    this.cutOffs = cutOffs;
    this.reads = reads;
    this.watched = watched;
    this.live = harness;
  }

  /** The command layer behind the routes. */
  readonly live: Harness;

  /** The value of a counter. */
  count(id: number): number {
    return this.live.counters.values[id]!;
  }

  /** Opens a connection that can be pushed to. */
  open(): LiveClient {
    const target = new FakeTarget();
    const session = this.service.createSession({
      id: 1,
      connectedAtMs: 0,
      address: "peer",
      pushTarget: target,
    });
    return new LiveClient(new FakeConnection(session, 4096), target);
  }

  /** Opens a WebSocket. */
  async openWebSocket(): Promise<LiveClient> {
    const client = this.open();
    await client.connection.send(HANDSHAKE);
    assert.match(client.take(), /^HTTP\/1\.1 101 Switching Protocols\r\n/);
    return client;
  }
}

/** One client. Dispose it, so that nothing beats any more. */
export class LiveClient implements Disposable {
  constructor(readonly connection: FakeConnection, readonly target: FakeTarget) {}

  /** What was written since the last call. */
  take(): string {
    const { written } = this.connection;
    this.connection.written = "";
    return written;
  }

  /** Sends messages and takes what comes back, parsed. */
  async ask(...messages: string[]): Promise<Record<string, unknown>[]> {
    await this.connection.send(messages.map((message) => text(toBytes(message))).join(""));
    return this.replies();
  }

  /** Takes the messages that were written, parsed. */
  replies(): Record<string, unknown>[] {
    return messagesOf(this.take());
  }

  /** Takes the messages that were pushed, parsed. */
  pushed(): Record<string, unknown>[] {
    return messagesOf(this.target.take());
  }

  [Symbol.dispose](): void {
    this.connection.session.close();
  }
}

function messagesOf(bytes: string): Record<string, unknown>[] {
  return parseServerFrames(bytes).map((frame) => {
    assert.ok(frame.startsWith("text "), frame);
    return JSON.parse(new TextDecoder().decode(
      Uint8Array.from(frame.slice(5), (character) => character.charCodeAt(0)),
    ));
  });
}

function toBytes(message: string): string {
  return String.fromCharCode(...new TextEncoder().encode(message));
}
