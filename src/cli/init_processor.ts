/**
 * `sluice init-processor`: writes an example to begin with.
 *
 * @module
 */

import { ExitCode } from "../server/run.ts";
import type { InitOrder } from "./init_order.ts";
import { shellWord } from "./shell_words.ts";
import { processorText, testText, TYPES_FILE, typesText } from "./init_templates.ts";

/** What writing needs; tests give their own. */
export interface InitSurroundings {
  /** How this program is called on a command line, word by word: `["sluice"]`. */
  readonly program: readonly string[];
  /** Writes to standard output. */
  print(text: string): Promise<void>;
  /** Writes to standard error. */
  complain(text: string): Promise<void>;
}

/**
 * Writes the files: all of them, or none where one is there that would be replaced.
 *
 * Thread: the main isolate.
 *
 * @returns the exit code
 */
export async function runInitOrder(
  { file, isForced }: InitOrder,
  { program, print, complain }: InitSurroundings,
): Promise<number> {
  const [, folder = "", base = "", ending = ""] = /^(.*[/\\])?(.*)(\.\w+)$/s.exec(file)!;
  const names = {
    processor: `${base}${ending}`,
    test: `${base}_test${ending}`,
    isTyped: ending.endsWith("ts"),
  };
  const files: [path: string, text: string][] = [
    [file, processorText(names)],
    [`${folder}${names.test}`, testText(names)],
    [`${folder}${TYPES_FILE}`, typesText()],
  ];
  try {
    for (const [path, text] of files) {
      const there = isForced ? undefined : await readIfThere(path);
      if (there === undefined || there === text) continue;
      await complain(`sluice: ${path} is there already; --force replaces it\n`);
      return ExitCode.CANNOT_START;
    }
    for (const [path, text] of files) await Deno.writeTextFile(path, text);
  } catch (error) {
    await complain(`sluice: Cannot write the processor: ${reason(error)}\n`);
    return ExitCode.CANNOT_START;
  }
  const written = files.map(([path]) => `  ${path}\n`).join("");
  await print(
    `Written:\n${written}\nTry it:\n` +
      `  ${program.map((word) => shellWord(word)).join(" ")} --processor ${shellWord(file)}\n` +
      `  SLUICE=${shellWord(variableOf(program))} deno test -A ${shellWord(folder + names.test)}\n`,
  );
  return ExitCode.OK;
}

/** What the test that is written reads from its variable: words, as JSON where they have spaces. */
function variableOf(program: readonly string[]): string {
  return program.some((word) => word.includes(" ")) ? JSON.stringify(program) : program.join(" ");
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function reason(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such folder";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  if (error instanceof Deno.errors.NotCapable) {
    return "the runtime lacks --allow-read or --allow-write";
  }
  return error instanceof Error ? error.message : String(error);
}
