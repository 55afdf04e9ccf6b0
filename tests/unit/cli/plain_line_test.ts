import assert from "node:assert/strict";
import { parseCommandLine } from "../../../src/cli/command_line.ts";
import { FLAGS } from "../../../src/cli/flags.ts";
import { readPlainLine } from "../../../src/cli/plain_line.ts";
import { defaultConfig } from "../../../src/server/config.ts";

const DEFAULTS = defaultConfig(4);
const CONTEXT = {
  environment: (name: string): string | undefined => name === "SLUICE_SHARDS" ? "16" : undefined,
  columns: 80,
  defaults: DEFAULTS,
};

/** Words that command lines are made of here, good ones and others. */
const WORDS: readonly string[] = [
  ...FLAGS.flatMap((flag) => {
    const { name, placeholder } = flag;
    if (placeholder === "") return [`--${name}`, `--${name}=true`];
    const value = flag.show(DEFAULTS);
    return [`--${name} ${value}`, `--${name}=${value}`, `--${name}`, `--${name}=`, `--${name} x`];
  }),
  "--http-port 0",
  "--http-port=0=1",
  "--http-port -1",
  "--http-port --resp-port",
  "--http-port serve",
  "--host health",
  "-h",
  "--help",
  "-V",
  "--version",
  "--",
  "-",
  "--httpport 1",
  "--timeout 1s",
  "serve",
  "health",
  "stress",
  "help",
  "version",
  "stray",
  "--password a b",
];

Deno.test("readPlainLine: what it reads, the parser of all command lines reads the same", () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  let state = seed;
  const below = (count: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return (state >>> 8) % count;
  };
  const lines = [
    "",
    "serve",
    ...WORDS,
    ...WORDS.map((word) => `serve ${word}`),
    ...Array.from(
      { length: 400 },
      () => Array.from({ length: 1 + below(4) }, () => WORDS[below(WORDS.length)]).join(" "),
    ),
  ];
  let plainCount = 0;
  for (const line of lines) {
    const args = line === "" ? [] : line.split(" ");
    const plain = readPlainLine(args, CONTEXT);
    if (plain === null) continue;
    plainCount++;
    assert.deepEqual(plain, parseCommandLine(args, CONTEXT), `${line} (seed ${seed})`);
  }
  assert.ok(plainCount > 2 * FLAGS.length, `${plainCount} of ${lines.length} are plain`);
});

Deno.test("readPlainLine: takes flags spelled out, and leaves everything else alone", () => {
  const read = (line: string): string | undefined =>
    readPlainLine(line === "" ? [] : line.split(" "), CONTEXT)?.kind;
  for (
    const line of ["", "serve", "--workers 2", "serve --workers=2-4 --insecure", "--shards 64"]
  ) {
    assert.equal(read(line), "serve", line);
  }
  assert.equal(read("--workers none"), "usage_error");
  for (const line of ["--help", "-h", "health", "serve serve", "--worker 2", "--workers", "2"]) {
    assert.equal(read(line), undefined, line);
  }
});
