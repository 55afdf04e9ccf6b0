/**
 * What `sluice init-processor` is asked for.
 *
 * @module
 */

/** What is to be written. */
export interface InitOrder {
  /** The processor's file; its name ends in `.ts`, `.mts`, `.js` or `.mjs`. */
  readonly file: string;
  /** Whether files that are there may be replaced. */
  readonly isForced: boolean;
}

/** An order, or what is wrong with the words for it. */
export type InitOrderResult =
  | { readonly kind: "order"; readonly order: InitOrder }
  | { readonly kind: "usage_error"; readonly message: string };

/** Where the processor is written when nobody says where. Not every executable reads TypeScript. */
export const DEFAULT_FILE: string = Deno.build.standalone ? "processor.js" : "processor.ts";

/** What the help says at the end. */
export const INIT_HELP_FOOTER = `
Writes the processor, a test of it and the types of both into one folder. Where
the name ends in .js or .mjs, they are JavaScript, which an executable reads
from disk; TypeScript needs a runtime that does.`;

/** Reads the words of a command line. */
export function resolveInitOrder(words: readonly string[], isForced: boolean): InitOrderResult {
  const [file = DEFAULT_FILE] = words;
  if (words.length > 1) return usageError(`unknown argument ${JSON.stringify(words[1])}`);
  if (!/[^/\\]\.(ts|mts|js|mjs)$/.test(file) || /\.d\.m?ts$/.test(file) || file.includes("\0")) {
    return usageError(`the file ${JSON.stringify(file)} must end in .ts, .mts, .js or .mjs`);
  }
  return { kind: "order", order: { file, isForced } };
}

function usageError(message: string): InitOrderResult {
  return { kind: "usage_error", message: `${message}; see sluice init-processor --help` };
}
