import assert from "node:assert/strict";
import { type InitOrder, resolveInitOrder } from "../../../src/cli/init_order.ts";
import { runInitOrder } from "../../../src/cli/init_processor.ts";
import { shellWord } from "../../../src/cli/shell_words.ts";

const TYPES = "sluice_processor.d.ts";

class Folder implements Disposable {
  readonly path = Deno.makeTempDirSync();

  async init(
    file: string,
    isForced = false,
    program = ["sluice"],
  ): Promise<{ code: number; out: string; err: string }> {
    const said = { out: "", err: "" };
    const code = await runInitOrder({ file: `${this.path}/${file}`, isForced }, {
      program,
      print: (text) => Promise.resolve(void (said.out += text)),
      complain: (text) => Promise.resolve(void (said.err += text)),
    });
    return { code, ...said };
  }

  names(): string[] {
    return [...Deno.readDirSync(this.path)].map(({ name }) => name).toSorted();
  }

  read(name: string): string {
    return Deno.readTextFileSync(`${this.path}/${name}`);
  }

  write(name: string, text: string): void {
    Deno.writeTextFileSync(`${this.path}/${name}`, text);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

Deno.test("init-processor: the file may be named, and must be a module", () => {
  const order = (words: string[]): InitOrder => {
    const result = resolveInitOrder(words, false);
    assert.equal(result.kind, "order");
    return (result as { order: InitOrder }).order;
  };
  assert.equal(order([]).file, "processor.ts");
  for (const file of ["a.ts", "b/c.mts", "../x.y.js", "C:\\p\\m.mjs"]) {
    assert.equal(order([file]).file, file);
  }
  for (const file of ["a", "a.txt", "a.d.ts", ".ts", "x/.js", "", "a.ts/", "a.tsx"]) {
    const result = resolveInitOrder([file], false);
    assert.match((result as { message: string }).message, /must end in \.ts, \.mts, \.js or \.mjs/);
  }
  const extra = resolveInitOrder(["a.ts", "b.ts"], false);
  assert.match((extra as { message: string }).message, /^unknown argument "b\.ts"/);
});

Deno.test("init-processor: writes the processor, its test and the types, in the language of the name", async () => {
  using folder = new Folder();
  const typed = await folder.init("mine.ts");
  assert.equal(typed.code, 0, typed.err);
  assert.deepEqual(folder.names(), ["mine.ts", "mine_test.ts", TYPES]);
  for (const name of folder.names()) assert.ok(typed.out.includes(`/${name}\n`), name);
  const plain = await folder.init("plain.mjs");
  assert.equal(plain.code, 0, "types that are there and the same are nobody's trouble");
  assert.deepEqual(folder.names(), [
    ...["mine.ts", "mine_test.ts", "plain.mjs", "plain_test.mjs", TYPES],
  ]);
  assert.match(folder.read("plain_test.mjs"), /"\.\/plain\.mjs"/);
  assert.doesNotMatch(folder.read("plain.mjs"), /import type|: Processor/);
});

Deno.test("init-processor: replaces nothing unless it is told to", async () => {
  for (const name of ["mine.ts", "mine_test.ts", TYPES]) {
    using folder = new Folder();
    folder.write(name, "work of weeks");
    const refused = await folder.init("mine.ts");
    assert.equal(refused.code, 1);
    assert.match(refused.err, new RegExp(`^sluice: .*/${name} is there already; --force replaces`));
    assert.deepEqual(folder.names(), [name], "nothing else was written");
    assert.equal(folder.read(name), "work of weeks");
    const forced = await folder.init("mine.ts", true);
    assert.equal(forced.code, 0);
    assert.notEqual(folder.read(name), "work of weeks");
  }
  using folder = new Folder();
  const nowhere = await folder.init("no/such/mine.ts");
  assert.equal(nowhere.code, 1);
  assert.equal(nowhere.err, "sluice: Cannot write the processor: there is no such folder\n");
});

Deno.test({
  name: "init-processor: what it says to try can be pasted into a shell, whatever the names are",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    using folder = new Folder();
    const dollars = "it's $HOME `date` & co";
    await Deno.mkdir(`${folder.path}/${dollars}`);
    for (const program of [["sluice"], ["deno", "run", "-A", "/my files/main.ts"]]) {
      const { out } = await folder.init(`${dollars}/my points.ts`, true, program);
      const [start, test] = out.split("Try it:\n")[1]!.trimEnd().split("\n");
      // The shell says what it makes of them, one word a line.
      const words = async (line: string): Promise<string[]> => {
        const script = `show() { for word; do printf '%s\\n' "$word"; done; }; show ${line}`;
        const { stdout } = await new Deno.Command("sh", { args: ["-c", script] }).output();
        return new TextDecoder().decode(stdout).trimEnd().split("\n");
      };
      const file = `${folder.path}/${dollars}/my points`;
      assert.deepEqual(await words(start!), [...program, "--processor", `${file}.ts`]);
      const spaced = program.some((word) => word.includes(" "));
      assert.deepEqual(await words(test!), [
        `SLUICE=${spaced ? JSON.stringify(program) : program.join(" ")}`,
        ...["deno", "test", "-A", `${file}_test.ts`],
      ]);
    }
    const plain = await folder.init("plain.ts");
    assert.ok(plain.out.endsWith(`SLUICE=sluice deno test -A ${folder.path}/plain_test.ts\n`));
  },
});

Deno.test("shellWord: on Windows double quotes are put around what has spaces", () => {
  assert.equal(shellWord("C:\\My files\\p.ts", true), '"C:\\My files\\p.ts"');
  assert.equal(shellWord("C:\\files\\p.ts", true), "C:\\files\\p.ts");
  assert.equal(shellWord("", false), "''");
});

Deno.test("init-processor: what is written passes the type checker, and its types are the program's", async () => {
  using folder = new Folder();
  await folder.init("mine.ts");
  await folder.init("plain.js");
  const real = new URL("../../../src/worker/processor.ts", import.meta.url).href;
  folder.write(
    "same.ts",
    `import type * as Real from ${JSON.stringify(real)};
import type * as Written from "./${TYPES}";

type Same<A, B> = [keyof A] extends [keyof B] ? [keyof B] extends [keyof A] ? true : false : false;
const namesAreTheSame: [
  Same<Real.Processor, Written.Processor>,
  Same<Real.ProcessorEvent, Written.ProcessorEvent>,
  Same<Real.ProcessorContext, Written.ProcessorContext>,
  Same<Real.ProcessorLogger, Written.ProcessorLogger>,
  Same<NonNullable<Real.Processor["schema"]>, Written.EventSchema>,
  Same<
    NonNullable<Real.Processor["schema"]>["properties"][string],
    Written.EventSchema["properties"][string]
  >,
] = [true, true, true, true, true, true];
export function bothWays(
  processor: Written.Processor,
  event: Real.ProcessorEvent,
  context: Real.ProcessorContext,
): [Real.Processor, Written.ProcessorEvent, Written.ProcessorContext, typeof namesAreTheSame] {
  return [processor, event, context, namesAreTheSame];
}
`,
  );
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["check", "--no-lock", "same.ts", "mine.ts", "mine_test.ts", "plain.js", "plain_test.js"],
    cwd: folder.path,
    env: { NO_COLOR: "1" },
    stdout: "null",
    stderr: "piped",
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
});
