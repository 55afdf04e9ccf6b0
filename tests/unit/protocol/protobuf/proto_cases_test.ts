import assert from "node:assert/strict";
import fc from "fast-check";
import {
  bytesOf,
  HTTP_REQUESTS,
  MESSAGES,
  type StreamCase,
  STREAMS,
} from "../../../cases/proto_cases.ts";
import type { ProtoFraming } from "../../../../src/protocol/protobuf/framing.ts";
import { delimited, type ProtoClient, World } from "./support.ts";

/** Where the random cuts come from; a failure names the cuts. */
const SEED = 20261121;

const BEFORE = bytesOf("0a 08 0a 06 'before'");
const BEFORE_REPLY = { echoMessage: { content: "before" } };
const AFTER = bytesOf("12 04 08 14 10 16");
const AFTER_REPLY = { addResponse: { result: 42 } };

async function connect(framing: ProtoFraming, inputBytes: number): Promise<ProtoClient> {
  const world = new World({ framing });
  await world.setBalance("alice", "42");
  await world.setBalance("text", "x");
  return world.connect(inputBytes);
}

/** The cuts that bytes are sent with: none, everywhere, and at random. */
function cutsOf(byteCount: number): number[][] {
  const random = fc.sample(fc.array(fc.nat(byteCount), { minLength: 1, maxLength: 6 }), {
    numRuns: 4,
    seed: SEED + byteCount,
  });
  return [[], Array.from({ length: byteCount }, (_, i) => i), ...random];
}

async function check(
  { stream, replies, closes = false, left }: Omit<StreamCase, "stream"> & { stream: Uint8Array },
): Promise<void> {
  for (const cuts of cutsOf(stream.length)) {
    const client = await connect("delimited", 64);
    const context = `cut at ${cuts}`;
    assert.deepEqual(await client.sendCut(stream, cuts), replies, context);
    assert.equal(client.closed, closes, context);
    assert.equal(client.session.midRequest, left !== undefined, context);
    assert.equal(client.session.midBody, left === "message", context);
    if (closes || left !== undefined) continue;
    assert.deepEqual(await client.send(delimited(AFTER)), [AFTER_REPLY], context);
  }
}

for (const { name, message, reply } of MESSAGES) {
  const bytes = bytesOf(message);
  Deno.test(`ProtoSession: answers ${name}, however it is cut, and goes on`, async () => {
    await check({ name, stream: delimited(bytes), replies: [reply] });
    await check({ name, stream: delimited(BEFORE, bytes), replies: [BEFORE_REPLY, reply] });
  });

  Deno.test(`ProtoSession: answers ${name} in a read of its own, and goes on`, async () => {
    const client = await connect("none", 4096);
    assert.deepEqual(await client.send(BEFORE), [BEFORE_REPLY]);
    assert.deepEqual(await client.send(bytes), [reply]);
    assert.deepEqual(await client.send(AFTER), [AFTER_REPLY]);
    assert.equal(client.closed, false);
  });
}

for (const { name, stream, ...rest } of STREAMS) {
  const bytes = bytesOf(stream);
  Deno.test(`ProtoSession: answers ${name}, however it is cut`, async () => {
    await check({ name, stream: bytes, ...rest });
    const behind = new Uint8Array([...delimited(BEFORE), ...bytes]);
    await check({ name, stream: behind, ...rest, replies: [BEFORE_REPLY, ...rest.replies] });
  });
}

for (const { name, stream, ...rest } of HTTP_REQUESTS) {
  Deno.test(`ProtoSession: closes on ${name}, before its body is read`, async () => {
    await check({ name, stream: bytesOf(stream), ...rest });
  });
}

Deno.test("the corpus of Protobuf messages has at least 60 of them", () => {
  const names = [...MESSAGES, ...STREAMS, ...HTTP_REQUESTS].map(({ name }) => name);
  assert.ok(MESSAGES.length > 60 && new Set(names).size > 100, `${new Set(names).size} names`);
});
