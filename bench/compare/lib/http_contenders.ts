/**
 * The servers of bench:http, how they are started, and what each can be asked for.
 *
 * @module
 */

import { type Children, isInstalled } from "./children.ts";
import { outputOf } from "./machine.ts";
import { type BenchServer, startHttpServer, startSluice } from "./servers.ts";

/** One kind of request. */
export interface Scenario {
  /** Its name in tables and options. */
  readonly name: string;
  /** Path of the request, and for those that a script makes, of all of them. */
  readonly path: string;
  /** Whether it is a file, so that a server of files can answer it. */
  readonly isFile: boolean;
  /** Body of a Lua script that makes {@link USER_COUNT} requests in turn; undefined = none. */
  readonly script?: string;
}

/** Users that events are for. */
export const USER_COUNT = 1000;

/** A script of `wrk` that sends `expression` for `i` from 1 to the number of users, in turn. */
function inTurn(expression: string): string {
  return `local requests, n = {}, 0
function init()
  wrk.headers["Content-Type"] = "application/json"
  for i = 1, ${USER_COUNT} do requests[i] = ${expression} end
end
function request()
  n = n % ${USER_COUNT} + 1
  return requests[n]
end
`;
}

/** What is asked for. */
export const SCENARIOS: readonly Scenario[] = [
  {
    name: "events",
    path: "/events",
    isFile: false,
    script: inTurn(
      `wrk.format("POST", "/events", nil, '{"user":"user' .. i .. '","action":"buy","amount":100}')`,
    ),
  },
  {
    name: "users",
    path: "/users/user1",
    isFile: false,
    script: inTurn(`wrk.format("GET", "/users/user" .. i)`),
  },
  { name: "health", path: "/health", isFile: false },
  { name: "static-1k", path: "/static/1k.bin", isFile: true },
  { name: "static-1m", path: "/static/1m.bin", isFile: true },
];

/** How the contenders are started. */
export interface ContenderOptions {
  /** An executable of Sluice; undefined = its sources. */
  readonly binary: string | undefined;
  /** Further flags of Sluice. */
  readonly flags: readonly string[];
  /** The servers' processor; undefined = any. */
  readonly processor: number | undefined;
  /** Names of the contenders to leave out. */
  readonly without: readonly string[];
}

/** A running contender. */
export interface Contender {
  /** The process. */
  readonly server: BenchServer;
  /** Its version. */
  readonly version: string;
  /** Whether it can do more than files. */
  readonly hasEvents: boolean;
}

/** Names of all contenders, Sluice first. */
export const CONTENDERS: readonly string[] = ["Sluice", "Deno.serve", "Fastify", "nginx"];

/** Makes the files that are asked for. */
export function makeSite(children: Children): string {
  const folder = children.makeFolder();
  const bytes = new Uint8Array(2 ** 20);
  for (let i = 0; i < bytes.length; i++) bytes[i] = i * 31;
  Deno.mkdirSync(`${folder}/static`);
  Deno.writeFileSync(`${folder}/static/1k.bin`, bytes.subarray(0, 1024));
  Deno.writeFileSync(`${folder}/static/1m.bin`, bytes);
  return folder;
}

/** Starts whoever can be started. @param remarks gets a line for everybody who cannot */
export async function startContenders(
  children: Children,
  options: ContenderOptions,
  remarks: string[],
): Promise<Contender[]> {
  const site = makeSite(children);
  const { processor } = options;
  const contenders: Contender[] = [{
    server: await startSluice(children, {
      binary: options.binary,
      processor,
      // Those of the run before may not have been noticed to have gone.
      flags: ["--static-dir", `${site}/static`, "--max-connections", "4000", ...options.flags],
    }),
    version: "",
    hasEvents: true,
  }];
  const others = [
    ["Deno.serve", startDenoServe],
    ["Fastify", startFastify],
    ["nginx", startNginx],
  ] as const;
  for (const [name, start] of others) {
    if (options.without.includes(name)) continue;
    const contender = await start(children, site, processor);
    if (typeof contender === "string") remarks.push(`without ${name}: ${contender}`);
    else contenders.push(contender);
  }
  return contenders;
}

async function startDenoServe(
  children: Children,
  site: string,
  processor: number | undefined,
): Promise<Contender> {
  const script = new URL("../contenders/deno_serve.ts", import.meta.url).pathname;
  const server = await startHttpServer(children, "Deno.serve", (port) => [
    ...[Deno.execPath(), "run", "--no-prompt", "--allow-net", "--allow-read", "--no-config"],
    ...[script, String(port), `${site}/static`],
  ], { processor });
  return { server, version: Deno.version.deno, hasEvents: true };
}

/** Packages of the contender, which are installed into a temporary folder and nowhere else. */
const FASTIFY_PACKAGES: readonly string[] = ["fastify@5", "@fastify/static@8"];

async function startFastify(
  children: Children,
  site: string,
  processor: number | undefined,
): Promise<Contender | string> {
  if (!await isInstalled("node") || !await isInstalled("npm")) {
    return "node and npm are not installed";
  }
  const folder = children.makeFolder();
  const install = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"];
  const { code, text } = await children.run([...install, folder, ...FASTIFY_PACKAGES], {
    cwd: folder,
  });
  if (code !== 0) return `npm could not install it: ${text.trim().split("\n")[0]}`;
  const source = new URL("../contenders/fastify_server.mjs", import.meta.url);
  await Deno.copyFile(source, `${folder}/server.mjs`);
  const { version } = JSON.parse(
    await Deno.readTextFile(`${folder}/node_modules/fastify/package.json`),
  );
  const server = await startHttpServer(
    children,
    "Fastify",
    (port) => ["node", `${folder}/server.mjs`, String(port), `${site}/static`],
    { processor, cwd: folder, env: { NODE_ENV: "production" } },
  );
  const node = await outputOf(["node", "--version"]);
  return { server, version: `${version} on Node ${node}`, hasEvents: true };
}

async function startNginx(
  children: Children,
  site: string,
  processor: number | undefined,
): Promise<Contender | string> {
  if (!await isInstalled("nginx")) {
    return "nginx is not installed (Debian: apt install nginx-light)";
  }
  const folder = children.makeFolder();
  const server = await startHttpServer(children, "nginx", (port) => {
    Deno.writeTextFileSync(`${folder}/nginx.conf`, nginxConfig(folder, site, port));
    return ["nginx", "-p", folder, "-c", `${folder}/nginx.conf`, "-e", `${folder}/error.log`];
  }, { processor });
  const version = /nginx\/([\d.]+)/.exec(await outputOf(["nginx", "-v"]))?.[1] ?? "";
  return { server, version, hasEvents: false };
}

/** One process in the foreground that touches nothing outside of its folder. */
export function nginxConfig(folder: string, site: string, port: number): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `  ${name}_temp_path ${folder}/${name};`);
  return [
    "daemon off;",
    "master_process off;",
    `pid ${folder}/nginx.pid;`,
    "events { worker_connections 4096; }",
    "http {",
    ...temporary,
    "  access_log off;",
    "  sendfile on;",
    "  tcp_nopush on;",
    "  keepalive_requests 100000000;",
    "  open_file_cache max=100;",
    "  default_type application/octet-stream;",
    "  server {",
    `    listen 127.0.0.1:${port} backlog=4096;`,
    `    root ${site};`,
    "  }",
    "}",
    "",
  ].join("\n");
}
