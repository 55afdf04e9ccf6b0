/**
 * RESP requests and the exact bytes they are answered with.
 *
 * Every conversation starts with an empty database. Redis 7.0 gives the same bytes, except where a
 * case says that we are stricter, that Redis reads no further (its lines end at a NUL), or that it
 * repeats a byte as it is (our errors are one line of printable ASCII); where our own bound on
 * requests is met; and for the reply to the line before `Host:`, which Redis drops.
 *
 * @module
 */

import { FRAMES } from "./resp_frames.ts";
import { LINES } from "./resp_lines.ts";
import { NAMES } from "./resp_names.ts";
import { TYPES } from "./resp_types.ts";

/** One conversation. */
export interface RespCase {
  /** What it shows. */
  name: string;
  /** Bytes in, as Latin-1. */
  request: string;
  /** Bytes out, as Latin-1. */
  reply: string;
  /** Whether the server ends the connection. */
  closes?: true;
}

/** Well-formed requests. */
export const CONVERSATIONS: readonly RespCase[] = [
  { name: "an array of one bulk string", request: "*1\r\n$4\r\nPING\r\n", reply: "+PONG\r\n" },
  { name: "an inline request", request: "PING\r\n", reply: "+PONG\r\n" },
  {
    name: "an inline request that ends with a bare line feed",
    request: "PING\n",
    reply: "+PONG\r\n",
  },
  {
    name: "blank lines and empty arrays between requests",
    request: "\r\n\n  \r\n*0\r\n*-1\r\nPING\r\n",
    reply: "+PONG\r\n",
  },
  {
    name: "inline and array requests mixed in one pipeline",
    request: "PING\r\n*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\nping\r\n",
    reply: "+PONG\r\n$2\r\nhi\r\n+PONG\r\n",
  },
  {
    name: "an empty argument",
    request: "*2\r\n$4\r\nECHO\r\n$0\r\n\r\n",
    reply: "$0\r\n\r\n",
  },
  {
    name: "arguments with line ends and every kind of byte",
    request: "*2\r\n$4\r\nECHO\r\n$6\r\n\r\n\x00\xff$*\r\n",
    reply: "$6\r\n\r\n\x00\xff$*\r\n",
  },
  {
    name: "quoted inline words",
    request: 'ECHO "a b\\n\\x41\\q\\""\r\nECHO \'it\\\'s \\n\'\r\nECHO x"y z"\r\nECHO ""\r\n',
    reply: '$7\r\na b\nAq"\r\n' + "$7\r\nit's \\n\r\n$4\r\nxy z\r\n$0\r\n\r\n",
  },
  {
    name: "tabs between inline words",
    request: "\tECHO\t \x0bhi \r\n",
    reply: "$2\r\nhi\r\n",
  },
  {
    name: "set, get, add, count, delete",
    request:
      "SET k 17\r\nGET k\r\nINCRBY k 5\r\nGET k\r\nDBSIZE\r\nEXISTS k k x\r\nDEL k x\r\nGET k\r\n",
    reply: "+OK\r\n$2\r\n17\r\n:22\r\n$2\r\n22\r\n:1\r\n:2\r\n:1\r\n$-1\r\n",
  },
  {
    name: "an unknown command with the beginning of its arguments",
    request: "foo bar baz\r\n*1\r\n$3\r\nfoo\r\n*3\r\n$3\r\nfoo\r\n$4\r\na\r\nb\r\n$1\r\nc\r\n",
    reply: "-ERR unknown command 'foo', with args beginning with: 'bar' 'baz' \r\n" +
      "-ERR unknown command 'foo', with args beginning with: \r\n" +
      "-ERR unknown command 'foo', with args beginning with: 'a  b' 'c' \r\n",
  },
  {
    name: "an unknown command with a long name and long arguments",
    request: `${"x".repeat(200)} ${"y".repeat(100)} ${"z".repeat(100)} w\r\n`,
    reply: `-ERR unknown command '${"x".repeat(128)}', with args beginning with: ` +
      `'${"y".repeat(100)}' '${"z".repeat(25)}' \r\n`,
  },
  {
    name: "an empty command name",
    request: '*1\r\n$0\r\n\r\n""\r\n',
    reply: "-ERR unknown command '', with args beginning with: \r\n".repeat(2),
  },
  {
    name: "QUIT ends the conversation and ignores what follows",
    request: "PING\r\nQUIT\r\nPING\r\n",
    reply: "+PONG\r\n+OK\r\n",
    closes: true,
  },
  {
    name: "an HTTP request ends the conversation without a word",
    request: "POST / HTTP/1.1\r\nHost: x\r\n\r\nSET k 1\r\n",
    reply: "",
    closes: true,
  },
  {
    name: "a Host line ends the conversation",
    request: "GET / HTTP/1.1\r\nhost: x\r\n\r\nPING\r\n",
    reply: "-ERR wrong number of arguments for 'get' command\r\n",
    closes: true,
  },
];

/** All of them but {@link MALFORMED}. */
export const CORPUS: readonly RespCase[] = [
  ...CONVERSATIONS,
  ...FRAMES,
  ...LINES,
  ...NAMES,
  ...TYPES,
];

/** Malformed frames; each ends the connection. */
export const MALFORMED: readonly RespCase[] = [
  ["a count that is no number", "*a\r\n", "invalid multibulk length"],
  ["a count with a leading zero", "*01\r\n$4\r\nPING\r\n", "invalid multibulk length"],
  ["a count with a plus", "*+1\r\n$4\r\nPING\r\n", "invalid multibulk length"],
  ["an empty count", "*\r\n", "invalid multibulk length"],
  ["a count beyond int32", "*2147483648\r\n", "invalid multibulk length"],
  ["a count beyond the bound (stricter than Redis)", "*1048577\r\n", "invalid multibulk length"],
  ["a count beyond int64", "*99999999999999999999\r\n", "invalid multibulk length"],
  [
    "a count line without its line feed (stricter than Redis)",
    "*1\rx$4\r\nPING\r\n",
    "invalid multibulk length",
  ],
  ["an argument without its dollar", "*1\r\nx\r\n", "expected '$', got 'x'"],
  ["a blank line for an argument", "*1\r\n\r\n", "expected '$', got ' '"],
  ["a byte that is not printable for an argument", "*1\r\n\x80", "expected '$', got '\\x80'"],
  ["a negative length", "*1\r\n$-1\r\n", "invalid bulk length"],
  ["a length that is no number", "*1\r\n$abc\r\n", "invalid bulk length"],
  ["a length with a leading zero", "*1\r\n$04\r\nPING\r\n", "invalid bulk length"],
  ["an empty length", "*1\r\n$\r\n", "invalid bulk length"],
  ["a length beyond 512 MiB", "*1\r\n$536870913\r\n", "invalid bulk length"],
  ["a length beyond int64", "*1\r\n$99999999999999999999\r\n", "invalid bulk length"],
  [
    "a length line without its line feed (stricter than Redis)",
    "*1\r\n$4\rxPING\r\n",
    "invalid bulk length",
  ],
  [
    "an argument longer than its length (stricter than Redis)",
    "*1\r\n$4\r\nPINGxx",
    "expected a line end behind the argument",
  ],
  [
    "an argument with half a line end (stricter than Redis)",
    "*1\r\n$4\r\nPING\rx",
    "expected a line end behind the argument",
  ],
  ["an unbalanced single quote", "set 'a\r\n", "unbalanced quotes in request"],
  ["an unbalanced double quote", 'set "a\\"\r\n', "unbalanced quotes in request"],
  ["a word directly behind a quote", 'set "a"b c\r\n', "unbalanced quotes in request"],
  ["an endless inline request", "a".repeat(70000), "too big inline request"],
  [
    "an inline request that is too long (stricter than Redis)",
    `${"a".repeat(65537)}\r\n`,
    "too big inline request",
  ],
  ["an endless count", `*${"1".repeat(70000)}`, "too big mbulk count string"],
  ["an endless length", `*1\r\n$${"1".repeat(70000)}`, "too big bulk count string"],
  ["a request over the bound", "*1\r\n$1048576\r\n", "request larger than 1048576 bytes"],
  ["a count over the bound", "*1000000\r\n", "request larger than 1048576 bytes"],
].map(([name, request, text]) => ({
  name: name!,
  request: request!,
  reply: `-ERR Protocol error: ${text}\r\n`,
  closes: true,
}));
