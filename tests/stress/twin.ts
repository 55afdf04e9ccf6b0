/**
 * Broken twins: a module with a defect put into its source, for races that a test must catch first.
 *
 * @module
 */

/** A change of a module's source: `find`, which occurs once, becomes `replace`. */
export interface Mutation {
  name: string;
  find: string;
  replace: string;
}

/**
 * Writes a copy of a module with changes into `folder`; its relative imports are kept.
 *
 * @returns the copy's URL
 * @throws {Error} when the source no longer has the text to change
 */
export async function writeTwinOf(
  module: URL,
  mutations: readonly Mutation[],
  folder: string,
): Promise<string> {
  let source = await Deno.readTextFile(module);
  for (const { name, find, replace } of mutations) {
    const parts = source.split(find);
    if (parts.length !== 2) {
      throw new Error(`Cannot make the twin "${name}": ${module.pathname} has changed`);
    }
    source = parts.join(replace);
  }
  source = source
    .replaceAll(`from "../`, `from "${new URL("../", module).href}`)
    .replaceAll(`from "./`, `from "${new URL("./", module).href}`);
  const path = `${folder}/${crypto.randomUUID()}.ts`;
  await Deno.writeTextFile(path, source);
  return new URL(`file://${path}`).href;
}
