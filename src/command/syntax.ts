/**
 * The arguments of a command as `COMMAND DOCS` lists them, read from the syntax of its row.
 *
 * ```text
 * syntax:        sequences with | between them
 * sequence:      word, WORD, [syntax], each followed by … if it may be repeated
 * word           an argument that the client chooses
 * WORD           a fixed word; in front of a word, the word's token
 * [word …]       optional; behind the same words, it says that they may be repeated
 * ```
 *
 * @module
 */

/** One argument, or several that belong together. */
export interface SyntaxArgument {
  /** What it is called. */
  readonly name: string;
  /** As Redis calls it: `key`, `string`, `integer`, `pattern`, `pure-token`, `oneof`, `block`, … */
  readonly type: string;
  /** The fixed word in front of it, or that it is. */
  token?: string;
  /** Whether it may be left out. */
  isOptional: boolean;
  /** Whether there may be several. */
  isMultiple: boolean;
  /** What a `oneof` or a `block` is made of. */
  readonly parts: readonly SyntaxArgument[];
}

const KEYS = ["key", "newkey", "destination", "source", "key1", "key2"];
const INTEGERS = [
  "amount",
  "bit",
  "count",
  "cursor",
  "db",
  "decrement",
  "destination-db",
  "increment",
  "index",
  "length",
  "milliseconds",
  "ms",
  "numkeys",
  "offset",
  "seconds",
  "version",
];

/**
 * Reads the syntax of a row.
 *
 * Thread: any.
 *
 * @throws {SyntaxError} when brackets do not match
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { parseSyntax } from "./syntax.ts";
 * const [key, condition] = parseSyntax("key [NX | XX]");
 * assert.equal(key!.type, "key");
 * assert.equal(condition!.type, "oneof");
 * assert.equal(condition!.isOptional, true);
 * ```
 */
export function parseSyntax(syntax: string): SyntaxArgument[] {
  const words = syntax.match(/\.\.\.|[[\]|]|[^\s[\]|]+/g) ?? [];
  const reader = new SyntaxReader(words);
  const choices = reader.readChoices();
  if (!reader.isAtEnd) throw new SyntaxError(`Cannot read the syntax '${syntax}': a stray ]`);
  return choices.length === 1 ? choices[0]! : [asOne(choices)];
}

class SyntaxReader {
  readonly #words: readonly string[];
  #at = 0;

  constructor(words: readonly string[]) {
    this.#words = words;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#words.length;
  }

  /** Reads sequences up to a closing bracket or the end. */
  readChoices(): SyntaxArgument[][] {
    const choices: SyntaxArgument[][] = [[]];
    for (; this.#at < this.#words.length; this.#at++) {
      const word = this.#words[this.#at]!;
      if (word === "]") break;
      if (word === "|") choices.push([]);
      else this.#readInto(choices.at(-1)!, word);
    }
    return choices;
  }

  #readInto(sequence: SyntaxArgument[], word: string): void {
    if (word === "[") {
      this.#at++;
      addOptional(sequence, this.readChoices());
      if (this.isAtEnd) throw new SyntaxError("Cannot read a syntax: a bracket is not closed");
    } else if (word === "...") {
      const last = sequence.at(-1);
      if (last !== undefined) last.isMultiple = true;
    } else if (!isToken(word)) {
      sequence.push(argument(word, typeOf(word)));
    } else {
      const next = this.#words[this.#at + 1];
      if (next === undefined || /^[[\]|]$|^\.\.\.$/.test(next) || isToken(next)) {
        sequence.push({ ...argument(word.toLowerCase(), "pure-token"), token: word });
      } else {
        this.#at++;
        sequence.push({ ...argument(next, typeOf(next)), token: word });
      }
    }
  }
}

/** Appends what stood in brackets; if it only repeats what is in front of it, it says just that. */
function addOptional(sequence: SyntaxArgument[], choices: SyntaxArgument[][]): void {
  const [first] = choices;
  const count = first!.length;
  const before = sequence.slice(-count);
  const repeats = choices.length === 1 && first!.at(-1)?.isMultiple === true &&
    before.length === count && before.every(({ name }, i) => name === first![i]!.name);
  if (!repeats) {
    sequence.push({ ...asOne(choices), isOptional: true });
  } else if (count === 1) {
    before[0]!.isMultiple = true;
  } else {
    sequence.splice(-count, count, { ...asOne([before]), isMultiple: true });
  }
}

/** One argument that stands for one of several sequences. */
function asOne(choices: readonly SyntaxArgument[][]): SyntaxArgument {
  if (choices.length === 1) {
    const parts = choices[0]!;
    if (parts.length === 1) return parts[0]!;
    return argument(nameOf(parts), "block", parts);
  }
  // `FILTERBY MODULE name | ACLCAT category`: the first word belongs to all of them.
  const [first, ...others] = choices;
  if (first!.length > 1 && first![0]!.type === "pure-token") {
    const [{ token }, ...rest] = first! as [SyntaxArgument, ...SyntaxArgument[]];
    return { ...asOne([rest, ...others]), token: token! };
  }
  const parts = choices.filter(({ length }) => length > 0).map((choice) => asOne([choice]));
  return argument(nameOf(parts), "oneof", parts);
}

function argument(
  name: string,
  type: string,
  parts: readonly SyntaxArgument[] = [],
): SyntaxArgument {
  return { name, type, isOptional: false, isMultiple: false, parts };
}

function nameOf(parts: readonly SyntaxArgument[]): string {
  return parts.map(({ name }) => name).join("_");
}

function isToken(word: string): boolean {
  return /^[A-Z][A-Z0-9-]*$/.test(word);
}

function typeOf(name: string): string {
  if (KEYS.includes(name)) return "key";
  if (INTEGERS.includes(name)) return "integer";
  if (name.startsWith("unix-")) return "unix-time";
  return name === "pattern" ? "pattern" : "string";
}
