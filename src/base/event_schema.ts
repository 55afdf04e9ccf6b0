/**
 * The further fields of events: a schema for them, checked once, and what it says of values.
 *
 * A schema is a plain object in a small part of JSON Schema. Whatever it does not know is refused when
 * the schema is read, so that nobody believes in a rule that is not kept.
 *
 * @see https://json-schema.org/draft/2020-12/json-schema-validation for what the words mean
 *
 * @module
 */

/** Most fields that a schema may name. Unit: fields. Reason: a key is looked for in all of them. */
export const SCHEMA_FIELDS_MAX = 32;
/** Longest name of a field. Unit: characters. */
export const SCHEMA_NAME_MAX_LENGTH = 64;
/** How deep arrays and objects may be described. Unit: levels. Reason: an event is a short record. */
const SCHEMA_DEPTH_MAX = 8;

/** Names that events have anyway, or that are taken by the messages that carry them. */
const TAKEN_NAMES: readonly string[] = [
  ...["user", "action", "amount", "id"],
  ...["type", "ref", "wait_ms", "interval_ms"],
];

/** What a field may be. */
export type FieldType = "string" | "integer" | "number" | "boolean" | "array" | "object";

/** What is said of one field. What does not go with its type is refused. */
export interface FieldSchema {
  /** What it is. An integer lies within ±(2^53 − 1). */
  readonly type: FieldType;
  /** For people; means nothing. */
  readonly description?: string;
  /** The only values that it may have; strings, numbers or booleans. */
  readonly enum?: readonly (string | number | boolean)[];
  /** Fewest characters of a string. */
  readonly minLength?: number;
  /** Most characters of a string. */
  readonly maxLength?: number;
  /** Regular expression (flag `u`) that is found somewhere in a string. Runs in the I/O thread. */
  readonly pattern?: string;
  /** Smallest number. */
  readonly minimum?: number;
  /** Largest number. */
  readonly maximum?: number;
  /** What the elements of an array are. */
  readonly items?: FieldSchema;
  /** Fewest elements of an array. */
  readonly minItems?: number;
  /** Most elements of an array. */
  readonly maxItems?: number;
  /** What the members of an object are; others are let through. */
  readonly properties?: Readonly<Record<string, FieldSchema>>;
  /** Members that an object must have. */
  readonly required?: readonly string[];
}

/**
 * The further fields of events.
 *
 * @example
 * ```ts
 * import type { EventSchema } from "./event_schema.ts";
 * const schema: EventSchema = {
 *   properties: {
 *     sku: { type: "string", minLength: 1, maxLength: 40 },
 *     count: { type: "integer", minimum: 1, maximum: 1000 },
 *   },
 *   required: ["sku"],
 * };
 * ```
 */
export interface EventSchema {
  /** Allowed for those who are used to it; an event's fields are an object in any case. */
  readonly type?: "object";
  /** For people; means nothing. */
  readonly description?: string;
  /**
   * What may be given, by name: letters, digits and `_`, not `user`, `action`, `amount`, `id`,
   * `type`, `ref`, `wait_ms` or `interval_ms`. Fields that are not named are left out.
   */
  readonly properties: Readonly<Record<string, FieldSchema>>;
  /** What must be given. */
  readonly required?: readonly string[];
}

/** Values of the fields of one event, by name. */
export type FieldValues = Record<string, unknown>;

/** Says what is wrong with a value, which the client calls `path`; undefined: nothing. */
type Check = (value: unknown, path: string) => string | undefined;

/**
 * A schema that was checked.
 *
 * Thread: belongs to one thread.
 *
 * @example
 * ```ts
 * import { CompiledEventSchema } from "./event_schema.ts";
 * const schema = new CompiledEventSchema({
 *   properties: { count: { type: "integer", minimum: 1 } },
 *   required: ["count"],
 * });
 * console.assert(schema.defect({ count: 2 }) === undefined);
 * console.assert(schema.defect({ count: 0 }) === "count must be an integer, at least 1");
 * console.assert(schema.defect({}) === "count is missing");
 * ```
 */
export class CompiledEventSchema {
  /** The fields that it names, in its order. */
  readonly names: readonly string[];

  readonly #check: Check;

  /**
   * Checks a schema.
   *
   * @throws {TypeError} when it is none; the message says where and why
   */
  constructor(schema: EventSchema) {
    readObject(schema, "the schema");
    const { type = "object", properties } = schema;
    if (type !== "object") throw new TypeError("the schema's type must be object");
    refuseOthers(schema, ["type", "description", "properties", "required"], "the schema");
    readObject(properties, "the schema's properties");
    this.names = Object.keys(properties);
    if (this.names.length > SCHEMA_FIELDS_MAX) {
      throw new TypeError(`the schema names more than ${SCHEMA_FIELDS_MAX} fields`);
    }
    for (const name of this.names) {
      if (!isFieldName(name)) {
        throw new TypeError(
          `the field ${JSON.stringify(name)} must be named with 1 to ${SCHEMA_NAME_MAX_LENGTH} ` +
            "letters, digits and _, the first one no digit",
        );
      }
      if (TAKEN_NAMES.includes(name)) {
        throw new TypeError(`the field ${name} must be named otherwise: events have their own`);
      }
    }
    this.#check = membersCheck(properties, schema.required, "the schema", 1);
  }

  /**
   * Says which of an event's fields breaks which rule.
   *
   * @param fields what the event has, as `JSON.parse` makes it
   * @returns words for the client, or undefined when all is well
   */
  defect(fields: FieldValues): string | undefined {
    return this.#check(fields, "");
  }

  /** The fields of `values` that the schema names, and nothing else. */
  pick(values: FieldValues): FieldValues {
    const picked: FieldValues = {};
    for (const name of this.names) {
      if (Object.hasOwn(values, name)) picked[name] = values[name];
    }
    return picked;
  }
}

function isFieldName(name: string): boolean {
  return name.length <= SCHEMA_NAME_MAX_LENGTH && /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) &&
    name !== "__proto__";
}

function membersCheck(
  properties: Readonly<Record<string, FieldSchema>>,
  required: readonly string[] | undefined,
  where: string,
  depth: number,
): Check {
  const checks = Object.entries(properties).map(([name, schema]) =>
    [name, fieldCheck(schema, name, depth)] as const
  );
  const needed = required ?? [];
  if (!Array.isArray(needed)) throw new TypeError(`${where}'s required must be an array of names`);
  for (const name of needed) {
    if (typeof name !== "string" || !Object.hasOwn(properties, name)) {
      throw new TypeError(`${where} requires ${JSON.stringify(name)}, which it does not describe`);
    }
  }
  return (value, path) => {
    const members = value as FieldValues;
    const prefix = path === "" ? "" : `${path}.`;
    for (const name of needed) {
      if (!Object.hasOwn(members, name)) return `${prefix}${name} is missing`;
    }
    for (const [name, check] of checks) {
      if (!Object.hasOwn(members, name)) continue;
      const defect = check(members[name], prefix + name);
      if (defect !== undefined) return defect;
    }
    return undefined;
  };
}

/** What may be said of each type, besides `type`, `description` and `enum`. */
const WORDS: Readonly<Record<FieldType, readonly string[]>> = {
  string: ["enum", "minLength", "maxLength", "pattern"],
  integer: ["enum", "minimum", "maximum"],
  number: ["enum", "minimum", "maximum"],
  boolean: ["enum"],
  array: ["items", "minItems", "maxItems"],
  object: ["properties", "required"],
};

function fieldCheck(schema: FieldSchema, name: string, depth: number): Check {
  const where = `the field ${name}`;
  if (depth > SCHEMA_DEPTH_MAX) {
    throw new TypeError(`${where} is more than ${SCHEMA_DEPTH_MAX} levels deep`);
  }
  readObject(schema, where);
  const { type } = schema;
  if (typeof type !== "string" || !Object.hasOwn(WORDS, type)) {
    throw new TypeError(`${where} must have a type: ${Object.keys(WORDS).join(", ")}`);
  }
  refuseOthers(schema, ["type", "description", ...WORDS[type]], `${where}, of type ${type},`);
  const holds = ruleFor(schema, where);
  const rule = wordsFor(schema);
  const inner = insideCheck(schema, name, where, depth);
  return (value, path) => {
    if (!holds(value)) return `${path === "" ? name : path} must be ${rule}`;
    return inner?.(value, path);
  };
}

function ruleFor(schema: FieldSchema, where: string): (value: unknown) => boolean {
  const holds = typeRule(schema, where);
  const only = schema.enum;
  if (only === undefined) return holds;
  if (!Array.isArray(only) || only.length === 0) {
    throw new TypeError(`${where} must have an enum of at least one value`);
  }
  for (const value of only) {
    if (!holds(value)) {
      throw new TypeError(`${where} has ${enumWord(value)} in its enum, which it cannot be`);
    }
  }
  return (value) => only.includes(value as string | number | boolean);
}

/** A bigint, which JSON does not know, is as wrong there as an object. */
function enumWord(value: unknown): string {
  return typeof value === "bigint" ? String(value) : JSON.stringify(value);
}

function typeRule(schema: FieldSchema, where: string): (value: unknown) => boolean {
  switch (schema.type) {
    case "string":
      return stringRule(schema, where);
    case "boolean":
      return (value) => typeof value === "boolean";
    case "object":
      return isPlainObject;
    case "array": {
      const [least, most] = range(schema, "minItems", "maxItems", where, isCount);
      return (value) => Array.isArray(value) && value.length >= least && value.length <= most;
    }
    case "integer":
    case "number": {
      const isOne = schema.type === "integer" ? Number.isSafeInteger : Number.isFinite;
      const [least, most] = range(schema, "minimum", "maximum", where, Number.isFinite);
      return (value) => isOne(value) && (value as number) >= least && (value as number) <= most;
    }
  }
}

function stringRule(schema: FieldSchema, where: string): (value: unknown) => boolean {
  const [least, most] = range(schema, "minLength", "maxLength", where, isCount);
  const pattern = schema.pattern === undefined ? undefined : readPattern(schema.pattern, where);
  return (value) => {
    if (typeof value !== "string") return false;
    // A character has one or two units: mostly they need not be counted.
    if (value.length < least || value.length > 2 * most) return false;
    if (value.length > most || value.length < 2 * least) {
      const length = characterCount(value);
      if (length < least || length > most) return false;
    }
    return pattern === undefined || pattern.test(value);
  };
}

function characterCount(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

function readPattern(pattern: unknown, where: string): RegExp {
  try {
    if (typeof pattern === "string") return new RegExp(pattern, "u");
  } catch {
    // Said below.
  }
  throw new TypeError(`${where} must have a pattern that is a regular expression`);
}

function insideCheck(
  schema: FieldSchema,
  name: string,
  where: string,
  depth: number,
): Check | undefined {
  if (schema.items !== undefined) {
    const check = fieldCheck(schema.items, `${name}[]`, depth + 1);
    return (value, path) => {
      const elements = value as readonly unknown[];
      for (let i = 0; i < elements.length; i++) {
        const defect = check(elements[i], `${path}[${i}]`);
        if (defect !== undefined) return defect;
      }
      return undefined;
    };
  }
  if (schema.properties === undefined) {
    if (schema.required === undefined) return undefined;
    throw new TypeError(`${where} requires members, but describes none`);
  }
  readObject(schema.properties, `${where}'s properties`);
  return membersCheck(schema.properties, schema.required, where, depth + 1);
}

type Bound = "minLength" | "maxLength" | "minimum" | "maximum" | "minItems" | "maxItems";

function range(
  schema: FieldSchema,
  lower: Bound,
  upper: Bound,
  where: string,
  isOne: (value: unknown) => boolean,
): [least: number, most: number] {
  for (const bound of [lower, upper]) {
    if (schema[bound] === undefined || isOne(schema[bound])) continue;
    const kind = isOne === isCount ? "a whole number from 0" : "a number";
    throw new TypeError(`${where} must have a ${bound} that is ${kind}`);
  }
  const least = schema[lower] ?? -Infinity;
  const most = schema[upper] ?? Infinity;
  if (least > most) throw new TypeError(`${where} has a ${lower} above its ${upper}`);
  return [least, most];
}

/** What a value must be, for the client: `a string of 1 to 40 characters`. */
function wordsFor(schema: FieldSchema): string {
  if (schema.enum !== undefined) {
    const values = schema.enum.map((value) => JSON.stringify(value));
    return values.length === 1 ? values[0]! : `one of ${values.join(", ")}`;
  }
  switch (schema.type) {
    case "string": {
      const pattern = schema.pattern === undefined ? "" : ` that matches ${schema.pattern}`;
      return `a string${countWords(schema.minLength, schema.maxLength, "character")}${pattern}`;
    }
    case "integer":
      return `an integer${limitWords(schema.minimum, schema.maximum)}`;
    case "number":
      return `a number${limitWords(schema.minimum, schema.maximum)}`;
    case "boolean":
      return "true or false";
    case "array":
      return `an array${countWords(schema.minItems, schema.maxItems, "element")}`;
    case "object":
      return "an object";
  }
}

function countWords(least: number | undefined, most: number | undefined, what: string): string {
  const plural = (count: number) => `${count} ${what}${count === 1 ? "" : "s"}`;
  if (least !== undefined && least > 0) {
    if (most === undefined) return ` of at least ${plural(least)}`;
    return least === most ? ` of ${plural(most)}` : ` of ${least} to ${plural(most)}`;
  }
  return most === undefined ? "" : ` of at most ${plural(most)}`;
}

function limitWords(least: number | undefined, most: number | undefined): string {
  if (least === undefined) return most === undefined ? "" : `, at most ${most}`;
  return most === undefined ? `, at least ${least}` : ` from ${least} to ${most}`;
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isPlainObject(value: unknown): value is FieldValues {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function readObject(value: unknown, where: string): void {
  if (!isPlainObject(value)) throw new TypeError(`${where} must be an object`);
}

function refuseOthers(schema: object, known: readonly string[], where: string): void {
  for (const word of Object.keys(schema)) {
    if (!known.includes(word)) {
      throw new TypeError(`${where} says ${JSON.stringify(word)}, which is not known here`);
    }
  }
}
