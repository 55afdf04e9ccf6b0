/**
 * Texts and numbers of the report, as people read them.
 *
 * @module
 */

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/**
 * Makes any text harmless between tags and in quoted attributes, of HTML and of XML alike.
 *
 * @param text e.g. `a < b`
 */
export function escapeText(text: string): string {
  // XML has no way to write control characters, and browsers show none.
  // deno-lint-ignore no-control-regex
  return text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "\ufffd")
    .toWellFormed().replace(/[&<>"']/g, (char) => ESCAPES[char]!);
}

/**
 * A number with commas and a fixed number of decimals: `12,345.60`.
 *
 * @param value any finite number
 * @param decimals digits after the point
 */
export function fixed(value: number, decimals: number): string {
  if (!Number.isFinite(value)) return "–";
  const text = Math.abs(value).toFixed(decimals);
  const [whole, part] = text.split(".");
  const grouped = whole!.replace(/\B(?=(\d{3})+$)/g, ",");
  const isZero = Number(text) === 0;
  return `${value < 0 && !isZero ? "−" : ""}${grouped}${part === undefined ? "" : `.${part}`}`;
}

/**
 * How many decimals show three digits of a number: 2 for 1.234, 0 for 1,234.
 *
 * @param value any number
 */
export function usefulDecimals(value: number): number {
  const size = Math.abs(value);
  if (!(size > 0) || size >= 100 || !Number.isFinite(size)) return 0;
  return Math.min(5, 2 - Math.floor(Math.log10(size)));
}

/** Keeps a number and its unit on one line. */
const NO_BREAK = "\u00a0";

/**
 * A number in three digits, or in two when it is below 1, without idle zeros after the point:
 * `14.5`, `1,450`, `0.12`.
 *
 * @param value any number
 */
export function short(value: number): string {
  const decimals = usefulDecimals(value);
  const text = fixed(value, Math.abs(value) < 1 ? Math.max(0, decimals - 1) : decimals);
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

/**
 * A duration in the unit that suits it: `12.5 s`, `340 ms`, `1.2 µs`.
 *
 * @param ms Unit: ms
 */
export function duration(ms: number): string {
  const size = Math.abs(ms);
  if (size >= 120_000) return `${short(ms / 60_000)}${NO_BREAK}min`;
  if (size >= 1_000) return `${short(ms / 1_000)}${NO_BREAK}s`;
  if (size >= 1 || size === 0) return `${short(ms)}${NO_BREAK}ms`;
  return size >= 0.001
    ? `${short(ms * 1_000)}${NO_BREAK}µs`
    : `${short(ms * 1_000_000)}${NO_BREAK}ns`;
}

/**
 * A share in percent that says neither "all" nor "none" when it is not: `96.1 %`.
 *
 * @param part how many
 * @param whole of how many
 */
export function percent(part: number, whole: number): string {
  if (!(whole > 0)) return `0${NO_BREAK}%`;
  const value = part * 100 / whole;
  if (part > 0 && value < 0.1) return `under${NO_BREAK}0.1${NO_BREAK}%`;
  if (part < whole && value > 99.9) return `over${NO_BREAK}99.9${NO_BREAK}%`;
  return `${short(Number(value.toFixed(1)))}${NO_BREAK}%`;
}

/**
 * How many times one number is the other: `14.5 ×`, or `—` when there is nothing to compare with.
 *
 * @param value the larger one, as a rule
 * @param base what it is compared with
 */
export function times(value: number, base: number): string {
  return base > 0 ? `${short(value / base)}${NO_BREAK}×` : "—";
}

/**
 * `1 worker`, `16 workers`.
 *
 * @param count how many
 * @param noun the word for one
 */
export function counted(count: number, noun: string): string {
  return `${fixed(count, 0)}${NO_BREAK}${noun}${count === 1 ? "" : "s"}`;
}

/**
 * Cuts a text that would not fit, with an ellipsis.
 *
 * @param text any text
 * @param maxChars how long it may be; at least 2
 */
export function clipped(text: string, maxChars: number): string {
  const chars = [...text];
  return chars.length <= maxChars ? text : `${chars.slice(0, maxChars - 1).join("").trimEnd()}…`;
}

/**
 * Breaks a text into lines between words; a word that is too long stays whole.
 *
 * @param text any text
 * @param maxChars length of a line
 */
export function wrapped(text: string, maxChars: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(/[ \n\t]+/)) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= maxChars) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else {
      lines.push(word);
    }
  }
  return lines;
}
