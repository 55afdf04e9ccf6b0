/**
 * What the administration of a server shares between its threads: settings that change at run time,
 * the pause of clients, and what commands cost, in one SharedArrayBuffer.
 *
 * ```text
 * byte 0       words, 16 of 4 bytes, index = OperationsWord: the pause's mode, monitors, numbers of
 *              slow commands given so far, lines that monitors missed; words 8 to 12: 160 random
 *              bits that tell this run of the server from any other
 * 64           32 settings, 8 bytes each (float64), index = SettingIndex (runtime_settings.ts)
 * 320          doubles, index = OperationsDouble: the pause's end, ms since the epoch
 * 384          baseline: 64 totals as they were at the last CONFIG RESETSTAT (float64)
 * 896          baseline of a thread block, the same for each of its doubles
 * …            block of each thread
 *   0          64 totals (float64), index = ReplyCode: error replies with that code
 *   512        1,024 commands, 256 bytes each (float64, see command_stats.ts)
 * ```
 *
 * Settings and baselines are written by whichever thread runs the command, a thread's block by that
 * thread only, with plain stores. A counter is never set back: what a reset hides is subtracted by
 * the reader.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { SharedPassword } from "./shared_password.ts";

/** Word offsets from the beginning. */
export const OperationsWord = {
  /** See `PauseMode`. */
  PAUSE_MODE: 0,
  /** Clients of all threads that are shown every command. */
  MONITORS: 1,
  /** Slow commands that were given a number. */
  SLOW_COMMANDS: 2,
  /** Times that a line for monitors did not fit an inbox. */
  MONITOR_LINES_LOST: 3,
} as const;

/** First of the words of the run's id, of which there are so many. */
const RUN_ID_WORD = 8;
const RUN_ID_WORDS = 5;

/** Offsets in doubles from byte 320. */
export const OperationsDouble = {
  /** When clients go on. Unit: ms since the epoch. */
  PAUSE_END: 0,
} as const;

/** Commands, subcommands included, that there is room to count. */
export const STATISTICS_ROWS_MAX = 1024;
/** Doubles of one command in a block. */
export const STATISTICS_ROW_DOUBLES = 32;
/** Doubles in front of a block's commands: error replies by code. */
export const ERROR_TOTALS = 64;

/** Doubles of one thread's block. */
export const THREAD_BLOCK_DOUBLES: number = ERROR_TOTALS +
  STATISTICS_ROWS_MAX * STATISTICS_ROW_DOUBLES;

const SETTINGS_BYTE = 64;
const SETTINGS_COUNT = 32;
const DOUBLES_BYTE = 320;
const DOUBLES_COUNT = 8;
const TOTALS_BASELINE_BYTE = 384;
const TOTALS_COUNT = 64;
const BLOCK_BASELINE_BYTE = 896;
const FIRST_BLOCK_BYTE = BLOCK_BASELINE_BYTE + THREAD_BLOCK_DOUBLES * 8;

assert(SETTINGS_BYTE + SETTINGS_COUNT * 8 === DOUBLES_BYTE, "the doubles follow the settings");
assert(DOUBLES_BYTE + DOUBLES_COUNT * 8 === TOTALS_BASELINE_BYTE, "the totals follow the doubles");
assert(TOTALS_BASELINE_BYTE + TOTALS_COUNT * 8 === BLOCK_BASELINE_BYTE, "the block comes behind");

/** Shared memory of {@link OperationsRegion}; structured-cloneable. */
export interface OperationsMemory {
  /** The region. */
  readonly buffer: SharedArrayBuffer;
  /** See {@link OperationsRegion.password}. */
  readonly password: SharedArrayBuffer;
}

/** Views of the region. Thread: any; make one per thread. */
export class OperationsRegion {
  /** Hand this to another thread for {@link OperationsRegion.attach}. */
  readonly memory: OperationsMemory;
  /** Index = {@link OperationsWord}. */
  readonly words: Int32Array<SharedArrayBuffer>;
  /** Index = `SettingIndex`. */
  readonly settings: Float64Array<SharedArrayBuffer>;
  /** Index = {@link OperationsDouble}. */
  readonly doubles: Float64Array<SharedArrayBuffer>;
  /** What totals were at the last reset, in an order that the reader knows. */
  readonly totalsBaseline: Float64Array<SharedArrayBuffer>;
  /** What the blocks together were at the last reset. */
  readonly blockBaseline: Float64Array<SharedArrayBuffer>;
  /** What clients must present; it lies in memory of its own. */
  readonly password: SharedPassword;
  /** The block of each thread. */
  readonly blocks: readonly Float64Array<SharedArrayBuffer>[];

  private constructor(buffer: SharedArrayBuffer, password: SharedPassword) {
    this.memory = { buffer, password: password.memory };
    this.password = password;
    this.words = new Int32Array(buffer, 0, SETTINGS_BYTE / 4);
    this.settings = new Float64Array(buffer, SETTINGS_BYTE, SETTINGS_COUNT);
    this.doubles = new Float64Array(buffer, DOUBLES_BYTE, DOUBLES_COUNT);
    this.totalsBaseline = new Float64Array(buffer, TOTALS_BASELINE_BYTE, TOTALS_COUNT);
    this.blockBaseline = new Float64Array(buffer, BLOCK_BASELINE_BYTE, THREAD_BLOCK_DOUBLES);
    const blockBytes = THREAD_BLOCK_DOUBLES * 8;
    const threadCount = (buffer.byteLength - FIRST_BLOCK_BYTE) / blockBytes;
    assert(Number.isInteger(threadCount) && threadCount > 0, "the memory holds whole blocks");
    this.blocks = Array.from(
      { length: threadCount },
      (_, thread) =>
        new Float64Array(buffer, FIRST_BLOCK_BYTE + thread * blockBytes, THREAD_BLOCK_DOUBLES),
    );
  }

  /** Makes a region of zeros, but for the run's id, with a block for each thread. */
  static create(threadCount: number): OperationsRegion {
    const byteCount = FIRST_BLOCK_BYTE + threadCount * THREAD_BLOCK_DOUBLES * 8;
    const region = new OperationsRegion(
      new SharedArrayBuffer(byteCount),
      new SharedPassword(),
    );
    region.words.set(crypto.getRandomValues(new Int32Array(RUN_ID_WORDS)), RUN_ID_WORD);
    return region;
  }

  /** Tells this run of the server from any other: 40 hexadecimal digits. */
  get runId(): string {
    const words = this.words.subarray(RUN_ID_WORD, RUN_ID_WORD + RUN_ID_WORDS);
    return Array.from(words, (word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
  }

  /** Opens a region that another thread made. */
  static attach(memory: OperationsMemory): OperationsRegion {
    return new OperationsRegion(memory.buffer, new SharedPassword(memory.password));
  }
}
