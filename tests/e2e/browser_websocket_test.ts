import assert from "node:assert/strict";
import { isInstalled, ServerProcess } from "../helpers/server_process.ts";

/** What the page does; it reports to where it came from. */
const PAGE = (port: number): string =>
  `<!doctype html><script type="module">
const until = (target, name) => new Promise((resolve) => target.addEventListener(name, resolve, { once: true }));
const report = (result) => fetch("/result", { method: "POST", body: JSON.stringify(result) });
try {
  const socket = new WebSocket("ws://127.0.0.1:${port}/ws");
  await Promise.race([until(socket, "open"), until(socket, "error").then(() => { throw "no WebSocket" })]);
  const heard = [];
  let news = Promise.withResolvers();
  socket.onmessage = ({ data }) => {
    heard.push(JSON.parse(data));
    news.resolve();
    news = Promise.withResolvers();
  };
  const next = async () => {
    while (heard.length === 0) await news.promise;
    return heard.shift();
  };
  socket.send('{"type":"event","user":"é€😀","action":"buy","amount":5,"wait_ms":10000,"ref":"é€😀"}');
  const reply = await next();
  socket.send('{"type":"metrics","interval_ms":100}');
  const subscribed = await next();
  const metrics = [await next(), await next(), await next()];
  socket.close(4000, "enough");
  const { code, wasClean } = await until(socket, "close");
  const source = new EventSource("http://127.0.0.1:${port}/metrics/stream?interval=100ms");
  const events = [await until(source, "metrics"), await until(source, "metrics")];
  source.close();
  await report({
    extensions: socket.extensions,
    reply,
    subscribed,
    processed: metrics.map(({ metrics }) => metrics.processed),
    code,
    wasClean,
    streamed: events.map(({ data }) => JSON.parse(data).processed),
    ids: events.map(({ lastEventId }) => Number(lastEventId)),
  });
} catch (error) {
  await report({ error: String(error) });
}
</script>`;

const browser = await isInstalled("chromium") ? "chromium" : undefined;

/** Opens the page in a browser and waits for its report. */
async function reportOf(sitePort: number, result: Promise<string>): Promise<unknown> {
  const profile = await Deno.makeTempDir();
  const process = new Deno.Command(browser!, {
    args: [
      ...["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"],
      ...["--disable-dev-shm-usage", `--user-data-dir=${profile}`],
      `http://127.0.0.1:${sitePort}/`,
    ],
    stdout: "null",
    stderr: "null",
  }).spawn();
  try {
    const ended = process.status.then(() => assert.fail("the browser ended before its report"));
    return JSON.parse(await Promise.race([result, ended]));
  } finally {
    process.kill("SIGTERM");
    await process.status;
    await Deno.remove(profile, { recursive: true }).catch(() => {});
  }
}

for (const isAllowed of [true, false]) {
  const what = isAllowed
    ? "a page of an allowed site submits events and watches the counters"
    : "a page of another site gets no connection";
  Deno.test(`browser: ${what}${browser === undefined ? " (no chromium)" : ""}`, {
    ignore: browser === undefined,
  }, async () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    let page = "";
    await using site = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      async (request) => {
        if (request.method === "POST") resolve(await request.text());
        return new Response(page, { headers: { "Content-Type": "text/html; charset=utf-8" } });
      },
    );
    const origin = `http://127.0.0.1:${site.addr.port}`;
    await using server = await ServerProcess.start(isAllowed ? ["--cors-origin", origin] : []);
    page = PAGE(server.port("http"));
    const report = await reportOf(site.addr.port, promise) as Record<string, unknown>;
    if (!isAllowed) {
      assert.deepEqual(report, { error: "no WebSocket" });
      return;
    }
    const { ids, ...rest } = report as { ids: number[] };
    assert.deepEqual(rest, {
      extensions: "",
      reply: { type: "reply", ref: "é€😀", status: "processed", balance: 5 },
      subscribed: { type: "reply", status: "subscribed", interval_ms: 100 },
      processed: [1, 1, 1],
      code: 4000,
      wasClean: true,
      streamed: [1, 1],
    });
    assert.ok(ids[0]! < ids[1]!);
  });
}
