/**
 * IP addresses and networks as numbers.
 *
 * @module
 */

/** Bytes of every address here: IPv4 ones are mapped to `::ffff:a.b.c.d`, as sockets show them. */
export const ADDRESS_BYTES = 16;

/** Bits of the prefix that IPv4 addresses have in front. */
const MAPPED_PREFIX_BITS = 96;

/**
 * A network in CIDR notation.
 *
 * Shape: `10.0.0.0/8` is `{ address: <::ffff:10.0.0.0>, prefixBits: 104 }`.
 */
export interface Network {
  /** {@link ADDRESS_BYTES} bytes; bits behind the prefix are not looked at. */
  readonly address: Uint8Array;
  /** How many leading bits an address must share, 0 to 128. */
  readonly prefixBits: number;
}

/**
 * Reads an IPv4 or IPv6 address without brackets; a zone (`%eth0`) is left out.
 *
 * @returns {@link ADDRESS_BYTES} bytes, or null when `text` is not an address
 * @see RFC 4291 section 2.2
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { parseAddress } from "./network.ts";
 * assert.deepEqual(parseAddress("10.0.0.1"), parseAddress("::ffff:10.0.0.1"));
 * assert.equal(parseAddress("10.0.0.256"), null);
 * ```
 */
export function parseAddress(text: string): Uint8Array | null {
  if (!text.includes(":")) return parseIpv4(text);
  const zone = text.indexOf("%");
  return parseIpv6(zone < 0 ? text : text.slice(0, zone));
}

/**
 * Reads a network in CIDR notation, or a single address.
 *
 * @returns null when `text` is neither
 */
export function parseNetwork(text: string): Network | null {
  const [addressText, prefixText, ...rest] = text.split("/");
  const address = addressText!.includes("%") ? null : parseAddress(addressText!);
  if (address === null || rest.length > 0) return null;
  const isIpv4 = !addressText!.includes(":");
  const widthBits = isIpv4 ? 32 : 128;
  if (prefixText !== undefined && !/^\d{1,3}$/.test(prefixText)) return null;
  const prefixBits = prefixText === undefined ? widthBits : Number(prefixText);
  if (prefixBits > widthBits) return null;
  return { address, prefixBits: isIpv4 ? prefixBits + MAPPED_PREFIX_BITS : prefixBits };
}

/** Whether `network` has `address`, of {@link ADDRESS_BYTES} bytes. */
export function contains({ address: base, prefixBits }: Network, address: Uint8Array): boolean {
  const wholeBytes = prefixBits >> 3;
  for (let i = 0; i < wholeBytes; i++) if (base[i] !== address[i]) return false;
  const restBits = prefixBits & 7;
  if (restBits === 0) return true;
  return ((base[wholeBytes]! ^ address[wholeBytes]!) >> (8 - restBits)) === 0;
}

function parseIpv4(text: string): Uint8Array | null {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return null;
  const bytes = new Uint8Array(ADDRESS_BYTES);
  bytes[10] = 0xff;
  bytes[11] = 0xff;
  for (let i = 0; i < 4; i++) {
    const part = match[i + 1]!;
    // A leading zero means octal to some programs and decimal to others.
    if (Number(part) > 255 || (part.length > 1 && part.startsWith("0"))) return null;
    bytes[12 + i] = Number(part);
  }
  return bytes;
}

function parseIpv6(text: string): Uint8Array | null {
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const front = parseGroups(halves[0]!, halves.length === 1);
  const back = halves.length === 2 ? parseGroups(halves[1]!, true) : [];
  if (front === null || back === null) return null;
  const groupCount = front.length + back.length;
  if (halves.length === 2 ? groupCount > 7 : groupCount !== 8) return null;
  const bytes = new Uint8Array(ADDRESS_BYTES);
  const groups = [...front, ...new Array<number>(8 - groupCount).fill(0), ...back];
  groups.forEach((group, i) => {
    bytes[2 * i] = group >> 8;
    bytes[2 * i + 1] = group & 0xff;
  });
  return bytes;
}

/** Groups of 16 bits; the last one of an address may be an IPv4 address, which gives two. */
function parseGroups(text: string, isLast: boolean): number[] | null {
  if (text === "") return [];
  const groups: number[] = [];
  const parts = text.split(":");
  for (const [i, part] of parts.entries()) {
    if (isLast && i === parts.length - 1 && part.includes(".")) {
      const mapped = parseIpv4(part);
      if (mapped === null) return null;
      groups.push(mapped[12]! * 256 + mapped[13]!, mapped[14]! * 256 + mapped[15]!);
    } else if (/^[0-9a-f]{1,4}$/i.test(part)) {
      groups.push(parseInt(part, 16));
    } else {
      return null;
    }
  }
  return groups;
}
