import assert from "node:assert/strict";
import { checkFile, prepareDirectory } from "../../../src/cli/lab_files.ts";

Deno.test("lab files: what cannot be written is told before anything is run", async () => {
  const folder = await Deno.makeTempDir({ prefix: "sluice-lab-" });
  const file = `${folder}/file`;
  await Deno.writeTextFile(file, "x");
  const refusals = [
    [() => prepareDirectory(file), `cannot write into ${file}: it is not a directory`],
    [() => checkFile(folder), `cannot write ${folder}: it is a directory`],
    [
      () => checkFile(`${folder}/none/file`),
      `cannot write ${folder}/none/file: there is no such directory`,
    ],
  ] as const;
  for (const [write, message] of refusals) await assert.rejects(write, { message });
  assert.equal(await Deno.readTextFile(file), "x");
  assert.equal(await prepareDirectory(`${folder}/new`), true);
  assert.equal(await prepareDirectory(`${folder}/new`), false);
  await Deno.remove(folder, { recursive: true });
});
