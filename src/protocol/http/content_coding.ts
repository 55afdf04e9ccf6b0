/**
 * `Accept-Encoding`: in which codings a client takes a body.
 *
 * @module
 */

import { encodeText, equalBytes } from "./characters.ts";
import { fieldText } from "./field_text.ts";
import type { HttpRequest } from "./request.ts";

/** The codings, the one that is preferred where a client likes several the same first. */
export const Coding = { BR: 0, GZIP: 1, DEFLATE: 2, IDENTITY: 3 } as const;

/** One of the values of {@link Coding}. */
export type Coding = (typeof Coding)[keyof typeof Coding];

/** Names by number, as `Content-Encoding` has them. */
export const CODING_NAMES: readonly string[] = ["br", "gzip", "deflate", "identity"];

/** How many codings there are, `identity` among them. */
export const CODING_COUNT = 4;

const ACCEPT_ENCODING = encodeText("accept-encoding");
const IDENTITY_ONLY: readonly Coding[] = [Coding.IDENTITY];
const ALL: readonly Coding[] = [Coding.BR, Coding.GZIP, Coding.DEFLATE, Coding.IDENTITY];
const decoder = new TextDecoder("latin1");

/**
 * Reads the value of `Accept-Encoding`.
 *
 * Thread: any.
 *
 * @returns what the client takes, what it likes best first; empty when it takes none of ours
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-12.5.3
 *
 * @example
 * ```ts
 * import { Coding, codingsIn } from "./content_coding.ts";
 *
 * const [best] = codingsIn("gzip, br;q=0.5");
 * if (best !== Coding.GZIP) throw new Error("Cannot choose: gzip is liked better");
 * ```
 */
export function codingsIn(value: string): readonly Coding[] {
  const weights = new Map<string, number>();
  for (const item of value.toLowerCase().split(",")) {
    const [name, ...parameters] = item.split(";").map((part) => part.trim());
    if (name === "" || name === undefined) continue;
    const weight = weightOf(parameters);
    weights.set(name === "x-gzip" ? "gzip" : name, weight);
  }
  const others = weights.get("*");
  const weighed = ALL.map((coding) => {
    const weight = weights.get(CODING_NAMES[coding]!) ?? others ??
      (coding === Coding.IDENTITY ? LAST_RESORT : 0);
    return { coding, weight };
  });
  // Stable: what is liked the same stays in our order.
  return weighed.filter(({ weight }) => weight > 0)
    .sort((a, b) => b.weight - a.weight)
    .map(({ coding }) => coding);
}

/** What nobody named is taken when there is nothing else: below any weight that can be given. */
const LAST_RESORT = 0.0001;

function weightOf(parameters: readonly string[]): number {
  const parameter = parameters.find((text) => /^q *=/.test(text));
  if (parameter === undefined) return 1;
  const text = parameter.replace(/^q *= */, "");
  return /^(0(\.\d{0,3})?|1(\.0{0,3})?)$/.test(text) ? Number(text) : 0;
}

/**
 * Chooses codings for one request after the other; clients mostly send the same field.
 *
 * Thread: one per I/O thread.
 */
export class CodingChooser {
  #lastValue: Uint8Array = new Uint8Array(0);
  #lastCodings: readonly Coding[] = codingsIn("");

  /** What the client takes, best first. Nothing allocates for the field that was seen last. */
  choose(request: HttpRequest): readonly Coding[] {
    const index = request.findField(ACCEPT_ENCODING);
    if (index < 0) return IDENTITY_ONLY;
    const { bytes } = request;
    const start = request.valueStart(index);
    const end = request.valueEnd(index);
    if (request.findField(ACCEPT_ENCODING, index + 1) >= 0) return codingsIn(allOf(request));
    if (!equalBytes(bytes, start, end, this.#lastValue)) {
      this.#lastValue = bytes.slice(start, end);
      this.#lastCodings = codingsIn(decoder.decode(this.#lastValue));
    }
    return this.#lastCodings;
  }
}

function allOf(request: HttpRequest): string {
  return fieldText(request, ACCEPT_ENCODING) ?? "";
}
