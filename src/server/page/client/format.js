/**
 * Numbers as people read them: few digits, always a unit, and about as wide from one to the next.
 *
 * @module
 */

const NO_VALUE = "–";

const WHOLE = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

/**
 * Digits so that three of them count: 0.123, 1.23, 12.3, 123.
 *
 * @param {number} value
 * @returns {string}
 */
function threeDigits(value) {
  const size = Math.abs(value);
  if (size >= 99.95) return WHOLE.format(value);
  if (size >= 9.995) return value.toFixed(1);
  return value.toFixed(2);
}

/**
 * A count, in full up to 99,999: `1,234`, `123 k`, `1.23 M`.
 *
 * @param {number | null | undefined} value
 * @returns {string}
 */
export function formatCount(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return NO_VALUE;
  if (Math.abs(value) < 99_999.5) return WHOLE.format(value);
  if (Math.abs(value) < 999_500) return `${WHOLE.format(value / 1e3)} k`;
  if (Math.abs(value) < 999.5e6) return `${threeDigits(value / 1e6)} M`;
  return `${threeDigits(value / 1e9)} G`;
}

/**
 * How many a second: `1,234/s`; below ten with a digit behind the point.
 *
 * @param {number | null | undefined} value
 * @returns {string}
 */
export function formatRate(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return NO_VALUE;
  if (value > 0 && value < 9.95) return `${value.toFixed(1)}/s`;
  return `${formatCount(value)}/s`;
}

/**
 * A duration: `250 µs`, `1.50 ms`, `2.00 s`.
 *
 * @param {number | null | undefined} ms
 * @returns {string}
 */
export function formatDuration(ms) {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return NO_VALUE;
  if (ms === 0) return "0 ms";
  if (ms < 0.9995) return `${WHOLE.format(ms * 1000)} µs`;
  if (ms < 999.5) return `${threeDigits(ms)} ms`;
  return `${threeDigits(ms / 1000)} s`;
}

/**
 * Bytes: `512 B`, `1.50 KiB`, `256 MiB`.
 *
 * @param {number | null | undefined} bytes
 * @returns {string}
 */
export function formatBytes(bytes) {
  if (bytes === null || bytes === undefined || !Number.isFinite(bytes)) return NO_VALUE;
  let value = bytes;
  let unit = "B";
  for (const next of ["KiB", "MiB", "GiB", "TiB"]) {
    if (value < 1023.5) break;
    value /= 1024;
    unit = next;
  }
  return `${unit === "B" ? WHOLE.format(value) : threeDigits(value)} ${unit}`;
}

/**
 * A share: `0 %`, `0.4 %`, `72 %`.
 *
 * @param {number | null | undefined} share 0 to 1
 * @returns {string}
 */
export function formatShare(share) {
  if (share === null || share === undefined || !Number.isFinite(share)) return NO_VALUE;
  const percent = share * 100;
  return percent > 0 && percent < 0.95 ? `${percent.toFixed(1)} %` : `${Math.round(percent)} %`;
}

/**
 * A time that has passed or is left, in its two largest units: `45 s`, `3 min 20 s`, `2 d 4 h`.
 *
 * @param {number} ms
 * @returns {string}
 */
export function formatSpan(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/**
 * Where a plot's axis ends: the next of a few round numbers.
 *
 * @param {number} value
 * @returns {number}
 */
export function niceCeiling(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  for (const step of [1, 1.5, 2, 3, 4, 5, 6, 8]) {
    if (value <= step * power * (1 + 1e-9)) return step * power;
  }
  return 10 * power;
}

/**
 * The same for bytes: the next power of two, or half as much again.
 *
 * @param {number} value
 * @returns {number}
 */
export function niceBytes(value) {
  if (!(value > 1)) return 1;
  const power = 2 ** Math.floor(Math.log2(value));
  return value <= power ? power : value <= power * 1.5 ? power * 1.5 : power * 2;
}
