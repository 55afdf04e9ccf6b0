import assert from "node:assert/strict";
import {
  encodeHll,
  estimateOf,
  HLL_DENSE_BYTES,
  hllPlace,
  placeIndex,
  placeValue,
  raiseRegisters,
  REGISTERS,
} from "../../../src/command/hyperloglog.ts";
import { Harness, request, settled } from "./harness.ts";

async function addAll(harness: Harness, name: string, from: number, to: number): Promise<void> {
  for (let first = from; first <= to; first += 1000) {
    const count = Math.min(1000, to + 1 - first);
    const elements = Array.from({ length: count }, (_, i) => `${first + i}`);
    assert.match(await harness.ask(request("PFADD", name, ...elements)), /^:[01]\r\n$/);
  }
}

Deno.test("PFCOUNT: estimates what Redis 7 does for the same elements, sparse and dense", async () => {
  const harness = new Harness();
  // Recorded: elements "1" to "n", estimate, length of the value.
  for (
    const [count, estimate, byteCount] of [
      [10, 10, 47],
      [100, 100, 287],
      [1000, 1001, 1922],
      [10_000, 9988, 12_304],
      [100_000, 99_562, 12_304],
    ]
  ) {
    await addAll(harness, `e${count}`, 1, count!);
    assert.equal(await harness.ask(`PFCOUNT e${count}\r\n`), `:${estimate}\r\n`);
    assert.equal(await harness.ask(`STRLEN e${count}\r\n`), `:${byteCount}\r\n`);
  }
  await addAll(harness, "u", 50_000, 60_000);
  assert.equal(await harness.ask("PFCOUNT e10000 u\r\n"), ":19946\r\n");
  assert.equal(await harness.ask("PFMERGE m e1000 u e100\r\n"), "+OK\r\n");
  assert.equal(await harness.ask("PFCOUNT m\r\n"), ":10921\r\n");
  harness.store.assertInvariants();
});

Deno.test("HyperLogLog: the standard error is about 0.81 %", () => {
  const runs = 60;
  let squares = 0;
  const element = new Uint8Array(8);
  const view = new DataView(element.buffer);
  for (let run = 0; run < runs; run++) {
    const registers = new Uint8Array(REGISTERS);
    const count = 20_000;
    for (let i = 0; i < count; i++) {
      view.setUint32(0, run);
      view.setUint32(4, i);
      const place = hllPlace(element, 0, 8);
      const index = placeIndex(place);
      registers[index] = Math.max(registers[index]!, placeValue(place));
    }
    squares += (estimateOf(registers) / count - 1) ** 2;
  }
  const error = Math.sqrt(squares / runs);
  assert.ok(error > 0.005 && error < 0.0115, `${error}`);
});

Deno.test("HyperLogLog: registers survive both layouts", () => {
  for (const step of [1, 7, 100, 5000]) {
    for (const most of [1, 32, 51]) {
      const registers = new Uint8Array(REGISTERS);
      for (let i = 0; i < REGISTERS; i += step) registers[i] = 1 + (i * 7) % most;
      for (const mayBeSparse of [true, false]) {
        const bytes = new Uint8Array(HLL_DENSE_BYTES);
        const byteCount = encodeHll(registers, bytes, mayBeSparse);
        if (!mayBeSparse || step === 1 && most > 1) assert.equal(byteCount, HLL_DENSE_BYTES);
        const copy = new Uint8Array(REGISTERS);
        assert.ok(raiseRegisters(copy, bytes, byteCount));
        assert.deepEqual(copy, registers, `${step} ${most} ${mayBeSparse}`);
      }
    }
  }
});

Deno.test("PFCOUNT and PFMERGE: of many keys are done later, and right", async () => {
  const harness = new Harness({ maxMemoryBytes: 32 * 2 ** 20 });
  const names = Array.from({ length: 60 }, (_, i) => `h${i}`);
  for (const [i, name] of names.entries()) await addAll(harness, name, i * 500, i * 500 + 999);
  await addAll(harness, "all", 0, 59 * 500 + 999);
  const direct = await harness.ask("PFCOUNT all\r\n");
  // Buffers that take each request in one read, so that they have begun when the change comes.
  const [counter, merger] = [harness.connect(65_536), harness.connect(65_536)];
  const counting = settled(counter.send(request("PFCOUNT", ...names, "missing")));
  const merging = settled(merger.send(request("PFMERGE", "d", ...names)));
  // A change meanwhile: the merge notices it.
  await harness.ask("PFADD h7 new1 new2 new3\r\nPFADD all new1 new2 new3\r\n");
  assert.equal(await counting, direct);
  assert.equal(await merging, "+OK\r\n");
  assert.equal(await harness.ask("PFCOUNT d\r\n"), await harness.ask("PFCOUNT all\r\n"));
  await harness.ask("SET bad x\r\n");
  for (const command of ["PFCOUNT", "PFMERGE"]) {
    assert.match(
      await settled(harness.ask(request(command, "d", ...names, "bad"))),
      /^-WRONGTYPE Key is not a valid HyperLogLog string value\.\r\n$/,
    );
  }
  harness.store.assertInvariants();
  assert.equal(harness.store.stats().leases, 0);
});

Deno.test("HyperLogLogs: one that begins as one and goes on as none is refused as damaged", async () => {
  const harness = new Harness();
  const client = harness.connect();
  // A sparse one whose runs are too short, too long, or not there; as Redis 7.0.15 answers.
  const head = "HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80";
  const damaged = "-INVALIDOBJ Corrupted HLL object detected\r\n";
  for (const runs of ["\x00", "\x7f\xff\x7f\xff", ""]) {
    const set = request("SET", "k", head + runs);
    for (const words of [["PFCOUNT", "k"], ["PFMERGE", "d", "k"], ["PFCOUNT", "k", "none"]]) {
      assert.equal(await client.send(set + request(...words)), `+OK\r\n${damaged}`);
    }
    assert.equal(await client.send("EXISTS d\r\n"), ":0\r\n");
  }
  assert.equal(
    await client.send(request("SET", "k", head) + request("PFADD", "k", "x")),
    `+OK\r\n${damaged}`,
  );
  assert.match(await client.send("INFO errorstats\r\n"), /errorstat_INVALIDOBJ:count=10\r\n/);
});
