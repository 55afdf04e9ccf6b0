/**
 * What a processor of one's own says of events before they are accepted: which further fields they
 * have, and whether they are good.
 *
 * Servers without such a processor have no gate.
 *
 * @module
 */

import type { CompiledEventSchema, FieldValues } from "../base/event_schema.ts";
import type { EventFields } from "../base/job.ts";
import { FIELDS_MAX_BYTES } from "../base/limits.ts";

/**
 * Longest JSON text of fields, or of one, that is looked at. Unit: bytes.
 *
 * Reason: a text of {@link FIELDS_MAX_BYTES} fits, even if each of its bytes is written as an escape,
 * with white space between; beyond, it is not worth parsing.
 */
const TEXT_MAX_BYTES = 8 * FIELDS_MAX_BYTES;

/** Longest text of a processor that a client is told. Unit: UTF-16 code units. */
const DETAIL_MAX_LENGTH = 1000;

/** Why an event does not get through. */
export type GateRefusal =
  /** It breaks a rule, which `detail` says for the client. */
  | { readonly kind: "invalid"; readonly detail: string }
  /** The processor could not look at it; that was logged. */
  | { readonly kind: "failed" };

/** What a client is told where the processor could not look at its event. */
export const GATE_FAILED_TEXT = "the processor failed to look at the event";

/** What an {@link EventGate} is made from. */
export interface EventGateOptions {
  /** The further fields; undefined: there are none. */
  readonly schema: CompiledEventSchema | undefined;
  /**
   * Looks at an event that keeps all rules; undefined: nobody does.
   *
   * @returns why it is refused, or nothing
   */
  readonly validate: ((event: EventFields, fields: FieldValues) => unknown) | undefined;
  /** Told what `validate` threw, or why what it returned is no answer. */
  readonly onFailure: (error: unknown) => void;
}

const NO_FIELDS: FieldValues = Object.freeze({});
const TOO_LONG = `the further fields must be at most ${FIELDS_MAX_BYTES} bytes of JSON`;

/**
 * Lets events through, or refuses them.
 *
 * Thread: one per I/O thread.
 *
 * @example
 * ```ts
 * import { CompiledEventSchema } from "../base/event_schema.ts";
 * import { EventFields } from "../base/job.ts";
 * import { EventGate } from "./event_gate.ts";
 * const gate = new EventGate({
 *   schema: new CompiledEventSchema({ properties: { sku: { type: "string" } } }),
 *   validate: (_event, fields) => fields["sku"] === "x" ? "x is sold out" : undefined,
 *   onFailure: console.error,
 * });
 * const event = new EventFields();
 * console.assert(gate.admit(event, { sku: "y" }) === undefined);
 * const refusal = gate.admit(event, { sku: "x" });
 * console.assert(refusal?.kind === "invalid" && refusal.detail === "x is sold out");
 * ```
 */
export class EventGate {
  /** The fields that events may have besides their own. */
  readonly fieldNames: readonly string[];

  readonly #schema: CompiledEventSchema | undefined;
  readonly #validate: EventGateOptions["validate"];
  readonly #onFailure: (error: unknown) => void;
  readonly #scratch = new Uint8Array(FIELDS_MAX_BYTES);
  readonly #encoder = new TextEncoder();
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

  /** Makes a gate. */
  constructor({ schema, validate, onFailure }: EventGateOptions) {
    this.fieldNames = schema?.names ?? [];
    this.#schema = schema;
    this.#validate = validate;
    this.#onFailure = onFailure;
  }

  /**
   * Looks at an event whose own fields keep all rules, and fills in its further fields; they are good
   * until the next call.
   *
   * @param values what `JSON.parse` made of its further fields; those that the schema does not name are
   *   left out
   * @returns undefined when it gets through
   */
  admit(event: EventFields, values: FieldValues): GateRefusal | undefined {
    const schema = this.#schema;
    let fields = NO_FIELDS;
    event.fieldsJson.clear();
    if (schema !== undefined) {
      fields = schema.pick(values);
      const defect = schema.defect(fields) ?? this.#encode(event, fields);
      if (defect !== undefined) return invalid(defect);
    }
    return this.#validate === undefined ? undefined : this.#ask(event, fields, this.#validate);
  }

  /**
   * The same for a protocol in which the further fields are one JSON text.
   *
   * @param name what the client calls that text
   */
  admitText(
    event: EventFields,
    bytes: Uint8Array,
    start: number,
    end: number,
    name: string,
  ): GateRefusal | undefined {
    if (start === end || this.#schema === undefined) return this.admit(event, NO_FIELDS);
    if (end - start > TEXT_MAX_BYTES) return invalid(TOO_LONG);
    const values = this.#parse(bytes, start, end);
    if (typeof values !== "object" || values === null || Array.isArray(values)) {
      return invalid(`${name} must be a JSON object`);
    }
    return this.admit(event, values as FieldValues);
  }

  /**
   * Reads the value of one field.
   *
   * @returns undefined when it is too long or no JSON text
   */
  parseValue(bytes: Uint8Array, start: number, end: number): unknown {
    return end - start > TEXT_MAX_BYTES ? undefined : this.#parse(bytes, start, end);
  }

  #parse(bytes: Uint8Array, start: number, end: number): unknown {
    try {
      return JSON.parse(this.#decoder.decode(bytes.subarray(start, end)));
    } catch {
      return undefined;
    }
  }

  #encode(event: EventFields, fields: FieldValues): string | undefined {
    let text: string;
    try {
      text = JSON.stringify(fields);
    } catch {
      return "the further fields must not be nested that deep";
    }
    if (text === "{}") return undefined;
    const { read, written } = this.#encoder.encodeInto(text, this.#scratch);
    if (read < text.length) return TOO_LONG;
    event.fieldsJson.set(this.#scratch, 0, written);
    return undefined;
  }

  #ask(
    event: EventFields,
    fields: FieldValues,
    validate: (event: EventFields, fields: FieldValues) => unknown,
  ): GateRefusal | undefined {
    let answer: unknown;
    try {
      answer = validate(event, fields);
    } catch (error) {
      return this.#fail(error);
    }
    if (answer === undefined || answer === null) return undefined;
    if (typeof answer === "string") {
      return invalid(answer === "" ? "it was refused" : answer.slice(0, DETAIL_MAX_LENGTH));
    }
    // Nobody waits for a promise; if it is rejected, that must not be an unhandled error.
    if (answer instanceof Promise) answer.catch(() => {});
    const what = answer instanceof Promise ? "a promise" : `a ${typeof answer}`;
    return this.#fail(new TypeError(`validate returned ${what} instead of a text or nothing`));
  }

  #fail(error: unknown): GateRefusal {
    this.#onFailure(error);
    return { kind: "failed" };
  }
}

function invalid(detail: string): GateRefusal {
  return { kind: "invalid", detail };
}
