import assert from "node:assert/strict";

const ROOT = new URL("../../../", import.meta.url);

Deno.test("the library: a program elsewhere has it by a link, with the permissions that it needs", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const { version } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
    const settings = {
      imports: { sluice: `jsr:@sluice/sluice@^${version}` },
      links: [ROOT.pathname],
      unstable: ["raw-imports"],
    };
    await Deno.writeTextFile(`${folder}/deno.json`, JSON.stringify(settings));
    await Deno.writeTextFile(
      `${folder}/main.ts`,
      `import { startServer, Store, WorkerPool } from "sluice";
      const small = { maxMemoryBytes: 16 * 2 ** 20, shards: 4 };
      using store = Store.create(small);
      const processor = "data:text/javascript," +
        "export default { process: (event, ctx) => ctx.add(event.user, 7) }";
      await using pool = await WorkerPool.start({ processor, store, workers: 1 });
      await pool.submit({ user: "alice" });
      await using server = await startServer({
        ...small, httpPort: 0, respPort: "off", protoPort: "off", workers: 1,
      });
      const reply = await fetch(\`http://127.0.0.1:\${server.ports.http}/ready\`);
      console.log(await reply.text(), store.get("alice"));\n`,
    );
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "--no-check", "--allow-read", "--allow-net", "main.ts"],
      cwd: folder,
      signal: AbortSignal.timeout(60_000),
    }).output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
    assert.equal(new TextDecoder().decode(stdout), `{"status":"ready"} 7\n`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
