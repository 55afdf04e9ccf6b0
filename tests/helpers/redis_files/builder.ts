/**
 * Builds files of Redis by hand, also such as no Redis writes any more, or ever wrote.
 *
 * @module
 */

import { Crc64 } from "../../../src/base/crc64.ts";
import { latin1 } from "../latin1.ts";

/** An element: a string, a character for each byte, or a number in so many bytes. */
export type Element = string | { readonly int: number | bigint; readonly bytes: number };

/** A number in the encoding of so many bytes; 0: the shortest that an encoding has. */
export function int(value: number | bigint, bytes: number): Element {
  return { int: value, bytes };
}

function littleEndian(value: number | bigint, byteCount: number): number[] {
  const bits = BigInt.asUintN(8 * byteCount, BigInt(value));
  return Array.from({ length: byteCount }, (_, i) => Number((bits >> BigInt(8 * i)) & 255n));
}

function bigEndian(value: number | bigint, byteCount: number): number[] {
  return littleEndian(value, byteCount).toReversed();
}

const codes = (text: string): number[] => [...latin1(text)];

/** A length as RDB files have it. */
export function length(value: number | bigint): number[] {
  if (value < 64) return [Number(value)];
  if (value < 16384) return [0x40 | (Number(value) >> 8), Number(value) & 255];
  return value < 2 ** 32 ? [0x80, ...bigEndian(value, 4)] : [0x81, ...bigEndian(value, 8)];
}

/** A string as RDB files have it: text, or bytes. */
export function string(content: string | readonly number[]): number[] {
  const bytes = typeof content === "string" ? codes(content) : content;
  return [...length(bytes.length), ...bytes];
}

/** A number that is a string, in 1, 2 or 4 bytes. */
export function numberString(value: number, bytes: 1 | 2 | 4): number[] {
  return [0xc0 | (bytes >> 1), ...littleEndian(value, bytes)];
}

/** A compressed string that has its bytes as they are. */
export function packedString(content: string | readonly number[]): number[] {
  const bytes = typeof content === "string" ? codes(content) : content;
  const packed: number[] = [];
  for (let at = 0; at < bytes.length; at += 32) {
    const part = bytes.slice(at, at + 32);
    packed.push(part.length - 1, ...part);
  }
  return [0xc3, ...length(packed.length), ...length(bytes.length), ...packed];
}

function ziplistEntry(element: Element, previous: number): number[] {
  const front = previous < 254 ? [previous] : [254, ...littleEndian(previous, 4)];
  if (typeof element === "string") {
    const n = element.length;
    const head = n < 64 ? [n] : n < 16384 ? [0x40 | (n >> 8), n & 255] : [0x80, ...bigEndian(n, 4)];
    return [...front, ...head, ...codes(element)];
  }
  const { int: value, bytes } = element;
  if (bytes === 0) return [...front, 0xf1 + Number(value)];
  const first: Record<number, number> = { 1: 0xfe, 2: 0xc0, 3: 0xf0, 4: 0xd0, 8: 0xe0 };
  return [...front, first[bytes]!, ...littleEndian(value, bytes)];
}

/** A ziplist; `count` if it is to lie about that. */
export function ziplist(elements: readonly Element[], count = elements.length): number[] {
  const entries: number[] = [];
  let previous = 0;
  for (const element of elements) {
    const entry = ziplistEntry(element, previous);
    previous = entry.length;
    entries.push(...entry);
  }
  const total = 10 + entries.length + 1;
  const tail = total - 1 - previous;
  return [
    ...littleEndian(total, 4),
    ...littleEndian(tail, 4),
    ...littleEndian(count, 2),
    ...entries,
    255,
  ];
}

function listpackElement(element: Element): number[] {
  if (typeof element === "string") {
    const n = element.length;
    const head = n < 64
      ? [0x80 | n]
      : n < 4096
      ? [0xe0 | (n >> 8), n & 255]
      : [0xf0, ...littleEndian(n, 4)];
    return [...head, ...codes(element)];
  }
  const { int: value, bytes } = element;
  if (bytes === 0 && value >= 0) return [Number(value)];
  if (bytes === 0) return [0xc0 | ((Number(value) >> 8) & 31), Number(value) & 255];
  const first: Record<number, number> = { 2: 0xf1, 3: 0xf2, 4: 0xf3, 8: 0xf4 };
  return [first[bytes]!, ...littleEndian(value, bytes)];
}

/** The length behind an element. */
function backLength(n: number): number[] {
  const groups: number[] = [];
  for (let rest = n; groups.length === 0 || rest > 0; rest = Math.floor(rest / 128)) {
    groups.unshift(rest % 128);
  }
  return groups.map((bits, i) => i === 0 ? bits : bits | 128);
}

/** A listpack; `count` if it is to lie about that. */
export function listpack(elements: readonly Element[], count = elements.length): number[] {
  const body = elements.flatMap((element) => {
    const bytes = listpackElement(element);
    return [...bytes, ...backLength(bytes.length)];
  });
  return [...littleEndian(6 + body.length + 1, 4), ...littleEndian(count, 2), ...body, 255];
}

/** An intset with numbers of 2, 4 or 8 bytes. */
export function intset(width: number, values: readonly (number | bigint)[]): number[] {
  return [
    ...littleEndian(width, 4),
    ...littleEndian(values.length, 4),
    ...values.flatMap((value) => littleEndian(value, width)),
  ];
}

/** A zipmap, with so many unused bytes behind each value. */
export function zipmap(
  fields: readonly (readonly [string, string])[],
  unused = 0,
  count = Math.min(fields.length, 254),
): number[] {
  const size = (n: number): number[] => n < 254 ? [n] : [254, ...littleEndian(n, 4)];
  const body = fields.flatMap(([field, value]) => [
    ...[...size(field.length), ...codes(field), ...size(value.length), unused, ...codes(value)],
    ...Array<number>(unused).fill(0xee),
  ]);
  return [count, ...body, 255];
}

/** A double in 8 bytes. */
export function double(value: number): number[] {
  return [...new Uint8Array(Float64Array.of(value).buffer)];
}

/** A number in 4 or 8 bytes, the lowest first. */
export { littleEndian };

/** An RDB file around `body`, with a checksum that is right, or none. */
export function rdbFile(
  version: number,
  body: readonly number[],
  hasChecksum = version >= 5,
): Uint8Array<ArrayBuffer> {
  const front = [...codes(`REDIS${String(version).padStart(4, "0")}`), ...body, 255];
  const checksumBytes = version >= 5 ? 8 : 0;
  const bytes = new Uint8Array(front.length + checksumBytes);
  bytes.set(front);
  if (hasChecksum) {
    const sum = new Crc64();
    sum.add(bytes, 0, front.length);
    new DataView(bytes.buffer).setUint32(front.length, sum.lo, true);
    new DataView(bytes.buffer).setUint32(front.length + 4, sum.hi, true);
  }
  return bytes;
}

/** A key with a value of a type. */
export function entry(type: number, key: string, value: readonly number[]): number[] {
  return [type, ...string(key), ...value];
}

/** A command as AOFs have it. */
export function command(...words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`;
}
