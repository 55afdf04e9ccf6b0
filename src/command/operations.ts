/**
 * What administration sees and steers on one thread: settings, the pause, slow commands, numbers.
 *
 * @module
 */

import type { CommandArguments } from "./arguments.ts";
import type { ClientState } from "./client_state.ts";
import { ClientPause } from "./client_pause.ts";
import { CommandStats, MEASURED_EVERY } from "./command_stats.ts";
import { LatencyLog, type LatencySeries, mergeLatency } from "./latency_log.ts";
import type { CommandTable } from "./lookup.ts";
import { Monitors } from "./monitors.ts";
import { OperationsRegion, OperationsWord } from "./operations_memory.ts";
import type { ServerPhase } from "./phase.ts";
import type { CommandRow } from "./row.ts";
import { RuntimeSettings, SettingIndex } from "./runtime_settings.ts";
import { type SlowCommand, SlowLog, slowWords } from "./slow_log.ts";
import type { ThreadCircle } from "./thread_circle.ts";

/** A command with more bytes than this is measured each time. */
const LARGE_COMMAND_BYTES = 65536;

/** A command with more arguments than this is measured each time. */
const MANY_ARGUMENTS = 64;

/** Below this threshold, commands that take constant time may be slow, too. Unit: µs. */
const EVERY_COMMAND_MICROS = 1000;

/** What an {@link Operations} is made from. */
export interface OperationsParts {
  /** What the threads share. */
  readonly region: OperationsRegion;
  /** Which of the region's blocks is this thread's. */
  readonly blockIndex: number;
  /** This thread's table. */
  readonly table: CommandTable;
  /** The way to the other I/O threads. */
  readonly circle: ThreadCircle;
  /** The server's phase. */
  readonly phase: ServerPhase;
  /** First words of error replies, e.g. `WRONGTYPE`; index = reply code. */
  readonly errorWords: readonly string[];
  /** Time of day, ms since the epoch. */
  readonly clock: () => number;
  /** Has the server stop; left out: it cannot be asked to. */
  readonly requestStop?: () => void;
}

/** Topics of questions to all threads. */
const Topic = {
  SLOW_NEWEST: "slow commands",
  SLOW_SIZE: "number of slow commands",
  SLOW_RESET: "forget slow commands",
  LATENCY: "latency samples",
  LATENCY_RESET: "forget latency samples",
} as const;

/** Thread: one per I/O thread. */
export class Operations {
  /** Settings that change. */
  readonly settings: RuntimeSettings;
  /** `CLIENT PAUSE`. */
  readonly pause: ClientPause;
  /** Numbers of commands. */
  readonly stats: CommandStats;
  /** `MONITOR`. */
  readonly monitors: Monitors;
  /** The server's phase. */
  readonly phase: ServerPhase;
  /** First words of error replies; index = reply code. */
  readonly errorWords: readonly string[];
  /** What the threads share. */
  readonly region: OperationsRegion;

  readonly #parts: OperationsParts;
  readonly #slowLog = new SlowLog();
  readonly #latency = new LatencyLog();
  #measuredMask: number = MEASURED_EVERY - 1;
  #weight = 1;
  /** When the command before this one of the batch ended; 0 = it was not measured. */
  #measuredAtMs = 0;

  /** Answers the questions of other threads from now on. */
  constructor(parts: OperationsParts) {
    const { region, blockIndex, table, circle, phase, clock } = parts;
    this.#parts = parts;
    this.region = region;
    this.phase = phase;
    this.settings = new RuntimeSettings(region.settings);
    this.pause = new ClientPause(region, clock, phase);
    this.stats = new CommandStats(region, blockIndex, table);
    this.monitors = new Monitors(region);
    this.errorWords = parts.errorWords;
    circle.answer(Topic.SLOW_NEWEST, (count) => this.#slowLog.newest(count as number));
    circle.answer(Topic.SLOW_SIZE, () => this.#slowLog.size);
    circle.answer(Topic.SLOW_RESET, () => this.#slowLog.reset());
    circle.answer(Topic.LATENCY, () => this.#latency.all());
    circle.answer(Topic.LATENCY_RESET, (events) => this.#latency.reset(events as string[]));
  }

  /** Those of a thread that shares with nobody: where a log is loaded, for benches and tests. */
  static alone(table: CommandTable, phase: ServerPhase): Operations {
    const operations = new Operations({
      region: OperationsRegion.create(1),
      blockIndex: 0,
      table,
      circle: { answer: () => {}, ask: () => Promise.resolve({ answers: [] }) },
      phase,
      errorWords: [],
      clock: Date.now,
    });
    operations.settings.begin();
    return operations;
  }

  /** Looks at the settings that decide what is measured. */
  beginBatch(): void {
    this.#measuredAtMs = 0;
    const slowerThanMicros = this.settings.values[SettingIndex.SLOWLOG_SLOWER_THAN]!;
    this.#measuredMask = slowerThanMicros >= 0 && slowerThanMicros < EVERY_COMMAND_MICROS
      ? 0
      : MEASURED_EVERY - 1;
  }

  /**
   * Counts a command that is about to run.
   *
   * @returns when it began, as {@link Operations.finish} wants it; 0 = it is not measured
   */
  begin(row: CommandRow, args: CommandArguments): number {
    const calls = this.stats.countCall(row);
    const { count } = args;
    if ((calls & this.#measuredMask) === 0 || calls < MEASURED_EVERY) {
      const isSample = calls >= MEASURED_EVERY && this.#measuredMask > 0 &&
        count < row.measuredFrom;
      this.#weight = isSample ? MEASURED_EVERY : 1;
      return this.#clock();
    }
    if (
      count < row.measuredFrom && count <= MANY_ARGUMENTS &&
      args.ends[count - 1]! - args.starts[0]! <= LARGE_COMMAND_BYTES
    ) {
      this.#measuredAtMs = 0;
      return 0;
    }
    this.#weight = 1;
    return this.#clock();
  }

  /** When a command begins: when the one before it ended, if that is known. */
  #clock(): number {
    const measuredAtMs = this.#measuredAtMs;
    // Used once: commands run inside of others, and some wait before they do.
    this.#measuredAtMs = 0;
    return measuredAtMs === 0 ? performance.now() : measuredAtMs;
  }

  /**
   * Takes note of a measured command that has run.
   *
   * @param weight for how many calls it counts; that of the command begun last when left out
   */
  finish(
    startedAtMs: number,
    row: CommandRow,
    args: CommandArguments,
    client: ClientState,
    weight?: number,
  ): void {
    const nowMs = performance.now();
    // A command that ended later says nothing about when the next one begins.
    this.#measuredAtMs = weight === undefined ? nowMs : 0;
    const durationMs = nowMs - startedAtMs;
    const micros = Math.round(durationMs * 1000);
    this.stats.measured(row, micros, weight ?? this.#weight);
    const { values } = this.settings;
    const slowerThanMicros = values[SettingIndex.SLOWLOG_SLOWER_THAN]!;
    if (slowerThanMicros >= 0 && micros >= slowerThanMicros) {
      this.#logSlow(micros, row, args, client);
    }
    const thresholdMs = values[SettingIndex.LATENCY_THRESHOLD]!;
    if (thresholdMs > 0 && durationMs >= thresholdMs) {
      const event = row.flags.includes("fast") ? "fast-command" : "command";
      this.#latency.add(event, this.#nowSeconds(), Math.floor(durationMs));
    }
  }

  /** Counts an error reply that no command gave. */
  countError(client: ClientState): void {
    if (client.lastError >= 0) this.stats.error(client.lastError);
    client.lastError = -1;
  }

  /** Counts a command that was refused before it ran. */
  reject(row: CommandRow, client: ClientState): void {
    this.stats.rejected(row);
    this.countError(client);
  }

  /** Counts a command that replied with an error. */
  fail(row: CommandRow, client: ClientState): void {
    this.stats.failed(row);
    this.countError(client);
  }

  /** The newest slow commands of all threads, newest first; -1 = all. */
  async slowest(count: number): Promise<SlowCommand[]> {
    const maxCount = Math.min(
      count < 0 ? Infinity : count,
      this.settings.values[SettingIndex.SLOWLOG_MAX_LEN]!,
    );
    const { answers } = await this.#parts.circle.ask(Topic.SLOW_NEWEST, maxCount);
    return (answers as SlowCommand[][]).flat().toSorted((a, b) => b.id - a.id).slice(0, maxCount);
  }

  /** How many slow commands there are. */
  async slowCount(): Promise<number> {
    const { answers } = await this.#parts.circle.ask(Topic.SLOW_SIZE, null);
    const total = (answers as number[]).reduce((sum, size) => sum + size, 0);
    return Math.min(total, this.settings.values[SettingIndex.SLOWLOG_MAX_LEN]!);
  }

  /** Forgets the slow commands. */
  async resetSlow(): Promise<void> {
    await this.#parts.circle.ask(Topic.SLOW_RESET, null);
  }

  /** Latency samples of all threads. */
  async latency(): Promise<LatencySeries[]> {
    const { answers } = await this.#parts.circle.ask(Topic.LATENCY, null);
    return mergeLatency((answers as LatencySeries[][]).flat());
  }

  /** Forgets the samples of these events, or all. @returns of how many events there were any */
  async resetLatency(events: readonly string[]): Promise<number> {
    const { answers } = await this.#parts.circle.ask(Topic.LATENCY_RESET, events);
    return new Set((answers as string[][]).flat()).size;
  }

  /** Has the server stop in order. @returns false when it cannot be asked to */
  requestStop(): boolean {
    const { requestStop } = this.#parts;
    requestStop?.();
    return requestStop !== undefined;
  }

  #logSlow(micros: number, row: CommandRow, args: CommandArguments, client: ClientState): void {
    const maxCount = this.settings.values[SettingIndex.SLOWLOG_MAX_LEN]!;
    if (maxCount === 0 || row.flags.includes("skip_slowlog")) return;
    this.#slowLog.add({
      id: Atomics.add(this.region.words, OperationsWord.SLOW_COMMANDS, 1),
      atSeconds: this.#nowSeconds(),
      micros,
      words: slowWords(row, args),
      address: client.address,
      name: client.name,
    }, maxCount);
  }

  #nowSeconds(): number {
    return Math.floor(this.#parts.clock() / 1000);
  }
}
