import assert from "node:assert/strict";
import {
  checkProcessor,
  loadProcessor,
  ProcessorLoadError,
  processorPlace,
  processorUrl,
} from "../../../src/worker/processor_module.ts";

const URL_OF_ONE = "file:///srv/My%20API-credits.v2.ts";
const process = (): void => {};

Deno.test("checkProcessor: what is left out has its default", () => {
  const loaded = checkProcessor({ process }, URL_OF_ONE);
  assert.deepEqual(
    { ...loaded, processor: undefined },
    {
      name: "my_api_credits_v2",
      processor: undefined,
      concurrency: 1,
      timeoutMs: 30_000,
      counters: [],
      schema: undefined,
    },
  );
});

Deno.test("checkProcessor: keeps the object, so that its methods may use this", () => {
  class Mine {
    readonly name = "mine";
    readonly counters = ["seen"];
    process(): string {
      return this.name;
    }
  }
  const mine = new Mine();
  const loaded = checkProcessor(mine, URL_OF_ONE);
  assert.equal(loaded.processor, mine);
  assert.equal(loaded.name, "mine");
  assert.deepEqual(loaded.counters, ["seen"]);
});

Deno.test("checkProcessor: a name is made from the file where there is none", () => {
  const name = (url: string) => checkProcessor({ process }, url).name;
  assert.equal(name("file:///srv/credits.ts"), "credits");
  assert.equal(name("https://example.com/x/top-n.mjs?v=2#frag"), "top_n");
  assert.equal(name("file:///srv/2fast.js"), "fast");
  assert.equal(name("file:///srv/__.js"), "processor");
  assert.equal(name(`file:///srv/${"a".repeat(90)}.js`), "a".repeat(32));
  const named = Object.assign(() => {}, { process });
  assert.equal(checkProcessor(named, "file:///srv/fn.ts").name, "fn");
});

Deno.test("checkProcessor: a member that is mistyped is named, with what was meant", () => {
  const cases: [object, RegExp][] = [
    [{ process, concurency: 4 }, /member "concurency", .*; did you mean concurrency\?$/],
    [{ process, timeoutMS: 5 }, /member "timeoutMS", .*; did you mean timeoutMs\?$/],
    [{ process, valdiate: process }, /did you mean validate\?$/],
    [{ process, Schema: {} }, /did you mean schema\?$/],
    [{ process, counter: 1 }, /did you mean counters\?$/],
    [{ process, retries: 3 }, /member "retries", .*; theirs are name, concurrency, timeoutMs, /],
    [Object.assign(Object.create(null), { process, nmae: "x" }), /did you mean name\?$/],
    [
      new class {
        concurency = 4;
        process() {}
      }(),
      /^it has a member "concurency" and no concurrency: did you mean that\?$/,
    ],
    [
      new class {
        process() {}
        validte() {}
      }(),
      /"validte" and no validate/,
    ],
    [Object.assign(() => {}, { process, counter: ["a"] }), /"counter" and no counters/],
  ];
  for (const [processor, message] of cases) {
    assert.throws(() => checkProcessor(processor, URL_OF_ONE), { name: "TypeError", message });
  }
  class Own {
    counter = 0;
    names = ["a"];
    timeoutCount = 3;
    readonly validate = undefined;
    get schem(): never {
      throw new Error("nobody looks at it");
    }
    process(): void {}
    processed(): void {}
  }
  checkProcessor(new Own(), URL_OF_ONE);
  checkProcessor(new class extends Own {}(), URL_OF_ONE);
  checkProcessor(Object.assign(() => {}, { process, cache: new Map() }), URL_OF_ONE);
  checkProcessor({ process, [Symbol.for("mine")]: 1 }, URL_OF_ONE);
});

Deno.test("checkProcessor: says what is wrong with a processor", () => {
  const cases: [unknown, RegExp][] = [
    [undefined, /default export has no process/],
    [null, /default export has no process/],
    [5, /default export has no process/],
    [{}, /default export has no process/],
    [{ process: 1 }, /default export has no process/],
    [class {}, /default export has no process/],
    [
      class {
        process() {}
      },
      /^its default export is a class: export an instance of it, new ...\(\)$/,
    ],
    [
      { process, schema: { properties: { a: { type: "string", enum: [1n] } } } },
      /has 1 in its enum/,
    ],
    [{ process, validate: "x" }, /^validate must be a function$/],
    [{ process, name: "My" }, /^name must be a small letter and up to 31/],
    [{ process, name: "a".repeat(33) }, /^name must be/],
    [{ process, name: 5 }, /^name must be/],
    [{ process, concurrency: 0 }, /^concurrency must be a whole number from 1 to 64$/],
    [{ process, concurrency: 65 }, /^concurrency must be/],
    [{ process, concurrency: 1.5 }, /^concurrency must be/],
    [{ process, concurrency: "2" }, /^concurrency must be/],
    [{ process, timeoutMs: 0 }, /^timeoutMs must be a whole number from 1 to 3600000$/],
    [{ process, timeoutMs: Infinity }, /^timeoutMs must be/],
    [{ process, counters: "a" }, /^counters must be an array of names$/],
    [{ process, counters: ["A"] }, /^the counter "A" must be named/],
    [{ process, counters: ["stray_errors"] }, /^the counter stray_errors must be named otherwise/],
    [{ process, counters: ["a", "a"] }, /^counters must be named differently$/],
    [{ process, counters: Array.from({ length: 33 }, (_, i) => `c${i}`) }, /at most 32 names/],
    [{ process, schema: null }, /^the schema must be an object$/],
    [
      { process, schema: { properties: { id: { type: "string" } } } },
      /^the field id must be named/,
    ],
  ];
  for (const [value, message] of cases) {
    assert.throws(() => checkProcessor(value, URL_OF_ONE), { name: "TypeError", message });
  }
});

Deno.test("processorUrl: a path is looked up from the folder, a URL stays what it is", () => {
  assert.equal(processorUrl("mine.ts", "/srv/app"), "file:///srv/app/mine.ts");
  assert.equal(processorUrl("../mine.ts", "/srv/app"), "file:///srv/mine.ts");
  assert.equal(processorUrl("/opt/mine.ts", "/srv/app"), "file:///opt/mine.ts");
  assert.equal(processorUrl("a b#1?%.ts", "/srv"), "file:///srv/a%20b%231%3F%25.ts");
  assert.equal(processorUrl("mine.ts", "C:\\app"), "file:///C:/app/mine.ts");
  assert.equal(processorUrl("D:\\x\\mine.ts", "C:\\app"), "file:///D:/x/mine.ts");
  for (
    const url of [
      "https://example.com/p.ts",
      "file:///x.ts",
      "npm:mine@1",
      "data:text/javascript,1",
    ]
  ) {
    assert.equal(processorUrl(url, "/srv"), url);
  }
  assert.equal(processorPlace("file:///srv/a%20b%231.ts"), "/srv/a b#1.ts");
  assert.equal(processorPlace("https://example.com/p.ts"), "https://example.com/p.ts");
});

Deno.test("loadProcessor: loads a module, TypeScript and JavaScript, and says why it cannot", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const write = async (name: string, text: string): Promise<string> => {
      await Deno.writeTextFile(`${folder}/${name}`, text);
      return processorUrl(name, folder);
    };
    const typed = await write(
      "a processor #1.ts",
      `const limit: number = 3;\nexport default { concurrency: limit, process(): void {} };\n`,
    );
    const loaded = await loadProcessor(typed);
    assert.equal(loaded.concurrency, 3);
    assert.equal(loaded.name, "a_processor__1");
    const plain = await write("plain.mjs", `export default { name: "plain", process() {} };\n`);
    assert.equal((await loadProcessor(plain)).name, "plain");

    const failures: [string, RegExp][] = [
      [processorUrl("no_such.ts", folder), /no_such\.ts: there is no such file$/],
      [await write("syntax.js", "export default {"), /syntax\.js: .*syntax\.js:1:\d+$/],
      [
        await write("imports.js", `import "./missing.js";`),
        /: it imports .*\/missing\.js, which is not/,
      ],
      [await write("throws.js", `throw new Error("no\\nluck");`), /throws\.js: no$/],
      [await write("throws_text.js", `throw "luck";`), /throws_text\.js: luck$/],
      [await write("nothing.js", "export const x = 1;"), /its default export has no process\(\)$/],
      [
        await write("wrong.js", "export default { process() {}, timeoutMs: -1 };"),
        /timeoutMs must/,
      ],
      [
        await write("getter.js", "export default { process() {}, get name() { throw 1; } };"),
        /: 1$/,
      ],
    ];
    for (const [url, message] of failures) {
      await assert.rejects(loadProcessor(url), (error: unknown) => {
        assert.ok(error instanceof ProcessorLoadError, String(error));
        assert.match(error.message, message);
        assert.match(error.message, /^Cannot use the processor /);
        assert.doesNotMatch(error.message, /\n/, "one line");
        return true;
      });
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
