/**
 * SHA-1, for the one place that asks for it: the handshake of WebSockets, where it protects nothing.
 *
 * `node:crypto` would be 3 MB of memory in every server, `crypto.subtle` makes its caller wait.
 *
 * @see https://www.rfc-editor.org/rfc/rfc3174
 *
 * @module
 */

const BLOCK_BYTES = 64;
/** Behind the message: one bit, zeros, and 64 bits of length at the end of a block. */
const PADDING_BYTES = 9;

/** Unit: bytes. */
const DIGEST_BYTES = 20;

/** Source: RFC 3174 section 5; one for each 20 rounds. */
const ROUND_CONSTANTS = [0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6] as const;

/** Source: RFC 3174 section 6.1. */
const INITIAL_STATE = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0] as const;

/**
 * The digest of a short message: 20 bytes.
 *
 * Thread: any.
 */
export function sha1(message: Uint8Array): Uint8Array<ArrayBuffer> {
  const blockCount = Math.ceil((message.length + PADDING_BYTES) / BLOCK_BYTES);
  const padded = new Uint8Array(blockCount * BLOCK_BYTES);
  padded.set(message);
  padded[message.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, Math.floor(message.length / 2 ** 29));
  view.setUint32(padded.length - 4, message.length << 3);
  const state = Int32Array.from(INITIAL_STATE);
  const words = new Int32Array(80);
  for (let at = 0; at < padded.length; at += BLOCK_BYTES) {
    for (let i = 0; i < 16; i++) words[i] = view.getInt32(at + i * 4);
    mixBlock(state, words);
  }
  const digest = new DataView(new ArrayBuffer(DIGEST_BYTES));
  for (const [i, word] of state.entries()) digest.setInt32(i * 4, word);
  return new Uint8Array(digest.buffer);
}

function mixBlock(state: Int32Array, words: Int32Array): void {
  for (let i = 16; i < 80; i++) {
    words[i] = rotate(words[i - 3]! ^ words[i - 8]! ^ words[i - 14]! ^ words[i - 16]!, 1);
  }
  let [a, b, c, d, e] = state as unknown as [number, number, number, number, number];
  for (let i = 0; i < 80; i++) {
    const phase = Math.floor(i / 20);
    const next = rotate(a, 5) + choose(phase, b, c, d) + e + words[i]! + ROUND_CONSTANTS[phase]!;
    [e, d, c, b, a] = [d, c, rotate(b, 30), a, next | 0];
  }
  for (const [i, word] of [a, b, c, d, e].entries()) state[i] = state[i]! + word;
}

/** Source: RFC 3174 section 5. */
function choose(phase: number, b: number, c: number, d: number): number {
  switch (phase) {
    case 0:
      return (b & c) | (~b & d);
    case 2:
      return (b & c) | (b & d) | (c & d);
    default:
      return b ^ c ^ d;
  }
}

function rotate(word: number, bitCount: number): number {
  return (word << bitCount) | (word >>> (32 - bitCount));
}
