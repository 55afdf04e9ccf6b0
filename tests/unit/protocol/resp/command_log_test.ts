import assert from "node:assert/strict";
import type { LogFields } from "../../../../src/base/log.ts";
import { makeCommandTable } from "../../../../src/command/table.ts";
import { commandLogFields } from "../../../../src/protocol/resp/command_log.ts";
import { Harness, request } from "../../command/harness.ts";

/** Runs `text` on a server that logs commands. */
async function logOf(text: string, password = ""): Promise<LogFields[]> {
  const lines: LogFields[] = [];
  const harness = new Harness({
    password,
    onCommand: (client, row, args) => lines.push(commandLogFields(client, row, args)),
  });
  const client = harness.connect();
  await client.send(text);
  return lines;
}

const lines: [string, LogFields][] = [
  ["PING\r\n", { command: "ping", arguments: 1 }],
  ["set key value\r\n", { command: "set", arguments: 3, key: "key" }],
  ["DEL a b c\r\n", { command: "del", arguments: 4, key: "a" }],
  ["BALANCE alice\r\n", { command: "balance", arguments: 2, key: "alice" }],
  ["EVENT alice buy 1\r\n", { command: "event", arguments: 4 }],
  ["CLIENT SETNAME me\r\n", { command: "client|setname", arguments: 3 }],
  ["CLIENT NOPE me\r\n", { command: "unknown", arguments: 3 }],
  ["GET\r\n", { command: "get", arguments: 1 }],
  ["NOPE secret\r\n", { command: "unknown", arguments: 2 }],
  [request("GET", "a\r\nb\\\xff"), { command: "get", arguments: 2, key: "a\\x0d\\x0ab\\x5c\\xff" }],
  [request("GET", "k".repeat(65)), { command: "get", arguments: 2, key: `${"k".repeat(64)}…` }],
];

for (const [text, fields] of lines) {
  Deno.test(`command log: ${JSON.stringify(text.slice(0, 30))}`, async () => {
    assert.deepEqual(await logOf(text), [{ event: "command", client: 1, ...fields }]);
  });
}

Deno.test("command log: never has a password, a value or a word that nobody knows", async () => {
  const secret = "sEcReT-7";
  const texts = [
    `AUTH ${secret}\r\n`,
    `AUTH default ${secret}\r\n`,
    `AUTH ${secret} ${secret} ${secret}\r\n`,
    `HELLO 3 AUTH default ${secret} SETNAME ${secret}\r\n`,
    `HELLO ${secret}\r\n`,
    `${secret}\r\n`,
    `SET k ${secret} PX 100\r\n`,
  ];
  for (const row of makeCommandTable().rows) {
    for (const inner of [row, ...row.subcommands?.rows ?? []]) {
      if (inner.firstKey > 0) continue;
      texts.push(request(...inner.name.split("|"), secret, secret, secret, secret));
    }
  }
  const logged = (await Promise.all(texts.map((text) => logOf(text)))).flat();
  assert.ok(logged.length > 30, `${logged.length} lines`);
  assert.doesNotMatch(JSON.stringify(logged), new RegExp(secret, "i"));
});
