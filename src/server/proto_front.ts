/**
 * Protobuf on one I/O thread.
 *
 * @module
 */

import { getLogger } from "../base/log.ts";
import type { Authenticator } from "../command/authenticator.ts";
import type { Dispatcher } from "../command/dispatch.ts";
import type { EventIntake } from "../command/event_intake.ts";
import { HistogramIndex, PROTOCOL_COUNTERS } from "../metrics/names.ts";
import type { ProtoServiceOptions } from "../protocol/protobuf/proto_service.ts";
import { protoFarewells } from "./farewells.ts";
import type { Front } from "./front.ts";
import type { FrontParts } from "./fronts.ts";
import { LateSessions, type SessionMaker } from "./late_session.ts";

/**
 * Makes the front. What decodes and encodes is loaded for the first client: most servers have none,
 * and it is 7 MB of memory and 20 ms of the start.
 */
export function createProtoFront(
  parts: FrontParts,
  dispatcher: Dispatcher,
  intake: EventIntake,
  authenticator: Authenticator,
): Front {
  const { config, counters, table } = parts;
  const { lifecycle, metrics, threadId } = parts.shared;
  const log = getLogger("proto");
  const sessions = new LateSessions(() =>
    loadSessions({
      framing: config.protoFraming,
      dispatcher,
      table,
      intake,
      authenticator,
      phase: lifecycle,
      maxRequestBytes: config.maxRequestBytes,
      counters,
      messagesProcessed: PROTOCOL_COUNTERS.proto.commands,
      onCrossProtocol: ({ address }) =>
        log.debug("HTTP on the Protobuf port, closed", { event: "cross_protocol", peer: address }),
    })
  );
  const { full, timeout } = protoFarewells(config.protoFraming);
  return {
    protocol: "proto",
    createSession: (origin) => sessions.create(origin),
    idleTimeoutMs: config.idleTimeoutMs,
    headTimeoutMs: config.headerTimeoutMs,
    minTransferRate: config.minTransferRate,
    timeoutReply: timeout,
    fullReply: full,
    counterIds: PROTOCOL_COUNTERS.proto,
    latency: metrics.histogram(threadId, HistogramIndex.PROTO_LATENCY),
  };
}

async function loadSessions(options: ProtoServiceOptions): Promise<SessionMaker> {
  const [{ ProtoService }, { ProtoSession }] = await Promise.all([
    import("../protocol/protobuf/proto_service.ts"),
    import("../protocol/protobuf/proto_session.ts"),
  ]);
  const service = new ProtoService(options);
  return (origin) => new ProtoSession(service, origin);
}
