/**
 * `MONITOR`: clients that are shown every command of the server.
 *
 * A line is shown on the thread where the command runs and posted to the other threads. A monitor
 * sees everything or is cut off: a client that does not read its lines is closed by its connection,
 * and when an inbox was too full for a line, the monitors that missed it are closed.
 *
 * @module
 */

import { getLogger } from "../base/log.ts";
import type { CommandArguments } from "./arguments.ts";
import type { ClientState } from "./client_state.ts";
import { type OperationsRegion, OperationsWord } from "./operations_memory.ts";
import type { CommandRow } from "./row.ts";
import { firstSecretWord, REDACTED } from "./secrets.ts";

/**
 * Bytes of arguments that are shown of a command.
 *
 * Reason: a line travels through inboxes of other threads, whose rings are small.
 */
export const MONITOR_LINE_BYTES = 4096;

// Looked at before every command; V8 fetches what another module exports at each use.
const { MONITORS } = OperationsWord;

/** Passes a line on to the other I/O threads. @returns false when one of them could not take it */
export type MonitorPost = (line: Uint8Array) => boolean;

/** The monitors of one thread. Thread: that I/O thread. */
export class Monitors {
  /** Reaches the other threads; left out when there are none. */
  post: MonitorPost | undefined;

  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #region: OperationsRegion;
  readonly #clients = new Set<ClientState>();
  #lostSeen = 0;

  /** Starts without any. */
  constructor(region: OperationsRegion) {
    this.#words = region.words;
    this.#region = region;
  }

  /** Whether anybody, on whichever thread, is to be shown commands; costs one load. */
  get isWatched(): boolean {
    return this.#words[MONITORS] !== 0;
  }

  /** Shows every command to `client` from now on. */
  add(client: ClientState): void {
    if (this.#clients.size === 0) {
      this.#lostSeen = Atomics.load(this.#region.words, OperationsWord.MONITOR_LINES_LOST);
    }
    if (client.isMonitor) return;
    client.isMonitor = true;
    this.#clients.add(client);
    Atomics.add(this.#region.words, OperationsWord.MONITORS, 1);
  }

  /** Shows it nothing more. */
  remove(client: ClientState): void {
    if (!this.#clients.delete(client)) return;
    client.isMonitor = false;
    Atomics.sub(this.#region.words, OperationsWord.MONITORS, 1);
  }

  /** Shows a command that is about to run, to monitors of all threads. */
  show(row: CommandRow, args: CommandArguments, client: ClientState, nowMs: number): void {
    if (row.flags.includes("admin") || row.flags.includes("skip_monitor")) return;
    const line = encoder.encode(monitorLine(row, args, client, nowMs));
    if (this.post?.(line) === false) {
      Atomics.add(this.#region.words, OperationsWord.MONITOR_LINES_LOST, 1);
    }
    this.receive(line);
  }

  /** Shows a line to the monitors of this thread. */
  receive(line: Uint8Array): void {
    if (this.#clients.size === 0) return;
    const lost = Atomics.load(this.#region.words, OperationsWord.MONITOR_LINES_LOST);
    const hasMissed = lost !== this.#lostSeen;
    this.#lostSeen = lost;
    for (const client of this.#clients) {
      if (!hasMissed && client.push(line)) continue;
      this.remove(client);
      log.debug("monitor is behind, closed", {
        event: "monitor_cut_off",
        client: client.id,
        reason: hasMissed ? "missed_a_line" : "does_not_read",
      });
      client.end();
    }
  }
}

/** What a monitor sees of a command: `+1700000000.123000 [0 127.0.0.1:50000] "get" "a"`. */
export function monitorLine(
  row: CommandRow,
  args: CommandArguments,
  client: ClientState,
  nowMs: number,
): string {
  const seconds = Math.floor(nowMs / 1000);
  const micros = String(Math.floor(nowMs % 1000 * 1000)).padStart(6, "0");
  let line = `+${seconds}.${micros} [${client.database} ${client.address}]`;
  const secretAt = firstSecretWord(row, args);
  for (let i = 0; i < args.count && line.length < MONITOR_LINE_BYTES; i++) {
    // Callers that know the row need not send its name.
    if (i === 0 && args.length(0) === 0) line += ` "${row.name}"`;
    else line += i >= secretAt ? ` "${REDACTED}"` : ` ${quoted(args, i)}`;
  }
  return `${line}\r\n`;
}

const ESCAPES: ReadonlyMap<number, string> = new Map([
  [0x07, "\\a"],
  [0x08, "\\b"],
  [0x09, "\\t"],
  [0x0a, "\\n"],
  [0x0d, "\\r"],
  [0x22, '\\"'],
  [0x5c, "\\\\"],
]);

/** An argument in quotes, as redis-cli shows it; the end of a long one is left out. */
function quoted(args: CommandArguments, index: number): string {
  const start = args.starts[index]!;
  const end = Math.min(args.ends[index]!, start + MONITOR_LINE_BYTES);
  let text = '"';
  for (let i = start; i < end; i++) {
    const byte = args.bytes[i]!;
    const escape = ESCAPES.get(byte);
    if (escape !== undefined) text += escape;
    else if (byte >= 0x20 && byte < 0x7f) text += String.fromCharCode(byte);
    else text += `\\x${byte.toString(16).padStart(2, "0")}`;
  }
  const cutBytes = args.ends[index]! - end;
  return cutBytes > 0 ? `${text}"... (${cutBytes} more bytes)` : `${text}"`;
}

const encoder = new TextEncoder();
const log = getLogger("monitor");
