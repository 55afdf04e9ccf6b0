/**
 * Finds a Node.js to try the library with: `SLUICE_NODE`, the one on `PATH`, or the one that npm has as
 * a package, kept in the user's cache.
 *
 * @module
 */

/** Oldest that is tried. Reason: it runs the sources as they are, the types left out. */
const OLDEST = [22, 18] as const;
const PACKAGE = "node@22";

/** A Node.js, or why there is none. */
export type FoundNode = { readonly path: string; readonly version: string } | {
  readonly missing: string;
};

async function versionOf(path: string): Promise<string | undefined> {
  try {
    const { success, stdout } = await new Deno.Command(path, {
      args: ["--version"],
      stderr: "null",
    }).output();
    return success ? new TextDecoder().decode(stdout).trim().replace(/^v/, "") : undefined;
  } catch {
    return undefined;
  }
}

function isNewEnough(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
}

function cacheFolder(): string | undefined {
  const cache = Deno.env.get("XDG_CACHE_HOME");
  if (cache) return `${cache}/sluice`;
  const home = Deno.env.get("HOME");
  return home && `${home}/.cache/sluice`;
}

/** Has npm put the package into the cache, unless it is there. */
async function fetchNode(): Promise<string | undefined> {
  const folder = cacheFolder();
  if (folder === undefined || Deno.build.os === "windows") return undefined;
  const path = `${folder}/node22/node_modules/node/bin/node`;
  if (await versionOf(path) !== undefined) return path;
  try {
    await Deno.mkdir(folder, { recursive: true });
    await new Deno.Command("npm", {
      args: ["install", "--no-audit", "--no-fund", "--prefix", `${folder}/node22`, PACKAGE],
      stdin: "null",
      stdout: "null",
      stderr: "null",
      signal: AbortSignal.timeout(60_000),
    }).output();
  } catch {
    // No npm, or no network.
  }
  return path;
}

/** Finds one. */
export async function findNode(): Promise<FoundNode> {
  const given = Deno.env.get("SLUICE_NODE");
  const candidates = given ? [() => given] : [() => "node", fetchNode];
  for (const candidate of candidates) {
    const path = await candidate();
    const version = path && await versionOf(path);
    if (path && version && isNewEnough(version)) return { path, version };
  }
  return { missing: `no Node.js from ${OLDEST.join(".")} on, and npm could not bring one` };
}
