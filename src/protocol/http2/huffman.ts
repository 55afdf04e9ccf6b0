/**
 * The Huffman code of HPACK, one way: we read what clients compress and compress nothing ourselves.
 *
 * @see https://www.rfc-editor.org/rfc/rfc7541#appendix-B
 *
 * @module
 */

import { assert } from "../../base/assert.ts";

/**
 * Lengths of the codes of the bytes 0 to 255 and of the end. Unit: bits.
 *
 * The code is canonical: shorter codes come first, those of one length in the order of the bytes.
 */
// deno-fmt-ignore
const CODE_LENGTHS: readonly number[] = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
  28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
  6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
  5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
  7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
  15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
  6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
  20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
  24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
  22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
  21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
  26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
  19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
  20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
  26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
  30,
];

const END = 256;
const PADDING_MAX_BITS = 7;

/** Two children for each node: another node, or a symbol as its complement; 0 = none. */
const TREE = buildTree();

function buildTree(): Int16Array {
  const tree = new Int16Array(2 * 2 * CODE_LENGTHS.length);
  let nodeCount = 1;
  const symbols = CODE_LENGTHS.map((length, symbol) => ({ length, symbol }))
    .toSorted((a, b) => a.length - b.length || a.symbol - b.symbol);
  let code = 0;
  let before = 0;
  for (const { length, symbol } of symbols) {
    code *= 2 ** (length - before);
    before = length;
    let node = 0;
    for (let bit = length - 1; bit >= 0; bit--) {
      const child = 2 * node + (Math.floor(code / 2 ** bit) & 1);
      if (bit === 0) tree[child] = ~symbol;
      else node = tree[child] ||= nodeCount++;
    }
    code++;
  }
  assert(code === 2 ** before, "the code uses every sequence of bits");
  return tree;
}

/**
 * Decodes `bytes[start, end)`; each byte becomes a character.
 *
 * @returns null when that is not the code of anything
 */
export function decodeHuffman(bytes: Uint8Array, start: number, end: number): string | null {
  let text = "";
  let node = 0;
  /** Bits since the last symbol, and whether all of them are 1. */
  let bitCount = 0;
  let isPadding = true;
  for (let at = start; at < end; at++) {
    for (let bit = 7; bit >= 0; bit--) {
      const value = bytes[at]! >> bit & 1;
      bitCount++;
      if (value === 0) isPadding = false;
      const child = TREE[2 * node + value]!;
      if (child >= 0) {
        node = child;
        continue;
      }
      if (~child === END) return null;
      text += String.fromCharCode(~child);
      node = bitCount = 0;
      isPadding = true;
    }
  }
  return isPadding && bitCount <= PADDING_MAX_BITS ? text : null;
}
