/**
 * Classes of keyspace events: which of them are published, in the letters of Redis.
 *
 * @see https://redis.io/docs/latest/develop/use/keyspace-notifications/
 * @module
 */

/** Bits of the setting `notify-keyspace-events`. */
export const NotifyClass = {
  /** `K`: to `__keyspace@<database>__:<key>`. */
  KEYSPACE: 1,
  /** `E`: to `__keyevent@<database>__:<event>`. */
  KEYEVENT: 2,
  /** `g`: commands on keys of any type, such as DEL and EXPIRE. */
  GENERIC: 4,
  /** `$` */
  STRING: 8,
  /** `l` */
  LIST: 16,
  /** `s` */
  SET: 32,
  /** `h` */
  HASH: 64,
  /** `z` */
  SORTED_SET: 128,
  /** `x`: a key's time was up. */
  EXPIRED: 256,
  /** `e`: a key had to go because memory was short. */
  EVICTED: 512,
  /** `t` */
  STREAM: 1024,
  /** `m`: a key was asked for and was not there. */
  KEY_MISS: 2048,
  /** `d`: made by modules; there are none. */
  MODULE: 8192,
  /** `n`: a key is new. */
  NEW: 16384,
} as const;

/** One of the bits of {@link NotifyClass}. */
export type NotifyClass = (typeof NotifyClass)[keyof typeof NotifyClass];

/** In the order in which they are shown; misses and new keys are not among all of `A`. */
const LETTERS: readonly (readonly [string, number])[] = [
  ["g", NotifyClass.GENERIC],
  ["$", NotifyClass.STRING],
  ["l", NotifyClass.LIST],
  ["s", NotifyClass.SET],
  ["h", NotifyClass.HASH],
  ["z", NotifyClass.SORTED_SET],
  ["x", NotifyClass.EXPIRED],
  ["e", NotifyClass.EVICTED],
  ["t", NotifyClass.STREAM],
  ["d", NotifyClass.MODULE],
];

const ALL = LETTERS.reduce((bits, [, bit]) => bits | bit, 0);

/** Those that `A` does not stand for. */
const OTHERS: readonly (readonly [string, number])[] = [
  ["K", NotifyClass.KEYSPACE],
  ["E", NotifyClass.KEYEVENT],
  ["m", NotifyClass.KEY_MISS],
];

/**
 * Reads the letters.
 *
 * @returns bits of {@link NotifyClass}; undefined when one of the letters means nothing
 */
export function parseNotifyClasses(text: string): number | undefined {
  const known = new Map<string, number>([
    ...LETTERS,
    ...OTHERS,
    ["n", NotifyClass.NEW],
    ["A", ALL],
  ]);
  let classes = 0;
  for (const letter of text) {
    const bits = known.get(letter);
    if (bits === undefined) return undefined;
    classes |= bits;
  }
  return classes;
}

/** The same letters for the same classes, in one order. */
export function formatNotifyClasses(classes: number): string {
  let text = "";
  if ((classes & ALL) === ALL) {
    text = "A";
  } else {
    for (const [letter, bit] of LETTERS) if ((classes & bit) !== 0) text += letter;
    // As in Redis, which shows it only here.
    if ((classes & NotifyClass.NEW) !== 0) text += "n";
  }
  for (const [letter, bit] of OTHERS) if ((classes & bit) !== 0) text += letter;
  return text;
}
