/**
 * Records the replies of Redis 7 to every case: `deno task vectors:record`.
 *
 * Starts `redis-server` on a free loopback port and plays each case in both versions of the
 * protocol, twice, so that a reply that changes from one time to the next is noticed.
 *
 * @module
 */

import { say } from "../helpers/say.ts";
import { FAMILIES } from "./cases/all.ts";
import { commandFacts } from "./command_facts.ts";
import {
  isSameReply,
  parseStep,
  readRecorded,
  RECORDED,
  type RecordedCase,
  recordedLine,
  type RecordedStep,
  type VectorCase,
} from "./format.ts";
import { RedisServer } from "./redis_server.ts";
import { VectorConnection, VectorSession } from "./session.ts";

async function play(port: number, version: 2 | 3, { steps }: VectorCase): Promise<string[]> {
  const session = new VectorSession(port, version);
  const replies: string[] = [];
  for (const line of steps) replies.push(await session.play(line));
  await session.end();
  return replies;
}

/** The earlier recording of a reply where it is as good as the new one, so that files stay still. */
function settle(line: string, index: number, known: RecordedCase | undefined, fresh: string[]) {
  const [, resp2, resp3 = resp2] = known?.steps[index] ?? [];
  const { comparison } = parseStep(line);
  return [resp2, resp3].map((earlier, i) =>
    earlier !== undefined && isSameReply(fresh[i]!, earlier, comparison) ? earlier : fresh[i]!
  );
}

async function record(
  port: number,
  vector: VectorCase,
  known: RecordedCase | undefined,
): Promise<RecordedStep[]> {
  using admin = await VectorConnection.open(port, 2);
  const replies: string[][] = [];
  for (const version of [2, 3, 2, 3] as const) {
    await admin.ask(["FLUSHALL"]);
    replies.push(await play(port, version, vector));
  }
  return vector.steps.map((line, i) => {
    const [resp2, resp3, again2, again3] = replies.map((each) => each[i]!);
    const { comparison } = parseStep(line);
    if (!isSameReply(again2!, resp2!, comparison) || !isSameReply(again3!, resp3!, comparison)) {
      throw new Error(
        `Cannot record ${vector.name}: the reply to ${line} changes: ` +
          JSON.stringify([resp2, again2, resp3, again3]),
      );
    }
    const [kept2, kept3] = settle(line, i, known, [resp2!, resp3!]);
    return kept2 === kept3 ? [line, kept2!] : [line, kept2!, kept3!];
  });
}

await using server = await RedisServer.start();
let caseCount = 0;
let commandCount = 0;
const names = new Set<string>();
await Deno.mkdir(RECORDED, { recursive: true });
for (const [family, cases] of Object.entries(FAMILIES)) {
  const lines: string[] = [];
  const known = new Map(
    (await readRecorded(family).catch(() => [])).map((each) => [each.name, each]),
  );
  for (const vector of cases) {
    if (names.has(vector.name)) throw new Error(`Cannot record ${vector.name} twice`);
    names.add(vector.name);
    lines.push(
      recordedLine({
        name: vector.name,
        steps: await record(server.port, vector, known.get(vector.name)),
      }),
    );
    caseCount++;
    commandCount += vector.steps.length;
  }
  await Deno.writeTextFile(new URL(`${family}.jsonl`, RECORDED), `${lines.join("\n")}\n`);
}
const facts = await commandFacts(server.port);
await Deno.writeTextFile(
  new URL("commands.jsonl", RECORDED),
  `${facts.map((fact) => JSON.stringify(fact)).join("\n")}\n`,
);
say(`${caseCount} cases, ${commandCount} commands, ${facts.length} rows of COMMAND`);
