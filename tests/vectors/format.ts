/**
 * What a recorded session looks like, and when a reply counts as the recorded one.
 *
 * A case is a list of steps. A step is a line as `redis-cli` takes it, with marks in front:
 *
 * ```text
 * GET k            connection A sends it and reads the reply
 * B| GET k         so does connection B
 * B> BLPOP k 0     sends only
 * B<               reads what has come
 * ~ SMEMBERS k     the elements come in no order (at any depth)
 * % HGETALL k      nor do the pairs
 * # PTTL k         integers may differ a little, for time passes
 * ? RANDOMKEY      types and counts are the same, the content is not
 * ```
 *
 * @module
 */

/** Steps that were recorded: the line, the reply in RESP2, and in RESP3 when it is another. */
export type RecordedStep = readonly [line: string, resp2: string, resp3?: string];

/** One case as it was recorded. */
export interface RecordedCase {
  readonly name: string;
  readonly steps: readonly RecordedStep[];
}

/** One case as it is written. */
export interface VectorCase {
  readonly name: string;
  readonly steps: readonly string[];
}

/** Makes a case. */
export function vector(name: string, ...steps: readonly string[]): VectorCase {
  return { name, steps };
}

/** How a reply is compared. */
export type Comparison = "exact" | "unordered" | "pairs" | "near" | "shape";

/** A step taken apart. */
export interface Step {
  readonly connection: string;
  readonly comparison: Comparison;
  /** Arguments, one character per byte; none when nothing is sent. */
  readonly words: readonly string[];
  /** Whether a reply is read. */
  readonly reads: boolean;
}

const COMPARISONS: Readonly<Record<string, Comparison>> = {
  "~": "unordered",
  "%": "pairs",
  "#": "near",
  "?": "shape",
};

/** Takes a step apart. */
export function parseStep(line: string): Step {
  const [, mark, connection = "A", way = "|", rest] =
    /^(?:([~%#?]) )?(?:([A-Z])([|<>]) ?)?([\s\S]*)$/
      .exec(line)!;
  return {
    connection,
    comparison: mark === undefined ? "exact" : COMPARISONS[mark]!,
    words: splitLine(rest!),
    reads: way !== ">",
  };
}

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t" };

/** Splits a line as `redis-cli` does. */
export function splitLine(line: string): string[] {
  const words: string[] = [];
  const token = /\s*(?:"((?:[^"\\]|\\x[0-9a-fA-F]{2}|\\.)*)"|'([^']*)'|([^\s"']+))/y;
  token.lastIndex = 0;
  while (token.lastIndex < line.trimEnd().length) {
    const at = token.lastIndex;
    const found = token.exec(line);
    if (found === null) throw new Error(`Cannot split at ${at}: ${line}`);
    words.push(
      found[1]?.replaceAll(
        /\\(?:x([0-9a-fA-F]{2})|(.))/gs,
        (_, hex, char) => hex ? String.fromCharCode(parseInt(hex, 16)) : ESCAPES[char] ?? char,
      ) ?? found[2] ?? found[3]!,
    );
  }
  return words;
}

/** A request as clients send it; characters are bytes. */
export function encodeRequest(words: readonly string[]): Uint8Array<ArrayBuffer> {
  const text = `*${words.length}\r\n` +
    words.map((word) => `$${word.length}\r\n${word}\r\n`).join("");
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** A reply's type, its own text, its parts; keys and values of a map in turn. */
export interface Frame {
  readonly type: string;
  readonly text: string;
  readonly parts: readonly Frame[];
}

/**
 * Offset behind the frame at `at`, or -1 when it is not all there.
 *
 * @param parts gets the frame's parts, when given
 */
export function frameEnd(text: string, at: number, into?: Frame[]): number {
  const lineEnd = text.indexOf("\r\n", at);
  if (lineEnd < 0) return -1;
  const type = text[at]!;
  const line = text.slice(at + 1, lineEnd);
  let end = lineEnd + 2;
  if ("$=!".includes(type) && line !== "-1") {
    const from = end;
    end += Number(line) + 2;
    if (end > text.length) return -1;
    into?.push({ type, text: text.slice(from, end - 2), parts: [] });
    return end;
  }
  if (!"*~>%|".includes(type) || line === "-1") {
    into?.push({ type: line === "-1" ? `${type}-` : type, text: line, parts: [] });
    return end;
  }
  const count = Number(line) * ("%|".includes(type) ? 2 : 1);
  const parts: Frame[] = [];
  for (let i = 0; i < count; i++) {
    end = frameEnd(text, end, parts);
    if (end < 0) return -1;
  }
  into?.push({ type, text: line, parts });
  return end;
}

/** The frames that `text` consists of. */
export function parseFrames(text: string): Frame[] {
  const frames: Frame[] = [];
  for (let at = 0; at < text.length;) {
    const end = frameEnd(text, at, frames);
    // What is no frame says that the connection ended, or is cut off: it stands for itself.
    if (end < 0) {
      frames.push({ type: "end", text: text.slice(at), parts: [] });
      break;
    }
    at = end;
  }
  return frames;
}

function bySize(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function canonical(frame: Frame, comparison: Comparison): string {
  const { type, text } = frame;
  let parts = frame.parts.map((part) => canonical(part, comparison));
  if (comparison === "unordered") parts = parts.toSorted(bySize);
  if (comparison === "pairs" && parts.length % 2 === 0) {
    const pairs = Array.from({ length: parts.length / 2 }, (_, i) => parts.slice(2 * i, 2 * i + 2));
    parts = pairs.map((pair) => pair.join(" ")).toSorted(bySize);
  }
  const own = comparison === "shape" && frame.parts.length === 0 ? "" : text;
  return `${type}${JSON.stringify(own)}${parts.length > 0 ? `[${parts.join(", ")}]` : ""}`;
}

/** How far integers may be apart that are compared as `near`. */
const NEAR = 2500;

function isNear(ours: readonly Frame[], theirs: readonly Frame[]): boolean {
  return ours.length === theirs.length && ours.every((frame, i) => {
    const other = theirs[i]!;
    if (frame.type !== other.type) return false;
    if (frame.type === ":") return Math.abs(Number(frame.text) - Number(other.text)) <= NEAR;
    return frame.parts.length > 0 ? isNear(frame.parts, other.parts) : frame.text === other.text;
  });
}

/** Whether `ours` is as good as the recorded reply. */
export function isSameReply(ours: string, theirs: string, comparison: Comparison): boolean {
  if (ours === theirs) return true;
  if (comparison === "exact") return false;
  const [left, right] = [parseFrames(ours), parseFrames(theirs)];
  if (comparison === "near") return isNear(left, right);
  const texts = [left, right].map((frames) => {
    const each = frames.map((frame) => canonical(frame, comparison));
    return (comparison === "unordered" ? each.toSorted(bySize) : each).join(" ");
  });
  return texts[0] === texts[1];
}

/** Where the recorded cases are. */
export const RECORDED = new URL("./recorded/", import.meta.url);

/** Reads the cases of a family. */
export async function readRecorded(family: string): Promise<RecordedCase[]> {
  const text = await Deno.readTextFile(new URL(`${family}.jsonl`, RECORDED));
  return text.trim().split("\n").map((line) => {
    const [name, ...steps] = JSON.parse(line) as [string, ...RecordedStep[]];
    return { name, steps };
  });
}

/** One case as a line of its file. */
export function recordedLine({ name, steps }: RecordedCase): string {
  return JSON.stringify([name, ...steps]);
}
