/**
 * Writes `docs/compatibility.md` from the list of differences: `deno task docs:compatibility`.
 */

import { compatibilityPage } from "../tests/vectors/compatibility.ts";

await Deno.writeTextFile(new URL("compatibility.md", import.meta.url), compatibilityPage());
