/**
 * Texts and numbers as the bytes that are stored, and back.
 *
 * @module
 */

const FIRST_BYTES = 1024;
/** What is larger is let go of after use. */
const KEPT_BYTES = 65536;
/** A UTF-16 unit is at most so many bytes of UTF-8. */
const MAX_UNIT_BYTES = 3;
/** Texts up to this length that are ASCII are encoded and decoded without the runtime's help. */
const SHORT_BYTES = 24;

const encoder = new TextEncoder();
// A mark at the front of a text is part of it.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * Bytes of one key or value, reused for the next one: they are `bytes[0, length)`.
 *
 * Thread: belongs to one thread.
 */
export class TextBytes {
  /** The buffer; only `[0, length)` counts. */
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(FIRST_BYTES);
  /** How many bytes count. */
  length = 0;

  /** Takes a text in as UTF-8, bytes as they are, numbers in decimal. */
  put(value: string | Uint8Array | number | bigint): void {
    if (typeof value === "string") return this.#putText(value);
    if (value instanceof Uint8Array) {
      this.reserve(value.length);
      this.bytes.set(value);
      this.length = value.length;
      return;
    }
    if (typeof value === "bigint") return this.#putText(value.toString());
    if (typeof value !== "number") {
      throw new TypeError(
        `Cannot use ${typeof value} as text: it takes a string, a Uint8Array, a number or a bigint`,
      );
    }
    if (!Number.isFinite(value)) throw new TypeError(`Cannot store ${value}: it is not finite`);
    // -0 is stored as 0, as in JSON.
    this.#putText(String(value));
  }

  /** Makes room for that many bytes, whose content is undefined. */
  reserve(byteCount: number): void {
    if (byteCount > this.bytes.length) this.bytes = new Uint8Array(nextSize(byteCount));
    else if (this.bytes.length > KEPT_BYTES && byteCount <= KEPT_BYTES) {
      this.bytes = new Uint8Array(nextSize(byteCount));
    }
  }

  /** The bytes as text; those that are no UTF-8 are replaced. */
  text(): string {
    const { bytes, length } = this;
    if (length > SHORT_BYTES) return decoder.decode(bytes.subarray(0, length));
    let text = "";
    for (let i = 0; i < length; i++) {
      const byte = bytes[i]!;
      if (byte >= 0x80) return decoder.decode(bytes.subarray(0, length));
      text += String.fromCharCode(byte);
    }
    return text;
  }

  #putText(text: string): void {
    const unitCount = text.length;
    this.reserve(unitCount * MAX_UNIT_BYTES);
    const { bytes } = this;
    if (unitCount <= SHORT_BYTES) {
      let i = 0;
      for (; i < unitCount; i++) {
        const unit = text.charCodeAt(i);
        if (unit >= 0x80) break;
        bytes[i] = unit;
      }
      this.length = i;
      if (i === unitCount) return;
    }
    this.length = encoder.encodeInto(text, bytes).written;
  }
}

function nextSize(byteCount: number): number {
  let size = FIRST_BYTES;
  while (size < byteCount) size *= 2;
  return size;
}
