/**
 * What the tests of WebSocket share: a session that echoes, and where it pushes to.
 *
 * @module
 */

import { ByteWriter } from "../../../../src/base/bytes.ts";
import type { PushTarget } from "../../../../src/command/pubsub/subscriber.ts";
import { appendFrame, Opcode } from "../../../../src/protocol/websocket/frame.ts";
import {
  type MessageHandler,
  type StreamDefect,
  WebSocketSession,
} from "../../../../src/protocol/websocket/websocket_session.ts";
import { MAX_MESSAGE_BYTES } from "../../../cases/websocket_frames.ts";
import { FakeConnection, FakeCounters, toLatin1 } from "../http/support.ts";

/** What is pushed stays until the test takes it. */
export class FakeTarget implements PushTarget {
  readonly writer = new ByteWriter();
  isSubscriber = false;
  isCutOff = false;
  wakeCount = 0;
  get pendingBytes(): number {
    return this.writer.length;
  }
  wake(): void {
    this.wakeCount++;
  }
  cutOff(): void {
    this.isCutOff = true;
  }
  /** What was pushed since the last call. */
  take(): string {
    const text = toLatin1(this.writer.view());
    this.writer.clear();
    return text;
  }
}

/** Ids of counters. */
export const IDS = { connections: 1, messagesIn: 2 } as const;

/** A session that sends back what it gets. */
export class EchoWorld {
  readonly counters = new FakeCounters();
  readonly target = new FakeTarget();
  readonly phase = { stopping: false };
  readonly defects: StreamDefect[] = [];
  isClosed = false;
  readonly session: WebSocketSession;
  readonly connection: FakeConnection;

  constructor(inputBytes = 64, handler: Partial<MessageHandler> = {}) {
    this.session = new WebSocketSession({
      phase: this.phase,
      maxMessageBytes: MAX_MESSAGE_BYTES,
      counters: this.counters,
      counterIds: IDS,
      target: this.target,
      onCutOff: (defect) => this.defects.push(defect),
    }, {
      beginBatch: () => {},
      receive: (bytes, start, end, output) => appendFrame(output, Opcode.TEXT, bytes, start, end),
      close: () => this.isClosed = true,
      ...handler,
    });
    this.connection = new FakeConnection(this.session, inputBytes);
  }
}
