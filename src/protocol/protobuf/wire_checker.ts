/**
 * Whether bytes are put together as a Protobuf message of a given shape.
 *
 * The library that decodes messages trusts its input in two places: it takes a known field for what
 * it should be whatever its wire type says, and lets a field inside a message reach beyond that
 * message's end. Bytes that are damaged would so be read as something that nobody sent; here they
 * are found out.
 *
 * @see https://protobuf.dev/programming-guides/encoding/
 *
 * @module
 */

/** How the bytes of a field are put together; the low three bits of its tag. */
export const WireKind = {
  VARINT: 0,
  FIXED64: 1,
  LENGTH: 2,
  GROUP_START: 3,
  GROUP_END: 4,
  FIXED32: 5,
} as const;

/** One of the values of {@link WireKind}. */
export type WireKind = (typeof WireKind)[keyof typeof WireKind];

/**
 * What is wrong with the bytes.
 *
 * - `CUT`: they end in the middle of a field; more of them could make them right.
 * - `OVERRUN`: a field inside a message goes on beyond that message's end.
 * - `WRONG_KIND`: a known field has another wire type than it should.
 * - The others say themselves what they are.
 */
export const WireDefect = {
  NONE: 0,
  CUT: 1,
  OVERRUN: 2,
  WRONG_KIND: 3,
  BAD_TAG: 4,
  LONG_VARINT: 5,
  BAD_GROUP: 6,
  DEEP_GROUP: 7,
  MANY_FIELDS: 8,
} as const;

/** One of the values of {@link WireDefect}. */
export type WireDefect = (typeof WireDefect)[keyof typeof WireDefect];

/** What to tell people, by {@link WireDefect}. */
export const WIRE_DEFECT_TEXTS: readonly string[] = [
  "nothing is wrong",
  "the message ends in the middle of a field",
  "a field goes on beyond the end of its message",
  "a field has another wire type than in the schema",
  "no field has such a tag",
  "a varint is too long",
  "a group ends that did not begin",
  "groups are nested too deeply",
  "there are too many fields",
];

/** Groups within groups that an unknown field may have; below the library's own bound. */
const GROUP_DEPTH_MAX = 64;

/**
 * Fields that one message may have, those inside its fields and unknown ones included.
 *
 * Reason: the library makes objects for each. A message of 1 MiB that is made of nothing else would
 * hold the thread for up to 90 ms; no message of ours has ten.
 */
const FIELD_COUNT_MAX = 1000;

const VARINT_MAX_BYTES = 10;

/** A field that is known. */
export interface WireField {
  /** Its wire type. */
  readonly kind: WireKind;
  /** The shape of the message that it is; undefined when it is none. */
  readonly message: WireShape | undefined;
}

/** The known fields of a message; index = field number. */
export type WireShape = readonly (WireField | undefined)[];

/**
 * Checks one message after the other; allocates nothing.
 *
 * Thread: belongs to one thread.
 */
export class WireChecker {
  /** Where the last check stopped: behind the message, or at the defect. */
  offset = 0;

  #bytes: Uint8Array = new Uint8Array(0);
  #fieldCount = 0;
  /** Field numbers of the groups that are open. */
  readonly #groups = new Uint32Array(GROUP_DEPTH_MAX);

  /** Looks for a defect in `bytes[start, end)`. */
  check(shape: WireShape, bytes: Uint8Array, start: number, end: number): WireDefect {
    this.#bytes = bytes;
    this.offset = start;
    this.#fieldCount = 0;
    return this.#fields(shape, end);
  }

  #fields(shape: WireShape, end: number): WireDefect {
    let groupDepth = 0;
    while (this.offset < end) {
      const fieldStart = this.offset;
      const tag = this.#varint32(end);
      const field = groupDepth === 0 ? shape[tag >>> 3] : undefined;
      let defect = this.#tagDefect(tag, field);
      if (defect !== WireDefect.NONE) return this.#defectAt(fieldStart, defect);
      const kind = tag & 7;
      if (kind === WireKind.GROUP_START) {
        if (groupDepth === GROUP_DEPTH_MAX) {
          return this.#defectAt(fieldStart, WireDefect.DEEP_GROUP);
        }
        this.#groups[groupDepth++] = tag >>> 3;
      } else if (kind === WireKind.GROUP_END) {
        if (groupDepth === 0 || this.#groups[--groupDepth] !== tag >>> 3) {
          return this.#defectAt(fieldStart, WireDefect.BAD_GROUP);
        }
      } else {
        defect = this.#value(kind, field, end);
        if (defect !== WireDefect.NONE) return defect;
      }
    }
    return groupDepth === 0 ? WireDefect.NONE : WireDefect.CUT;
  }

  /** What is wrong with a tag, or with its being there. */
  #tagDefect(tag: number, field: WireField | undefined): WireDefect {
    if (tag === CUT) return WireDefect.CUT;
    const kind = tag & 7;
    if (tag === TOO_LONG || tag >>> 3 === 0 || kind > WireKind.FIXED32) return WireDefect.BAD_TAG;
    if (field !== undefined && field.kind !== kind) return WireDefect.WRONG_KIND;
    return ++this.#fieldCount > FIELD_COUNT_MAX ? WireDefect.MANY_FIELDS : WireDefect.NONE;
  }

  /** Goes behind a field's value. */
  #value(kind: number, field: WireField | undefined, end: number): WireDefect {
    if (kind === WireKind.VARINT) return this.#skipVarint(end);
    if (kind === WireKind.FIXED64) return this.#skip(8, end);
    if (kind === WireKind.FIXED32) return this.#skip(4, end);
    const byteCount = this.#varint32(end);
    if (byteCount < 0) return byteCount === CUT ? WireDefect.CUT : WireDefect.LONG_VARINT;
    if (field?.message === undefined || byteCount > end - this.offset) {
      return this.#skip(byteCount, end);
    }
    const defect = this.#fields(field.message, this.offset + byteCount);
    return defect === WireDefect.CUT ? WireDefect.OVERRUN : defect;
  }

  #skip(byteCount: number, end: number): WireDefect {
    if (byteCount > end - this.offset) return WireDefect.CUT;
    this.offset += byteCount;
    return WireDefect.NONE;
  }

  #skipVarint(end: number): WireDefect {
    const bytes = this.#bytes;
    const limit = Math.min(end, this.offset + VARINT_MAX_BYTES);
    for (let at = this.offset; at < limit; at++) {
      if (bytes[at]! < 0x80) {
        this.offset = at + 1;
        return WireDefect.NONE;
      }
    }
    return limit === end && limit < this.offset + VARINT_MAX_BYTES
      ? WireDefect.CUT
      : WireDefect.LONG_VARINT;
  }

  /** Reads an unsigned varint of 32 bits; {@link CUT} or {@link TOO_LONG} when there is none. */
  #varint32(end: number): number {
    const bytes = this.#bytes;
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      if (this.offset === end) return CUT;
      const byte = bytes[this.offset++]!;
      if (byte < 0x80) {
        if (shift === 28 && byte > 0x0f) return TOO_LONG;
        return (value | (byte << shift)) >>> 0;
      }
      value |= (byte & 0x7f) << shift;
    }
    return TOO_LONG;
  }

  #defectAt(offset: number, defect: WireDefect): WireDefect {
    this.offset = offset;
    return defect;
  }
}

const CUT = -1;
const TOO_LONG = -2;
