/**
 * Header fields as text, for the few requests that have rare ones.
 *
 * @module
 */

import type { HttpRequest } from "./request.ts";

const decoder = new TextDecoder("latin1");

/**
 * The value of a header field, one character per byte; several fields of the name are one list.
 *
 * Thread: any. Makes strings: for rare fields.
 *
 * @param name lower-case bytes
 * @returns undefined when the request has no such field
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-5.3
 */
export function fieldText(request: HttpRequest, name: Uint8Array): string | undefined {
  let text: string | undefined;
  for (
    let index = request.findField(name);
    index >= 0;
    index = request.findField(name, index + 1)
  ) {
    const value = decoder.decode(
      request.bytes.subarray(request.valueStart(index), request.valueEnd(index)),
    );
    text = text === undefined ? value : `${text}, ${value}`;
  }
  return text;
}
