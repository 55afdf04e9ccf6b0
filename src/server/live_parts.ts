/**
 * WebSocket and server-sent events of one I/O thread, made from its parts.
 *
 * @module
 */

import { getLogger } from "../base/log.ts";
import type { EventIntake } from "../command/event_intake.ts";
import { CounterIndex } from "../metrics/names.ts";
import type { FrontParts } from "./fronts.ts";
import { PageView } from "./page/page_view.ts";
import { LiveRoutes } from "./routes/live_routes.ts";

/** Makes the routes. Thread: the I/O thread that will serve them. */
export function createLiveRoutes(
  { config, view, shared, counters }: FrontParts,
  intake: EventIntake,
): LiveRoutes {
  const log = getLogger("http");
  return new LiveRoutes({
    intake,
    metrics: () => view.json(),
    page: () => new PageView({ shared, config }),
    phase: shared.lifecycle,
    maxMessageBytes: config.maxRequestBytes,
    counters,
    counterIds: {
      connections: CounterIndex.WEBSOCKET_CONNECTIONS,
      messagesIn: CounterIndex.WEBSOCKET_MESSAGES_IN,
      messagesOut: CounterIndex.WEBSOCKET_MESSAGES_OUT,
      viewers: CounterIndex.WEBSOCKET_VIEWERS,
      eventStreams: CounterIndex.SSE_VIEWERS,
    },
    onCutOff: (kind, peer, defect) => {
      counters.add(
        defect === "slow" ? CounterIndex.CLOSED_SLOW_SUBSCRIBER : CounterIndex.CLOSED_NO_PONG,
      );
      log.debug("a client of a stream is cut off", {
        event: "stream_cut_off",
        kind,
        peer,
        reason: defect,
      });
    },
  });
}
