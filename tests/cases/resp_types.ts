/**
 * RESP requests by theme: what RESP has beside arrays of bulk strings; none of it is a request.
 *
 * @module
 */

import type { RespCase } from "./resp_cases.ts";

/** What RESP has beside arrays of bulk strings; none of it is a request. */
export const TYPES: readonly RespCase[] = [
  {
    name: "a simple string for an argument",
    request: "*1\r\n+PING\r\n",
    reply: "-ERR Protocol error: expected '$', got '+'\r\n",
    closes: true,
  },
  {
    name: "an integer for an argument",
    request: "*1\r\n:1\r\n",
    reply: "-ERR Protocol error: expected '$', got ':'\r\n",
    closes: true,
  },
  {
    name: "an array for an argument",
    request: "*2\r\n$4\r\nECHO\r\n*1\r\n$1\r\na\r\n",
    reply: "-ERR Protocol error: expected '$', got '*'\r\n",
    closes: true,
  },
  {
    name: "an array in an array",
    request: "*1\r\n*1\r\n$4\r\nPING\r\n",
    reply: "-ERR Protocol error: expected '$', got '*'\r\n",
    closes: true,
  },
  {
    name: "an empty array in an array",
    request: "*1\r\n*0\r\n",
    reply: "-ERR Protocol error: expected '$', got '*'\r\n",
    closes: true,
  },
  {
    name: "a null for an argument",
    request: "*1\r\n_\r\n",
    reply: "-ERR Protocol error: expected '$', got '_'\r\n",
    closes: true,
  },
  {
    name: "a verbatim string for an argument",
    request: "*1\r\n=8\r\ntxt:PING\r\n",
    reply: "-ERR Protocol error: expected '$', got '='\r\n",
    closes: true,
  },
  {
    name: "a bulk error for an argument",
    request: "*1\r\n!3\r\nERR\r\n",
    reply: "-ERR Protocol error: expected '$', got '!'\r\n",
    closes: true,
  },
  {
    name: "a map for an argument",
    request: "*1\r\n%1\r\n",
    reply: "-ERR Protocol error: expected '$', got '%'\r\n",
    closes: true,
  },
  {
    name: "a simple string for a request",
    request: "+PING\r\n",
    reply: "-ERR unknown command '+PING', with args beginning with: \r\n",
  },
  {
    name: "a bulk string for a request",
    request: "$4\r\nPING\r\n",
    reply: "-ERR unknown command '$4', with args beginning with: \r\n+PONG\r\n",
  },
  {
    name: "an integer for a request",
    request: ":1\r\n",
    reply: "-ERR unknown command ':1', with args beginning with: \r\n",
  },
  {
    name: "an error for a request",
    request: "-ERR x\r\n",
    reply: "-ERR unknown command '-ERR', with args beginning with: 'x' \r\n",
  },
  {
    name: "a null for a request",
    request: "_\r\n",
    reply: "-ERR unknown command '_', with args beginning with: \r\n",
  },
  {
    name: "a boolean for a request",
    request: "#t\r\n",
    reply: "-ERR unknown command '#t', with args beginning with: \r\n",
  },
  {
    name: "a double for a request",
    request: ",1.5\r\n",
    reply: "-ERR unknown command ',1.5', with args beginning with: \r\n",
  },
  {
    name: "a big number for a request",
    request: "(123\r\n",
    reply: "-ERR unknown command '(123', with args beginning with: \r\n",
  },
  {
    name: "a bulk error for a request",
    request: "!3\r\nERR\r\n",
    reply:
      "-ERR unknown command '!3', with args beginning with: \r\n-ERR unknown command 'ERR', with args beginning with: \r\n",
  },
  {
    name: "a verbatim string for a request",
    request: "=7\r\ntxt:abc\r\n",
    reply:
      "-ERR unknown command '=7', with args beginning with: \r\n-ERR unknown command 'txt:abc', with args beginning with: \r\n",
  },
  {
    name: "a map for a request",
    request: "%1\r\n$4\r\nPING\r\n$1\r\na\r\n",
    reply:
      "-ERR unknown command '%1', with args beginning with: \r\n-ERR unknown command '$4', with args beginning with: \r\n+PONG\r\n-ERR unknown command '$1', with args beginning with: \r\n-ERR unknown command 'a', with args beginning with: \r\n",
  },
  {
    name: "a set for a request",
    request: "~1\r\n$4\r\nPING\r\n",
    reply:
      "-ERR unknown command '~1', with args beginning with: \r\n-ERR unknown command '$4', with args beginning with: \r\n+PONG\r\n",
  },
  {
    name: "a push for a request",
    request: ">1\r\n$4\r\nPING\r\n",
    reply:
      "-ERR unknown command '>1', with args beginning with: \r\n-ERR unknown command '$4', with args beginning with: \r\n+PONG\r\n",
  },
  {
    name: "an attribute before a request",
    request: "|1\r\n$1\r\na\r\n$1\r\nb\r\n*1\r\n$4\r\nPING\r\n",
    reply:
      "-ERR unknown command '|1', with args beginning with: \r\n-ERR unknown command '$1', with args beginning with: \r\n-ERR unknown command 'a', with args beginning with: \r\n-ERR unknown command '$1', with args beginning with: \r\n-ERR unknown command 'b', with args beginning with: \r\n+PONG\r\n",
  },
];
