/** DUMP and RESTORE: every value comes back, and nothing else gets in. */

import assert from "node:assert/strict";
import { crc32c } from "../../../src/base/crc32c.ts";
import { ArraySource, DumpSource, isIntactDump } from "../../../src/command/dump_format.ts";
import { EntryType } from "../../../src/store/store.ts";
import { Random } from "../../helpers/fuzz/random.ts";
import { pattern } from "../store/helpers.ts";
import { Harness, latin1, request, settled, toLatin1 } from "./harness.ts";

/** The dump of a payload, read in pieces of up to `pieceBytes`. */
function dumpOf(type: EntryType | 99, payload: Uint8Array, pieceBytes = Infinity): Uint8Array {
  const source = new DumpSource(type as EntryType, new ArraySource(payload));
  const bytes = new Uint8Array(source.byteCount);
  while (source.remaining > 0) {
    const byteCount = Math.min(source.remaining, pieceBytes);
    source.copyNext(bytes, bytes.length - source.remaining, byteCount);
  }
  return bytes;
}

/** The bytes of a bulk reply. */
function bulkOf(reply: string): string {
  return reply.slice(reply.indexOf("\r\n") + 2, -2);
}

Deno.test("DumpSource: is the same however it is read", () => {
  for (const byteCount of [0, 1, 5, 6, 7, 8, 1000]) {
    const payload = pattern(byteCount, byteCount + 1);
    const whole = dumpOf(EntryType.STRING, payload);
    assert.ok(isIntactDump(whole, 0, whole.length));
    for (const pieceBytes of [1, 2, 3, 7, 100]) {
      assert.deepEqual(dumpOf(EntryType.STRING, payload, pieceBytes), whole);
    }
  }
});

Deno.test("crc32c: any cut gives the same sum, and the published one", () => {
  // RFC 3720, B.4: 32 bytes of zeros, of ones, counting up.
  assert.equal(crc32c(new Uint8Array(32), 0, 32), 0x8a9136aa);
  assert.equal(crc32c(new Uint8Array(32).fill(255), 0, 32), 0x62a8ab43);
  assert.equal(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i), 0, 32), 0x46dd794e);
  const bytes = pattern(100, 3);
  const whole = crc32c(bytes, 0, 100);
  for (let cut = 0; cut <= 100; cut++) {
    assert.equal(crc32c(bytes, cut, 100, crc32c(bytes, 0, cut)), whole);
  }
});

Deno.test("DUMP and RESTORE: strings of all sizes and contents come back", async () => {
  const harness = new Harness({ maxMemoryBytes: 32 * 2 ** 20, maxRequestBytes: 4 * 2 ** 20 });
  const client = harness.connect();
  const texts = ["", "0", "-9223372036854775808", "\r\n\0", "x".repeat(44)];
  for (const byteCount of [8100, 8192, 70_000, 700_000]) {
    texts.push(toLatin1(pattern(byteCount, byteCount)));
  }
  for (const text of texts) {
    await client.send(request("SET", "k", text));
    const dump = bulkOf(await client.send("DUMP k\r\n"));
    assert.equal(dump.length, text.length + 7);
    assert.equal(await client.send(request("RESTORE", "l", "1000", dump, "REPLACE")), "+OK\r\n");
    assert.equal(bulkOf(await client.send("GET l\r\n")), text);
    harness.nowMs += 1000;
    assert.equal(await client.send("EXISTS l\r\n"), ":0\r\n");
    harness.store.assertInvariants();
  }
  // What INCR made comes back as the number it is.
  await client.send("DEL k\r\nINCRBY k 41\r\n");
  const dump = bulkOf(await client.send("DUMP k\r\n"));
  await client.send(request("RESTORE", "l", "0", dump, "REPLACE"));
  assert.equal(await client.send("INCR l\r\n"), ":42\r\n");
});

Deno.test("RESTORE: a good checksum around nonsense is refused, and changes nothing", async () => {
  const client = new Harness().connect();
  await client.send("SET k old\r\n");
  const dump = toLatin1(dumpOf(99, latin1("payload")));
  const reply = await client.send(request("RESTORE", "k", "0", dump, "REPLACE"));
  assert.equal(reply, "-ERR Bad data format\r\n");
  const other = dumpOf(EntryType.STRING, latin1("payload"));
  // Another version, with a checksum that is right for it.
  other[other.length - 6] = 2;
  new DataView(other.buffer).setUint32(other.length - 4, crc32c(other, 0, other.length - 4), true);
  assert.equal(
    await client.send(request("RESTORE", "k", "0", toLatin1(other), "REPLACE")),
    "-ERR DUMP payload version or checksum are wrong\r\n",
  );
  assert.equal(await client.send("GET k\r\n"), "$3\r\nold\r\n");
});

Deno.test("RESTORE: a value beyond the largest is refused", async () => {
  const client = new Harness({ maxValueBytes: 100 }).connect();
  const dump = toLatin1(dumpOf(EntryType.STRING, new Uint8Array(101)));
  assert.match(await client.send(request("RESTORE", "k", "0", dump)), /^-ERR string exceeds/);
  assert.equal(await client.send("EXISTS k\r\n"), ":0\r\n");
});

const COLLECTIONS: readonly number[] = [
  EntryType.LIST,
  EntryType.HASH,
  EntryType.SET,
  EntryType.SORTED_SET,
];

Deno.test("RESTORE: of thousands of mutated dumps none is taken that was not dumped, none hurts", async () => {
  const seed = (Math.random() * 2 ** 32) >>> 0;
  const random = new Random(seed);
  const harness = new Harness({ maxMemoryBytes: 16 * 2 ** 20 });
  const client = harness.connect();
  let taken = 0;
  for (let round = 0; round < 5000; round++) {
    const payload = pattern(random.below(200), round + 1);
    const bytes = [...dumpOf(round % 2 === 0 ? EntryType.STRING : 99, payload)];
    for (let i = random.below(4); i > 0; i--) {
      const at = random.below(bytes.length + 1);
      const kind = random.below(4);
      if (kind === 0) bytes[Math.min(at, bytes.length - 1)]! ^= 1 << random.below(8);
      else if (kind === 1) bytes.splice(at, random.below(10));
      else if (kind === 2) bytes.splice(at, 0, random.below(256));
      else bytes.length = at;
      if (bytes.length === 0) break;
    }
    // Half of them get a checksum that is right, so that what is behind it is looked at.
    if (bytes.length >= 6 && random.below(2) === 0) {
      const view = new DataView(Uint8Array.from(bytes).buffer);
      view.setUint32(bytes.length - 4, crc32c(Uint8Array.from(bytes), 0, bytes.length - 4), true);
      bytes.splice(0, bytes.length, ...new Uint8Array(view.buffer));
    }
    const text = toLatin1(Uint8Array.from(bytes));
    const reply = await settled(
      client.send(request("RESTORE", `k${round % 50}`, "0", text, "REPLACE")),
    );
    if (reply === "+OK\r\n") {
      taken++;
      const again = bulkOf(await client.send(`DUMP k${round % 50}\r\n`));
      // A flipped bit of the type may make a right dump of a collection.
      if (bytes[0] !== EntryType.STRING) assert.ok(COLLECTIONS.includes(bytes[0]!), `seed ${seed}`);
      else assert.equal(again, text, `seed ${seed}: what was taken is what comes back`);
    } else {
      assert.match(
        reply,
        /^-ERR (DUMP payload version or checksum are wrong|Bad data format)\r\n$/,
        `seed ${seed}`,
      );
    }
  }
  assert.ok(taken > 100, `seed ${seed}: ${taken} were taken`);
  harness.store.assertInvariants();
});
