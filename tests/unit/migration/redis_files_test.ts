/** Which files belong together. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { parseManifest } from "../../../src/migration/aof_manifest.ts";
import { RedisFileError } from "../../../src/migration/redis_file_error.ts";
import { RedisFiles } from "../../../src/migration/redis_files.ts";
import { latin1 } from "../../helpers/latin1.ts";
import { command, rdbFile } from "../../helpers/redis_files/builder.ts";
import { describe, failureOf } from "../../helpers/redis_files/contents.ts";

function parse(text: string): readonly string[] {
  return parseManifest(latin1(text), "manifest").files;
}

function errorOf(text: string): string {
  return failureOf(() => parse(text));
}

Deno.test("parseManifest: gives the base and the increments, not the history", () => {
  const text = [
    "# a comment",
    "file a.1.base.rdb seq 1 type h",
    "file a.2.incr.aof seq 2 type i",
    "",
    "file a.2.base.rdb seq 2 type b",
    "  seq 7\tTYPE i file a.7.incr.aof startoffset 12 \r",
  ].join("\n");
  assert.deepEqual(parse(text), ["a.2.base.rdb", "a.2.incr.aof", "a.7.incr.aof"]);
  assert.deepEqual(parse("file a seq 1 type i"), ["a"]);
  assert.deepEqual(parse("file a seq 1 type b\n"), ["a"]);
});

Deno.test("parseManifest: reads names in quotes, and in UTF-8", () => {
  assert.deepEqual(parse('file "a b\\x41\\"\\t" seq 1 type i'), ['a bA"\t']);
  assert.deepEqual(parse("file 'a \\' b' seq 1 type i"), ["a ' b"]);
  assert.deepEqual(parse('file "\\xc3\\xa0" seq 1 type i'), ["à"]);
  assert.deepEqual(parse("file \xc3\xa0 seq 1 type i"), ["à"]);
});

Deno.test("parseManifest: says where it is damaged", () => {
  const good = "file a seq 1 type i\n";
  const line = "expected a line with file, seq and type, found";
  assert.equal(errorOf(""), "0 expected the names of files, found none");
  assert.equal(errorOf("file a seq 1 type h\n"), "0 expected the names of files, found none");
  assert.equal(errorOf(`${good}file b seq 2`), `20 ${line} "file b seq 2"`);
  assert.equal(errorOf(`${good}file b seq 2 type`), `20 ${line} "file b seq 2 type"`);
  assert.equal(errorOf(`${good}${good}`), "20 expected an increment after 1, found 1");
  assert.equal(
    errorOf("file a seq 1 type b\nfile c seq 2 type b"),
    "20 expected one base, found another one",
  );
  assert.equal(errorOf("file a seq 1 type x"), '0 expected type b, h or i, found "x"');
  assert.equal(errorOf("file a seq 0 type i"), '0 expected a number above 0, found "0"');
  assert.equal(errorOf("file a seq -1 type i"), '0 expected a number above 0, found "-1"');
  for (const name of ["../a", "/a", "a/b", "..", ".", '""', '"a\\x00"', '"a\\\\b"']) {
    assert.match(errorOf(`file ${name} seq 1 type i`), /^0 expected the name of a file, found /);
  }
  assert.match(errorOf('file "a seq 1 type i'), /^0 expected words, and quotes that end, found /);
  assert.match(errorOf("file 'a seq 1 type i"), /^0 expected words, and quotes that end, found /);
});

Deno.test("parseManifest: any bytes are a manifest or an error", () => {
  const good = 'file a.1 seq 1 type b\nfile "b\\x20c" seq 1 type i\n';
  for (let at = 0; at < good.length; at++) {
    for (let byte = 0; byte < 256; byte++) {
      failureOf(() => parse(good.slice(0, at) + String.fromCharCode(byte) + good.slice(at + 1)));
    }
  }
});

/** Runs `use` with a folder that has these files in it. */
async function withFolder(
  files: Readonly<Record<string, Uint8Array>>,
  use: (folder: string) => void,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    for (const [name, bytes] of Object.entries(files)) {
      await Deno.writeFile(join(folder, name), bytes);
    }
    use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function read(path: string): string[] {
  using files = RedisFiles.open(path);
  return Array.from(files.read(), describe);
}

/** The error of opening `path`, without the names of the folder and of the system's error. */
function openErrorOf(path: string): string {
  try {
    read(path);
  } catch (error) {
    assert.ok(error instanceof RedisFileError);
    return `${error.offset} expected ${error.expected}, found ${error.found}`;
  }
  return "(none)";
}

Deno.test("RedisFiles: opens a manifest by its own name and by that of its folder", async () => {
  const manifest = latin1("file base seq 1 type b\nfile one seq 1 type i\nfile two seq 2 type i\n");
  await withFolder({
    "appendonly.aof.manifest": manifest,
    base: rdbFile(10, [0, 1, 107, 1, 118]),
    one: latin1(command("SET", "a", "1")),
    two: latin1(command("SET", "b", "2").slice(0, 10)),
    other: latin1("not of these"),
  }, (folder) => {
    const expected = ["0 string k", "0 SET a 1", "torn command 0 +10"];
    assert.deepEqual(read(folder), expected);
    assert.deepEqual(read(join(folder, "appendonly.aof.manifest")), expected);
    assert.deepEqual(read(join(folder, "one")), ["0 SET a 1"]);
    Deno.removeSync(join(folder, "two"));
    assert.match(openErrorOf(folder), /^0 expected a file that can be opened, found No such file/);
    assert.equal(openErrorOf(join(folder, "other")), "0 expected *, found the byte 110");
  });
});

Deno.test("RedisFiles: says what is in the way of opening files", async () => {
  const manifest = latin1("file folder seq 1 type b\n");
  await withFolder({ "x.manifest": manifest }, (folder) => {
    assert.match(
      openErrorOf(join(folder, "none")),
      /^0 expected a file or directory, found No such/,
    );
    Deno.mkdirSync(join(folder, "folder"));
    assert.equal(openErrorOf(folder), "0 expected a regular file, found something else");
    const inside = openErrorOf(join(folder, "folder"));
    assert.equal(inside, "0 expected one file *.manifest in this directory, found none");
    Deno.writeFileSync(join(folder, "y.manifest"), manifest);
    assert.match(openErrorOf(folder), /found x\.manifest, y\.manifest$/);
    Deno.truncateSync(join(folder, "x.manifest"), 2 ** 20 + 1);
    const long = openErrorOf(join(folder, "x.manifest"));
    assert.equal(long, "0 expected a manifest of at most 1048576 bytes, found 1048577 bytes");
  });
});
