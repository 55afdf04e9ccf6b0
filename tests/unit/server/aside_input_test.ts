/** What arrives while a command waits: every byte once, in order, whoever takes it when. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { AsideInput } from "../../../src/server/aside_input.ts";
import { effort } from "../../helpers/effort.ts";

/** A socket that is told when something arrives. One read at a time may be pending. */
class Socket {
  #waiting:
    | { target: Uint8Array<ArrayBuffer>; resolve: (count: number | null) => void }
    | undefined;

  read(target: Uint8Array<ArrayBuffer>): Promise<number | null> {
    assert.equal(this.#waiting, undefined, "one read at a time");
    const { promise, resolve } = Promise.withResolvers<number | null>();
    this.#waiting = { target, resolve };
    return promise;
  }

  get isRead(): boolean {
    return this.#waiting !== undefined;
  }

  /** @returns how much of it was taken */
  arrive(bytes: Uint8Array): number {
    const { target, resolve } = this.#waiting!;
    const count = Math.min(bytes.length, target.length);
    target.set(bytes.subarray(0, count));
    this.#waiting = undefined;
    resolve(count);
    return count;
  }

  end(): void {
    this.#waiting!.resolve(null);
  }
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Lets everybody go on who can. */
async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await null;
}

Deno.test("AsideInput: what arrives after a part of it was taken is not mistaken for that part", async () => {
  const socket = new Socket();
  const aside = new AsideInput(socket);
  const target = new Uint8Array(512);
  aside.watch(() => {});
  socket.arrive(encoder.encode("while it waited"));
  await settle();
  // The next read is pending, to behind what is there.
  assert.equal(socket.isRead, true);
  aside.unwatch();
  const first = await aside.read(target);
  assert.equal(decoder.decode(target.subarray(0, first!)), "while it waited");
  const second = aside.read(target);
  socket.arrive(encoder.encode("later"));
  assert.equal(decoder.decode(target.subarray(0, (await second)!)), "later");
  const third = aside.read(target);
  await settle();
  socket.arrive(encoder.encode("directly"));
  assert.equal(decoder.decode(target.subarray(0, (await third)!)), "directly");
});

Deno.test("AsideInput: the client's end is told while somebody waits, and read behind what it sent", async () => {
  const socket = new Socket();
  const aside = new AsideInput(socket);
  let ends = 0;
  aside.watch(() => void ends++);
  socket.arrive(encoder.encode("last"));
  await settle();
  socket.end();
  await settle();
  assert.equal(ends, 1);
  aside.unwatch();
  const target = new Uint8Array(512);
  assert.equal(await aside.read(target), 4);
  assert.equal(await aside.read(target), null);
});

Deno.test("AsideInput: every byte once and in order, whatever waits and arrives in between", async () => {
  const step = fc.oneof(
    fc.record({ arrives: fc.integer({ min: 1, max: 300 }) }),
    fc.record({ takes: fc.integer({ min: 1, max: 700 }) }),
    fc.record({ waits: fc.constant(true) }),
  ) as fc.Arbitrary<{ arrives?: number; takes?: number; waits?: boolean }>;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const socket = new Socket();
      const aside = new AsideInput(socket);
      const read: number[] = [];
      let sent = 0;
      let reading: Promise<void> | undefined;
      const take = async (byteCount: number): Promise<void> => {
        const target = new Uint8Array(byteCount);
        const count = await aside.read(target);
        read.push(...target.subarray(0, count!));
        reading = undefined;
      };
      for (const { arrives = 0, takes = 0, waits = false } of steps) {
        // A connection reads, or has a command that waits.
        if (waits && reading === undefined) aside.watch(() => {});
        if (takes > 0 && reading === undefined) {
          aside.unwatch();
          reading = take(takes);
        }
        if (arrives > 0 && socket.isRead) {
          sent += socket.arrive(Uint8Array.from({ length: arrives }, (_, i) => (sent + i) % 251));
        }
        await settle();
      }
      aside.unwatch();
      for (let i = 0; i < 100 && read.length < sent; i++) {
        reading ??= take(700);
        await settle();
      }
      assert.deepEqual(read, Array.from({ length: sent }, (_, i) => i % 251));
    }),
    { numRuns: effort(300, 5000) },
  );
});
