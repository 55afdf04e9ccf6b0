import assert from "node:assert/strict";
import { normalize } from "node:path/posix";
import { staticPath } from "../../../../src/server/static/path.ts";
import { PATH_ESCAPES } from "../../../cases/path_escapes.ts";

function resolve(path: string, isWindows = false): string | null {
  const bytes = new TextEncoder().encode(path);
  return staticPath(bytes, 0, bytes.length, isWindows);
}

Deno.test("staticPath: decodes once, and keeps a slash at the end", () => {
  const cases: [string, string][] = [
    ["", ""],
    ["a", "a"],
    ["a/", "a/"],
    ["css/main.css", "css/main.css"],
    ["a%20b%2b%C3%A4%252e.txt", "a b+ä%2e.txt"],
    ["a+b", "a+b"],
    ["x/..a/b..c", "null"],
    ["a..b/c...d", "a..b/c...d"],
    ["%61", "a"],
    ["%F0%9F%98%80.png", "😀.png"],
    ["~user/x;y=1,z", "~user/x;y=1,z"],
  ];
  for (const [path, expected] of cases) {
    assert.equal(String(resolve(path)), expected, path);
  }
});

Deno.test("staticPath: what is left of a hostile path consists of plain names", () => {
  assert.ok(PATH_ESCAPES.length >= 60);
  let refusedCount = 0;
  for (const path of PATH_ESCAPES) {
    const result = resolve(path);
    if (result === null) {
      refusedCount++;
      continue;
    }
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(result, /[\x00-\x1f\x7f-\x9f\\]|^\/|\/\/|(^|\/)\./, path);
    assert.ok(result.split("/").every((name) => !/[. ]$/.test(name)), path);
    assert.ok(new TextEncoder().encode(result).length <= 4096, path);
  }
  assert.ok(refusedCount >= 60, `${refusedCount} were refused`);
});

Deno.test("staticPath: every byte in a name is decoded to itself or refused", () => {
  for (let byte = 0; byte < 256; byte++) {
    const escape = `%${byte.toString(16).padStart(2, "0")}`;
    const isPlain = byte >= 0x20 && byte < 0x7f && escape !== "%2f" && escape !== "%5c";
    assert.equal(resolve(`a${escape}b`), isPlain ? `a${String.fromCharCode(byte)}b` : null, escape);
  }
});

Deno.test("staticPath: on Windows, devices, streams and short names are refused, too", () => {
  const paths = ["con", "NUL.txt", "com1", "lpt9.log", "aux/x", "a:b", "a.txt::$DATA", "PROGRA~1"];
  for (const path of [...paths, "a%3ab", "a*", "a%3fb", "a%3cb"]) {
    assert.equal(resolve(path, true), null, path);
  }
  for (const path of ["console", "a~b", "nulls.txt", "comx"]) {
    assert.equal(resolve(path, true), path);
  }
  assert.equal(resolve("con"), "con");
});

Deno.test("staticPath: no random path leads out of a directory", () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  let state = seed;
  const random = (below: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return (state >>> 8) % below;
  };
  const pieces = [
    "..",
    ".",
    "/",
    "%2e",
    "%2f",
    "%5c",
    "%25",
    "2e",
    "2f",
    "a",
    "b.txt",
    "%00",
    "%c0%ae",
  ];
  pieces.push("%20", " ", "//", "~", ":", ";", "%ef%bc%8e", "..%2f", "%e2%80%8b", "con", "%ff");
  let servedCount = 0;
  for (let i = 0; i < 20_000; i++) {
    let path = "";
    for (let length = 1 + random(8); length > 0; length--) path += pieces[random(pieces.length)];
    const result = resolve(path, i % 2 === 0);
    if (result === null) continue;
    servedCount++;
    const full = normalize(`/site/${result}`);
    assert.ok(full.startsWith("/site/"), `${JSON.stringify(path)}, seed ${seed}`);
    assert.equal(full, `/site/${result}`, `${JSON.stringify(path)}, seed ${seed}`);
    assert.doesNotMatch(result, /[\\\0]|(^|\/)\./, `${JSON.stringify(path)}, seed ${seed}`);
  }
  assert.ok(servedCount > 100, `${servedCount} were plain`);
});
