import assert from "node:assert/strict";
import fc from "fast-check";
import { fromBinary } from "@bufbuild/protobuf";
import { MessageDecoder } from "../../../../src/protocol/protobuf/codec.ts";
import {
  ClientMessageSchema,
  file_sluice_v1_messages,
} from "../../../../src/protocol/protobuf/gen/sluice/v1/messages_pb.ts";
import { type Ask, delimited, encodeAsk, World } from "./support.ts";

const ROOT = new URL("../../../../", import.meta.url);
const GENERATED = "src/protocol/protobuf/gen/sluice/v1/messages_pb.ts";

const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const text = (maxLength: number): fc.Arbitrary<string> =>
  fc.string({ unit: "grapheme-composite", minLength: 1, maxLength });

const asks: fc.Arbitrary<Ask> = fc.oneof(
  fc.record({ content: fc.string({ unit: "binary" }) }).map((value): Ask => ({
    case: "echoMessage",
    value: { content: value.content.toWellFormed() },
  })),
  fc.record({ a: int32, b: int32 }).map((value): Ask => ({ case: "addRequest", value })),
  fc.record({
    user: text(10),
    action: text(5),
    amount: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    id: fc.constantFrom("", "id"),
  }).map((value): Ask => ({ case: "event", value })),
  fc.record({ user: text(10) }).map((value): Ask => ({ case: "balanceRequest", value })),
);

/** What a message must be answered with. */
function expected(ask: Ask): unknown {
  switch (ask.case) {
    case "echoMessage": {
      const { content } = ask.value;
      return { echoMessage: content === "" ? {} : { content } };
    }
    case "addRequest": {
      const result = (ask.value.a ?? 0) + (ask.value.b ?? 0);
      if (result !== (result | 0)) {
        const message = "the sum does not fit int32";
        return { error: { code: "ERROR_CODE_OVERFLOW", message } };
      }
      return { addResponse: result === 0 ? {} : { result } };
    }
    case "event":
      return { eventReply: { status: "EVENT_STATUS_ACCEPTED" } };
    case "balanceRequest":
      return { balanceReply: { user: ask.value.user } };
    default:
      return undefined;
  }
}

Deno.test("ProtoSession: answers any valid messages in order, however they are cut", async () => {
  const conversations = fc.tuple(
    fc.array(asks, { minLength: 1, maxLength: 8 }),
    fc.array(fc.nat(400), { maxLength: 8 }),
  );
  await fc.assert(
    fc.asyncProperty(conversations, async ([messages, cuts]) => {
      const client = new World().connect();
      const bytes = delimited(...messages.map(encodeAsk));
      const within = cuts.filter((cut) => cut < bytes.length);
      assert.deepEqual(await client.sendCut(bytes, within), messages.map(expected));
      assert.equal(client.closed, false);
    }),
    { numRuns: 60 },
  );
});

/** Valid messages with a few bytes changed, put in or taken out, and bytes at random. */
const damaged = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.tuple(asks, fc.array(fc.tuple(fc.nat(60), fc.nat(255), fc.nat(2)), { maxLength: 4 })).map(
    ([ask, changes]) => {
      const bytes = [...encodeAsk(ask)];
      for (const [at, byte, kind] of changes) {
        const index = at % (bytes.length + 1);
        if (kind === 0) bytes.splice(index, 1, byte);
        else if (kind === 1) bytes.splice(index, 0, byte);
        else bytes.splice(index, 1);
      }
      return Uint8Array.from(bytes);
    },
  ),
);

Deno.test("ProtoSession: any bytes are answered with one reply each, and nothing breaks", async () => {
  const world = new World();
  await fc.assert(
    fc.asyncProperty(fc.array(damaged, { minLength: 1, maxLength: 20 }), async (messages) => {
      const client = world.connect();
      assert.equal((await client.send(delimited(...messages))).length, messages.length);
      const reply = await client.ask({ case: "addRequest", value: { a: 40, b: 2 } });
      assert.deepEqual(reply, { addResponse: { result: 42 } });
    }),
    { numRuns: 300 },
  );
});

Deno.test("ProtoSession: any bytes without lengths get replies until it closes", async () => {
  for (const framing of ["delimited", "none"] as const) {
    const world = new World({ framing });
    await fc.assert(
      fc.asyncProperty(fc.array(damaged, { minLength: 1, maxLength: 20 }), async (reads) => {
        const client = world.connect(4096);
        for (const bytes of reads) {
          // Decoding the replies is the check.
          if (bytes.length > 0 && !client.closed) await client.send(bytes);
        }
      }),
      { numRuns: 200 },
    );
  }
});

Deno.test("MessageDecoder: refuses whatever the library refuses, and reads the rest alike", () => {
  const decoder = new MessageDecoder();
  let accepted = 0;
  let refused = 0;
  fc.assert(
    fc.property(damaged, (bytes) => {
      const message = decoder.decode(bytes, 0, bytes.length);
      if (message === null) {
        refused++;
        return;
      }
      accepted++;
      const options = { readUnknownFields: false };
      assert.deepEqual(message, fromBinary(ClientMessageSchema, bytes, options));
    }),
    { numRuns: 3000 },
  );
  assert.ok(accepted > 100 && refused > 100, `${accepted} accepted, ${refused} refused`);
});

/** Messages, enums and their numbers as the text has them: `Event.user = 1`. */
function numbersIn(proto: string): string[] {
  const names: string[] = [];
  const blocks: string[] = [];
  for (const line of proto.split("\n")) {
    const code = line.replace(/\/\/.*/, "").trim();
    const block = /^(?:message|enum|oneof) (\w+) \{/.exec(code);
    if (block !== null) {
      if (!code.endsWith("}")) blocks.push(code.startsWith("oneof") ? "" : block[1]!);
      continue;
    }
    if (code === "}") blocks.pop();
    const field = /(\w+) = (\d+);$/.exec(code);
    const owner = blocks.findLast((name) => name !== "");
    if (field !== null && owner !== undefined) names.push(`${owner}.${field[1]} = ${field[2]}`);
  }
  return names.toSorted();
}

Deno.test("generated code: has the fields and numbers of messages.proto", async () => {
  const proto = await Deno.readTextFile(new URL("proto/sluice/v1/messages.proto", ROOT));
  const { messages, enums } = file_sluice_v1_messages;
  const generated = [
    ...messages.flatMap(({ name, fields }) =>
      fields.map((field) => `${name}.${field.name} = ${field.number}`)
    ),
    ...enums.flatMap(({ name, values }) =>
      values.map((value) => `${name}.${value.name} = ${value.number}`)
    ),
  ];
  assert.deepEqual(numbersIn(proto), generated.toSorted());
});

/** Runs the generator into `folder`, only from what is on this machine; false when it is not. */
async function generate(folder: string): Promise<boolean> {
  const template = (await Deno.readTextFile(new URL("proto/buf.gen.yaml", ROOT)))
    .replace("out: src/protocol/protobuf/gen", "out: .")
    .replace(`"deno", "run"`, `${JSON.stringify(Deno.execPath())}, "run", "--cached-only"`);
  const templateFile = `${folder}/buf.gen.yaml`;
  await Deno.writeTextFile(templateFile, template);
  const { tasks } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  const generator = /npm:@bufbuild\/buf@\S+/.exec(tasks.proto.command)![0];
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--cached-only", "--no-lock", "-A", generator],
      ...["generate", "--template", templateFile, "--output", folder],
    ],
    cwd: ROOT,
    stdout: "null",
    stderr: "null",
  }).output();
  return success;
}

Deno.test("generated code: is what the generator makes of messages.proto", async (t) => {
  const folder = await Deno.makeTempDir();
  try {
    const works = await generate(folder);
    await t.step({
      name: works ? "the same to the byte" : "skipped: run `deno task proto` once to get it",
      ignore: !works,
      fn: async () => {
        const made = await Deno.readTextFile(`${folder}/sluice/v1/messages_pb.ts`);
        assert.equal(await Deno.readTextFile(new URL(GENERATED, ROOT)), made);
      },
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
