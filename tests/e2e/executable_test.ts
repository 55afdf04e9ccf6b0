/**
 * The executable: what is in it, and that it needs nothing else.
 */

import assert from "node:assert/strict";
import {
  joinedWorker,
  PROGRAM_ENTRY,
  PROGRAM_FOLDER,
  WORKER_ENTRIES,
} from "../../scripts/bundle.ts";
import { VERSION } from "../../src/server/version.ts";
import { type Build, buildExecutable, embeddedFiles, runProgram } from "../helpers/executable.ts";
import { eventRequest, RawClient, respCommand } from "../helpers/raw_client.ts";
import { ServerProcess } from "../helpers/server_process.ts";

const ROOT = new URL("../../", import.meta.url);

const folder = await Deno.makeTempDir({ prefix: "sluice-executable-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

const build: Build = await buildExecutable(folder);
if (build.kind === "unavailable") {
  // Shown among the results, because what a module writes is not.
  const name = `executable: the tests that need it are skipped: ${build.reason}`;
  Deno.test({ name, ignore: true, fn: () => {} });
}

/** For a test that needs the executable. */
const needsBuild = { ignore: build.kind === "unavailable" };
const needsSignals = { ignore: build.kind === "unavailable" || Deno.build.os === "windows" };

function built(): Extract<Build, { kind: "built" }> {
  assert.ok(build.kind === "built");
  return build;
}

/** The environment of a program that has none: only where files for a while go. */
async function bareEnvironment(name: string): Promise<Record<string, string>> {
  const temporary = `${folder}/${name}`;
  await Deno.mkdir(temporary, { recursive: true });
  const env: Record<string, string> = { TMPDIR: temporary, TEMP: temporary, TMP: temporary };
  const systemRoot = Deno.env.get("SystemRoot");
  if (systemRoot !== undefined) env["SystemRoot"] = systemRoot;
  return env;
}

/** Runs the executable to its end. */
async function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return await runProgram(built().path, args, {
    clearEnv: true,
    env: await bareEnvironment("tmp"),
  });
}

interface InfoModule {
  specifier: string;
  error?: string;
  dependencies?: { code?: { specifier?: string } }[];
}

/** The modules that `entry` can load, static and dynamic imports; paths from the root. */
async function loadable(entry: string): Promise<Set<string>> {
  const { stdout } = await runProgram(Deno.execPath(), ["info", "--json", entry]);
  const modules = new Map<string, InfoModule>(
    (JSON.parse(stdout).modules as InfoModule[]).map((module) => [module.specifier, module]),
  );
  const found = new Set<string>();
  const visit = (specifier: string): void => {
    if (!specifier.startsWith(ROOT.href) || found.has(specifier)) return;
    const module = modules.get(specifier);
    assert.ok(module !== undefined && module.error === undefined, specifier);
    found.add(specifier);
    for (const { code } of module.dependencies ?? []) {
      if (code?.specifier !== undefined) visit(code.specifier);
    }
  };
  visit(new URL(entry, ROOT).href);
  return new Set([...found].map((specifier) => specifier.slice(ROOT.href.length)));
}

/** What the program is made of; paths from the root. */
interface Program {
  /** Every module that it can load, in any of its threads. */
  readonly modules: readonly string[];
  /** Modules that it starts workers with. */
  readonly workers: readonly string[];
}

/** Reads the program from its sources, and not from the list that is to be tested. */
async function readProgram(): Promise<Program> {
  const modules = new Set<string>();
  const entries = ["main.ts"];
  // Grows on the way: workers may start workers.
  for (const entry of entries) {
    for (const path of await loadable(entry)) {
      if (modules.has(path)) continue;
      modules.add(path);
      for (const worker of await workersOf(path)) {
        if (!entries.includes(worker)) entries.push(worker);
      }
    }
  }
  return { modules: [...modules].toSorted(), workers: entries.slice(1).toSorted() };
}

async function workersOf(path: string): Promise<string[]> {
  const url = new URL(path, ROOT);
  const text = await Deno.readTextFile(url);
  const found = [...text.matchAll(/\bnew Worker\(\s*new URL\("([^"]+)", import\.meta\.url\)/g)];
  const all = text.match(/\bnew Worker\(/g) ?? [];
  assert.equal(found.length, all.length, `${path}: the module of a worker is a literal`);
  return found.map(([, target]) => new URL(target!, url).href.slice(ROOT.href.length));
}

const program = await readProgram();

Deno.test("executable: every worker that the program starts is on the list of the compile script", () => {
  assert.deepEqual(WORKER_ENTRIES.toSorted(), program.workers);
  assert.ok(program.workers.length > 0, "the workers were found");
});

/** The modules of the joined program, which the executable is made from; paths from its folder. */
async function readJoined(): Promise<string[]> {
  const found = new Set<string>();
  for (const entry of [PROGRAM_ENTRY, ...WORKER_ENTRIES.map(joinedWorker)]) {
    for (const path of await loadable(`${PROGRAM_FOLDER}/${entry}`)) {
      found.add(path.slice(PROGRAM_FOLDER.length + 1));
    }
  }
  return [...found].toSorted();
}

Deno.test(
  "executable: every module that the program can load is embedded",
  needsBuild,
  async () => {
    const isEmbedded = embeddedFiles(built().said);
    const joined = await readJoined();
    assert.ok(joined.length > 2 * WORKER_ENTRIES.length, "deno info read the program");
    assert.deepEqual(joined.filter((path) => !isEmbedded(path)), []);
    assert.ok(!isEmbedded("tests/e2e/executable_test.ts"), "not everything counts as embedded");
    const started: string[] = [];
    for (const path of joined) {
      const url = new URL(`${PROGRAM_FOLDER}/${path}`, ROOT);
      const text = await Deno.readTextFile(url);
      const workers = text.matchAll(/\bnew URL\("([^"]+\.[jt]s)",import\.meta\.url\)/g);
      for (const [, target] of workers) {
        // What the lab starts servers of where there is no executable.
        if (target!.endsWith("/main.ts")) continue;
        started.push(
          new URL(target!, url).href.slice(new URL(`${PROGRAM_FOLDER}/`, ROOT).href.length),
        );
      }
    }
    assert.deepEqual(
      [...new Set(started)].toSorted(),
      program.workers.map(joinedWorker).toSorted(),
    );
  },
);

Deno.test("executable: nothing but the joined program is embedded", needsBuild, () => {
  const { said } = built();
  assert.match(said, /main\.js/, "the compiler listed what it embedded");
  assert.doesNotMatch(said, /[├└]─[─┬] (\S*node_modules\S*|@?bufbuild|ioredis|redis|tests) \(/);
});

Deno.test(
  "executable: serves with two workers, without Deno and its caches, and stops in order",
  needsSignals,
  async () => {
    const env = await bareEnvironment("bare");
    await using server = await ServerProcess.start(["--workers", "2"], {
      program: built().path,
      env,
    });
    await postEventAndReadBalance(server);
    await readLivePage(server);
    server.signal("SIGTERM");
    const { code, lines } = await server.waitForEnd();
    assert.equal(code, 0);
    const last = lines.at(-1)!;
    assert.deepEqual(
      [last["event"], last["processed"], last["pending"], last["lost"]],
      ["stopped", 1, 0, 0],
    );
    assert.deepEqual(server.otherLines.filter((line) => line !== ""), []);
    const left = await Array.fromAsync(Deno.readDir(env["TMPDIR"]!));
    assert.deepEqual(left.map(({ name }) => name), [], "it leaves no file behind");
  },
);

/** The page is inside of the program, the library for its plots, too. */
async function readLivePage(server: ServerProcess): Promise<void> {
  for (const [path, text] of [["", /<title>Sluice/], ["page/uplot.js", /uPlot/]] as const) {
    const response = await fetch(`http://localhost:${server.port("http")}/${path}`);
    assert.equal(response.status, 200, path);
    assert.match(await response.text(), text);
  }
}

async function postEventAndReadBalance(server: ServerProcess): Promise<void> {
  using http = await RawClient.connect(server.port("http"));
  using resp = await RawClient.connect(server.port("resp"));
  await http.send(eventRequest("alice", 100));
  assert.equal((await http.readHttpReply()).status, 202);
  for (;;) {
    await resp.send(respCommand("GET", "balance:alice"));
    const reply = await resp.readUntil("\r\n");
    if (reply === "$3\r\n") break;
    assert.equal(reply, "$-1\r\n", "settled soon");
  }
  assert.equal(await resp.readUntil("\r\n"), "100\r\n");
}

const PLANTED = "planted module was loaded";

/** Puts a module of our own wherever `program` would look for one that is not embedded. */
async function plantModules(temporary: string, name: string): Promise<void> {
  for (const path of [...program.modules, ...await readJoined()]) {
    const file = `${temporary}/deno-compile-${name}/${path}`;
    await Deno.mkdir(file.slice(0, file.lastIndexOf("/")), { recursive: true });
    await Deno.writeTextFile(
      file,
      path.endsWith(".json") ? "{}" : `console.error("${PLANTED}");\n`,
    );
  }
}

Deno.test(
  "executable: modules planted in the folder for temporary files are ignored",
  needsSignals,
  async () => {
    const env = await bareEnvironment("planted");
    await plantModules(env["TMPDIR"]!, "sluice");
    await using server = await ServerProcess.start(["--workers", "2"], {
      program: built().path,
      env,
    });
    await postEventAndReadBalance(server);
    server.signal("SIGTERM");
    const { code, lines } = await server.waitForEnd();
    assert.equal(code, 0);
    assert.equal(lines.at(-1)!["lost"], 0);
    assert.deepEqual(server.otherLines.filter((line) => line !== ""), []);
  },
);

Deno.test(
  "executable: a planted worker is loaded where none is embedded, so the test before can fail",
  needsBuild,
  async () => {
    const source = `${folder}/twin`;
    await Deno.mkdir(source);
    await Deno.writeTextFile(
      `${source}/main.ts`,
      `const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
     worker.onmessage = () => Deno.exit(0);`,
    );
    await Deno.writeTextFile(`${source}/worker.ts`, "self.close();");
    const output = `${source}/careless${Deno.build.os === "windows" ? ".exe" : ""}`;
    await built().compile(
      ["compile", "--no-config", "--allow-read", "--output", output, `${source}/main.ts`],
    );
    const env = await bareEnvironment("twin_tmp");
    const planted = `${env["TMPDIR"]}/deno-compile-${output.slice(output.lastIndexOf("/") + 1)}`;
    await Deno.mkdir(planted);
    await Deno.writeTextFile(
      `${planted}/worker.ts`,
      `console.error("${PLANTED}"); self.postMessage("here");`,
    );
    const { code, stderr } = await runProgram(output, [], {
      clearEnv: true,
      env,
      patienceMs: 20_000,
    });
    assert.match(stderr, new RegExp(PLANTED));
    assert.equal(code, 0);
  },
);

Deno.test(
  "executable: says its version and its flags, and what is wrong with them",
  needsBuild,
  async () => {
    const version = await run("version");
    assert.match(
      version.stdout,
      new RegExp(`^sluice ${VERSION.replaceAll(".", "\\.")}\ndeno [^\n]+\n$`),
    );
    const help = await run("--help");
    assert.match(help.stdout, /--http-port[\s\S]+--log-format/);
    assert.deepEqual([version.code, version.stderr, help.code, help.stderr], [0, "", 0, ""]);
    const wrong = await run("--workers", "none");
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /^sluice: --workers "none" must be [^\n]+\n$/);
  },
);

Deno.test(
  "executable: reads its environment, and the file of a password anywhere",
  needsBuild,
  async () => {
    const env = await bareEnvironment("tmp");
    const options = { clearEnv: true, env: { ...env, SLUICE_WORKERS: "many" } };
    const wrong = await runProgram(built().path, [], options);
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /^sluice: SLUICE_WORKERS "many" must be /);
    const file = `${folder}/password`;
    const missing = await run("--password-file", file, "--http-port", "0", "--resp-port", "0");
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /there is no such file; check --password-file/);
  },
);

Deno.test(
  "executable: runs the lab with servers of its own, and makes the report with what is embedded",
  needsSignals,
  async () => {
    const env = await bareEnvironment("lab");
    const found = `${folder}/found.json`;
    const args = ["lab", "1", "3", "--json", found, "--report", `${folder}/report`];
    const { code, stdout, stderr } = await runProgram(built().path, args, { clearEnv: true, env });
    assert.deepEqual([code, /FAILED/.test(stdout)], [0, false], stderr);
    assert.deepEqual(
      JSON.parse(await Deno.readTextFile(found)).stages.map(({ stage }: { stage: number }) =>
        stage
      ),
      [1, 3],
    );
    assert.match(await Deno.readTextFile(`${folder}/report/index.html`), /<\/html>\s*$/);
    const left = await Array.fromAsync(Deno.readDir(env["TMPDIR"]!));
    assert.deepEqual(left.map(({ name }) => name), [], "it leaves no file behind");
  },
);

Deno.test("executable: a port in use is one line and exit code 1", needsBuild, async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const port = String(listener.addr.port);
  const { code, stderr } = await run("--http-port", port, "--resp-port", "0", "--workers", "1");
  assert.equal(code, 1);
  assert.match(
    stderr,
    new RegExp(`^[^\\n]*127\\.0\\.0\\.1:${port}[^\\n]*the port is in use[^\\n]*\\n$`),
  );
});

Deno.test("executable: `health` asks a running server", needsSignals, async () => {
  const env = await bareEnvironment("health");
  let port: string;
  {
    await using server = await ServerProcess.start(["--workers", "1"], {
      program: built().path,
      env,
    });
    port = String(server.port("http"));
    const well = await run("health", "--http-port", port);
    assert.deepEqual([well.code, well.stderr], [0, ""]);
    assert.equal(well.stdout, `healthy: http://127.0.0.1:${port}/health answered 200\n`);
  }
  const gone = await run("health", "--http-port", port);
  assert.deepEqual([gone.code, gone.stdout], [1, ""]);
  assert.equal(
    gone.stderr,
    `sluice: not healthy: http://127.0.0.1:${port}/health: nothing listens there\n`,
  );
});

Deno.test("executable: data are loaded, dumped and looked at", needsBuild, async () => {
  const lines = [
    '{"sluice_dump":1}',
    '{"db":0,"key":"k","type":"list","value":["a","b"]}',
    '{"end":{"keys":1,"events":0}}',
    "",
  ].join("\n");
  const [data, file] = [`${folder}/data`, `${folder}/lines`];
  await Deno.writeTextFile(file, lines);
  const loaded = await run("load", data, file);
  assert.equal(loaded.code, 0, loaded.stderr);
  assert.deepEqual(await run("dump", data), {
    code: 0,
    stdout: lines,
    stderr: `dumped 1 key and 0 events, ${lines.length} bytes\n`,
  });
  const shown = await run("repair", data);
  assert.equal(shown.code, 0, shown.stderr);
  assert.match(shown.stdout, /A start: succeeds with 1 key, from snapshot-/);
  // A log of Redis is executed by all the commands.
  const log = `${folder}/log`;
  await Deno.writeTextFile(log, "*3\r\n$5\r\nRPUSH\r\n$1\r\nk\r\n$1\r\nc\r\n");
  assert.equal((await run("load", data, log, "--add")).code, 0);
  assert.match((await run("dump", data)).stdout, /"value":\["a","b","c"\]/);
});

Deno.test(
  "executable: a processor may neither start programs nor call what is not JavaScript",
  needsSignals,
  async () => {
    const written = await run("init-processor", `${folder}/curious.js`);
    assert.equal(written.code, 0, written.stderr);
    await Deno.writeTextFile(
      `${folder}/curious.js`,
      `console.error("net run ffi:", ...["net", "run", "ffi"].map((name) =>
         Deno.permissions.querySync({ name }).state === "granted"));\n`,
      { append: true },
    );
    const flags = ["--processor", `${folder}/curious.js`, "--workers", "1"];
    await using server = await ServerProcess.start(flags, { program: built().path });
    server.signal("SIGTERM");
    const { code } = await server.waitForEnd();
    assert.equal(code, 0);
    const states = new Set(server.otherLines.filter((line) => line.startsWith("net run ffi:")));
    assert.deepEqual([...states], ["net run ffi: true false false"]);
  },
);

Deno.test({
  name: "executable: writes a processor, and runs it from disk; TypeScript, or it says what to do",
  ...needsSignals,
  fn: async () => {
    const written = await run("init-processor", `${folder}/points.js`);
    assert.equal(written.code, 0, written.stderr);
    for (const ioThreads of ["1", "2"]) {
      const flags = ["--processor", `${folder}/points.js`, "--io-threads", ioThreads];
      await using server = await ServerProcess.start(flags, { program: built().path });
      using resp = await RawClient.connect(server.port("resp"));
      await resp.send(respCommand("EVENT", "ann", "earn", "5", "WAIT", "20000"));
      assert.equal(await resp.readUntil("}\r\n"), `$26\r\n{"done":true,"points":"5"}\r\n`);
      await resp.send(respCommand("EVENT", "ann", "earn", "5", "FIELDS", `{"note":7}`));
      assert.match(await resp.readUntil("\r\n"), /^-ERR invalid event: note must be a string/);
      server.signal("SIGTERM");
      assert.equal((await server.waitForEnd()).code, 0);
    }
    assert.equal((await run("init-processor", `${folder}/typed.ts`)).code, 0);
    await using server = await ServerProcess.start(["--processor", `${folder}/typed.ts`], {
      program: built().path,
      skipReady: true,
    });
    // A runtime that transpiles what it reads is ready.
    const isReady = await server.waitForLine("ready").then(() => true, () => false);
    if (isReady) return;
    assert.equal((await server.waitForEnd()).code, 1);
    assert.match(
      JSON.stringify(server.lines),
      /typed\.ts: this executable does not read TypeScript; make JavaScript of it with: deno bundle/,
    );
  },
});
