/** `GET /` and the files of the page. */

import assert from "node:assert/strict";
import { gunzipSync } from "node:zlib";
import { createRouter } from "../../../../src/protocol/http/router.ts";
import { HttpMethod } from "../../../../src/protocol/http/method.ts";
import { PAGE_FILES } from "../../../../src/server/page/page_files.ts";
import { toLatin1 } from "../../protocol/http/support.ts";
import { TestServer } from "../http_world.ts";

const CLIENT = new URL("../../../../src/server/page/client/", import.meta.url);
const encoder = new TextEncoder();

Deno.test("page: every file of its folder is served, with its type, and nothing else is", async () => {
  const server = new TestServer();
  const names = (await Array.fromAsync(Deno.readDir(CLIENT))).map(({ name }) => name);
  for (const name of names.filter((name) => !["index.html", "check.json"].includes(name))) {
    const reply = await server.get(`/page/${name}`);
    assert.equal(reply.status, 200, name);
    const text = await Deno.readTextFile(new URL(name, CLIENT));
    assert.equal(reply.body, toLatin1(encoder.encode(text)), name);
    const type = { js: "text/javascript", css: "text/css", svg: "image/svg+xml" }[
      name.split(".")[1]!
    ];
    assert.equal(reply.headers.get("content-type")?.split(";")[0], type, name);
  }
  assert.match((await server.get("/page/uplot.js")).body, /Leon Sorokin, MIT[^]*uPlot/);
  for (
    const path of [
      "/page/",
      "/page/index.html",
      "/page/check.json",
      "/page/..%2Fmod.ts",
      "/page/a/b.js",
    ]
  ) {
    const { status, headers } = await server.get(path);
    assert.equal(status, 404, path);
    assert.match(headers.get("content-security-policy") ?? "", /default-src 'none'/, path);
    assert.equal(headers.get("x-content-type-options"), "nosniff", path);
  }
});

Deno.test("page: everything that its files ask for is one of them", () => {
  const names = new Set(PAGE_FILES.map(({ name }) => name));
  let count = 0;
  for (const { name, text } of PAGE_FILES) {
    if (name.startsWith("uplot")) continue;
    const own = name === ""
      ? [...text.matchAll(/(?:href|src)="page\/([^"]+)"/g)]
      : [...text.matchAll(/^(?:import|\} from)[^;]*"\.\/([^"]+)"/gm)];
    for (const [, wanted] of own) {
      count++;
      assert.ok(names.has(wanted!), `${name || "the page"} asks for ${wanted}`);
    }
    // The policy would have the browser ignore these.
    if (name === "") assert.doesNotMatch(text, /<script>|<style|style="|\son\w+=/);
    assert.doesNotMatch(text, /innerHTML|insertAdjacentHTML|document\.write|\beval\(/, name);
    assert.doesNotMatch(text.replaceAll("http://www.w3.org/2000/svg", ""), /"https?:\/\//, name);
  }
  assert.ok(count > 30, `${count} references were found`);
});

Deno.test("page: its files are short and say what they are for, like all others", async () => {
  for (const { name, text } of PAGE_FILES) {
    if (name.startsWith("uplot")) continue;
    assert.ok(text.split("\n").length <= 601, `${name} is not too long`);
    if (name.endsWith(".js")) assert.match(text, /^\/\*\*\n \* [^]*? \* @module\n \*\//, name);
  }
  const read = async (path: string): Promise<{ imports: Record<string, string> }> =>
    JSON.parse(await Deno.readTextFile(new URL(path, CLIENT)));
  const { imports } = await read("../../../../deno.json");
  assert.equal((await read("check.json")).imports["uplot"], imports["uplot"], "one version");
});

Deno.test("page: its policy lets it talk to its own server only, and nobody may frame it", async () => {
  const server = new TestServer();
  for (const path of ["/", "/page/main.js"]) {
    const { headers } = await server.get(path);
    const policy = headers.get("content-security-policy") ?? "";
    assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self';/);
    assert.match(policy, /frame-ancestors 'none'/);
    assert.match(policy, /form-action 'none'/);
    assert.doesNotMatch(policy, /unsafe|\*|data:|http/);
    assert.equal(headers.get("x-content-type-options"), "nosniff");
    assert.equal(headers.get("referrer-policy"), "no-referrer");
    assert.equal(headers.get("cache-control"), "no-cache");
  }
});

Deno.test("page: who has it is told so, and it is compressed for who takes that", async () => {
  const server = new TestServer();
  const first = await server.get("/page/main.js");
  const etag = first.headers.get("etag")!;
  assert.match(etag, /^W\/"[0-9a-z]+"$/);
  const again = await server.get("/page/main.js", `If-None-Match: ${etag}\r\n`);
  assert.deepEqual([again.status, again.body], [304, ""]);
  assert.equal(again.headers.get("etag"), etag);
  assert.match(again.headers.get("content-security-policy") ?? "", /default-src 'none'/);
  assert.equal((await server.get("/page/main.js", `If-None-Match: "other"\r\n`)).status, 200);
  assert.equal((await server.get("/page/main.js", `If-Match: "other"\r\n`)).status, 412);
  const coded = await server.get("/page/main.js", "Accept-Encoding: gzip\r\n");
  assert.equal(coded.headers.get("content-encoding"), "gzip");
  assert.equal(coded.headers.get("etag"), etag);
  assert.ok(coded.body.length < first.body.length / 2);
  const bytes = Uint8Array.from(coded.body, (character) => character.charCodeAt(0));
  assert.equal(toLatin1(gunzipSync(bytes)), first.body);
  const head = await server.ask("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
  assert.deepEqual([head.status, head.body], [200, ""]);
});

Deno.test("page: is the same for many who ask for it first at the same time", async () => {
  const server = new TestServer();
  const replies = await Promise.all(Array.from({ length: 20 }, () => server.get("/")));
  assert.equal(new Set(replies.map(({ status, body }) => `${status} ${body}`)).size, 1);
  assert.equal(replies[0]!.status, 200);
});

Deno.test("routes: a path that is open to read is not open to write", () => {
  const handler = () => {};
  const { resources: [resource] } = createRouter([
    { method: "GET", pattern: "/", handler, isOpen: true },
    { method: "POST", pattern: "/", handler: () => {} },
  ]);
  const open = (method: keyof typeof HttpMethod): boolean =>
    resource!.isOpenFor(HttpMethod[method]);
  assert.deepEqual([open("GET"), open("HEAD"), open("OPTIONS"), open("POST")], [
    ...[true, true, true, false],
  ]);
});
