/**
 * Parameters of a request's query: `?match=a*&count=10`.
 *
 * @module
 */

import { equalBytes, EQUALS } from "./characters.ts";
import { percentDecode } from "./percent_decoding.ts";
import type { HttpRequest } from "./request.ts";

const AMPERSAND = 0x26;
const decoder = new TextDecoder();

/** How often a query names a parameter. */
export const ParamCount = { NONE: 0, ONE: 1, MANY: 2 } as const;

/** One of the values of {@link ParamCount}. */
export type ParamCount = (typeof ParamCount)[keyof typeof ParamCount];

/**
 * Finds one parameter after the other.
 *
 * Shape: the value found is `request.bytes[start, end)`, still encoded; a parameter without `=` has
 * an empty one. Names are compared as they are: one in escapes is another name.
 *
 * Thread: one I/O thread; the range is valid until the next search.
 */
export class QueryParam {
  /** First byte of the value. */
  start = 0;
  /** Behind the value. */
  end = 0;

  /** Looks for the parameter `name`. Nothing allocates. */
  find(request: HttpRequest, name: Uint8Array): ParamCount {
    const { bytes, queryEnd } = request;
    let count: ParamCount = ParamCount.NONE;
    for (let at = request.queryStart; at < queryEnd;) {
      const start = at;
      while (at < queryEnd && bytes[at] !== AMPERSAND) at++;
      const end = at++;
      let nameEnd = start;
      while (nameEnd < end && bytes[nameEnd] !== EQUALS) nameEnd++;
      if (!equalBytes(bytes, start, nameEnd, name)) continue;
      if (count === ParamCount.ONE) return ParamCount.MANY;
      count = ParamCount.ONE;
      this.start = nameEnd < end ? nameEnd + 1 : end;
      this.end = end;
    }
    return count;
  }

  /** The value found last as text; invalid UTF-8 is replaced. */
  text(request: HttpRequest): string {
    const room = new Uint8Array(this.end - this.start);
    const byteCount = percentDecode(request.bytes, this.start, this.end, room, 0, true);
    return decoder.decode(room.subarray(0, byteCount));
  }
}
