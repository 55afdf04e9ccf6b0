/**
 * RESP requests by theme: arrays of bulk strings, as far as their framing goes.
 *
 * @module
 */

import type { RespCase } from "./resp_cases.ts";

/** Arrays of bulk strings, as far as their framing goes. */
export const FRAMES: readonly RespCase[] = [
  {
    name: "a count of minus two is an empty request",
    request: "*-2\r\nPING\r\n",
    reply: "+PONG\r\n",
  },
  {
    name: "a count far below zero is an empty request",
    request: "*-9223372036854775808\r\nPING\r\n",
    reply: "+PONG\r\n",
  },
  {
    name: "a count below int64",
    request: "*-9223372036854775809\r\n",
    reply: "-ERR Protocol error: invalid multibulk length\r\n",
    closes: true,
  },
  {
    name: "a count of minus zero",
    request: "*-0\r\nPING\r\n",
    reply: "-ERR Protocol error: invalid multibulk length\r\n",
    closes: true,
  },
  {
    name: "a negative count with a leading zero",
    request: "*-01\r\n",
    reply: "-ERR Protocol error: invalid multibulk length\r\n",
    closes: true,
  },
  {
    name: "a count of two zeros",
    request: "*00\r\n",
    reply: "-ERR Protocol error: invalid multibulk length\r\n",
    closes: true,
  },
  {
    name: "two empty requests and one",
    request: "*0\r\n*0\r\nPING\r\n",
    reply: "+PONG\r\n",
  },
  {
    name: "a count with a space behind",
    request: "*1 \r\n$4\r\nPING\r\n",
    reply: "-ERR Protocol error: invalid multibulk length\r\n",
    closes: true,
  },
  {
    name: "a count with a space before",
    request: "* 1\r\n",
    reply: "-ERR Protocol error: invalid multibulk length\r\n",
    closes: true,
  },
  {
    name: "a count with a fraction",
    request: "*1.0\r\n",
    reply: "-ERR Protocol error: invalid multibulk length\r\n",
    closes: true,
  },
  {
    name: "a count with an exponent",
    request: "*1e0\r\n",
    reply: "-ERR Protocol error: invalid multibulk length\r\n",
    closes: true,
  },
  {
    name: "a count in hexadecimal",
    request: "*0x1\r\n",
    reply: "-ERR Protocol error: invalid multibulk length\r\n",
    closes: true,
  },
  {
    name: "a count line that ends with a bare line feed",
    request: "*1\n$4\r\nPING\r\n",
    reply: "-ERR Protocol error: invalid multibulk length\r\n",
    closes: true,
  },
  {
    name: "a count line that begins with a line feed",
    request: "*\n1\r\n",
    reply: "-ERR Protocol error: invalid multibulk length\r\n",
    closes: true,
  },
  {
    name: "a count line with a carriage return too many (stricter than Redis)",
    request: "*1\r\r\n",
    reply: "-ERR Protocol error: invalid multibulk length\r\n",
    closes: true,
  },
  {
    name: "a count with a NUL (stricter than Redis)",
    request: "*1\x00\r\n",
    reply: "-ERR Protocol error: invalid multibulk length\r\n",
    closes: true,
  },
  {
    name: "a streamed count of RESP3",
    request: "*?\r\n",
    reply: "-ERR Protocol error: invalid multibulk length\r\n",
    closes: true,
  },
  {
    name: "a length with a plus",
    request: "*1\r\n$+4\r\nPING\r\n",
    reply: "-ERR Protocol error: invalid bulk length\r\n",
    closes: true,
  },
  {
    name: "a length with a space before",
    request: "*1\r\n$ 4\r\nPING\r\n",
    reply: "-ERR Protocol error: invalid bulk length\r\n",
    closes: true,
  },
  {
    name: "a length with a space behind",
    request: "*1\r\n$4 \r\nPING\r\n",
    reply: "-ERR Protocol error: invalid bulk length\r\n",
    closes: true,
  },
  {
    name: "a length of minus zero",
    request: "*1\r\n$-0\r\n\r\n",
    reply: "-ERR Protocol error: invalid bulk length\r\n",
    closes: true,
  },
  {
    name: "a length of minus two",
    request: "*1\r\n$-2\r\n",
    reply: "-ERR Protocol error: invalid bulk length\r\n",
    closes: true,
  },
  {
    name: "a length with a fraction",
    request: "*1\r\n$4.0\r\n",
    reply: "-ERR Protocol error: invalid bulk length\r\n",
    closes: true,
  },
  {
    name: "a length in hexadecimal",
    request: "*1\r\n$0x4\r\n",
    reply: "-ERR Protocol error: invalid bulk length\r\n",
    closes: true,
  },
  {
    name: "a length of two zeros",
    request: "*1\r\n$00\r\n\r\n",
    reply: "-ERR Protocol error: invalid bulk length\r\n",
    closes: true,
  },
  {
    name: "a length line that ends with a bare line feed",
    request: "*1\r\n$4\nPING\r\n",
    reply: "-ERR Protocol error: invalid bulk length\r\n",
    closes: true,
  },
  {
    name: "a length with a NUL (stricter than Redis)",
    request: "*1\r\n$4\x00\r\n",
    reply: "-ERR Protocol error: invalid bulk length\r\n",
    closes: true,
  },
  {
    name: "a length beyond int32",
    request: "*1\r\n$2147483648\r\n",
    reply: "-ERR Protocol error: invalid bulk length\r\n",
    closes: true,
  },
  {
    name: "the largest int64 as a length",
    request: "*1\r\n$9223372036854775807\r\n",
    reply: "-ERR Protocol error: invalid bulk length\r\n",
    closes: true,
  },
  {
    name: "the next number as a length",
    request: "*1\r\n$9223372036854775808\r\n",
    reply: "-ERR Protocol error: invalid bulk length\r\n",
    closes: true,
  },
  {
    name: "a streamed length of RESP3",
    request: "*1\r\n$?\r\n",
    reply: "-ERR Protocol error: invalid bulk length\r\n",
    closes: true,
  },
  {
    name: "a second argument without its length",
    request: "*2\r\n$4\r\nECHO\r\nabc\r\n",
    reply: "-ERR Protocol error: expected '$', got 'a'\r\n",
    closes: true,
  },
  {
    name: "a blank line for the second argument",
    request: "*2\r\n$4\r\nECHO\r\n\r\n",
    reply: "-ERR Protocol error: expected '$', got ' '\r\n",
    closes: true,
  },
  {
    name: "a tab for an argument (Redis repeats it as it is)",
    request: "*1\r\n\tx\r\n",
    reply: "-ERR Protocol error: expected '$', got '\\x09'\r\n",
    closes: true,
  },
  {
    name: "a quote for an argument",
    request: "*1\r\n'x\r\n",
    reply: "-ERR Protocol error: expected '$', got '''\r\n",
    closes: true,
  },
  {
    name: "a NUL for an argument (stricter than Redis)",
    request: "*1\r\n\x00x\r\n",
    reply: "-ERR Protocol error: expected '$', got '\\x00'\r\n",
    closes: true,
  },
  {
    name: "an argument shorter than its length (stricter than Redis)",
    request: "*1\r\n$5\r\nPING\r\n+",
    reply: "-ERR Protocol error: expected a line end behind the argument\r\n",
    closes: true,
  },
  {
    name: "an argument whose line end is turned around (stricter than Redis)",
    request: "*1\r\n$4\r\nPING\n\r",
    reply: "-ERR Protocol error: expected a line end behind the argument\r\n",
    closes: true,
  },
  {
    name: "an argument with two line feeds behind it (stricter than Redis)",
    request: "*1\r\n$4\r\nPING\n\n",
    reply: "-ERR Protocol error: expected a line end behind the argument\r\n",
    closes: true,
  },
  {
    name: "an argument that ends inside a line end of its own (stricter than Redis)",
    request: "*1\r\n$3\r\nPING\r\n",
    reply: "-ERR Protocol error: expected a line end behind the argument\r\n",
    closes: true,
  },
  {
    name: "an argument that holds a whole request",
    request: "*2\r\n$4\r\nECHO\r\n$14\r\n*1\r\n$4\r\nPING\r\n\r\n",
    reply: "$14\r\n*1\r\n$4\r\nPING\r\n\r\n",
  },
  {
    name: "three requests without a pause",
    request: "*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPING\r\n",
    reply: "+PONG\r\n+PONG\r\n+PONG\r\n",
  },
  {
    name: "an empty key and its value",
    request: "*3\r\n$3\r\nSET\r\n$0\r\n\r\n$1\r\nv\r\n*2\r\n$3\r\nGET\r\n$0\r\n\r\n",
    reply: "+OK\r\n$1\r\nv\r\n",
  },
  {
    name: "a key and a value of bytes that are no text",
    request:
      "*3\r\n$3\r\nSET\r\n$3\r\n\x00\xff\n\r\n$3\r\n\x01\r\n\r\n*2\r\n$3\r\nGET\r\n$3\r\n\x00\xff\n\r\n",
    reply: "+OK\r\n$3\r\n\x01\r\n\r\n",
  },
  {
    name: "eleven arguments",
    request:
      "*11\r\n$3\r\nDEL\r\n$1\r\nk\r\n$1\r\nk\r\n$1\r\nk\r\n$1\r\nk\r\n$1\r\nk\r\n$1\r\nk\r\n$1\r\nk\r\n$1\r\nk\r\n$1\r\nk\r\n$1\r\nk\r\n",
    reply: ":0\r\n",
  },
];
