/**
 * RESP requests by theme: names of commands and subcommands, and what is said about those that nobody knows.
 *
 * @module
 */

import type { RespCase } from "./resp_cases.ts";

/** Names of commands and subcommands, and what is said about those that nobody knows. */
export const NAMES: readonly RespCase[] = [
  {
    name: "a name in mixed case",
    request: "*1\r\n$4\r\npInG\r\n",
    reply: "+PONG\r\n",
  },
  {
    name: "a name with a space behind",
    request: "*1\r\n$5\r\nPING \r\n",
    reply: "-ERR unknown command 'PING ', with args beginning with: \r\n",
  },
  {
    name: "a name with a line end behind",
    request: "*1\r\n$6\r\nPING\r\n\r\n",
    reply: "-ERR unknown command 'PING  ', with args beginning with: \r\n",
  },
  {
    name: "a name with a NUL behind (Redis stops at it)",
    request: "*1\r\n$5\r\nPING\x00\r\n",
    reply: "-ERR unknown command 'PING\\x00', with args beginning with: \r\n",
  },
  {
    name: "the beginning of a name",
    request: "*1\r\n$3\r\nPIN\r\n",
    reply: "-ERR unknown command 'PIN', with args beginning with: \r\n",
  },
  {
    name: "a name of bytes that are not UTF-8 (Redis repeats it as it is)",
    request: "*1\r\n$2\r\n\x80\xff\r\n",
    reply: "-ERR unknown command '\\x80\\xff', with args beginning with: \r\n",
  },
  {
    name: "a name that looks like a reply",
    request: "*1\r\n$5\r\n+OK\r\n\r\n",
    reply: "-ERR unknown command '+OK  ', with args beginning with: \r\n",
  },
  {
    name: "an argument that looks like a reply",
    request: "*2\r\n$3\r\nfoo\r\n$7\r\n\r\n+OK\r\n\r\n",
    reply: "-ERR unknown command 'foo', with args beginning with: '  +OK  ' \r\n",
  },
  {
    name: "arguments with quotes for an unknown command",
    request: "*3\r\n$3\r\nfoo\r\n$2\r\na'\r\n$2\r\n\"b\r\n",
    reply: "-ERR unknown command 'foo', with args beginning with: 'a'' '\"b' \r\n",
  },
  {
    name: "an empty argument for an unknown command",
    request: "*2\r\n$3\r\nfoo\r\n$0\r\n\r\n",
    reply: "-ERR unknown command 'foo', with args beginning with: '' \r\n",
  },
  {
    name: "more arguments than are repeated",
    request:
      "*40\r\n$3\r\nfoo\r\n$4\r\nword\r\n$4\r\nword\r\n$4\r\nword\r\n$4\r\nword\r\n$4\r\nword\r\n$4\r\nword\r\n$4\r\nword\r\n$4\r\nword\r\n$4\r\nword\r\n$4\r\nword\r\n$4\r\nword\r\n$4\r\nword\r\n$4\r\nword\r\n$4\r\nword\r\n$4\r\nword\r\n$4\r\nword\r\n$4\r\nword\r\n$4\r\nword\r\n$4\r\nword\r\n$4\r\nword\r\n$4\r\nword\r\n$4\r\nword\r\n$4\r\nword\r\n$4\r\nword\r\n$4\r\nword\r\n$4\r\nword\r\n$4\r\nword\r\n$4\r\nword\r\n$4\r\nword\r\n$4\r\nword\r\n$4\r\nword\r\n$4\r\nword\r\n$4\r\nword\r\n$4\r\nword\r\n$4\r\nword\r\n$4\r\nword\r\n$4\r\nword\r\n$4\r\nword\r\n$4\r\nword\r\n",
    reply:
      "-ERR unknown command 'foo', with args beginning with: 'word' 'word' 'word' 'word' 'word' 'word' 'word' 'word' 'word' 'word' 'word' 'word' 'word' 'word' 'word' 'word' 'word' 'word' 'wo' \r\n",
  },
  {
    name: "a subcommand that nobody knows",
    request: "CLIENT foo\r\n",
    reply: "-ERR unknown subcommand 'foo'. Try CLIENT HELP.\r\n",
  },
  {
    name: "a subcommand with a line end",
    request: "*2\r\n$6\r\nclient\r\n$3\r\nf\r\n\r\n",
    reply: "-ERR unknown subcommand 'f  '. Try CLIENT HELP.\r\n",
  },
  {
    name: "a subcommand with a quote",
    request: "*2\r\n$6\r\nCONFIG\r\n$3\r\nf'x\r\n",
    reply: "-ERR unknown subcommand 'f'x'. Try CONFIG HELP.\r\n",
  },
  {
    name: "an empty subcommand",
    request: "*2\r\n$6\r\nclient\r\n$0\r\n\r\n",
    reply: "-ERR unknown subcommand ''. Try CLIENT HELP.\r\n",
  },
  {
    name: "a subcommand in one word with its command",
    request: "client|id\r\n",
    reply: "-ERR unknown command 'client|id', with args beginning with: \r\n",
  },
  {
    name: "a command that wants a subcommand",
    request: "CLIENT\r\n",
    reply: "-ERR wrong number of arguments for 'client' command\r\n",
  },
  {
    name: "too few arguments",
    request: "GET\r\n",
    reply: "-ERR wrong number of arguments for 'get' command\r\n",
  },
  {
    name: "too many arguments",
    request: "GET a b\r\n",
    reply: "-ERR wrong number of arguments for 'get' command\r\n",
  },
  {
    name: "too many arguments for a subcommand",
    request: "CLIENT ID x\r\n",
    reply: "-ERR wrong number of arguments for 'client|id' command\r\n",
  },
  {
    name: "an option that nobody knows",
    request: "SET a b ZZ\r\n",
    reply: "-ERR syntax error\r\n",
  },
  {
    name: "a number that is none",
    request: "SET a b\r\nINCRBY a x\r\nINCR a\r\n",
    reply:
      "+OK\r\n-ERR value is not an integer or out of range\r\n-ERR value is not an integer or out of range\r\n",
  },
  {
    name: "a database out of range",
    request: "SELECT 99\r\nSELECT x\r\n",
    reply: "-ERR DB index is out of range\r\n-ERR value is not an integer or out of range\r\n",
  },
  {
    name: "RESET behind other settings",
    request: "CLIENT SETNAME me\r\nRESET\r\nCLIENT GETNAME\r\n",
    reply: "+OK\r\n+RESET\r\n$-1\r\n",
  },
  {
    name: "QUIT with an argument",
    request: "QUIT now\r\nPING\r\n",
    reply: "+OK\r\n",
    closes: true,
  },
];
