/**
 * Fault injection: ends a worker at a chosen step of a job, in a chosen way.
 *
 * A plan is a text such as `afterSwap:3:exit`: at the third time the worker passes the step
 * `afterSwap`, its isolate ends. Servers run without one.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { RecvStep } from "../channel/bounded_channel.ts";
import type { ConsumerSlot } from "../channel/consumer_slot.ts";
import { BackgroundPoint } from "../store/background.ts";

/** The steps of a job where a worker can be ended, in their order. */
export const FAULT_STEPS = [
  /** The job is in the slot; nothing else happened. */
  "afterTake",
  /** The effect is decided. */
  "beforeLock",
  /** The shard lock is held, nothing is planned. */
  "withLock",
  /** The slot is APPLIED, the store is unchanged. */
  "afterSwap",
  /** In the middle of the change. */
  "inCommit",
  /** The change is complete, the lock is still held. */
  "afterEffect",
  /** The lock is free, the slot is still APPLIED. */
  "afterUnlock",
  /** The slot is SETTLED, nothing is counted yet. */
  "afterSettle",
] as const;

/** The steps inside a receive where a worker can be ended, by their {@link RecvStep}. */
export const RECV_FAULT_STEPS = [
  "recvSeen",
  "recvLocked",
  "recvCopied",
  "recvClaimed",
  "recvCellFreed",
  "recvHeadMoved",
  "recvUnlocked",
  "recvSleepy",
] as const;

assert(RECV_FAULT_STEPS[RecvStep.SLEEPY] === "recvSleepy", "every step of a receive has a name");

/** The points of background work where a worker can be ended, by their {@link BackgroundPoint}. */
export const BACKGROUND_FAULT_STEPS = [
  "sweepLocked",
  "sweepChanging",
  "sweepChanged",
  "garbageLocked",
  "garbageChanging",
  "garbageChanged",
] as const;

assert(
  BACKGROUND_FAULT_STEPS[BackgroundPoint.GARBAGE_CHANGED] === "garbageChanged",
  "every point of background work has a name",
);

/** The steps of putting something into the log where a worker can be ended, by their `PublishStep`. */
export const PUBLISH_FAULT_STEPS = {
  announced: "publishAnnounced",
  claimed: "publishClaimed",
  copied: "publishCopied",
  confirmed: "publishConfirmed",
} as const;

/**
 * One of {@link FAULT_STEPS}, {@link RECV_FAULT_STEPS}, {@link PUBLISH_FAULT_STEPS} or
 * {@link BACKGROUND_FAULT_STEPS}.
 */
export type FaultStep =
  | (typeof FAULT_STEPS)[number]
  | (typeof RECV_FAULT_STEPS)[number]
  | (typeof PUBLISH_FAULT_STEPS)[keyof typeof PUBLISH_FAULT_STEPS]
  | (typeof BACKGROUND_FAULT_STEPS)[number];

/**
 * How the worker ends: `throw` an uncaught exception, `exit` the isolate at once, `stall` in a
 * sleep that nothing but a notification ends, `kill` the whole process.
 */
export type FaultMode = "throw" | "exit" | "stall" | "kill";

/** Where an exception is a fault of ours. */
const NO_THROW_STEPS: readonly FaultStep[] = [
  ...BACKGROUND_FAULT_STEPS,
  ...Object.values(PUBLISH_FAULT_STEPS),
];

/** A parsed plan. */
export interface FaultPlan {
  /** Where. */
  step: FaultStep;
  /** At which pass of that step, from 1. */
  pass: number;
  /** How. */
  mode: FaultMode;
}

/** Thrown by the mode `throw`; stands for a death, so nothing is poisoned on its way. */
export class InjectedDeath extends Error {
  /** Always `"InjectedDeath"`. */
  override readonly name = "InjectedDeath";
}

/**
 * Reads a plan from its text, e.g. `withLock:2` (throw) or `withLock:2:exit`.
 *
 * @throws {TypeError} when the text is no plan
 */
export function parseFaultPlan(text: string): FaultPlan {
  const [step, pass = "1", mode = "throw"] = text.split(":");
  const steps = [
    ...FAULT_STEPS,
    ...RECV_FAULT_STEPS,
    ...Object.values(PUBLISH_FAULT_STEPS),
    ...BACKGROUND_FAULT_STEPS,
  ];
  const known = steps.find((name) => name === step);
  if (
    known === undefined || !/^[1-9][0-9]*$/.test(pass) ||
    (mode !== "throw" && mode !== "exit" && mode !== "stall" && mode !== "kill") ||
    // A receive does not ask its hook whether it was fenced meanwhile.
    (mode === "stall" && known.startsWith("recv")) ||
    // Its exceptions are faults of ours, and poison the shard.
    (mode !== "exit" && mode !== "kill" && NO_THROW_STEPS.includes(known))
  ) {
    throw new TypeError(`Cannot read the fault plan ${JSON.stringify(text)}`);
  }
  return { step: known, pass: Number(pass), mode };
}

/** Carries out one plan. Thread: belongs to one worker. */
export class FaultInjector {
  readonly #plan: FaultPlan;
  readonly #slot: ConsumerSlot;
  #passes = 0;

  /** Makes an injector; a worker that stalls sleeps in `slot`. */
  constructor(plan: FaultPlan, slot: ConsumerSlot) {
    this.#plan = plan;
    this.#slot = slot;
  }

  /** The step that the plan names. */
  get step(): FaultStep {
    return this.#plan.step;
  }

  /**
   * Passes a step; does not return when it is the worker's last.
   *
   * @returns false when the worker stalled and was fenced meanwhile
   * @throws {InjectedDeath} by plan
   */
  reach(step: FaultStep): boolean {
    if (step !== this.#plan.step || ++this.#passes !== this.#plan.pass) return true;
    if (this.#plan.mode === "stall") return this.#slot.stall();
    if (this.#plan.mode === "exit") Deno.exit(1);
    if (this.#plan.mode === "kill") killProcess();
    throw new InjectedDeath(`ended by plan at ${step}`);
  }
}

function killProcess(): never {
  Deno.kill(Deno.pid, "SIGKILL");
  for (;;) Atomics.pause();
}
