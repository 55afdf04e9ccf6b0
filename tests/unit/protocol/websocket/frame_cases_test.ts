import assert from "node:assert/strict";
import fc from "fast-check";
import {
  first,
  frame,
  INVALID_FRAMES,
  last,
  more,
  ping,
  text,
  VALID_FRAMES,
  type WebSocketCase,
} from "../../../cases/websocket_frames.ts";
import { parseServerFrames } from "../../../helpers/websocket_frames.ts";
import { latin1 } from "../http/support.ts";
import { EchoWorld } from "./support.ts";

const ALL = [...VALID_FRAMES, ...INVALID_FRAMES];

Deno.test("WebSocketSession: the cases have unique names and there are enough of them", () => {
  assert.equal(new Set(ALL.map(({ name }) => name)).size, ALL.length);
  assert.ok(ALL.length >= 200, `${ALL.length} cases`);
});

Deno.test("WebSocketSession: every case is answered as expected when it comes whole", async () => {
  for (const one of ALL) await check(one, [one.text], 65536);
});

Deno.test("WebSocketSession: every case is answered the same byte by byte", async () => {
  for (const one of ALL) await check(one, [...one.text], 64);
});

Deno.test("WebSocketSession: every case is answered the same wherever it is cut", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...ALL),
      fc.array(fc.nat(20000), { maxLength: 6 }),
      fc.constantFrom(16, 64, 4096),
      async (one, cuts, inputBytes) => {
        await check(one, cutAt(one.text, cuts), inputBytes);
      },
    ),
    { numRuns: 1500, seed: 20261121 },
  );
});

Deno.test("WebSocketSession: nothing behind a goodbye or a broken frame is answered", async () => {
  for (const one of ALL.filter(ends)) {
    const world = new EchoWorld(65536);
    await world.connection.send(one.text + text("more") + ping());
    assert.deepEqual(parseServerFrames(world.connection.written), one.answer, one.name);
  }
});

Deno.test("WebSocketSession: valid cases one behind the other, cut anywhere, are all answered", async () => {
  const goOn = VALID_FRAMES.filter((one) => !ends(one));
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom(...goOn), { minLength: 1, maxLength: 5 }),
      fc.array(fc.nat(20000), { maxLength: 6 }),
      async (cases, cuts) => {
        const world = new EchoWorld();
        const bytes = cases.map((one) => one.text).join("");
        for (const part of cutAt(bytes, cuts)) await world.connection.send(part);
        const answer = cases.flatMap((one) => one.answer);
        assert.deepEqual(parseServerFrames(world.connection.written), answer);
        assert.ok(!world.session.midRequest);
        assert.equal(world.connection.input.length, 0);
        const count = answer.filter((line) => line.startsWith("text")).length;
        assert.equal(world.counters.get(2), count);
      },
    ),
    { numRuns: 500, seed: 20261121 },
  );
});

Deno.test("WebSocketSession: any message comes back, in any parts, with pings between, cut anywhere", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.string({ unit: "binary", maxLength: 300 }),
      fc.array(fc.nat(1200), { maxLength: 5 }),
      fc.array(fc.nat(1500), { maxLength: 5 }),
      fc.array(fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255)), {
        minLength: 6,
        maxLength: 6,
      }),
      async (message, partCuts, cuts, masks) => {
        const payload = String.fromCharCode(...new TextEncoder().encode(message));
        const parts = cutAt(payload, partCuts);
        if (parts.length === 0) parts.push("");
        const frames = parts.map((part, index) =>
          frame(index === 0 ? 1 : 0, part, { fin: index === parts.length - 1, mask: masks[index] })
        );
        const world = new EchoWorld();
        for (const part of cutAt(frames.join(ping("p")), cuts)) await world.connection.send(part);
        const pongs = new Array(parts.length - 1).fill("pong p");
        assert.deepEqual(parseServerFrames(world.connection.written), [
          ...pongs,
          `text ${payload}`,
        ]);
      },
    ),
    { numRuns: 800, seed: 20261121 },
  );
});

Deno.test("WebSocketSession: random damage never throws, and what is answered is well-formed", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...ALL),
      fc.array(fc.tuple(fc.nat(400), fc.nat(255), fc.nat(2)), { minLength: 1, maxLength: 4 }),
      async (one, edits) => {
        const bytes = [...latin1(one.text)];
        for (const [at, value, kind] of edits) {
          const place = at % (bytes.length + 1);
          if (kind === 0) bytes.splice(place, 1);
          else if (kind === 1) bytes.splice(place, 0, value);
          else bytes[place] = value;
        }
        const world = new EchoWorld(4096);
        await world.connection.send(Uint8Array.from(bytes));
        parseServerFrames(world.connection.written);
      },
    ),
    { numRuns: 2000, seed: 20261121 },
  );
});

Deno.test("WebSocketSession: a message in many small parts needs little more memory than its bytes", async () => {
  const world = new EchoWorld(64);
  await world.connection.send(first("x"));
  for (let i = 0; i < 2000; i++) await world.connection.send(more("y") + ping());
  assert.ok(world.connection.input.bytes.length <= 8192, `${world.connection.input.bytes.length}`);
  await world.connection.send(last("z"));
  assert.equal(parseServerFrames(world.connection.written).at(-1), `text x${"y".repeat(2000)}z`);
});

async function check(one: WebSocketCase, parts: string[], inputBytes: number): Promise<void> {
  const world = new EchoWorld(inputBytes);
  for (const part of parts) await world.connection.send(part);
  assert.deepEqual(parseServerFrames(world.connection.written), one.answer, one.name);
  assert.equal(world.connection.closed, ends(one), one.name);
  assert.equal(world.isClosed, ends(one), one.name);
}

function ends({ answer }: WebSocketCase): boolean {
  return answer.at(-1)?.startsWith("close") ?? false;
}

function cutAt(bytes: string, cuts: readonly number[]): string[] {
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  const parts: string[] = [];
  let from = 0;
  for (const place of [...places, bytes.length]) {
    if (place > from) parts.push(bytes.slice(from, place));
    from = place;
  }
  return parts;
}
