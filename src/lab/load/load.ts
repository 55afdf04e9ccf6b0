/**
 * A load under way: who sends what when, and the counting.
 *
 * @module
 */

import { formatDuration } from "../../base/units.ts";
import type { LatencyRecorder, LatencyRecorders } from "./latency.ts";
import type { ConnectionOwner, LoadConnection } from "./load_connection.ts";
import type { Pacer } from "./pacer.ts";
import { type LoadPlan, type LoadResult, type LoadSample, SAMPLE_PERIOD_MS } from "./plan.ts";
import { Outcome } from "./reply_reader.ts";
import { lagMs, Schedule, TICK_MAX_MS, tickMs } from "./schedule.ts";
import { Tally } from "./tally.ts";
import { UserSequence } from "./users.ts";

/** From the decision to start to the first request that is due, so that the clock is there. Unit: ms. */
const LEAD_MS = 5;

/**
 * How long a connection rests that was closed without an answer. Unit: ms. Reason: a server that is
 * gone would be asked thousands of times a second.
 */
const REST_MS = 100;

/** After this long without any connection the server is given up. Unit: ms. */
const PATIENCE_MS = 10_000;

/** How often in the time that an answer has the connections are looked at. */
const TIMEOUT_LOOKS = 20;
/** But no more often than this, and no less often than samples are taken. Unit: ms. */
const TIMEOUT_LOOK_MIN_MS = 5;

/** Runs one load once. Thread: belongs to one thread. */
export class Load implements ConnectionOwner {
  readonly #plan: LoadPlan;
  readonly #users: UserSequence;
  readonly #tally = new Tally();
  readonly #samples: LoadSample[] = [];
  readonly #acceptedLatency: LatencyRecorder;
  readonly #refusedLatency: LatencyRecorder;
  readonly #otherLatency: LatencyRecorder;
  readonly #allLatency: LatencyRecorder;
  readonly #serviceTime: LatencyRecorder;
  readonly #ownLag: LatencyRecorder;
  readonly #over = Promise.withResolvers<void>();
  readonly #rests = new Set<ReturnType<typeof setTimeout>>();
  #connections: readonly LoadConnection[] = [];
  /** Free ones, in the order in which they became free; the front is at `#idleFrom`. */
  #idle: LoadConnection[] = [];
  #idleFrom = 0;
  #schedule: Schedule | null = null;
  #startedAtMs = 0;
  #lastSentAtMs = 0;
  #endedAtMs = 0;
  /** When the first request was sent that went without an answer, if none came since; else null. */
  #unansweredSinceMs: number | null = null;
  #timeoutCount = 0;
  #overdue = 0;
  #overdueMs = 0;
  /** When there was last a connection. */
  #connectedAtMs = 0;
  /** How late this thread was at the last ring. */
  #loopDelayMs = 0;
  #isOver = false;
  #isInterrupted = false;

  /** Starts nothing yet. */
  constructor(plan: LoadPlan, recorders: LatencyRecorders) {
    this.#plan = plan;
    this.#users = new UserSequence(plan.distribution, plan.userCount, plan.seed);
    this.#acceptedLatency = recorders.create();
    this.#refusedLatency = recorders.create();
    this.#otherLatency = recorders.create();
    this.#allLatency = recorders.create();
    this.#serviceTime = recorders.create();
    this.#ownLag = recorders.create();
  }

  /** Sends everything over connections that are open, and waits for the end. */
  async run(connections: readonly LoadConnection[], pacer: Pacer): Promise<LoadResult> {
    const { ratePerSecond, signal } = this.#plan;
    this.#connections = connections;
    this.#connectedAtMs = performance.now();
    this.#startedAtMs = this.#connectedAtMs + (ratePerSecond === null ? 0 : LEAD_MS);
    this.#lastSentAtMs = this.#startedAtMs;
    if (ratePerSecond !== null) this.#schedule = new Schedule(this.#startedAtMs, ratePerSecond);
    const onAbort = (): void => this.#end(true);
    signal?.addEventListener("abort", onAbort, { once: true });
    const sampling = setInterval(() => this.#sampleOrFail(), SAMPLE_PERIOD_MS);
    const looking = this.#lookForTimeouts();
    try {
      if (signal?.aborted === true) this.#end(true);
      await this.#sendAll(pacer);
    } finally {
      clearInterval(sampling);
      clearInterval(looking);
      for (const rest of this.#rests) clearTimeout(rest);
      signal?.removeEventListener("abort", onAbort);
    }
    this.#sample();
    return this.#result();
  }

  async #sendAll(pacer: Pacer): Promise<void> {
    const { ratePerSecond } = this.#plan;
    const everyMs = ratePerSecond === null ? TICK_MAX_MS : tickMs(ratePerSecond);
    pacer.run(this.#startedAtMs, everyMs, (nowMs, delayMs) => {
      this.#loopDelayMs = delayMs;
      if (this.#schedule !== null) this.#release(this.#schedule, nowMs);
    });
    for (const connection of this.#connections) this.#free(connection, performance.now());
    await this.#over.promise;
  }

  /** {@inheritDoc ConnectionOwner.onAnswer} */
  onAnswer(connection: LoadConnection, outcome: Outcome): void {
    if (this.#isOver) return;
    const nowMs = performance.now();
    const tally = this.#tally;
    const latencyMs = nowMs - connection.dueAtMs;
    this.#connectedAtMs = nowMs;
    this.#unansweredSinceMs = null;
    if (outcome === Outcome.ACCEPTED) {
      tally.accepted++;
      this.#acceptedLatency.record(latencyMs);
    } else if (outcome === Outcome.REFUSED) {
      tally.refused++;
      this.#refusedLatency.record(latencyMs);
    } else {
      tally.countError(connection.answerText);
      this.#otherLatency.record(latencyMs);
    }
    // In a closed loop that is the same.
    if (this.#schedule !== null) this.#serviceTime.record(nowMs - connection.sentAtMs);
    this.#free(connection, nowMs);
  }

  /** {@inheritDoc ConnectionOwner.onFailure} */
  onFailure(connection: LoadConnection, text: string): void {
    if (this.#isOver) return;
    this.#tally.countError(text);
    const nowMs = performance.now();
    if (this.#connections.some(({ isOpen }) => isOpen)) this.#connectedAtMs = nowMs;
    else if (nowMs - this.#connectedAtMs > PATIENCE_MS) return this.#end();
    if (connection.hasAnswered) return this.#free(connection, nowMs);
    if (this.#endIfDone()) return;
    const rest = setTimeout(() => {
      this.#rests.delete(rest);
      if (!this.#isOver) this.#free(connection, performance.now());
    }, REST_MS);
    this.#rests.add(rest);
  }

  #lookForTimeouts(): ReturnType<typeof setInterval> | undefined {
    const { timeoutMs } = this.#plan;
    if (timeoutMs === undefined) return undefined;
    const everyMs = Math.min(
      SAMPLE_PERIOD_MS,
      Math.max(TIMEOUT_LOOK_MIN_MS, timeoutMs / TIMEOUT_LOOKS),
    );
    let lookedAtMs = performance.now();
    let wasLate = false;
    return setInterval(() => {
      const nowMs = performance.now();
      // Who was held up has answers that were not read yet: they come before the next look.
      const isLate = nowMs - lookedAtMs > 2 * everyMs;
      lookedAtMs = nowMs;
      if (!isLate || wasLate) this.#endTimeouts(timeoutMs);
      wasLate = isLate && !wasLate;
    }, everyMs);
  }

  /** Gives up requests that wait for too long, and the server when it answers none any more. */
  #endTimeouts(timeoutMs: number): void {
    const nowMs = performance.now();
    for (const connection of this.#connections) {
      if (this.#isOver) return;
      if (!connection.isBusy || nowMs - connection.sentAtMs < timeoutMs) continue;
      if (connection.isOpen) this.#connectedAtMs = nowMs;
      this.#unansweredSinceMs ??= connection.sentAtMs;
      this.#timeoutCount++;
      connection.giveUp(timeoutText(connection.isOpen, timeoutMs));
    }
    const sinceMs = this.#unansweredSinceMs ?? nowMs;
    if (nowMs - sinceMs > timeoutMs + PATIENCE_MS) this.#end();
  }

  /** A connection has nothing to do: gives it the next request, if one is due. */
  #free(connection: LoadConnection, nowMs: number): void {
    connection.freeSinceMs = nowMs;
    if (this.#endIfDone() || this.#isOver) return;
    const schedule = this.#schedule;
    const isSomethingLeft = this.#tally.sent < this.#plan.requestCount;
    if (!isSomethingLeft) return;
    if (schedule === null) return this.#send(connection, nowMs, nowMs, this.#loopDelayMs);
    const dueAtMs = schedule.dueAtMs(this.#tally.sent);
    if (dueAtMs > nowMs) {
      this.#idle.push(connection);
      return;
    }
    const front = this.#idle[this.#idleFrom];
    const ownLagMs = front === undefined
      ? this.#loopDelayMs
      : lagMs(dueAtMs, front.freeSinceMs, nowMs);
    this.#send(connection, dueAtMs, nowMs, ownLagMs);
  }

  /** Sends what is due, as far as connections are free. */
  #release(schedule: Schedule, nowMs: number): void {
    // The clock rings on until all connections are closed.
    if (this.#isOver) return;
    while (this.#idleFrom < this.#idle.length && this.#tally.sent < this.#plan.requestCount) {
      const dueAtMs = schedule.dueAtMs(this.#tally.sent);
      if (dueAtMs > nowMs) return;
      const connection = this.#idle[this.#idleFrom++]!;
      const sentAtMs = performance.now();
      this.#send(connection, dueAtMs, sentAtMs, lagMs(dueAtMs, connection.freeSinceMs, sentAtMs));
    }
    // The queue is a list with a hole in front; now and then the hole is closed.
    if (this.#idleFrom > this.#plan.connectionCount) {
      this.#idle = this.#idle.slice(this.#idleFrom);
      this.#idleFrom = 0;
    }
  }

  #send(connection: LoadConnection, dueAtMs: number, sentAtMs: number, ownLagMs: number): void {
    connection.dueAtMs = dueAtMs;
    connection.sentAtMs = sentAtMs;
    this.#tally.sent++;
    this.#lastSentAtMs = sentAtMs;
    this.#ownLag.record(ownLagMs);
    connection.send(this.#users.next());
  }

  #sample(): void {
    const sample = this.#tally.sample(Math.max(0, performance.now() - this.#startedAtMs));
    this.#samples.push(sample);
    this.#plan.onSample?.(sample);
  }

  /** Who is told may throw; that is the load's error, not one of the timer. */
  #sampleOrFail(): void {
    try {
      this.#sample();
    } catch (error) {
      this.#isOver = true;
      this.#over.reject(error);
    }
  }

  #endIfDone(): boolean {
    if (this.#tally.done < this.#plan.requestCount) return false;
    this.#end();
    return true;
  }

  #end(isInterrupted = false): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#isInterrupted = isInterrupted;
    for (const { isBusy } of this.#connections) {
      if (isBusy) this.#tally.countError("no answer before the load was ended");
    }
    this.#endedAtMs = performance.now();
    this.#countOverdue(this.#endedAtMs);
    this.#over.resolve();
  }

  /** Whoever waits for a free connection at the end has no latency: it must be told otherwise. */
  #countOverdue(nowMs: number): void {
    const schedule = this.#schedule;
    if (schedule === null || this.#idleFrom < this.#idle.length) return;
    const { sent } = this.#tally;
    this.#overdue = Math.min(schedule.dueCount(nowMs), this.#plan.requestCount) - sent;
    if (this.#overdue > 0) this.#overdueMs = nowMs - schedule.dueAtMs(sent);
  }

  #result(): LoadResult {
    const { sent, accepted, refused, errors, errorTexts } = this.#tally;
    const all = this.#allLatency;
    all.add(this.#acceptedLatency);
    all.add(this.#refusedLatency);
    all.add(this.#otherLatency);
    const latency = all.summary();
    const durationMs = Math.max(0, this.#endedAtMs - this.#startedAtMs);
    return {
      sent,
      accepted,
      refused,
      errors,
      errorTexts,
      durationMs,
      sendingMs: Math.max(0, this.#lastSentAtMs - this.#startedAtMs),
      overdue: this.#overdue,
      overdueMs: this.#overdueMs,
      answersPerSecond: durationMs === 0 ? 0 : latency.count / durationMs * 1000,
      latency,
      acceptedLatency: this.#acceptedLatency.summary(),
      refusedLatency: this.#refusedLatency.summary(),
      serviceTime: this.#schedule === null ? latency : this.#serviceTime.summary(),
      ownLag: this.#ownLag.summary(),
      samples: this.#samples,
      timeouts: this.#timeoutCount,
      interrupted: this.#isInterrupted,
    };
  }
}

function timeoutText(isOpen: boolean, timeoutMs: number): string {
  return `no ${isOpen ? "answer" : "connection"} within ${formatDuration(timeoutMs)}`;
}
