import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteWriter, InputBuffer } from "../../../src/base/bytes.ts";
import { ClientMemory } from "../../../src/base/client_memory.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

Deno.test("ClientMemory: lends each byte once, and no more than its bound", () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("take" as const), byteCount: fc.integer({ min: 1, max: MIB }) }),
    fc.record({ kind: fc.constant("take" as const), byteCount: fc.integer({ min: 1, max: 5000 }) }),
    fc.record({ kind: fc.constant("give" as const), pick: fc.nat(1000) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300, size: "max" }), (steps) => {
      const memory = new ClientMemory(MIB);
      const lent: { block: Uint8Array<ArrayBuffer>; mark: number }[] = [];
      const give = (index: number): void => {
        const [{ block, mark }] = lent.splice(index, 1) as [typeof lent[0]];
        // Every byte still has what its owner wrote: nobody else was lent it.
        assert.ok(block.every((byte) => byte === mark));
        memory.give(block);
      };
      for (const [i, step] of steps.entries()) {
        if (step.kind === "take") {
          const before = memory.heldBytes;
          const block = memory.tryTake(step.byteCount);
          if (block === undefined) {
            assert.equal(memory.heldBytes, before);
            continue;
          }
          assert.ok(block.length >= step.byteCount && block.length < step.byteCount * 2 + 4096);
          block.fill(i & 0xff);
          lent.push({ block, mark: i & 0xff });
        } else if (lent.length > 0) {
          give(step.pick % lent.length);
        }
        assert.equal(memory.heldBytes, lent.reduce((sum, { block }) => sum + block.length, 0));
        assert.ok(memory.heldBytes <= MIB && !memory.isOverdrawn);
        memory.assertInvariants();
      }
      while (lent.length > 0) give(lent.length - 1);
      assert.equal(memory.heldBytes, 0);
      assert.ok(memory.tryTake(MIB / 2) !== undefined, "small blocks were joined again");
    }),
    { numRuns: 50 },
  );
});

Deno.test("ClientMemory: fills up to its bound with small blocks, then says no", () => {
  const memory = new ClientMemory(MIB);
  const blocks: Uint8Array<ArrayBuffer>[] = [];
  for (let i = 0; i < 1024; i++) blocks.push(memory.tryTake(1) ?? assert.fail(`block ${i}`));
  assert.equal(memory.heldBytes, MIB);
  assert.equal(memory.freeBytes, 0);
  assert.equal(memory.tryTake(1), undefined);
  for (const block of blocks) memory.give(block);
  memory.assertInvariants();
  assert.equal(memory.freeBytes, MIB);
});

Deno.test("ClientMemory: is overdrawn until as much is given back", () => {
  const memory = new ClientMemory(MIB);
  const half = memory.tryTake(512 * KIB)!;
  const extra = memory.overdraw(700 * KIB);
  assert.ok(memory.isOverdrawn);
  assert.equal(memory.shortBytes(0), 700 * KIB - MIB / 8);
  assert.equal(memory.freeBytes, 0);
  memory.give(extra);
  assert.equal(extra.length, 0, "its memory is gone at once");
  assert.ok(!memory.isOverdrawn);
  memory.give(half);
  assert.equal(memory.heldBytes, 0);
});

Deno.test("ClientMemory: a pool in pieces still has some large blocks to lend", () => {
  const memory = new ClientMemory(MIB);
  const small: Uint8Array<ArrayBuffer>[] = [];
  for (let i = 0; i < 224; i++) small.push(memory.tryTake(4096)!);
  const inPieces = small.filter((block) => block.byteOffset % (64 * KIB) !== 0);
  for (const block of inPieces) memory.give(block);
  assert.ok(memory.heldBytes < 64 * KIB);
  const large = memory.tryTake(128 * KIB);
  assert.equal(large?.length, 128 * KIB);
  assert.equal(memory.tryTake(128 * KIB), undefined, "only an eighth may be beside the pool");
  memory.assertInvariants();
});

Deno.test("ByteWriter: with a memory it holds nothing while it is empty", () => {
  const memory = new ClientMemory(MIB);
  const writer = new ByteWriter(4096, memory);
  assert.equal(memory.heldBytes, 0);
  const expected: number[] = [];
  for (let i = 0; i < 20_000; i++) {
    writer.byte(i & 0xff);
    expected.push(i & 0xff);
  }
  assert.deepEqual([...writer.view()], expected);
  assert.equal(memory.heldBytes, 32 * KIB);
  writer.clear(4096);
  assert.equal(memory.heldBytes, 0);
  writer.ascii("again");
  assert.equal(memory.heldBytes, 32 * KIB, "it begins with what it had");
  writer.clear(4096);
  assert.equal(memory.heldBytes, 0);
  writer.ascii("again");
  assert.equal(memory.heldBytes, 4096);
  writer.clear(4096);
  assert.equal(memory.heldBytes, 4096, "a small one is kept");
  writer.release();
  assert.equal(memory.heldBytes, 0);
  memory.assertInvariants();
});

Deno.test("ByteWriter: overdraws rather than lose a reply", () => {
  const memory = new ClientMemory(MIB);
  const all = [memory.tryTake(512 * KIB)!, memory.tryTake(256 * KIB)!];
  const writer = new ByteWriter(4096, memory);
  const reply = new Uint8Array(900 * KIB).map((_, i) => i % 251);
  writer.copy(reply);
  assert.ok(memory.isOverdrawn);
  assert.deepEqual(writer.view(), reply);
  writer.release();
  assert.ok(!memory.isOverdrawn);
  for (const block of all) memory.give(block);
  assert.equal(memory.heldBytes, 0);
});

Deno.test("InputBuffer: with a memory it delivers every byte, and holds what it needs", () => {
  const step = fc.record({ arrive: fc.nat(30_000), take: fc.nat(30_000) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40, size: "max" }), (steps) => {
      const memory = new ClientMemory(4 * MIB);
      const input = new InputBuffer(4096, memory);
      let sent = 0;
      let taken = 0;
      for (const { arrive, take } of steps) {
        let left = arrive;
        while (left > 0) {
          assert.ok(input.tryMakeRoom());
          assert.equal(memory.heldBytes, input.bytes.length);
          assert.ok(input.bytes.length <= Math.max(4096, 8 * input.length + 8 * 4096));
          const space = input.space();
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
      input.release();
      assert.equal(memory.heldBytes, 0);
      memory.assertInvariants();
    }),
    { numRuns: 50 },
  );
});

Deno.test("InputBuffer: says that there is no memory, keeps what it has, and goes on later", () => {
  const memory = new ClientMemory(MIB);
  const input = new InputBuffer(4096, memory);
  assert.ok(input.tryMakeRoom());
  input.space().fill(7);
  input.commit(4096);
  const others: Uint8Array<ArrayBuffer>[] = [];
  for (;;) {
    const block = memory.tryTake(4096);
    if (block === undefined) break;
    others.push(block);
  }
  assert.equal(input.tryMakeRoom(), false);
  assert.equal(input.wantedBytes, 8192);
  assert.equal(input.length, 4096);
  for (const block of others) memory.give(block);
  assert.ok(input.tryMakeRoom());
  assert.ok(input.bytes.subarray(input.start, input.end).every((byte) => byte === 7));
  assert.equal(input.space().length, 4096);
  input.start = input.end;
  input.commit(0);
  assert.ok(input.tryMakeRoom());
  assert.equal(memory.heldBytes, 4096, "it is small again");
});

Deno.test("InputBuffer: a large request that was taken leaves a small array for the next one", () => {
  const memory = new ClientMemory(4 * MIB);
  const input = new InputBuffer(4096, memory);
  let left = 500_000;
  while (left > 0) {
    input.tryMakeRoom();
    const count = Math.min(left, input.space().length);
    input.commit(count);
    left -= count;
  }
  assert.ok(memory.heldBytes >= 500_000);
  input.bytes.fill(9, input.end - 100, input.end);
  input.start = input.end - 100;
  assert.ok(input.tryMakeRoom());
  assert.equal(memory.heldBytes, 4096, "although the beginning of the next one was in it");
  assert.equal(input.length, 100);
  assert.ok(input.bytes.subarray(input.start, input.end).every((byte) => byte === 9));
});

Deno.test("InputBuffer: grows when a read fills it, and is small again after many small reads", () => {
  const memory = new ClientMemory(MIB);
  const input = new InputBuffer(1024, memory, 4096);
  const read = (byteCount: number): void => {
    assert.ok(input.tryMakeRoom());
    input.commit(Math.min(byteCount, input.space().length));
    input.start = input.end;
  };
  read(1023);
  assert.equal(memory.heldBytes, 1024);
  read(5000);
  read(100);
  assert.equal(memory.heldBytes, 4096, "the read behind a full one has more room");
  for (let i = 0; i < 10; i++) read(1000);
  read(1025);
  for (let i = 0; i < 15; i++) read(1024);
  assert.ok(input.tryMakeRoom());
  assert.equal(memory.heldBytes, 4096, "a batch now and then keeps it");
  read(1);
  assert.ok(input.tryMakeRoom());
  assert.equal(memory.heldBytes, 1024, "calm for long enough");
  input.release();
  memory.assertInvariants();
});
