/** The library under Node.js: its sources as they are, and the package that is made of them. */

import assert from "node:assert/strict";
import { say } from "../../helpers/say.ts";
import { findNode } from "../../../scripts/find_node.ts";

const ROOT = new URL("../../../", import.meta.url);
const node = await findNode();
const ignore = "missing" in node;
if ("missing" in node) say(`skipped: ${node.missing}`);

async function run(module: string): Promise<void> {
  assert.ok("path" in node);
  const main = new URL("../../helpers/node/threads_main.mjs", import.meta.url).pathname;
  const { code, stdout, stderr } = await new Deno.Command(node.path, {
    args: ["--disable-warning=ExperimentalWarning", main, module],
    signal: AbortSignal.timeout(60_000),
  }).output();
  const errors = new TextDecoder().decode(stderr);
  assert.equal(errors, "", `node ${node.version}`);
  assert.equal(code, 0);
  const result = JSON.parse(new TextDecoder().decode(stdout));
  assert.equal(result.sum, 2000 * 2001 / 2);
  assert.equal(result.processed, "2000");
  assert.equal(result.perThread, 4, "every thread took part");
  assert.ok(result.byThread.every((count: number) => count > 0), `${result.byThread}`);
  assert.deepEqual(result.exitCodes, [0, 0, 0, 0], "threads end by themselves");
  assert.ok(result.highWaterMark <= 16);
  assert.equal(result.drained, true);
  assert.equal(result.recovery, "none", "a thread that slept held no lock");
  assert.equal(result.afterDeath, "still works");
  assert.equal(result.code, "NOT_AN_INTEGER");
  assert.equal(result.threadCount, 1, "who is done has given its id back");
}

Deno.test({
  name: "Node.js: threads share a store and channels, from the sources",
  ignore,
  fn: () => run(new URL("src/embed/portable.ts", ROOT).href),
});

Deno.test({
  name: "Node.js: the package has all that it needs, and types that say what it is",
  ignore,
  fn: async () => {
    const folder = await Deno.makeTempDir();
    try {
      const target = `${folder}/node_modules/sluice`;
      const build = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "scripts/build_npm.ts", target],
        cwd: ROOT,
      }).output();
      assert.ok(build.success, new TextDecoder().decode(build.stderr));
      await Deno.writeTextFile(`${folder}/package.json`, `{"type":"module"}`);
      await Deno.writeTextFile(`${folder}/entry.mjs`, `export * from "sluice";\n`);
      const readme = await Deno.readTextFile(`${target}/README.md`);
      assert.match(readme, /from "sluice"/);
      assert.doesNotMatch(readme, /"\.\.\/src|\]\((?!https:)/, "nothing points out of the package");
      await run(`file://${folder}/entry.mjs`);
      await Deno.copyFile(`${target}/index.d.ts`, `${folder}/types.d.ts`);
      await checkTypes(folder);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

/** A user's program, right but for one line, which must be the only error. */
async function checkTypes(folder: string): Promise<void> {
  const source = `import { BoundedChannel, Store, type StoreMemory } from "sluice";
    const store: Store = Store.create({ shards: 4 });
    const memory: StoreMemory = store.memory;
    const text: string | undefined = Store.attach(memory).get("key");
    const message: Uint8Array | undefined = await BoundedChannel.create().recvAsync();
    // @ts-expect-error -- a sum is no text
    const wrong: string = Store.create().add("key");
    export { message, text, wrong };\n`;
  await Deno.writeTextFile(`${folder}/user.ts`, source);
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["check", "--node-modules-dir=manual", "user.ts", "types.d.ts"],
    cwd: folder,
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
}
