/**
 * What WebSocket messages cost between the read and the write, and what viewers of the counters cost.
 *
 * - `mask`: taking the mask off, compared with the loop that one would write first.
 * - `messages`: finding messages, which is the layer beneath, and answering them as events, which
 *   decodes them and offers them to a bottomless channel. One iteration is {@link BATCH_MESSAGES}
 *   messages; divide by that.
 * - `viewers`: one round of showing the counters to all who watch. The counters are read and made
 *   into a text once, so one viewer is the layer beneath and the others are what is added.
 *
 *     deno bench --allow-read --allow-env bench/websocket_bench.ts
 *
 * @module
 */

import { ByteWriter, InputBuffer } from "../src/base/bytes.ts";
import type { PushTarget } from "../src/command/pubsub/subscriber.ts";
import { EventOutcome } from "../src/command/event_intake.ts";
import { FIN_BIT, MASK_BIT, Opcode } from "../src/protocol/websocket/frame.ts";
import { MessageReader, ReadStep } from "../src/protocol/websocket/message_reader.ts";
import { unmask } from "../src/protocol/websocket/unmask.ts";
import { WebSocketSession } from "../src/protocol/websocket/websocket_session.ts";
import { LiveMessages } from "../src/server/routes/live_messages.ts";
import { LiveMetrics } from "../src/server/routes/live_metrics.ts";

/** Messages in one pipeline. */
const BATCH_MESSAGES = 64;

const MASK = Uint8Array.of(0x37, 0xfa, 0x21, 0x3d);
const EVENT = `{"type":"event","user":"alice","action":"buy","amount":100,"ref":12345}`;

/** A batch of short messages as a client sends them. */
function makeBatch(text: string): Uint8Array {
  const payload = new TextEncoder().encode(text);
  const frame = Uint8Array.of(
    FIN_BIT | Opcode.TEXT,
    MASK_BIT | payload.length,
    ...MASK,
    ...payload.map((byte, index) => byte ^ MASK[index % 4]!),
  );
  const batch = new Uint8Array(frame.length * BATCH_MESSAGES);
  for (let i = 0; i < BATCH_MESSAGES; i++) batch.set(frame, i * frame.length);
  return batch;
}

const kilobytes = new Uint8Array(65536);

Deno.bench("unmask", { group: "mask of 64 KiB", baseline: true }, () => {
  unmask(kilobytes, 0, 65536, MASK, 0);
});

Deno.bench("byte by byte", { group: "mask of 64 KiB" }, () => {
  for (let at = 0; at < 65536; at++) kilobytes[at]! ^= MASK[at & 3]!;
});

const batch = makeBatch(EVENT);
const input = new InputBuffer(65536);

/** The same bytes again, as one read would bring them. */
function refill(): void {
  input.start = input.end = 0;
  input.bytes.set(batch);
  input.commit(batch.length);
}

const reader = new MessageReader(1 << 20);

Deno.bench("find", { group: `${BATCH_MESSAGES} messages`, baseline: true }, () => {
  refill();
  while (reader.next(input) === ReadStep.MESSAGE) reader.consume(input);
});

const counters = { add: () => {} };

/** Takes what is pushed and forgets it. */
class Nowhere implements PushTarget {
  readonly writer = new ByteWriter(8192);
  readonly pendingBytes = 0;
  isSubscriber = false;
  wake(): void {
    this.writer.clear();
  }
  cutOff(): void {}
}

const live = new LiveMetrics({ read: () => ({ received: 1 }) });
const messages = new LiveMessages({
  intake: {
    offer: () => EventOutcome.ACCEPTED,
    offerWaiting: () => EventOutcome.ACCEPTED,
    countRefused: () => {},
    countInvalid: () => {},
    retryAfterMs: () => 1,
  },
  live,
  counters,
  counterIds: { messagesOut: 0, viewers: 1 },
});
const target = new Nowhere();
const session = new WebSocketSession({
  phase: { stopping: false },
  maxMessageBytes: 1 << 20,
  counters,
  counterIds: { connections: 0, messagesIn: 1 },
  target,
}, messages.converse(target, () => {}));
const output = new ByteWriter(65536);

Deno.bench("answer as events", { group: `${BATCH_MESSAGES} messages` }, () => {
  refill();
  void session.process(input, output);
  output.clear();
});

for (const viewerCount of [1, 20, 1000]) {
  let nowMs = 0;
  // As large as the metrics are.
  const metrics = Object.fromEntries(
    Array.from({ length: 100 }, (_, index) => [`counter_${index}`, index * 1e6]),
  );
  const world = new LiveMetrics({ read: () => metrics, nowMs: () => nowMs });
  const viewers = Array.from(
    { length: viewerCount },
    () => messages.converse(new Nowhere(), () => {}),
  );
  Deno.bench(`${viewerCount} ${viewerCount === 1 ? "viewer" : "viewers"}`, {
    group: "viewers of the counters, 1 round",
    baseline: viewerCount === 1,
  }, async () => {
    for (const viewer of viewers) world.join(viewer, 60_000);
    nowMs += 60_000;
    await world.serve();
    for (const viewer of viewers) world.leave(viewer);
  });
}
