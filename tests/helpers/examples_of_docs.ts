// deno-lint-ignore-file no-console -- examples use it
/**
 * Registers the examples in doc comments, and those of the guide to embedding, as tests in one isolate:
 * `deno test --doc` makes one for each, which takes ten times as long. `scripts/test.ts` has it run.
 *
 * As there, a block whose first line says `ignore` is left out; its types are checked by `deno task
 * check`, like those of all others. Here `console.assert` fails.
 *
 * @module
 */

const ROOT = new URL("../../", import.meta.url);
const GUIDES = ["docs/embedding.md"];

/** A block with what it is marked as: in a doc comment each line has a star in front. */
const BLOCK = /^([ ]*\* )?```ts([^\n]*)\n([^]*?)^[ ]*(?:\* )?```$/gm;

/** A doc comment. */
const COMMENT = /\/\*\*[^]*?\*\//g;

/** Modules below a folder, by their paths from the root. */
function* modulesOf(folder: string): Generator<string> {
  const entries = [...Deno.readDirSync(new URL(folder, ROOT))];
  for (const { name, isDirectory } of entries.toSorted((a, b) => a.name < b.name ? -1 : 1)) {
    const path = `${folder}/${name}`;
    if (isDirectory) yield* modulesOf(path);
    else if (name.endsWith(".ts")) yield path;
  }
}

/** The examples of a file: where they are, and modules that can be anywhere. */
function* examplesOf(path: string): Generator<{ name: string; source: string }> {
  const url = new URL(path, ROOT);
  const text = Deno.readTextFileSync(url);
  const parts = path.endsWith(".md") ? [{ 0: text, index: 0 }] : text.matchAll(COMMENT);
  for (const part of parts) {
    for (const block of part[0].matchAll(BLOCK)) {
      const [, , mark, body] = block;
      if (/\bignore\b/.test(mark!)) continue;
      const line = text.slice(0, part.index + block.index).split("\n").length + 1;
      const source = path.endsWith(".md") ? body! : body!.replaceAll(/^[ ]*\*[ ]?/gm, "");
      yield { name: `${path}:${line}`, source: placed(source, url) };
    }
  }
}

/** What a module is imported from. */
const RELATIVE = /(\b(?:from|import)\s*\(?\s*)"(\.[^"]+)"/g;

/** The same module, with what its place means to it. */
function placed(source: string, url: URL): string {
  return source
    .replaceAll(RELATIVE, (_, before, path) => before + JSON.stringify(new URL(path, url).href))
    .replaceAll("import.meta.url", JSON.stringify(url.href));
}

console.assert = (condition, ...words) => {
  if (!condition) throw new Error(`an example is wrong: ${words.join(" ")}`);
};

for (const path of [...modulesOf("src"), ...GUIDES]) {
  for (const { name, source } of examplesOf(path)) {
    Deno.test(`example: ${name}`, async () => {
      await import(`data:application/typescript,${encodeURIComponent(source)}`);
    });
  }
}
