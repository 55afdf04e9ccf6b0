/**
 * House rules that a compiler does not check.
 */

import assert from "node:assert/strict";
import { PROGRAM_ENTRY, WORKER_ENTRIES } from "../scripts/bundle.ts";
import { V8_FLAGS } from "../src/base/v8_flags.ts";
import { FLAGS } from "../src/cli/flags.ts";
import { defaultConfig } from "../src/server/config.ts";

const ROOT = new URL("../", import.meta.url);
const MAX_FILE_LINES = 600;

/** Made by a program, so not held to rules for people; its imports are. */
const isGenerated = (file: string): boolean => file.startsWith("src/protocol/protobuf/gen/");

/** What the files of a folder of `src/` may import besides their own folder. */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  base: [],
  store: ["base"],
  channel: ["base"],
  metrics: ["base"],
  durability: ["base", "store"],
  migration: ["base"],
  pubsub: ["base", "store", "channel"],
  command: ["base", "store", "channel", "pubsub"],
  protocol: ["base", "command"],
  worker: ["base", "store", "channel", "metrics", "pubsub", "durability"],
  server: [
    ...["base", "store", "channel", "metrics", "pubsub", "durability"],
    ...["command", "protocol", "worker"],
  ],
  // Works on files while no server does.
  data: ["base", "store", "durability", "migration", "command"],
  // A client of servers that run elsewhere; what it measures in place are the parts beneath one.
  lab: ["base", "store", "channel", "metrics", "protocol"],
  // For programs that are not ours: one operation each, over parts that need to be used with care.
  embed: ["base", "store", "channel", "metrics", "command", "worker", "server"],
  cli: ["base", "durability", "migration", "data", "server", "lab"],
};

/** One import between two files of the project; paths from its root. */
interface Edge {
  from: string;
  to: string;
  /** False when only types are imported. */
  code: boolean;
}

interface InfoDependency {
  code?: { specifier?: string };
  type?: { specifier?: string };
}

interface Info {
  modules: { specifier: string; error?: string; dependencies?: InfoDependency[] }[];
}

async function filesUnder(...folders: string[]): Promise<string[]> {
  const found: string[] = [];
  const walk = async (folder: string): Promise<void> => {
    for await (const entry of Deno.readDir(new URL(`${folder}/`, ROOT))) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory) await walk(path);
      else if (entry.name.endsWith(".ts")) found.push(path);
    }
  };
  for (const folder of folders) await walk(folder);
  return found.toSorted();
}

function read(path: string): Promise<string> {
  return Deno.readTextFile(new URL(path, ROOT));
}

/** All imports of the project's files, as Deno itself resolves them. */
async function importGraph(): Promise<Edge[]> {
  const files = ["main.ts", ...await filesUnder("src", "bench", "scripts")];
  const entry = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    const lines = files.map((path) => `import ${JSON.stringify(new URL(path, ROOT).href)};`);
    await Deno.writeTextFile(entry, lines.join("\n"));
    const { stdout, success } = await new Deno.Command(Deno.execPath(), {
      args: ["info", "--json", "--no-lock", "--config", path("deno.json"), entry],
      stderr: "null",
    }).output();
    assert.ok(success, "deno info can read the project");
    return edgesOf(JSON.parse(new TextDecoder().decode(stdout)));
  } finally {
    await Deno.remove(entry);
  }
}

function path(name: string): string {
  const decoded = decodeURIComponent(new URL(name, ROOT).pathname);
  return Deno.build.os === "windows" ? decoded.slice(1) : decoded;
}

function edgesOf({ modules }: Info): Edge[] {
  const edges: Edge[] = [];
  for (const { specifier, error, dependencies = [] } of modules) {
    if (!specifier.startsWith(ROOT.href)) continue;
    assert.equal(error, undefined, specifier);
    for (const { code, type } of dependencies) {
      const to = code?.specifier ?? type?.specifier ?? "";
      edges.push({
        from: specifier.slice(ROOT.href.length),
        to: to.startsWith(ROOT.href) ? to.slice(ROOT.href.length) : to,
        code: code !== undefined,
      });
    }
  }
  return edges;
}

function layerOf(file: string): string {
  return /^src\/([^/]+)\//.exec(file)?.[1] ?? file;
}

const edges = await importGraph();

Deno.test("layout: imports point one way", () => {
  const wrong = edges.filter(({ from, to }) => {
    // What embedders import is above all layers.
    if (!from.startsWith("src/") || !to.startsWith("src/") || from === "src/mod.ts") return false;
    const [layer, target] = [layerOf(from), layerOf(to)];
    assert.ok(layer in LAYERS, `${from} lies in a folder of the layout`);
    return layer !== target && !LAYERS[layer]!.includes(target);
  });
  assert.deepEqual(wrong.map(({ from, to }) => `${from} imports ${to}`), []);
  assert.ok(edges.length > 100, "the graph was read");
});

Deno.test("layout: main.ts imports only src/cli/, and nothing in src/ imports outside of it", () => {
  for (const { from, to } of edges) {
    if (from === "main.ts") assert.match(to, /^src\/cli\//);
    if (from.startsWith("src/") && !/^(node|npm|https?|jsr):/.test(to) && to !== "deno.json") {
      assert.match(to, /^src\//, `${from} imports ${to}`);
    }
    if (from.startsWith("bench/")) assert.doesNotMatch(to, /^tests\//, `${from} imports ${to}`);
  }
});

Deno.test("layout: what runs in Node.js asks for no runtime, and for nothing that serves", async () => {
  const reached = new Set(["src/embed/portable.ts"]);
  for (const file of reached) {
    for (const { from, to, code } of edges) if (from === file && code) reached.add(to);
  }
  assert.ok(reached.size > 50, "the graph was followed");
  for (const file of reached) {
    assert.match(file, /^src\/(base|store|channel|embed)\//);
    const code = (await read(file)).replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*/g, "");
    assert.doesNotMatch(code, /\bDeno\.|^\s*(using|await using) /m, file);
  }
});

Deno.test("layout: what embedders import names no type that they cannot", async () => {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["doc", "--lint", "src/mod.ts", "src/embed/portable.ts"],
    cwd: ROOT,
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
});

Deno.test("layout: no file needs itself to be loaded first", () => {
  const next = new Map<string, string[]>();
  for (const { from, to, code } of edges) {
    if (code && to.startsWith("src/")) next.set(from, [...next.get(from) ?? [], to]);
  }
  const done = new Set<string>();
  const visit = (file: string, trail: readonly string[]): void => {
    assert.ok(!trail.includes(file), `a cycle: ${[...trail, file].join(" → ")}`);
    if (done.has(file)) return;
    for (const target of next.get(file) ?? []) visit(target, [...trail, file]);
    done.add(file);
  };
  for (const file of next.keys()) visit(file, []);
});

Deno.test("dependencies: everything foreign is node: or an npm package pinned in deno.json", async () => {
  const { imports } = JSON.parse(await read("deno.json"));
  const readme = await read("README.md");
  for (const [name, target] of Object.entries<string>(imports)) {
    const version = /^npm:(?:@[^@]+|[^@]+)@(\d+\.\d+\.\d+)$/.exec(target)?.[1];
    assert.ok(version, `${name} is pinned to one version: ${target}`);
    assert.match(
      readme,
      new RegExp(`^\\| +\`${name}\` +\\| +${version.replaceAll(".", "\\.")} +\\| `, "m"),
    );
  }
  for (const { from, to } of edges) {
    if (/^(src|bench|scripts)\/|^node:|^deno\.json$/.test(to)) continue;
    // A path into a package is resolved to npm:/name@version/path.
    const resolved = to.replace(/^npm:\//, "npm:");
    const pinned = Object.values<string>(imports).some((target) =>
      resolved === target || resolved.startsWith(`${target}/`)
    );
    assert.ok(pinned, `${from} imports ${to}`);
  }
});

Deno.test("files: none is too long, and each in src/ opens with what it is for", async () => {
  const tooLong: string[] = [];
  for (const file of await filesUnder("src", "tests", "bench", "scripts")) {
    if (isGenerated(file)) continue;
    const text = await read(file);
    const lineCount = text.split("\n").length - 1;
    if (lineCount > MAX_FILE_LINES) tooLong.push(`${file} has ${lineCount} lines`);
    if (file.startsWith("src/")) {
      assert.match(
        text,
        /^(\/\/\/ <reference [^\n]+\n\n?)?\/\*\*\n \* [^@][\s\S]*? \* @module\n \*\//,
        `${file} opens with a comment`,
      );
    }
  }
  assert.deepEqual(tooLong, []);
});

Deno.test("files: one that makes shared memory draws it, or a layout file next to it does", async () => {
  const files = await filesUnder("src");
  for (const file of files) {
    if (!/new SharedArrayBuffer\(/.test(await read(file))) continue;
    const folder = file.slice(0, file.lastIndexOf("/"));
    const isLayout = (other: string): boolean =>
      other.startsWith(`${folder}/`) && other.endsWith("layout.ts");
    const candidates = [file, ...files.filter(isLayout)];
    const texts = await Promise.all(candidates.map(read));
    assert.ok(texts.some((text) => /^ \* ```text\n/m.test(text)), `${file} has a drawing`);
  }
});

Deno.test("files: protocols know no runtime, and nobody uses enums", async () => {
  for (const file of await filesUnder("src")) {
    if (isGenerated(file)) continue;
    const code = (await read(file)).replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*/g, "");
    assert.doesNotMatch(code, /^\s*(export )?(const )?enum /m, file);
    if (/^src\/(protocol|command|store|channel)\//.test(file)) {
      assert.doesNotMatch(code, /\bDeno\.(?!errors\b)/, `${file} uses no Deno.*`);
    }
  }
});

Deno.test("README: has every flag with its default", async () => {
  const readme = await read("README.md");
  const defaults = defaultConfig();
  for (const { name, show } of FLAGS) {
    const row = new RegExp(`^\\| \`--${name}\` +\\| ([^|]+?) +\\| `, "m").exec(readme);
    assert.ok(row, `README has a row for --${name}`);
    // The number of workers depends on the machine.
    if (name !== "workers") assert.equal(row[1], `\`${show(defaults)}\``, `--${name}`);
  }
  for (const [, name] of readme.matchAll(/^\| `--([a-z-]+)`/gm)) {
    assert.ok(FLAGS.some((flag) => flag.name === name), `--${name} in README exists`);
  }
});

Deno.test("tasks: those that serve set V8 up as the executable does", async () => {
  const { tasks } = JSON.parse(await read("deno.json"));
  for (const name of ["start", "dev", "lab", "bench"]) {
    const words: string[] = tasks[name].command.split(" ");
    assert.ok(words.includes(`--v8-flags=${V8_FLAGS}`), `${name}: --v8-flags=${V8_FLAGS}`);
  }
});

Deno.test("tasks: the image sets up the allocator as the task start does", async () => {
  const { tasks } = JSON.parse(await read("deno.json"));
  const [variable] = tasks.start.command.split(" ");
  assert.match(variable, /^MALLOC_MMAP_THRESHOLD_=\d+$/);
  assert.ok((await read("Dockerfile")).includes(`ENV ${variable}\n`), variable);
});

Deno.test("tasks: what start runs is joined anew when any file of the program has changed", async () => {
  const { tasks } = JSON.parse(await read("deno.json"));
  assert.deepEqual(tasks.start.dependencies, ["build"]);
  const folder = tasks.build.command.split(" ").at(-1);
  assert.equal(tasks.start.command.split(" ").at(-1), `${folder}/${PROGRAM_ENTRY}`);
  assert.deepEqual(tasks.build.output, [`${folder}/**`]);
  const watched: string[] = tasks.build.files;
  const isWatched = (file: string): boolean =>
    watched.some((glob) =>
      glob.endsWith("/**/*") ? file.startsWith(glob.slice(0, -4)) : glob === file
    );
  const reached = new Set(["main.ts", ...WORKER_ENTRIES]);
  for (const file of reached) {
    for (const { from, to, code } of edges) {
      if (from === file && code && !/^(npm|node):/.test(to)) reached.add(to);
    }
  }
  assert.ok(reached.has("deno.json") && reached.size > 300, "the graph was followed");
  assert.deepEqual([...reached].filter((file) => !isWatched(file)), []);
  for (const file of ["deno.lock", "scripts/bundle.ts"]) assert.ok(isWatched(file), file);
});

Deno.test("tasks: each has a description", async () => {
  const { tasks } = JSON.parse(await read("deno.json"));
  const names = ["start", "dev", "test", "bench", "compile", "proto", "lint", "fmt", "check", "ok"];
  for (const name of names) {
    assert.ok(name in tasks, `there is a task ${name}`);
  }
  for (const [name, task] of Object.entries<{ description?: string }>(tasks)) {
    assert.ok(task.description, `${name} has a description`);
  }
});
