import assert from "node:assert/strict";
import { readPassword } from "../../../src/server/password.ts";
import { StartError } from "../../../src/server/start_error.ts";

const decoder = new TextDecoder();

async function passwordOf(content: string): Promise<string> {
  const passwordFile = await Deno.makeTempFile({ prefix: "sluice-" });
  try {
    await Deno.writeTextFile(passwordFile, content);
    return decoder.decode(await readPassword({ password: "", passwordFile }));
  } finally {
    await Deno.remove(passwordFile);
  }
}

Deno.test("readPassword: takes the first line, whatever follows", async () => {
  assert.equal(await passwordOf("sesame"), "sesame");
  assert.equal(await passwordOf("sesame\n"), "sesame");
  assert.equal(await passwordOf("pässword \r\nnot this\n"), "pässword ");
  assert.equal(await passwordOf(`${"x".repeat(1024)}\n${"y".repeat(1_000_000)}`), "x".repeat(1024));
});

Deno.test("readPassword: an empty first line and one that is too long are refused", async () => {
  for (const content of ["", "\nsesame", "x".repeat(1025), "x".repeat(1_000_000)]) {
    await assert.rejects(passwordOf(content), StartError);
  }
});

Deno.test({
  name: "readPassword: a file without end is not read to its end",
  ignore: Deno.build.os === "windows",
  async fn() {
    const reading = readPassword({ password: "", passwordFile: "/dev/zero" });
    await assert.rejects(reading, /must have 1 to 1024 bytes/);
  },
});
