/**
 * Registers the tests of several files in one isolate; `scripts/test.ts` says which.
 *
 * @module
 */

const ROOT = new URL("../../", import.meta.url);

for (const path of (Deno.env.get("SLUICE_TEST_FILES") ?? "").split(" ").filter(Boolean)) {
  await import(new URL(path, ROOT).href);
}
