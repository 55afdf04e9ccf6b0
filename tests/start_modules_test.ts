/**
 * What a server loads at its start: nothing that its flags do not ask for.
 */

import assert from "node:assert/strict";
import { joinedWorker, removeLeftBehind, WORKER_ENTRIES } from "../scripts/bundle.ts";

const ROOT = new URL("../", import.meta.url);

interface Module {
  specifier: string;
  dependencies?: { code?: { specifier?: string }; isDynamic?: boolean }[];
}

/** Reads what `entry` imports: at once, and at any time. */
async function readImports(
  entry: string,
): Promise<{ atOnce: Set<string>; everything: Set<string> }> {
  const { stdout, success } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", entry],
    cwd: ROOT,
    stderr: "null",
  }).output();
  assert.ok(success, `deno info reads ${entry}`);
  const { modules }: { modules: Module[] } = JSON.parse(new TextDecoder().decode(stdout));
  const byName = new Map(modules.map((module) => [module.specifier, module]));
  const follow = (withDynamic: boolean): Set<string> => {
    const found = new Set<string>();
    const visit = (name: string): void => {
      if (found.has(name)) return;
      found.add(name);
      for (const { code, isDynamic } of byName.get(name)?.dependencies ?? []) {
        if (code?.specifier === undefined || (isDynamic === true && !withDynamic)) continue;
        visit(code.specifier);
      }
    };
    visit(new URL(entry, ROOT).href);
    return new Set([...found].map((name) => name.replace(ROOT.href, "")));
  };
  return { atOnce: follow(false), everything: follow(true) };
}

/** Those that are neither ours nor needed by every server. */
function foreign(names: ReadonlySet<string>): string[] {
  return [...names].filter((name) => /^(npm|node):/.test(name) && !name.includes("@logtape/"))
    .toSorted();
}

/** Our own for some flags, protocols or commands only. */
const OPTIONAL = [
  "src/cli/command_line.ts",
  "src/cli/data.ts",
  "src/cli/health.ts",
  "src/cli/stress.ts",
  "src/data/load.ts",
  "src/migration/redis_files.ts",
  "src/protocol/protobuf/proto_service.ts",
  "src/server/own_processor.ts",
  "src/server/page/page_files.ts",
  "src/server/static/static_files.ts",
  "src/server/tls/terminator.ts",
  "src/worker/processor_module.ts",
];

Deno.test("start: a server with default flags loads no library but that of the log", async () => {
  const { atOnce, everything } = await readImports("main.ts");
  assert.ok(atOnce.has("src/server/start.ts"), "the server was found");
  assert.deepEqual(foreign(atOnce), []);
  assert.deepEqual(OPTIONAL.filter((name) => atOnce.has(name)), []);
  assert.deepEqual(OPTIONAL.filter((name) => !everything.has(name)), [], "they are there");
  const libraries = foreign(everything).join(" ");
  for (const name of ["@bufbuild/protobuf", "commander", "mime", "node:zlib", "node:tls"]) {
    assert.ok(libraries.includes(name), `${name} is loaded when it is needed`);
  }
});

Deno.test("start: an I/O thread loads no more than the main isolate of a server with one", async () => {
  const { atOnce } = await readImports("src/server/io_worker_main.ts");
  assert.ok(atOnce.has("src/server/io_thread.ts"), "the thread was found");
  assert.deepEqual(foreign(atOnce), []);
  assert.deepEqual(OPTIONAL.filter((name) => atOnce.has(name)), []);
});

Deno.test("start: an event worker loads no libraries, protocols and commands", async () => {
  const { atOnce } = await readImports("src/worker/worker_main.ts");
  assert.ok(atOnce.has("src/store/store.ts"), "the store was found");
  const allowed = /^src\/(base|channel|metrics|pubsub|store|worker)\//;
  assert.deepEqual([...atOnce].filter((name) => !allowed.test(name)), []);
});

const JOINED = Deno.env.get("SLUICE_TEST_PROGRAM");

Deno.test("start: joined modules load nothing of Node.js before it is needed", {
  // A path of joined modules, when all tests are run.
  ignore: JOINED === undefined,
}, async () => {
  const folder = JOINED!.slice(0, JOINED!.lastIndexOf("/"));
  for (
    const entry of [
      JOINED!,
      ...WORKER_ENTRIES.map((entry) => `${folder}/${joinedWorker(entry)}`),
    ]
  ) {
    const { atOnce } = await readImports(entry);
    assert.ok(atOnce.size > 2, `${entry} was read`);
    assert.deepEqual(foreign(atOnce), [], entry);
  }
});

Deno.test("bundle: removes what killed builds left behind, and nothing else", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const names = ["server", "server.1", "server.22", "server.old", "servers.3", "tested.4"];
    for (const name of names) await Deno.mkdir(`${folder}/${name}`);
    await Deno.writeTextFile(`${folder}/server.1/main.js`, "half of it");
    const longAgo = new Date(Date.now() - 60 * 60_000);
    for (const name of names) {
      if (name !== "server.22") await Deno.utime(`${folder}/${name}`, longAgo, longAgo);
    }
    await removeLeftBehind(`${folder}/server`);
    const left = (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).toSorted();
    assert.deepEqual(left, names.filter((name) => name !== "server.1"));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
