/**
 * Runs the end-to-end tests with every kind of server: `deno task test:matrix`.
 *
 * One and two I/O threads, one shard and many, both kinds of locks: what the tests promise must not
 * depend on them (C16). Arguments are the test files; all that do not take long when left out.
 *
 * @module
 */

/** What takes long, and is about the load and not about the kind of server. */
const LEFT_OUT = /^(executable|fairness|flood|fuzz|http_tools)_test\.ts$/;

const PERMISSIONS = ["net", "env", "read", "write", "run", "sys"].map((name) => `--allow-${name}`);

interface Kind {
  readonly ioThreads: number;
  readonly shards: number;
  readonly lock: "mutex" | "rwlock";
}

const KINDS: readonly Kind[] = [1, 2].flatMap((ioThreads) =>
  [1, 64].flatMap((shards) =>
    (["mutex", "rwlock"] as const).map((lock) => ({ ioThreads, shards, lock }))
  )
);

function testFiles(): string[] {
  const names = [...Deno.readDirSync("tests/e2e")].map(({ name }) => name);
  return names.filter((name) => name.endsWith("_test.ts") && !LEFT_OUT.test(name))
    .map((name) => `tests/e2e/${name}`).toSorted();
}

/** Returns whether everything passed, and the test runner's last line. */
async function run(kind: Kind, files: readonly string[]): Promise<{ ok: boolean; text: string }> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["test", "--no-prompt", "--quiet", ...PERMISSIONS, ...files],
    env: {
      NO_COLOR: "1",
      SLUICE_IO_THREADS: String(kind.ioThreads),
      SLUICE_SHARDS: String(kind.shards),
      SLUICE_LOCK: kind.lock,
    },
    stdout: "piped",
    stderr: "piped",
  });
  const { success, stdout, stderr } = await command.output();
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  return { ok: success, text };
}

const files = Deno.args.length > 0 ? [...Deno.args] : testFiles();
let failed = false;
const print = (text: string): void => void Deno.stdout.writeSync(new TextEncoder().encode(text));

print("I/O threads  shards  lock    result\n");
for (const kind of KINDS) {
  const { ioThreads, shards, lock } = kind;
  print(`${String(ioThreads).padStart(11)}  ${String(shards).padStart(6)}  ${lock.padEnd(6)}  `);
  const { ok, text } = await run(kind, files);
  const summary = /^(?:ok|FAILED) \| .*$/m.exec(text)?.[0] ?? "no test ran";
  print(`${summary}\n`);
  // At once: who ends it early should know as well.
  if (!ok) print(`\n${text}\n`);
  failed ||= !ok;
}
Deno.exit(failed ? 1 : 0);
