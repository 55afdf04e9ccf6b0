/**
 * Byte sequences that are almost right, and some that are not at all.
 *
 * @module
 */

import type { Random } from "./random.ts";

/** What mutations are made of. */
export interface FuzzMaterial {
  /** Well-formed requests and known malformed ones. */
  readonly corpus: readonly Uint8Array[];
  /** Pieces of the protocol, to be put in anywhere. */
  readonly tokens: readonly Uint8Array[];
}

/** No sequence gets longer than this. Unit: bytes. */
const SEQUENCE_MAX_BYTES = 200_000;

/** Numbers at the edges of what parsers store them in. */
const NUMBERS = [
  ...["0", "-0", "00", "+1", "-1", "1", "2", "7", "0x10", "1e9", "1.0", " 1", "1 ", "", "١"],
  ...["127", "128", "255", "256", "4095", "4096", "4097", "32767", "65535", "65536", "65537"],
  ...["1048575", "1048576", "1048577", "2147483647", "2147483648", "4294967295", "4294967296"],
  ...["9007199254740991", "9007199254740993", "9223372036854775807", "9223372036854775808"],
  ...["-9223372036854775808", "-9223372036854775809", "18446744073709551616", "9".repeat(60)],
].map((text) => new TextEncoder().encode(text));

type Mutation = (bytes: Uint8Array, random: Random, material: FuzzMaterial) => Uint8Array;

const MUTATIONS: readonly Mutation[] = [
  flipBit,
  flipBit,
  setByte,
  (bytes, random) => replace(bytes, ...range(bytes, random), EMPTY),
  (bytes, random) => bytes.subarray(0, random.below(bytes.length + 1)),
  (bytes, random) => bytes.subarray(random.below(bytes.length + 1)),
  duplicateRange,
  insertRandom,
  insertToken,
  insertToken,
  replaceNumber,
  replaceNumber,
  splice,
  repeatAll,
];

const EMPTY = new Uint8Array(0);

/** The next sequence: a member of the corpus, usually changed in a few places, or plain noise. */
export function nextSequence(random: Random, material: FuzzMaterial): Uint8Array {
  if (random.oneIn(20)) return randomBytes(random, random.below(random.oneIn(20) ? 20_000 : 200));
  let bytes: Uint8Array = random.pick(material.corpus);
  if (random.oneIn(10)) return bytes;
  do {
    bytes = random.pick(MUTATIONS)(bytes, random, material);
  } while (!random.oneIn(3));
  return bytes.length > SEQUENCE_MAX_BYTES ? bytes.subarray(0, SEQUENCE_MAX_BYTES) : bytes;
}

/** Sequences put together. */
export function concatenate(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function flipBit(bytes: Uint8Array, random: Random): Uint8Array {
  if (bytes.length === 0) return bytes;
  const changed = bytes.slice();
  changed[random.below(bytes.length)]! ^= 1 << random.below(8);
  return changed;
}

function setByte(bytes: Uint8Array, random: Random): Uint8Array {
  if (bytes.length === 0) return bytes;
  const changed = bytes.slice();
  changed[random.below(bytes.length)] = random.below(256);
  return changed;
}

function duplicateRange(bytes: Uint8Array, random: Random): Uint8Array {
  const [from, to] = range(bytes, random);
  return replace(bytes, to, to, bytes.subarray(from, to));
}

function insertRandom(bytes: Uint8Array, random: Random): Uint8Array {
  const at = random.below(bytes.length + 1);
  return replace(bytes, at, at, randomBytes(random, 1 + random.below(16)));
}

function insertToken(bytes: Uint8Array, random: Random, { tokens }: FuzzMaterial): Uint8Array {
  const at = random.below(bytes.length + 1);
  return replace(bytes, at, at, random.pick(tokens));
}

/** Puts another number where one is. */
function replaceNumber(bytes: Uint8Array, random: Random): Uint8Array {
  const starts: number[] = [];
  for (let i = 0; i < bytes.length && starts.length < 100; i++) {
    if (isDigit(bytes[i]) && !isDigit(bytes[i - 1])) starts.push(i);
  }
  if (starts.length === 0) return bytes;
  const start = random.pick(starts);
  let end = start;
  while (isDigit(bytes[end])) end++;
  return replace(bytes, start, end, random.pick(NUMBERS));
}

/** The beginning of one and the end of another. */
function splice(bytes: Uint8Array, random: Random, { corpus }: FuzzMaterial): Uint8Array {
  const other = random.pick(corpus);
  const at = random.below(bytes.length + 1);
  return replace(bytes, at, bytes.length, other.subarray(random.below(other.length + 1)));
}

function repeatAll(bytes: Uint8Array, random: Random): Uint8Array {
  if (bytes.length > 2000) return bytes;
  return concatenate(new Array<Uint8Array>(2 + random.below(30)).fill(bytes));
}

function range(bytes: Uint8Array, random: Random): [from: number, to: number] {
  const from = random.below(bytes.length + 1);
  const most = Math.min(bytes.length - from, random.oneIn(4) ? bytes.length : 8);
  return [from, from + random.below(most + 1)];
}

function replace(bytes: Uint8Array, from: number, to: number, by: Uint8Array): Uint8Array {
  return concatenate([bytes.subarray(0, from), by, bytes.subarray(to)]);
}

function randomBytes(random: Random, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => random.next());
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}
