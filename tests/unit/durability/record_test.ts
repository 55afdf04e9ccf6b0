import assert from "node:assert/strict";
import fc from "fast-check";
import { FRAME_HEADER_BYTES } from "../../../src/durability/layout.ts";
import {
  RecordFlag,
  RecordReader,
  RecordType,
  RecordWriter,
} from "../../../src/durability/record.ts";

interface Sample {
  type: RecordType;
  database: number;
  key: Uint8Array;
  payload: Uint8Array;
  seq: number;
  valueType: number;
  expireAtMs: number;
  flags: number;
}

const samples: fc.Arbitrary<Sample> = fc.record({
  type: fc.constantFrom(...Object.values(RecordType)),
  database: fc.nat(255),
  key: fc.uint8Array({ maxLength: 60 }),
  payload: fc.uint8Array({ maxLength: 100 }),
  seq: fc.maxSafeNat().map((n) => n % 2 ** 48),
  valueType: fc.nat(5),
  expireAtMs: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 2 ** 47 })),
  flags: fc.constantFrom(0, RecordFlag.PINNED),
}, { noNullPrototype: true });

function append(writer: RecordWriter, sample: Sample): void {
  const { key, payload } = sample;
  writer.begin(
    sample.type,
    sample.database,
    key,
    0,
    key.length,
    sample.seq,
    sample.valueType,
    sample.expireAtMs,
    sample.flags,
  ).append(payload, 0, payload.length).end();
}

function shown(record: RecordReader): Sample {
  return {
    type: record.type,
    database: record.database,
    key: record.bytes.slice(record.keyStart, record.keyEnd),
    payload: record.bytes.slice(record.payloadStart, record.payloadEnd),
    seq: record.seq,
    valueType: record.valueType,
    expireAtMs: record.expireAtMs,
    flags: record.flags & ~RecordFlag.HAS_EXPIRY,
  };
}

Deno.test("records: what was written is read, whatever it is", () => {
  fc.assert(fc.property(fc.array(samples, { maxLength: 30 }), (written) => {
    const writer = new RecordWriter(16);
    for (const sample of written) {
      append(writer, sample);
      assert.equal(writer.length % 8, 0);
    }
    const record = new RecordReader().open(writer.bytes, FRAME_HEADER_BYTES, writer.length);
    const read: Sample[] = [];
    while (record.next() === true) read.push(shown(record));
    assert.deepEqual(read, written);
    assert.equal(record.next(), false);
    writer.clear();
    assert.equal(writer.isEmpty, true);
  }));
});

Deno.test("records: bytes that are none are refused in words, and nothing is thrown", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    const record = new RecordReader().open(bytes, 0, bytes.length);
    let found: boolean | string = true;
    for (let count = 0; found === true; count++) {
      found = record.next();
      assert.ok(count <= bytes.length / 16 + 1, "each record takes bytes");
      if (found === true) assert.ok(record.payloadEnd <= bytes.length);
    }
    assert.equal(typeof found === "string", record.at !== bytes.length);
  }));
});

Deno.test("records: one that ends behind the body, or has an unknown type or flag, is refused", () => {
  const writer = new RecordWriter();
  append(writer, {
    type: RecordType.STRING,
    database: 0,
    key: new Uint8Array(5),
    payload: new Uint8Array(9),
    seq: 1,
    valueType: 1,
    expireAtMs: 0,
    flags: 0,
  });
  const body = writer.bytes.slice(FRAME_HEADER_BYTES, writer.length);
  const changed = (at: number, value: number): boolean | string => {
    const bytes = body.slice();
    bytes[at] = value;
    return new RecordReader().open(bytes, 0, bytes.length).next();
  };
  assert.match(String(changed(0, 0)), /no record of type 0/);
  assert.match(String(changed(0, 99)), /no record of type 99/);
  assert.match(String(changed(15, 0x80)), /unknown flags/);
  assert.match(String(changed(4, 200)), /is in 32 bytes/);
  assert.match(String(changed(7, 0xff)), /is in 32 bytes/);
});

Deno.test("records: the page about the format has each type with its number", async () => {
  const page = await Deno.readTextFile(
    new URL("../../../docs/storage-format.md", import.meta.url),
  );
  const rows = [...page.matchAll(/^\| +(\d+) \| `([A-Z_]+)` /gm)];
  const documented = Object.fromEntries(rows.map(([, number, name]) => [name, Number(number)]));
  assert.deepEqual(documented, { ...RecordType });
});
