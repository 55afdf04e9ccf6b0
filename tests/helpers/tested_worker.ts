/**
 * Workers of tests that start faster when their modules are joined, as `scripts/bundle.ts` has them.
 *
 * @module
 */

import { PROGRAM } from "./server_process.ts";

const ROOT = new URL("../../", import.meta.url);

/**
 * Where the joined worker is, if servers are tested joined, or else where its own module is.
 *
 * @param url the worker's module, which is on the list in `scripts/bundle.ts`
 */
export function testedWorker(url: URL): URL {
  if (PROGRAM.endsWith(".ts")) return url;
  const path = url.href.slice(ROOT.href.length).replace(/\.ts$/, ".js");
  return new URL(path, new URL(PROGRAM, ROOT));
}
