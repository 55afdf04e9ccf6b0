import assert from "node:assert/strict";
import { OWN_PAGES_BYTES } from "../../../src/cli/allocator.ts";

/** For a test that asks glibc. */
const needsGlibc = { ignore: Deno.build.os !== "linux" || Deno.build.target.endsWith("-musl") };

/** The module, for an import in the text of a program. */
const MODULE = JSON.stringify(new URL("../../../src/cli/allocator.ts", import.meta.url).href);

/**
 * Where the C library puts blocks, before and after: in a process of its own, because it stays so.
 * `malloc` of a block with pages of its own is 16 bytes behind the beginning of a page.
 */
const BLOCKS = `
  import { giveLargeBlocksBack, OWN_PAGES_BYTES } from ${MODULE};
  const { malloc } = Deno.dlopen("libc.so.6", {
    malloc: { parameters: ["usize"], result: "pointer" },
  }).symbols;
  const withOwnPages = (bytes) => {
    let count = 0;
    for (let i = 0; i < 20; i++) {
      if (Deno.UnsafePointer.value(malloc(BigInt(bytes + 100 * i))) % 4096n === 16n) count++;
    }
    return count;
  };
  const before = withOwnPages(OWN_PAGES_BYTES);
  const isSet = giveLargeBlocksBack();
  console.log(JSON.stringify({
    before,
    isSet,
    after: withOwnPages(OWN_PAGES_BYTES),
    smaller: withOwnPages(OWN_PAGES_BYTES / 2),
  }));
`;

/** Runs a module whose allocator has the setting that it has by default, and keeps it. */
async function runModule(code: string, permissions: readonly string[], cwd = "."): Promise<string> {
  const { stdout, stderr, success } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--no-prompt", "--no-check", "--no-config", ...permissions],
      `data:text/javascript,${encodeURIComponent(code)}`,
    ],
    cwd,
    env: { MALLOC_MMAP_THRESHOLD_: "131072" },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  assert.ok(success, decoder.decode(stderr));
  return decoder.decode(stdout);
}

Deno.test("giveLargeBlocksBack: blocks of its size have pages of their own from then on", {
  ...needsGlibc,
}, async () => {
  const { before, isSet, after, smaller } = JSON.parse(await runModule(BLOCKS, ["-A"]));
  assert.equal(isSet, true);
  assert.ok(before < 10, `${before} of 20 before`);
  // Some may be taken from what was free in the heap.
  assert.ok(after >= 15, `${after} of 20 after`);
  assert.ok(smaller < 10, `${smaller} of 20 that are smaller`);
});

Deno.test("giveLargeBlocksBack: loads nothing from the folder where the program is started", {
  ...needsGlibc,
}, async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/libc.so.6`, "no library");
    const code = `
      import { giveLargeBlocksBack } from ${MODULE};
      console.log(giveLargeBlocksBack());
    `;
    assert.equal(await runModule(code, ["-A"], folder), "true\n");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("giveLargeBlocksBack: says so when it may not, and nothing breaks", async () => {
  const code = `
    import { giveLargeBlocksBack } from ${MODULE};
    console.log(giveLargeBlocksBack());
  `;
  assert.equal(await runModule(code, ["--allow-read"]), "false\n");
});

Deno.test("settleAllocator: leaves a program alone that is no executable, and its permissions", async () => {
  const code = `
    import { settleAllocator } from ${MODULE};
    settleAllocator();
    console.log(Deno.permissions.querySync({ name: "ffi" }).state);
  `;
  assert.equal(await runModule(code, ["-A"]), "granted\n");
});

Deno.test("settleAllocator: comes first in a program whose executable may call the library", async () => {
  const read = (path: string) => Deno.readTextFile(new URL(`../../../${path}`, import.meta.url));
  assert.match(await read("main.ts"), /\nsettleAllocator\(\);[^;]+await main\(/);
  assert.match(await read("scripts/compile.ts"), /\n {2}"--allow-ffi",\n/);
});

Deno.test("OWN_PAGES_BYTES: is what the task start has in its environment", async () => {
  const file = new URL("../../../deno.json", import.meta.url);
  const { tasks } = JSON.parse(await Deno.readTextFile(file));
  assert.ok(tasks.start.command.startsWith(`MALLOC_MMAP_THRESHOLD_=${OWN_PAGES_BYTES} `));
});
