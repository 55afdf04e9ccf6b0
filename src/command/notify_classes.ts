/**
 * `notify-keyspace-events`: which events are published, as letters and as bits.
 *
 * @module
 */

/** Bits of the classes, by their letters. */
export const NotifyClass = {
  /** Publish on `__keyspace@<db>__:<key>`. */
  K: 1,
  /** Publish on `__keyevent@<db>__:<event>`. */
  E: 2,
  /** Commands of no type, e.g. DEL. */
  g: 4,
  /** Strings. */
  $: 8,
  /** Lists. */
  l: 16,
  /** Sets. */
  s: 32,
  /** Hashes. */
  h: 64,
  /** Sorted sets. */
  z: 128,
  /** Keys that expired. */
  x: 256,
  /** Keys that were evicted. */
  e: 512,
  /** Streams; there are none. */
  t: 1024,
  /** Reads of keys that are missing. */
  m: 2048,
  /** Modules; there are none. */
  d: 4096,
  /** New keys. */
  n: 8192,
} as const;

/** What `A` stands for: every class but those of misses and of new keys. */
export const NOTIFY_ALL: number = 4 | 8 | 16 | 32 | 64 | 128 | 256 | 512 | 1024 | 4096;

/** Reads letters such as `KEA`. @returns undefined when one of them is unknown */
export function parseNotifyClasses(letters: string): number | undefined {
  let bits = 0;
  for (const letter of letters) {
    if (letter === "A") bits |= NOTIFY_ALL;
    else if (letter in NotifyClass) bits |= NotifyClass[letter as keyof typeof NotifyClass];
    else return undefined;
  }
  return bits;
}

/** The letters of some classes in the order in which Redis writes them. */
export function formatNotifyClasses(bits: number): string {
  const hasAll = (bits & NOTIFY_ALL) === NOTIFY_ALL;
  let letters = hasAll ? "A" : "";
  for (const letter of "g$lshzxetdKEmn") {
    const bit = NotifyClass[letter as keyof typeof NotifyClass];
    const isSaid = hasAll && (NOTIFY_ALL & bit) !== 0;
    if ((bits & bit) !== 0 && !isSaid) letters += letter;
  }
  return letters;
}
