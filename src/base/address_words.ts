/**
 * Client addresses as they are counted: as words, and with a hash that clients cannot foresee.
 *
 * @module
 */

import { ADDRESS_BYTES } from "./network.ts";

/** Words of an address. */
export const ADDRESS_WORDS: number = ADDRESS_BYTES / 4;

const MAPPED_MARK = 0xffff;

/**
 * Writes the words by which a client is told from others: of an IPv4 address all, of an IPv6 one
 * those of its network, because whoever has one address usually has all 2^64 of it.
 *
 * Thread: any.
 *
 * @param address as `parseAddress` gives it
 * @param target {@link ADDRESS_WORDS} words
 */
export function writeAddressWords(address: Uint8Array, target: Int32Array): void {
  for (let i = 0; i < ADDRESS_WORDS; i++) {
    const at = 4 * i;
    target[i] = address[at]! << 24 | address[at + 1]! << 16 | address[at + 2]! << 8 |
      address[at + 3]!;
  }
  const isIpv4 = target[0] === 0 && target[1] === 0 && target[2] === MAPPED_MARK;
  if (!isIpv4) target[2] = target[3] = 0;
}

/**
 * A hash of the words.
 *
 * Thread: any.
 *
 * @param secret a random word, without which nobody can choose addresses that share a bucket
 * @returns 32 bits, signed
 */
export function hashAddressWords(words: Int32Array, secret: number): number {
  let hash = secret;
  for (let i = 0; i < ADDRESS_WORDS; i++) {
    hash = Math.imul(hash ^ words[i]!, 0x85ebca6b);
    hash = Math.imul(hash ^ hash >>> 13, 0xc2b2ae35);
    hash ^= hash >>> 16;
  }
  return hash;
}
