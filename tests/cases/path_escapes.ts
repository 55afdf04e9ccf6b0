/**
 * Paths below `/static/` that try to get out of the directory, or at what is not served.
 *
 * @module
 */

/**
 * What stands behind `/static/`, as it goes over the wire. The directory is `site`, next to it lie
 * `secret.txt` and the directory `site-2`; see `makeSite`.
 */
export const PATH_ESCAPES: readonly string[] = [
  // Dots.
  "..",
  "../",
  "../secret.txt",
  "../../secret.txt",
  "../../../../../../../../etc/passwd",
  "sub/../../secret.txt",
  "sub/../../site/../secret.txt",
  "./../secret.txt",
  ".",
  "./",
  "./page.txt",
  "sub/./file.txt",
  "sub/../page.txt",
  "..../secret.txt",
  ".../secret.txt",
  "..;/secret.txt",
  ";/../secret.txt",
  "../site-2/secret.txt",
  "../site/page.txt",
  "..%00/secret.txt",
  // Dots in escapes.
  "%2e%2e/secret.txt",
  "%2E%2E/secret.txt",
  ".%2e/secret.txt",
  "%2e./secret.txt",
  "%2e/%2e%2e/secret.txt",
  "%2e%2e%2fsecret.txt",
  "..%2fsecret.txt",
  "..%2Fsecret.txt",
  "sub%2f..%2f..%2fsecret.txt",
  "sub%2ffile.txt",
  "%2fetc%2fpasswd",
  "%2f..%2fsecret.txt",
  // Twice and three times.
  "%252e%252e/secret.txt",
  "%252e%252e%252fsecret.txt",
  "..%252fsecret.txt",
  "%25252e%25252e%25252fsecret.txt",
  "%25%32%65%25%32%65/secret.txt",
  // Dots and slashes in too many bytes, and other bytes that are not UTF-8.
  "%c0%ae%c0%ae/secret.txt",
  "%c0%ae%c0%ae%c0%afsecret.txt",
  "..%c0%afsecret.txt",
  "..%c1%9csecret.txt",
  "%e0%80%ae%e0%80%ae/secret.txt",
  "..%e0%80%afsecret.txt",
  "%f0%80%80%ae%f0%80%80%ae/secret.txt",
  "..%f8%80%80%80%afsecret.txt",
  "%ff%fe%2e%2e/secret.txt",
  "page.txt%ff",
  "%ed%a0%80/secret.txt",
  // Lookalikes.
  "%ef%bc%8e%ef%bc%8e/secret.txt",
  "..%ef%bc%8fsecret.txt",
  "..%e2%88%95secret.txt",
  "%u002e%u002e/secret.txt",
  // Backslashes.
  "..%5csecret.txt",
  "..%5C..%5Csecret.txt",
  "sub%5c..%5c..%5csecret.txt",
  "%5c%5cserver%5cshare",
  "sub%5cfile.txt",
  "..%255csecret.txt",
  // NUL and other controls.
  "page.txt%00",
  "page.txt%00.html",
  "../secret.txt%00.html",
  "%00",
  "page.txt%0a",
  "page.txt%0d%0aX-Injected:%201",
  "sub%09/file.txt",
  "page%7f.txt",
  "page.txt%c2%85",
  // Empty segments and absolute paths.
  "/",
  "//",
  "/etc/passwd",
  "//etc/passwd",
  "sub//file.txt",
  "/page.txt",
  "/../secret.txt",
  "page.txt/",
  "page.txt/.",
  "page.txt/..",
  "page.txt/../page.txt",
  "page.txt//",
  "C:/Windows/win.ini",
  "C:%5cWindows%5cwin.ini",
  "file:///etc/passwd",
  "~root/.bashrc",
  // Hidden files.
  ".hidden",
  "%2ehidden",
  ".git/config",
  "sub/.hidden",
  ".htaccess",
  ".well-known/x",
  // Endings that some file systems drop.
  "page.txt.",
  "page.txt...",
  "page.txt%20",
  "page.txt%20.",
  "sub./file.txt",
  "sub%20/file.txt",
  "page.txt::$DATA",
  "PAGE.TXT",
  // Links out of it, and what is no file.
  "link-out",
  "link-absolute",
  "link-chain",
  "link-dir/secret.txt",
  "link-dir/",
  "link-dir",
  "link-loop",
  "link-up/secret.txt",
  "link-neighbour/secret.txt",
  "link-null",
  "link-zero",
  "link-proc/self/environ",
  "link-proc/self/cwd/secret.txt",
  "link-nowhere",
  "pipe",
  "socket",
  // Long ones.
  "a".repeat(255),
  "a".repeat(256),
  "a".repeat(5000),
  "%61".repeat(2000),
  "sub/".repeat(1500) + "file.txt",
  "a/".repeat(2047),
  `${"..%2f".repeat(50)}etc/passwd`,
  `${"../".repeat(500)}etc/passwd`,
  `${"%c3%a4".repeat(128)}`,
];

/** In every file outside of the directory, and in none inside. */
export const SECRET = "what nobody may read: 7f3a";

/** Makes `site` with files, links and other things, and secrets around it. Not for Windows. */
export async function makeSite(base: string): Promise<string> {
  const site = `${base}/site`;
  for (const folder of ["site", "site/sub", "site/.git", "site-2"]) {
    await Deno.mkdir(`${base}/${folder}`, { recursive: true });
  }
  for (const path of ["secret.txt", "site-2/secret.txt", "site/.hidden", "site/.git/config"]) {
    await Deno.writeTextFile(`${base}/${path}`, SECRET);
  }
  await Deno.writeTextFile(`${site}/sub/.hidden`, SECRET);
  await Deno.writeTextFile(`${site}/page.txt`, "a page");
  await Deno.writeTextFile(`${site}/sub/file.txt`, "a file");
  await Deno.writeTextFile(`${site}/a b+ä%2e.txt`, "an odd name");
  const links = {
    "link-in": "page.txt",
    "link-out": "../secret.txt",
    "link-absolute": `${base}/secret.txt`,
    "link-chain": "link-out",
    "link-dir": "..",
    "link-loop": "link-loop",
    "link-up": "..",
    "link-neighbour": "../site-2",
    "link-null": "/dev/null",
    "link-zero": "/dev/zero",
    "link-proc": "/proc",
    "link-nowhere": "nothing",
  };
  for (const [name, target] of Object.entries(links)) await Deno.symlink(target, `${site}/${name}`);
  await new Deno.Command("mkfifo", { args: [`${site}/pipe`] }).output();
  Deno.listen({ transport: "unix", path: `${site}/socket` }).close();
  return site;
}
