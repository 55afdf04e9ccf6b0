import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteWriter, InputBuffer } from "../../../src/base/bytes.ts";
import { ClientMemory } from "../../../src/base/client_memory.ts";

Deno.test("ByteWriter: holds what was appended, in order", () => {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 100 }).map((bytes) => ({ kind: "copy" as const, bytes })),
    fc.maxSafeInteger().map((value) => ({ kind: "integer" as const, value })),
    fc.string({ unit: "binary" }).map((text) => ({ kind: "utf8" as const, text })),
    fc.string({ unit: "grapheme-ascii" }).map((text) => ({ kind: "ascii" as const, text })),
    fc.nat(255).map((value) => ({ kind: "byte" as const, value })),
  );
  fc.assert(fc.property(fc.array(piece), (pieces) => {
    const writer = new ByteWriter(4);
    const expected: number[] = [];
    for (const p of pieces) {
      if (p.kind === "copy") {
        writer.copy(p.bytes);
        expected.push(...p.bytes);
      } else if (p.kind === "integer") {
        writer.integer(p.value);
        expected.push(...new TextEncoder().encode(String(p.value)));
      } else if (p.kind === "byte") {
        writer.byte(p.value);
        expected.push(p.value);
      } else {
        if (p.kind === "utf8") writer.utf8(p.text);
        else writer.ascii(p.text);
        expected.push(...new TextEncoder().encode(p.text));
      }
    }
    assert.deepEqual([...writer.view()], expected);
  }));
});

Deno.test("ByteWriter: gives back a large array when cleared, keeps a small one", () => {
  const writer = new ByteWriter(16);
  writer.copy(new Uint8Array(100_000));
  writer.clear();
  assert.equal(writer.bytes.length, 16);
  writer.copy(new Uint8Array(1000));
  writer.clear();
  assert.ok(writer.bytes.length >= 1000);
  assert.equal(writer.length, 0);
});

Deno.test("InputBuffer: delivers every byte once and in order, however reads and takes interleave", () => {
  const step = fc.record({ arrive: fc.nat(3000), take: fc.nat(3000) });
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const input = new InputBuffer(64);
    let sent = 0;
    let taken = 0;
    for (const { arrive, take } of steps) {
      let left = arrive;
      while (left > 0) {
        const space = input.space();
        assert.ok(space.length > 0, "there is always room to read into");
        const count = Math.min(left, space.length);
        for (let i = 0; i < count; i++) space[i] = sent++ & 0xff;
        input.commit(count);
        left -= count;
      }
      for (let i = Math.min(take, input.length); i > 0; i--) {
        assert.equal(input.bytes[input.start++], taken++ & 0xff);
      }
    }
    assert.equal(input.length, sent - taken);
  }));
});

Deno.test("ByteWriter: begins with what its last content took, while memory is plenty", () => {
  const memory = new ClientMemory(2 ** 22);
  const writer = new ByteWriter(4096, memory);
  const batch = new Uint8Array(1000).fill(7);
  for (let i = 0; i < 60; i++) writer.copy(batch);
  assert.equal(writer.length, 60_000);
  writer.release();
  assert.equal(memory.heldBytes, 0);
  writer.byte(1);
  assert.equal(writer.bytes.length, 65_536);
  // That was a short one, so the next begins as short as ever.
  writer.release();
  writer.byte(1);
  assert.equal(writer.bytes.length, 4096);
  for (let i = 0; i < 60; i++) writer.copy(batch);
  writer.release();
  const held = memory.tryTake(2 ** 20)!;
  writer.byte(1);
  assert.equal(writer.bytes.length, 4096, "others have a quarter of the memory");
  writer.release();
  memory.give(held);
  memory.assertInvariants();
});

Deno.test("InputBuffer: shrinks back when everything was consumed", () => {
  const input = new InputBuffer(64);
  input.ensure(10_000);
  assert.ok(input.bytes.length >= 10_000);
  input.space();
  input.commit(100);
  input.start = input.end;
  assert.equal(input.space().length, 64);
});

Deno.test("InputBuffer: reads that fill it make it grow, and it goes back when they do not", () => {
  const input = new InputBuffer(1024, undefined, 4096, 32_768);
  const read = (byteCount: number): number => {
    const space = input.space();
    const count = Math.min(byteCount, space.length);
    input.commit(count);
    input.start = input.end;
    return count;
  };
  const sizes: number[] = [];
  for (let i = 0; i < 6; i++) sizes.push(read(17_000));
  assert.deepEqual(sizes, [1024, 4096, 16_384, 17_000, 17_000, 17_000]);
  // A smaller batch in between changes nothing.
  for (let i = 0; i < 5; i++) read(100);
  assert.equal(read(17_000), 17_000);
  for (let i = 0; i < 40; i++) read(100);
  assert.equal(input.bytes.length, 1024);
});

Deno.test("InputBuffer: grows far for batches only while others have little of the memory", () => {
  const memory = new ClientMemory(2 ** 22);
  const sizes = (): number[] => {
    const input = new InputBuffer(1024, memory, 4096, 131_072);
    const seen: number[] = [];
    for (let i = 0; i < 6; i++) {
      assert.ok(input.tryMakeRoom());
      seen.push(input.space().length);
      input.commit(input.space().length);
      input.start = input.end;
    }
    input.release();
    return seen;
  };
  assert.deepEqual(sizes(), [1024, 4096, 16_384, 65_536, 131_072, 131_072]);
  const held = memory.tryTake(2 ** 19)!;
  assert.deepEqual(sizes(), [1024, 4096, 16_384, 32_768, 32_768, 32_768]);
  memory.give(held);
  assert.equal(memory.heldBytes, 0);
});

Deno.test("InputBuffer: one large request leaves the smaller array behind, a batch the larger one", () => {
  const memory = new ClientMemory(2 ** 22);
  for (const isBatch of [false, true]) {
    const input = new InputBuffer(1024, memory, 4096, 131_072);
    for (let left = 100_000; left > 0;) {
      assert.ok(input.tryMakeRoom());
      const byteCount = Math.min(left, input.space().length);
      input.commit(byteCount);
      if (isBatch) input.start = input.end - Math.min(200, input.length);
      left -= byteCount;
    }
    input.start = input.end;
    for (let i = 0; i < 2; i++) {
      assert.ok(input.tryMakeRoom());
      input.commit(10);
      input.start = input.end;
    }
    assert.equal(input.bytes.length, isBatch ? 131_072 : 4096);
    input.release();
  }
});
