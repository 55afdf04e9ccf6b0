// deno-lint-ignore-file no-console -- a program of its own
/**
 * The server that one would write with `Deno.serve`: events into a Map of balances, balances out,
 * files from a folder.
 *
 *     deno run --allow-net --allow-read bench/compare/contenders/deno_serve.ts PORT FOLDER
 *
 * It checks events as Sluice does (what is an event, and which text and numbers are none), and does
 * nothing else: no bound on anything, no waiting line, no metrics.
 *
 * @module
 */

const CONTROL = /\p{Cc}/u;
const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);
const MAX_USER_BYTES = 128;
const MAX_ACTION_BYTES = 64;
const MAX_ID_BYTES = 64;
const MAX_BODY_BYTES = 2 ** 20;

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  txt: "text/plain; charset=utf-8",
  bin: "application/octet-stream",
};

const balances = new Map<string, bigint>();
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });
const [portText, folder] = Deno.args;

const JSON_HEADERS = { "content-type": "application/json" };

function json(status: number, body: unknown): Response {
  return new Response(JSON.stringify(body), { status, headers: JSON_HEADERS });
}

/** Whether it is text of 1 to `maxBytes` bytes without control characters. */
function isText(value: unknown, maxBytes: number): value is string {
  if (typeof value !== "string" || value === "" || CONTROL.test(value)) return false;
  if (!value.isWellFormed()) return false;
  return value.length * 3 <= maxBytes || encoder.encode(value).length <= maxBytes;
}

/** The amount with all its digits: `JSON.parse` alone would lose those beyond 2^53. */
function amountOf(value: unknown, source: string): bigint | undefined {
  if (typeof value !== "number" || !Number.isInteger(value)) return undefined;
  if (Number.isSafeInteger(value)) return BigInt(value);
  const digits = /"amount"\s*:\s*(-?\d+)\s*[,}]/.exec(source)?.[1];
  if (digits === undefined) return undefined;
  const amount = BigInt(digits);
  return amount >= INT64_MIN && amount <= INT64_MAX ? amount : undefined;
}

async function takeEvent(request: Request): Promise<Response> {
  const bytes = new Uint8Array(await request.arrayBuffer());
  if (bytes.length > MAX_BODY_BYTES) return json(413, { error: "body_too_large" });
  let source: string;
  let event: Record<string, unknown>;
  try {
    source = decoder.decode(bytes);
    event = JSON.parse(source);
  } catch {
    return json(400, { error: "invalid_json" });
  }
  const { user, action, id } = event ?? {};
  const amount = amountOf(event?.["amount"], source);
  const isEvent = isText(user, MAX_USER_BYTES) && isText(action, MAX_ACTION_BYTES) &&
    amount !== undefined && (id === undefined || isText(id, MAX_ID_BYTES));
  if (!isEvent) return json(400, { error: "invalid_event" });
  const balance = (balances.get(user) ?? 0n) + amount;
  if (balance <= INT64_MAX && balance >= INT64_MIN) balances.set(user, balance);
  return json(202, { status: "accepted" });
}

function showUser(user: string): Response {
  const balance = balances.get(decodeURIComponent(user));
  if (balance === undefined) return json(404, { error: "unknown_user" });
  return new Response(`{"user":${JSON.stringify(user)},"balance":${balance}}`, {
    headers: JSON_HEADERS,
  });
}

/** A file, as it is streamed from the disk. */
async function sendFile(name: string): Promise<Response> {
  if (!/^[\w.-]+$/.test(name) || name.startsWith(".")) return json(404, { error: "not_found" });
  try {
    const file = await Deno.open(`${folder}/${name}`);
    const { size } = await file.stat();
    const type = TYPES[name.split(".").at(-1)!] ?? TYPES["bin"]!;
    return new Response(file.readable, {
      headers: { "content-type": type, "content-length": String(size) },
    });
  } catch {
    return json(404, { error: "not_found" });
  }
}

function answer(request: Request): Response | Promise<Response> {
  const { url } = request;
  // A URL object costs more than all the rest.
  const pathname = url.slice(url.indexOf("/", "http://".length));
  if (request.method === "POST") {
    return pathname === "/events" ? takeEvent(request) : json(404, { error: "not_found" });
  }
  if (pathname === "/health") return json(200, { status: "ok" });
  if (pathname.startsWith("/users/")) return showUser(pathname.slice("/users/".length));
  if (pathname.startsWith("/static/")) return sendFile(pathname.slice("/static/".length));
  return json(404, { error: "not_found" });
}

Deno.serve({
  hostname: "127.0.0.1",
  port: Number(portText),
  onListen: () => console.log("ready"),
  onError: (error) => {
    console.error(error);
    return json(500, { error: "internal" });
  },
}, answer);
