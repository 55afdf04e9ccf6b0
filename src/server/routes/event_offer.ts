/**
 * What the routes of events need of the command layer.
 *
 * @module
 */

import type { EventFields } from "../../base/job.ts";
import { type EventGate, GATE_FAILED_TEXT, type GateRefusal } from "../../command/event_gate.ts";
import { EventOutcome } from "../../command/event_intake.ts";
import type { Settlement } from "../../command/event_waits.ts";
import type { StagedEvents } from "../../command/staged_events.ts";

/** An outcome that is not `ACCEPTED`. */
export type RefusedOutcome = Exclude<EventOutcome, typeof EventOutcome.ACCEPTED>;

/** The event intake, as far as routes need it; see `EventIntake`. */
export interface EventOffer {
  /** Has to let an event through before it is offered; left out: there is nothing to ask. */
  readonly gate?: EventGate | undefined;
  /** Accepts or refuses a well-formed event, and counts it. */
  offer(event: EventFields): EventOutcome;
  /** The same for a client that waits for the outcome, at most `timeoutMs`. */
  offerWaiting(event: EventFields, timeoutMs: number): EventOutcome | Promise<Settlement>;
  /** Counts a well-formed event that is refused without being offered. */
  countRefused(outcome: RefusedOutcome): void;
  /** Counts a malformed event. */
  countInvalid(): void;
  /** When to come back after `SERVER_BUSY`. Unit: ms. */
  retryAfterMs(): number;
}

/** The same for routes that take many events at once. */
export interface BatchOffer extends EventOffer {
  /** Accepts or refuses a well-formed event, perhaps as one of a batch, and counts it. */
  offer(event: EventFields, staged?: StagedEvents): EventOutcome;
  /** Begins a batch; undefined: its events are independent of each other. */
  stage(): StagedEvents | undefined;
}

/** The `reason` of a refusal. */
export const REFUSAL_REASONS: Readonly<Record<RefusedOutcome, string>> = {
  [EventOutcome.SERVER_BUSY]: "server_busy",
  [EventOutcome.OUT_OF_MEMORY]: "out_of_memory",
  [EventOutcome.SHUTTING_DOWN]: "shutting_down",
  [EventOutcome.STORAGE_UNAVAILABLE]: "storage_unavailable",
};

/** What a client reads of an event that did not get through the gate: why, and the words for it. */
export function gateReply(refusal: GateRefusal): { reason: string; detail: string } {
  return refusal.kind === "invalid"
    ? { reason: "invalid_event", detail: refusal.detail }
    : { reason: "processor_error", detail: GATE_FAILED_TEXT };
}
