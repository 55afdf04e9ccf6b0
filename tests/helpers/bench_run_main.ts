/**
 * Runs the benchmarks of one file a few times each, without measuring, and writes what they are:
 *
 * ```json
 * [{ "group": "mask of 64 KiB", "name": "unmask", "baseline": true }]
 * ```
 *
 *     deno run -A tests/helpers/bench_run_main.ts bench/websocket_bench.ts
 *
 * @module
 */

/** Often enough that what the first run leaves behind is met by a second. */
const RUNS = 2;

/** What `Deno.bench` was told. */
type Definition = Partial<Deno.BenchDefinition>;

/** What a bench gets, when nobody measures. */
const CONTEXT: Deno.BenchContext = { name: "", origin: "", start: () => {}, end: () => {} };

const definitions: Definition[] = [];

/** Takes the arguments of any of the forms that `Deno.bench` has. */
function register(...args: readonly (string | Definition | Definition["fn"])[]): void {
  const definition: Definition = {};
  for (const arg of args) {
    if (typeof arg === "string") definition.name = arg;
    else if (typeof arg === "function") definition.fn = arg;
    else Object.assign(definition, arg);
  }
  definitions.push(definition);
}

Object.defineProperty(Deno, "bench", { value: register });

await import(new URL(Deno.args[0]!, `file://${Deno.cwd()}/`).href);
for (const { name, fn, ignore } of definitions) {
  if (ignore) continue;
  for (let i = 0; i < RUNS; i++) {
    try {
      await fn!(CONTEXT);
    } catch (error) {
      throw new Error(`Cannot run the bench "${name}"`, { cause: error });
    }
  }
}

const list = definitions.map(({ group = null, name = "", baseline = false }) => ({
  group,
  name,
  baseline,
}));
await Deno.stdout.write(new TextEncoder().encode(JSON.stringify(list) + "\n"));
// Workers that wait for more would keep the process.
Deno.exit(0);
