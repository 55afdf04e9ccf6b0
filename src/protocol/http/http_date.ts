/**
 * Dates in header fields.
 *
 * @module
 */

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

const FIXED = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (\d\d) (\w{3}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT$/;
const RFC_850 =
  /^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (\d\d)-(\w{3})-(\d\d) (\d\d):(\d\d):(\d\d) GMT$/;
const ASCTIME = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (\w{3}) ([ \d]\d) (\d\d):(\d\d):(\d\d) (\d{4})$/;

/**
 * Reads a date in any of the three forms that HTTP knows.
 *
 * Thread: any.
 *
 * @param nowMs the century of a year with two digits is the one that is not far ahead of now
 * @returns ms since the epoch, whole seconds; null when it is no date
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7
 *
 * @example
 * ```ts
 * import { parseHttpDate } from "./http_date.ts";
 *
 * const date = parseHttpDate("Sun, 06 Nov 1994 08:49:37 GMT", Date.now());
 * if (date !== 784111777000) throw new Error(`Cannot read the date: ${date}`);
 * ```
 */
export function parseHttpDate(text: string, nowMs: number): number | null {
  const fixed = FIXED.exec(text);
  if (fixed !== null) {
    const [, day, month, year, ...time] = fixed;
    return dateOf(Number(year), month!, Number(day), time);
  }
  const old = RFC_850.exec(text);
  if (old !== null) {
    const [, day, month, year, ...time] = old;
    return dateOf(fullYear(Number(year), nowMs), month!, Number(day), time);
  }
  const c = ASCTIME.exec(text);
  if (c === null) return null;
  const [, month, day, hour, minute, second, year] = c;
  return dateOf(Number(year), month!, Number(day), [hour!, minute!, second!]);
}

/** The date as HTTP writes it, e.g. `Sun, 06 Nov 1994 08:49:37 GMT`. Thread: any. */
export function formatHttpDate(timeMs: number): string {
  return new Date(timeMs).toUTCString();
}

function dateOf(
  year: number,
  monthName: string,
  day: number,
  time: readonly string[],
): number | null {
  const month = MONTHS.indexOf(monthName);
  const [hour, minute, second] = time.map(Number) as [number, number, number];
  // A leap second is read as the one behind it.
  if (month < 0 || hour > 23 || minute > 59 || second > 60) return null;
  const date = new Date(Date.UTC(year, month, day));
  if (year < 100) date.setUTCFullYear(year);
  if (date.getUTCMonth() !== month || date.getUTCDate() !== day) return null;
  return date.getTime() + ((hour * 60 + minute) * 60 + second) * 1000;
}

/** A date that would be more than 50 years ahead is of the century before. */
function fullYear(twoDigits: number, nowMs: number): number {
  const thisYear = new Date(nowMs).getUTCFullYear();
  const year = thisYear - thisYear % 100 + twoDigits;
  return year > thisYear + 50 ? year - 100 : year;
}
