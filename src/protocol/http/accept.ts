/**
 * Whether a client would rather have JSON than text.
 *
 * @module
 */

import { encodeText } from "./characters.ts";
import type { HttpRequest } from "./request.ts";

const ACCEPT = encodeText("accept");
const decoder = new TextDecoder();

/**
 * Chooses between `application/json` and `text/plain`.
 *
 * JSON has to be named: `*` stands for text, so that browsers, `curl` and scrapers get text. Among
 * those that name both, the greater weight wins, and JSON at a draw.
 *
 * Thread: any. Makes strings: for rare requests.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-12.5.1
 */
export function prefersJson(request: HttpRequest): boolean {
  let jsonWeight = 0;
  let textWeight = 0;
  for (
    let index = request.findField(ACCEPT);
    index >= 0;
    index = request.findField(ACCEPT, index + 1)
  ) {
    const value = request.bytes.subarray(request.valueStart(index), request.valueEnd(index));
    for (const range of decoder.decode(value).toLowerCase().split(",")) {
      const [type, ...parameters] = range.split(";").map((part) => part.trim());
      const weight = weightOf(parameters);
      if (type === "application/json") jsonWeight = Math.max(jsonWeight, weight);
      if (type === "text/plain" || type === "application/openmetrics-text") {
        textWeight = Math.max(textWeight, weight);
      }
    }
  }
  return jsonWeight > 0 && jsonWeight >= textWeight;
}

function weightOf(parameters: readonly string[]): number {
  const parameter = parameters.find((text) => text.startsWith("q="));
  if (parameter === undefined) return 1;
  const weight = Number(parameter.slice(2));
  return weight >= 0 && weight <= 1 ? weight : 0;
}
