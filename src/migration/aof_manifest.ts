/**
 * Reads the manifest of an AOF of several files, as Redis 7 writes it.
 *
 * ```text
 * file appendonly.aof.2.base.rdb seq 2 type b     at most one: the snapshot
 * file appendonly.aof.1.incr.aof seq 1 type h     history, not needed any more
 * file appendonly.aof.2.incr.aof seq 2 type i     in order: the commands since then
 * ```
 *
 * Words come in pairs; others than these three are ignored, as are lines that begin with `#`. A name
 * with unusual characters is in quotes, with escapes as of the command line of Redis.
 *
 * @module
 */

import { RedisFileError } from "./redis_file_error.ts";

/** The files of an AOF, by name, as they are to be read. */
export interface AofManifest {
  /** The base, if there is one, and the increments. */
  readonly files: readonly string[];
}

const LINE = /[^\n]*\n?/g;
/** Spaces of C: others may be part of a name in UTF-8. */
const SPACES = "[ \\t-\\r]";
const QUOTED = `"((?:\\\\[^]|[^"\\\\])*)"`;
const IN_APOSTROPHES = "'((?:\\\\'|[^'])*)'";
const WORD = new RegExp(
  `(?:${QUOTED}|${IN_APOSTROPHES}|([^ \\t-\\r"']+))(?:${SPACES}+|$)`,
  "y",
);
const ENDS = new RegExp(`^${SPACES}+|${SPACES}+$`, "g");
const ESCAPES: Readonly<Record<string, string>> = {
  n: "\n",
  r: "\r",
  t: "\t",
  b: "\b",
  a: "\x07",
};

/**
 * Reads a manifest.
 *
 * @param name of the manifest's file, for messages
 * @throws {RedisFileError} when it is none
 */
export function parseManifest(bytes: Uint8Array, name: string): AofManifest {
  let base: string | undefined;
  const increments: string[] = [];
  let lastIncrement = 0;
  let offset = 0;
  // A character per byte: escapes stand for bytes.
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  for (const [line] of text.matchAll(LINE)) {
    const fail = (expected: string, found: string): never => {
      throw new RedisFileError(name, offset, expected, found);
    };
    const content = line.replace(ENDS, "");
    if (content !== "" && !content.startsWith("#")) {
      const { file, sequence, type } = parseLine(content, fail);
      if (type === "b") {
        if (base !== undefined) fail("one base", "another one");
        base = file;
      } else if (type === "i") {
        if (sequence <= lastIncrement) fail(`an increment after ${lastIncrement}`, `${sequence}`);
        lastIncrement = sequence;
        increments.push(file);
      } else if (type !== "h") {
        fail("type b, h or i", JSON.stringify(type));
      }
    }
    offset += line.length;
  }
  const files = base === undefined ? increments : [base, ...increments];
  if (files.length === 0) throw new RedisFileError(name, 0, "the names of files", "none");
  return { files };
}

interface Line {
  readonly file: string;
  readonly sequence: number;
  readonly type: string;
}

type Fail = (expected: string, found: string) => never;

function parseLine(line: string, fail: Fail): Line {
  const words = splitWords(line, fail);
  const values = new Map<string, string>();
  for (let i = 0; i + 1 < words.length; i += 2) values.set(words[i]!.toLowerCase(), words[i + 1]!);
  const file = values.get("file");
  const sequence = values.get("seq");
  const type = values.get("type");
  if (
    words.length % 2 === 1 || file === undefined || sequence === undefined || type === undefined
  ) {
    return fail("a line with file, seq and type", JSON.stringify(line));
  }
  // It may name files beside it only.
  if (file === "" || file === "." || file === ".." || /[/\\\0]/.test(file)) {
    fail("the name of a file", JSON.stringify(file));
  }
  if (!/^[1-9]\d{0,14}$/.test(sequence)) fail("a number above 0", JSON.stringify(sequence));
  return { file, sequence: Number(sequence), type };
}

function splitWords(line: string, fail: Fail): string[] {
  const words: string[] = [];
  for (let at = 0; at < line.length;) {
    WORD.lastIndex = at;
    const match = WORD.exec(line);
    if (match === null) return fail("words, and quotes that end", JSON.stringify(line));
    at = WORD.lastIndex;
    const [, quoted, apostrophes, plain] = match;
    const characters = quoted !== undefined
      ? withoutEscapes(quoted)
      : apostrophes !== undefined
      ? apostrophes.replaceAll("\\'", "'")
      : plain!;
    words.push(textOf(characters));
  }
  return words;
}

function withoutEscapes(quoted: string): string {
  return quoted.replace(
    /\\x([0-9a-fA-F]{2})|\\([^])/g,
    (_, digits, character) =>
      digits !== undefined
        ? String.fromCharCode(parseInt(digits, 16))
        : ESCAPES[character] ?? character,
  );
}

/** The text that bytes, one character each, are. */
function textOf(characters: string): string {
  return new TextDecoder().decode(Uint8Array.from(characters, (c) => c.charCodeAt(0)));
}
