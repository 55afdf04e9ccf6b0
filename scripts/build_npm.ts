/**
 * Makes the package for Node.js: `deno task build:npm`, into `dist/npm/` or the folder that is given.
 *
 * It has what runs there, `Store` and `BoundedChannel`, joined into one module with its types. It is
 * what `npm publish` or `npm install ./dist/npm` wants; nothing is sent anywhere.
 *
 * @module
 */

const ROOT = new URL("../", import.meta.url);
const ENTRY = "src/embed/portable.ts";
/** What the module is called after its entry, and in the package. */
const JOINED = "portable";
const MODULE = "index";

/** Types of Deno, or of Node.js, would find their way into the declarations. */
const TYPES_CONFIG = {
  compilerOptions: { types: [], lib: ["esnext", "dom", "dom.iterable"] },
};

const folder = Deno.args[0] ?? new URL("dist/npm", ROOT).pathname;

async function join(): Promise<void> {
  const config = await Deno.makeTempFile({ suffix: ".json" });
  try {
    await Deno.writeTextFile(config, JSON.stringify(TYPES_CONFIG));
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["bundle", "--no-lock", "--config", config, "--platform", "browser", "--minify"],
        ...["--keep-names", "--declaration", "--outdir", folder, ENTRY],
      ],
      cwd: ROOT,
      stderr: "piped",
    }).output();
    if (success) return;
    await Deno.stderr.write(stderr);
    Deno.exit(1);
  } finally {
    await Deno.remove(config);
  }
}

/** A declaration with the comments in front of it. */
interface Declaration {
  readonly name: string;
  readonly comment: string;
  readonly text: string;
}

/**
 * What the joined declarations consist of. They are whole modules, one behind the other, with what the
 * package does not export and with what the modules import from each other.
 */
function declarationsOf(text: string): Declaration[] {
  const found: Declaration[] = [];
  for (const [, comment, body] of text.matchAll(DECLARATION)) {
    const name = /^export (?:declare )?(?:class|interface|type|const|function) (\w+)/.exec(body!)
      ?.[1];
    // What a module is for does not concern those who only see its declarations.
    const own = (comment ?? "").replaceAll(/\/\*\*(?:(?!\*\/)[^])*@module[^]*?\*\/\n/g, "");
    if (name !== undefined) found.push({ name, comment: own, text: body! });
  }
  return found;
}

/** Comments, then a line that is not indented, with all behind it up to the next such or a comment. */
const DECLARATION =
  /((?:^\/\*\*(?:(?!\*\/)[^])*\*\/\n)*)(^(?:export|import) (?:(?!^(?:export|import|\/\*\*))[^])*)/gm;

/** What the entry exports. */
async function exportedNames(): Promise<string[]> {
  const source = await Deno.readTextFile(new URL(ENTRY, ROOT));
  const lists = [...source.matchAll(/^export (?:type )?\{([^}]*)\}/gm)].map(([, list]) => list!);
  return lists.join(",").split(",").map((name) => name.replace(/^\s*type\s/, "").trim())
    .filter((name) => name !== "");
}

/**
 * Leaves out of the declarations what cannot be reached from what the package exports.
 *
 * @throws {Error} when something is missing then: nobody has the files that they were made from
 */
async function reachableDeclarations(text: string): Promise<string> {
  const all = declarationsOf(text);
  const reached = new Set(await exportedNames());
  for (const name of reached) {
    const own = all.filter((declaration) => declaration.name === name);
    if (own.length === 0) throw new Error(`Cannot make the package: it declares no ${name}`);
    for (const declaration of own) {
      const code = declaration.text.replaceAll(/\/\*[^]*?\*\//g, "");
      for (const other of all) {
        if (new RegExp(`\\b${other.name}\\b`).test(code)) reached.add(other.name);
      }
    }
  }
  return all.filter(({ name }) => reached.has(name))
    .map(({ comment, text }) => `${comment}${text.trimEnd()}\n`).join("\n");
}

/** What npm is to know. */
async function manifest(): Promise<string> {
  const { version } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  return JSON.stringify(
    {
      name: "sluice",
      version,
      description: "Keys, values and a bounded channel in memory that all threads share",
      type: "module",
      license: "MIT",
      engines: { node: ">=22" },
      exports: { ".": { types: `./${MODULE}.d.ts`, default: `./${MODULE}.js` } },
      files: [`${MODULE}.js`, `${MODULE}.d.ts`],
      sideEffects: false,
    },
    null,
    2,
  );
}

// Nothing is removed: the folder may be any, and all files of an earlier build are written anew.
await Deno.mkdir(folder, { recursive: true });
await join();
await Deno.rename(`${folder}/${JOINED}.js`, `${folder}/${MODULE}.js`);
const declarations = await Deno.readTextFile(`${folder}/${JOINED}.d.ts`);
await Deno.writeTextFile(`${folder}/${MODULE}.d.ts`, await reachableDeclarations(declarations));
await Deno.remove(`${folder}/${JOINED}.d.ts`);
await Deno.writeTextFile(`${folder}/package.json`, `${await manifest()}\n`);
// Who has the package imports it by its name, and has none of the other documents.
const readme = (await Deno.readTextFile(new URL("docs/embedding.md", ROOT)))
  .replaceAll('"../src/mod.ts"', '"sluice"')
  .replaceAll(/\[([^\]]+)\]\((?!https:)[^)]+\)/g, "$1");
await Deno.writeTextFile(`${folder}/README.md`, readme);
await Deno.copyFile(new URL("LICENSE", ROOT), `${folder}/LICENSE`);
