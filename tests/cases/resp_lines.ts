/**
 * RESP requests by theme: inline requests.
 *
 * @module
 */

import type { RespCase } from "./resp_cases.ts";

/** Inline requests. */
export const LINES: readonly RespCase[] = [
  {
    name: "an empty line and a request",
    request: "\r\nPING\r\n",
    reply: "+PONG\r\n",
  },
  {
    name: "a line of white space and a request",
    request: " \t \r\nPING\r\n",
    reply: "+PONG\r\n",
  },
  {
    name: "white space around a word",
    request: " \tPING \t\r\n",
    reply: "+PONG\r\n",
  },
  {
    name: "two carriage returns at the end",
    request: "PING\r\r\n",
    reply: "+PONG\r\n",
  },
  {
    name: "a carriage return before the word",
    request: "\rPING\r\n",
    reply: "+PONG\r\n",
  },
  {
    name: "a carriage return between words",
    request: "PING\rhi\r\n",
    reply: "$2\r\nhi\r\n",
  },
  {
    name: "a vertical tab inside a word (Redis repeats it as it is)",
    request: "PING\x0bhi\r\n",
    reply: "-ERR unknown command 'PING\\x0bhi', with args beginning with: \r\n",
  },
  {
    name: "a form feed inside a word (Redis repeats it as it is)",
    request: "PING\x0chi\r\n",
    reply: "-ERR unknown command 'PING\\x0chi', with args beginning with: \r\n",
  },
  {
    name: "a form feed before a word",
    request: "\x0cPING\r\n",
    reply: "+PONG\r\n",
  },
  {
    name: "several spaces between words",
    request: "ECHO   hi\r\n",
    reply: "$2\r\nhi\r\n",
  },
  {
    name: "a backslash outside of quotes",
    request: "ECHO a\\nb\r\n",
    reply: "$4\r\na\\nb\r\n",
  },
  {
    name: "a line end as an escape",
    request: 'ECHO "a\\r\\nb"\r\n',
    reply: "$4\r\na\r\nb\r\n",
  },
  {
    name: "bytes as escapes, some of them not well-formed",
    request: 'ECHO "\\x00\\xff\\xZZ\\x4"\r\n',
    reply: "$7\r\n\x00\xffxZZx4\r\n",
  },
  {
    name: "every escape of double quotes",
    request: 'ECHO "\\t\\r\\n\\b\\a\\\\\\""\r\n',
    reply: '$7\r\n\t\r\n\x08\x07\\"\r\n',
  },
  {
    name: "the only escape of single quotes",
    request: "ECHO '\\n\\\\\\''\r\n",
    reply: "$5\r\n\\n\\\\'\r\n",
  },
  {
    name: "a line feed inside quotes",
    request: 'ECHO "a\nb"\r\n',
    reply: "-ERR Protocol error: unbalanced quotes in request\r\n",
    closes: true,
  },
  {
    name: "an empty word in single quotes",
    request: "ECHO ''\r\n",
    reply: "$0\r\n\r\n",
  },
  {
    name: "two empty words",
    request: 'ECHO "" ""\r\n',
    reply: "-ERR wrong number of arguments for 'echo' command\r\n",
  },
  {
    name: "an empty name in single quotes",
    request: "''\r\n",
    reply: "-ERR unknown command '', with args beginning with: \r\n",
  },
  {
    name: "a name in quotes",
    request: '"PING"\r\n',
    reply: "+PONG\r\n",
  },
  {
    name: "a name that is half in quotes",
    request: "PI'NG'\r\n",
    reply: "+PONG\r\n",
  },
  {
    name: "a name with an escape",
    request: '"PI\\x4eG"\r\n',
    reply: "+PONG\r\n",
  },
  {
    name: "a single quote inside double quotes",
    request: 'ECHO "\'"\r\n',
    reply: "$1\r\n'\r\n",
  },
  {
    name: "a double quote inside single quotes",
    request: "ECHO '\"'\r\n",
    reply: '$1\r\n"\r\n',
  },
  {
    name: "a quote that is not closed",
    request: 'ECHO "a\r\n',
    reply: "-ERR Protocol error: unbalanced quotes in request\r\n",
    closes: true,
  },
  {
    name: "a quote that is not closed behind a backslash",
    request: 'ECHO "\\\r\n',
    reply: "-ERR Protocol error: unbalanced quotes in request\r\n",
    closes: true,
  },
  {
    name: "a single quote that is escaped and not closed",
    request: "ECHO 'a\\'\r\n",
    reply: "-ERR Protocol error: unbalanced quotes in request\r\n",
    closes: true,
  },
  {
    name: "a line of one quote",
    request: '"\r\n',
    reply: "-ERR Protocol error: unbalanced quotes in request\r\n",
    closes: true,
  },
  {
    name: "a quote at the very end",
    request: 'PING "\r\n',
    reply: "-ERR Protocol error: unbalanced quotes in request\r\n",
    closes: true,
  },
  {
    name: "a word behind a single quote",
    request: "ECHO 'a'b\r\n",
    reply: "-ERR Protocol error: unbalanced quotes in request\r\n",
    closes: true,
  },
  {
    name: "a quote in the middle of a word",
    request: 'ECHO a"b"c\r\n',
    reply: "-ERR Protocol error: unbalanced quotes in request\r\n",
    closes: true,
  },
  {
    name: "a quote directly behind a quote",
    request: 'ECHO "a""b"\r\n',
    reply: "-ERR Protocol error: unbalanced quotes in request\r\n",
    closes: true,
  },
  {
    name: "a quote behind which a vertical tab stands",
    request: 'ECHO "a"\x0b\r\n',
    reply: "$1\r\na\r\n",
  },
  {
    name: "bytes that are not UTF-8 for a word",
    request: "ECHO \x80\xff\r\n",
    reply: "$2\r\n\x80\xff\r\n",
  },
  {
    name: "a word of UTF-8",
    request: "ECHO \xe2\x82\xac\r\n",
    reply: "$3\r\n\xe2\x82\xac\r\n",
  },
  {
    name: "a word of UTF-8 in quotes",
    request: 'ECHO "\xe2\x82\xac"\r\n',
    reply: "$3\r\n\xe2\x82\xac\r\n",
  },
  {
    name: "a NUL inside a word (Redis reads no further)",
    request: "PI\x00NG\r\n",
    reply: "-ERR unknown command 'PI\\x00NG', with args beginning with: \r\n",
  },
  {
    name: "a line of a NUL (Redis reads no further)",
    request: "\x00\r\n",
    reply: "-ERR unknown command '\\x00', with args beginning with: \r\n",
  },
  {
    name: "signs for a name",
    request: "@!\r\n",
    reply: "-ERR unknown command '@!', with args beginning with: \r\n",
  },
  {
    name: "a comment sign for a word",
    request: "ECHO #x\r\n",
    reply: "$2\r\n#x\r\n",
  },
  {
    name: "a star behind a space",
    request: " *1\r\nPING\r\n",
    reply: "-ERR unknown command '*1', with args beginning with: \r\n+PONG\r\n",
  },
  {
    name: "a dollar for a line",
    request: "$\r\n",
    reply: "-ERR unknown command '$', with args beginning with: \r\n",
  },
];
