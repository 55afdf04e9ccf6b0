/**
 * Progress of long work, on standard error: a bar on a terminal, lines elsewhere.
 *
 * @module
 */

/** Where progress goes. */
export interface ProgressOutput {
  /** Width in columns, or null when it is no terminal. */
  readonly columns: number | null;
  /** Writes text; must not throw. */
  write(text: string): void;
  /** Milliseconds on a clock that only goes forward. */
  nowMs(): number;
}

/** How often the bar is drawn anew. Unit: ms. */
const BAR_PERIOD_MS = 100;
/** How often a line is written where there is no terminal. Unit: ms. */
const LINE_PERIOD_MS = 5000;
const BAR_CELLS = 24;
const CLEAR_LINE = "\r\x1b[2K";

/** Standard error of this process. Thread: the main isolate. */
export function standardErrorOutput(): ProgressOutput {
  const encoder = new TextEncoder();
  return {
    columns: Deno.stderr.isTerminal() ? terminalColumns() : null,
    write: (text) => {
      try {
        Deno.stderr.writeSync(encoder.encode(text));
      } catch {
        // Nobody reads any more; the work goes on.
      }
    },
    nowMs: () => performance.now(),
  };
}

function terminalColumns(): number | null {
  try {
    return Deno.consoleSize().columns;
  } catch {
    return null;
  }
}

/**
 * Shows how far one piece of work has come.
 *
 * Thread: belongs to one thread. On a terminal it owns the current line until it is disposed.
 *
 * @example
 * ```ts
 * import { Progress, standardErrorOutput } from "./progress.ts";
 * using progress = new Progress("stage 5", standardErrorOutput());
 * progress.show(0.5, "100 of 200 jobs");
 * ```
 */
export class Progress implements Disposable {
  readonly #title: string;
  readonly #output: ProgressOutput;
  #shownAtMs = -Infinity;

  /** Shows nothing yet. */
  constructor(title: string, output: ProgressOutput) {
    this.#title = title;
    this.#output = output;
  }

  /**
   * Shows how far the work is; may be called as often as one likes.
   *
   * @param share 0 to 1
   * @param note what is going on, e.g. `"1,200 of 5,000 requests"`
   */
  show(share: number, note = ""): void {
    const { columns } = this.#output;
    const nowMs = this.#output.nowMs();
    if (nowMs - this.#shownAtMs < (columns === null ? LINE_PERIOD_MS : BAR_PERIOD_MS)) return;
    this.#shownAtMs = nowMs;
    const bounded = Math.min(Math.max(share, 0), 1);
    const percent = `${Math.floor(bounded * 100)}%`.padStart(4);
    if (columns === null) {
      this.#output.write(`${this.#title}: ${percent.trim()}${note === "" ? "" : `, ${note}`}\n`);
      return;
    }
    // A narrow terminal has a short bar: the number behind it must not be cut off.
    const cells = Math.max(0, Math.min(BAR_CELLS, columns - 1 - this.#title.length - 1 - 4));
    const filled = Math.round(bounded * cells);
    const bar = "█".repeat(filled) + "░".repeat(cells - filled);
    const line = `${this.#title} ${bar}${percent} ${note}`;
    this.#output.write(CLEAR_LINE + [...line].slice(0, columns - 1).join(""));
  }

  /** Writes a line of its own, above the bar. */
  line(text: string): void {
    this.#output.write(`${this.#output.columns === null ? "" : CLEAR_LINE}${text}\n`);
    this.#shownAtMs = -Infinity;
  }

  /** Takes the bar off the terminal. */
  [Symbol.dispose](): void {
    if (this.#output.columns !== null) this.#output.write(CLEAR_LINE);
  }
}
