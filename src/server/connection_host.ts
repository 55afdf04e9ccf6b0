/**
 * What a connection asks of its thread.
 *
 * @module
 */

import type { ClientMemory } from "../base/client_memory.ts";
import type { WaveClock } from "../base/wave_clock.ts";
import type { CounterSink } from "../command/counters.ts";
import type { Connection } from "./connection.ts";
import type { Front } from "./front.ts";
import type { MemoryHolder, MemoryPressure } from "./memory_pressure.ts";
import type { WriteTurns } from "./write_turns.ts";

/**
 * What connections share on their thread.
 *
 * Thread: one object per I/O thread.
 */
export interface ConnectionHost {
  /** The time as everybody asks for it who is ready at the same time. */
  readonly clock: WaveClock;
  /**
   * A clock that is right to a sweep, and free to read; one that nobody sets, for timeouts.
   * Unit: ms, by `performance.now()`.
   */
  readonly nowMs: number;
  /** Bound on an incomplete request. Unit: bytes. */
  readonly maxRequestBytes: number;
  /** The thread's counters. */
  readonly counters: CounterSink;
  /** Lends the buffers. */
  readonly memory: ClientMemory;
  /** Who has to go when it is short. */
  readonly pressure: Pick<
    MemoryPressure<MemoryHolder>,
    "waitForRoom" | "relieve" | "forget" | "departed"
  >;
  /** When requests are executed, and replies written. */
  readonly writeTurns: WriteTurns;
  /** Takes note of a read that brought something. */
  countRead(): void;
  /**
   * A promise of the connection's turn to go on; undefined when it may at once.
   *
   * @param nowMs a recent reading of `performance.now()`
   * @param costMs how long it just kept the thread busy; 0 when that is not worth knowing
   */
  park(nowMs: number, costMs: number): Promise<void> | undefined;
  /**
   * How long a batch that begins now may go on. Unit: ms.
   *
   * @param nowMs a recent reading of `performance.now()`
   */
  sliceMs(nowMs: number): number;
  /**
   * Told of a connection that is over: nothing of it is under way, and all that it held is back.
   *
   * @param ticket what it was run with
   */
  left(connection: Connection, ticket: number): void;
  /** Told when a session threw: our bug, which costs that connection only. */
  sessionFailed(front: Front, error: unknown): void;
}
