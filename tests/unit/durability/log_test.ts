import assert from "node:assert/strict";
import { DamageError } from "../../../src/durability/damage.ts";
import { DenoStorage } from "../../../src/durability/deno_storage.ts";
import { HISTORY_BYTES } from "../../../src/durability/file_header.ts";
import { filesOf } from "../../../src/durability/file_names.ts";
import { FILE_HEADER_BYTES, FRAME_HEADER_BYTES } from "../../../src/durability/layout.ts";
import { type LogEnd, LogReader } from "../../../src/durability/log_reader.ts";
import { LogWriter } from "../../../src/durability/log_writer.ts";
import { MARK_FRAME_BYTES } from "../../../src/durability/mark.ts";
import type { Storage } from "../../../src/durability/storage.ts";
import { MemoryStorage, systemError } from "../../helpers/memory_storage.ts";
import { Random } from "../../helpers/fuzz/random.ts";

const HISTORY = new Uint8Array(HISTORY_BYTES).fill(7);
const SMALL_SEGMENT = 300;

function options(storage: Storage, segmentBytes = 2 ** 20, reserveBytes = 0) {
  return { storage, history: HISTORY, segmentBytes, reserveBytes, clock: () => 1_700_000_000_000 };
}

/** A piece whose frames have these bodies. */
function piece(bodies: readonly Uint8Array[]): [Uint8Array, DataView, number] {
  const byteCount = bodies.reduce((sum, { length }) => sum + FRAME_HEADER_BYTES + length, 0);
  const bytes = new Uint8Array(MARK_FRAME_BYTES + byteCount);
  const view = new DataView(bytes.buffer);
  let at = MARK_FRAME_BYTES;
  for (const body of bodies) {
    view.setUint32(at, body.length, true);
    bytes.set(body, at + FRAME_HEADER_BYTES);
    at += FRAME_HEADER_BYTES + body.length;
  }
  return [bytes, view, at];
}

/** A body that is no mark: a removed key whose name tells bodies apart. */
function bodyOf(n: number, byteCount = 24): Uint8Array {
  const body = new Uint8Array(byteCount);
  body[0] = 5;
  new DataView(body.buffer).setUint32(8, n, true);
  return body;
}

function numberOf(bytes: Uint8Array, start: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset + start).getUint32(8, true);
}

function read(storage: Storage, fromPosition = 0): { end: LogEnd; numbers: number[] } {
  const numbers: number[] = [];
  const end = new LogReader({
    storage,
    history: HISTORY,
    fromPosition,
    onFrame: ({ bytes, bodyStart }) => numbers.push(numberOf(bytes, bodyStart)),
  }).read();
  return { end, numbers };
}

/** Numbers from 0 on. */
const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

/** A log of `count` pieces with one frame each; synced up to and including piece `synced`. */
function logOf(
  storage: Storage,
  count: number,
  synced: number,
  segmentBytes?: number,
  reserveBytes?: number,
): LogWriter {
  const writer = LogWriter.begin(options(storage, segmentBytes, reserveBytes), 0);
  for (let n = 0; n < count; n++) {
    writer.append(...piece([bodyOf(n)]));
    if (n <= synced) writer.sync();
  }
  return writer;
}

Deno.test("log: what was written is read, over several segments, from any position on", () => {
  const storage = new MemoryStorage();
  const writer = LogWriter.begin(options(storage, SMALL_SEGMENT), 0);
  const positions: number[] = [];
  for (let n = 0; n < 60; n += 3) {
    positions.push(writer.position);
    writer.append(...piece([bodyOf(n, 24), bodyOf(n + 1, 400), bodyOf(n + 2, 32)]));
  }
  writer.stop();
  assert.ok(filesOf(storage.list(), "log").length > 5, "there are several segments");
  const { end, numbers } = read(storage);
  assert.deepEqual(numbers, upTo(60));
  assert.equal(end.position, writer.position);
  assert.equal(end.torn, undefined);
  assert.equal(end.lastMark?.isStop, true);
  for (const [index, position] of positions.entries()) {
    assert.deepEqual(read(storage, position).numbers, upTo(60).slice(index * 3));
  }
});

Deno.test("log: it goes on where it ended, in the same segment or in a new one", () => {
  const storage = new MemoryStorage();
  logOf(storage, 2, 1).stop();
  const { end } = read(storage);
  const resumed = LogWriter.resume(options(storage), end.segment!, end.position);
  resumed.append(...piece([bodyOf(2)]));
  resumed.stop();
  assert.deepEqual(read(storage).numbers, upTo(3));
  const begun = LogWriter.begin(options(storage), read(storage).end.position);
  begun.append(...piece([bodyOf(3)]));
  begun.stop();
  assert.deepEqual(read(storage).numbers, upTo(4));
  assert.equal(filesOf(storage.list(), "log").length, 2);
});

Deno.test("log: cut off at any byte, it ends with its last whole frame, unless more was durable", () => {
  const whole = new MemoryStorage();
  logOf(whole, 6, 3);
  const name = whole.list()[0]!;
  const bytes = whole.bytesOf(name);
  const pieceBytes = (bytes.length - FILE_HEADER_BYTES) / 6;
  // The mark of the sixth piece says that five are durable; the last sync was after the fourth.
  for (let cut = 0; cut <= bytes.length; cut++) {
    const storage = new MemoryStorage();
    storage.put(name, bytes.subarray(0, cut));
    if (cut < FILE_HEADER_BYTES) {
      // It got its name when its header was on the disk: no crash leaves this.
      assert.throws(() => read(storage), DamageError, `cut at ${cut}`);
      continue;
    }
    const pieces = Math.max(Math.floor((cut - FILE_HEADER_BYTES) / pieceBytes), 0);
    const marksSeen = Math.floor((cut - FILE_HEADER_BYTES - MARK_FRAME_BYTES) / pieceBytes) + 1;
    const durable = Math.min(marksSeen - 1, 4);
    const context = `cut at ${cut}, ${pieces} pieces, ${durable} durable`;
    const { end, numbers } = read(storage);
    assert.deepEqual(numbers, upTo(pieces), context);
    assert.ok(pieces >= durable, context);
    const isWhole = (cut - FILE_HEADER_BYTES) % pieceBytes === 0;
    const isBehindMark = (cut - FILE_HEADER_BYTES - MARK_FRAME_BYTES) % pieceBytes === 0;
    assert.deepEqual(end.unconfirmedSegments, [], context);
    assert.equal(end.torn === undefined, isWhole || isBehindMark, context);
    if (end.torn !== undefined) {
      assert.equal(end.torn.offset + end.torn.byteCount, cut, context);
    }
  }
});

Deno.test("log: a segment that others follow may not be cut off anywhere", () => {
  const whole = new MemoryStorage();
  logOf(whole, 8, 8, SMALL_SEGMENT).stop();
  const [first] = filesOf(whole.list(), "log");
  const bytes = whole.bytesOf(first!.name);
  for (let cut = 0; cut < bytes.length; cut++) {
    const storage = whole.copy();
    storage.put(first!.name, bytes.subarray(0, cut));
    assert.throws(() => read(storage), DamageError, `cut at ${cut}`);
  }
});

Deno.test("log: a bit that flipped is found, wherever it is", () => {
  const whole = new MemoryStorage();
  const writer = logOf(whole, 8, 8, SMALL_SEGMENT);
  writer.stop();
  let damages = 0;
  for (const { name } of filesOf(whole.list(), "log")) {
    const length = whole.bytesOf(name).length;
    for (let bit = 0; bit < length * 8; bit++) {
      const storage = whole.copy();
      storage.bytesOf(name)[bit >>> 3]! ^= 1 << (bit & 7);
      try {
        const { end, numbers } = read(storage);
        // Only the last mark may be taken for the end of a crash: it has nothing in it.
        assert.ok(end.torn !== undefined, `bit ${bit} of ${name} goes unnoticed`);
        assert.deepEqual(numbers, upTo(8), `bit ${bit} of ${name}`);
      } catch (error) {
        if (!(error instanceof DamageError)) throw error;
        assert.equal(error.path, `memory/${name}`);
        assert.ok(error.offset <= bit >>> 3, `bit ${bit} of ${name}: ${error.message}`);
        damages++;
      }
    }
  }
  assert.ok(damages > 1000, "most of it is damage");
});

Deno.test("log: a segment that is missing, or of another directory, is damage", () => {
  const whole = new MemoryStorage();
  logOf(whole, 12, 12, SMALL_SEGMENT).stop();
  const names = filesOf(whole.list(), "log").map(({ name }) => name);
  for (const name of names.slice(0, -1)) {
    const storage = whole.copy();
    storage.remove(name);
    assert.throws(() => read(storage), /is missing/, name);
  }
  const other = new MemoryStorage();
  const writer = LogWriter.begin({ ...options(other), history: new Uint8Array(HISTORY_BYTES) }, 0);
  writer.append(...piece([bodyOf(0)]));
  writer.stop();
  assert.throws(() => read(other), /belongs to another data directory/);
});

Deno.test("log: after a power cut everything durable is there, and nothing but a beginning", () => {
  const seed = Number(Deno.env.get("SEED") ?? Date.now() % 1_000_000);
  const random = new Random(seed);
  let torn = 0;
  for (let round = 0; round < 400; round++) {
    const context = `seed ${seed}, round ${round}`;
    const storage = new MemoryStorage();
    const { writer, written, durable } = writeAtRandom(storage, random);
    const after = storage.afterPowerCut(() => random.oneIn(2));
    const { end, numbers } = read(after);
    assert.deepEqual(numbers, upTo(numbers.length), context);
    assert.ok(numbers.length >= durable && numbers.length <= written, `${context}: ${numbers}`);
    assert.ok(end.position <= writer.position, context);
    if (end.torn !== undefined) torn++;
  }
  assert.ok(torn > 40, `power cuts tear writes (${torn} of 400)`);
});

function writeAtRandom(storage: Storage, random: Random) {
  const writer = LogWriter.begin(options(storage, 4000, random.pick([0, 100, 3000])), 0);
  let written = 0;
  /** How many frames are in front of a position. */
  const ends: { position: number; written: number }[] = [];
  const pieces = random.below(30);
  for (let n = 0; n < pieces; n++) {
    const bodies = Array.from(
      { length: 1 + random.below(5) },
      () => bodyOf(written++, 24 + 8 * random.below(200)),
    );
    writer.append(...piece(bodies));
    ends.push({ position: writer.position, written });
    if (random.oneIn(3)) writer.sync();
  }
  const durable = ends.findLast(({ position }) => position <= writer.durablePosition)?.written ?? 0;
  return { writer, written, durable };
}

Deno.test("log: zeros behind the last frame are its end, wherever it goes on", () => {
  const storage = new MemoryStorage();
  const writer = logOf(storage, 6, 6, SMALL_SEGMENT, 10_000);
  const segments = filesOf(storage.list(), "log");
  assert.ok(segments.length > 1, "there are several segments");
  const last = segments.pop()!;
  const sizeOf = (name: string): number => storage.bytesOf(name).length;
  for (const { name } of segments) {
    assert.ok(sizeOf(name) < 1000, `what ${name} did not need is given back`);
  }
  assert.ok(sizeOf(last.name) > 10_000, "the last one is longer than what is written");
  const { end, numbers } = read(storage);
  assert.deepEqual(numbers, upTo(6));
  assert.equal(end.torn, undefined);
  assert.equal(end.position, writer.position);
  // A crash comes before that is given back, and the next start needs no zeros.
  const resumed = LogWriter.resume(options(storage), end.segment!, end.position);
  resumed.append(...piece([bodyOf(6)]));
  assert.ok(sizeOf(last.name) < 1000);
  resumed.stop();
  assert.deepEqual(read(storage).numbers, upTo(7));
});

Deno.test("log: what is torn in front of zeros is cut off, and what is missing there is damage", () => {
  const storage = new MemoryStorage();
  logOf(storage, 6, 3, undefined, 10_000);
  const name = storage.list()[0]!;
  const bytes = storage.bytesOf(name).slice();
  const writtenBytes = bytes.findLastIndex((byte) => byte !== 0) + 1;
  const pieceBytes = read(storage).end.position / 6;
  const lastAt = FILE_HEADER_BYTES + 5 * pieceBytes;
  for (let cut = lastAt; cut < writtenBytes; cut++) {
    storage.put(name, bytes.slice().fill(0, cut));
    const context = `zeros from ${cut} on, the last piece from ${lastAt} on`;
    const { end, numbers } = read(storage);
    assert.deepEqual(numbers, upTo(5), context);
    if (end.torn === undefined) {
      // Nothing of it is left, or its mark, which may end in zeros itself.
      const markEnd = lastAt + MARK_FRAME_BYTES;
      const isMarkWhole = bytes.subarray(cut, markEnd).every((byte) => byte === 0);
      assert.ok(cut === lastAt || (cut <= markEnd && isMarkWhole), context);
    } else {
      assert.ok(end.torn.offset + end.torn.byteCount <= cut, `${context}: ${end.torn.byteCount}`);
    }
  }
  // The mark of the last piece calls four durable: zeros in their place are no end.
  const fourthBodyAt = FILE_HEADER_BYTES + 4 * pieceBytes - 24;
  for (let at = FILE_HEADER_BYTES; at <= fourthBodyAt; at += 8) {
    storage.put(name, bytes.slice().fill(0, at, lastAt));
    assert.throws(() => read(storage), DamageError, `zeros from ${at} to ${lastAt}`);
  }
  // Behind all that marks in front of them call durable, they are what a crash leaves.
  storage.put(name, bytes.slice().fill(0, fourthBodyAt - pieceBytes));
  assert.equal(read(storage).end.torn?.offset, fourthBodyAt - pieceBytes - FRAME_HEADER_BYTES);
});

Deno.test("log: what is damaged and full of zeros is read a few times, not once for each of them", () => {
  const storage = new MemoryStorage();
  const body = bodyOf(0, 600_000);
  for (let at = 24; at < body.length; at += 16) body.fill(9, at + 8, at + 16);
  const writer = LogWriter.begin(options(storage, 2 ** 30, 4096), 0);
  for (let n = 0; n < 3; n++) writer.append(...piece([body]));
  writer.close();
  storage.bytesOf(writer.segment)[FILE_HEADER_BYTES + MARK_FRAME_BYTES + 100]! ^= 1;
  let readBytes = 0;
  const open = storage.open.bind(storage);
  storage.open = (name, mode) => {
    const file = open(name, mode);
    const readAt = file.readAt.bind(file);
    file.readAt = (offset, target) => {
      const count = readAt(offset, target);
      readBytes += count;
      return count;
    };
    return file;
  };
  const { torn } = read(storage).end;
  assert.equal(torn?.offset, FILE_HEADER_BYTES + MARK_FRAME_BYTES);
  const fileBytes = storage.bytesOf(writer.segment).length;
  assert.ok(readBytes < 10 * fileBytes, `${readBytes} bytes of ${fileBytes} were read`);
});

Deno.test("log: a disk without room for zeros may have room for what is written", () => {
  const storage = new MemoryStorage();
  let reservations = 0;
  storage.fault = (call) => {
    if (call !== "reserve") return;
    reservations++;
    throw systemError("ENOSPC");
  };
  const writer = logOf(storage, 6, 6, undefined, 10_000);
  assert.equal(reservations, 1, "it is not tried again before the next segment");
  assert.deepEqual(read(storage).numbers, upTo(6));
  writer.stop();
  assert.equal(storage.bytesOf(writer.segment).length, FILE_HEADER_BYTES + writer.position);
});

Deno.test("log: short writes are continued", () => {
  const storage = new MemoryStorage();
  storage.fault = (call) => call === "append" ? 7 : undefined;
  logOf(storage, 4, 4, SMALL_SEGMENT).stop();
  assert.deepEqual(read(storage).numbers, upTo(4));
});

for (const call of ["append", "sync"] as const) {
  for (const code of ["ENOSPC", "EIO"]) {
    Deno.test(`log: ${code} on ${call} ends the segment for good, and what was durable is kept`, () => {
      const storage = new MemoryStorage();
      const writer = logOf(storage, 3, 3);
      let calls = 0;
      storage.fault = (which, _name, byteCount) => {
        if (which !== call) return undefined;
        // Some of it is written, then nothing.
        if (call === "append" && calls++ === 0) return byteCount >> 1;
        throw systemError(code);
      };
      assert.throws(() => {
        writer.append(...piece([bodyOf(3)]));
        writer.sync();
      }, new RegExp(code));
      assert.equal(writer.hasFailed, true);
      assert.throws(() => writer.append(...piece([bodyOf(4)])), /has failed/);
      assert.throws(() => writer.startAnew(writer.position + 1000), new RegExp(code));
      storage.fault = () => {};
      writer.startAnew(writer.position + 1000);
      const { numbers } = read(storage);
      assert.ok(numbers.length >= 3, "what was durable is there");
      assert.deepEqual(numbers, upTo(numbers.length));
      // Without a snapshot what is written behind the gap was never confirmed, and is given up.
      writer.append(...piece([bodyOf(8)]));
      writer.sync();
      writer.append(...piece([bodyOf(9)]));
      assert.deepEqual(read(storage).numbers, numbers);
      assert.deepEqual(read(storage).end.unconfirmedSegments, [writer.segment]);
      // Once it was, the gap is damage: somebody has removed the snapshot.
      const position = writer.position;
      writer.confirm();
      writer.append(...piece([bodyOf(10)]));
      assert.throws(() => read(storage), DamageError);
      // With a snapshot from its position on, what is before it is of no interest.
      assert.deepEqual(read(storage, position).numbers, [10]);
    });
  }
}

Deno.test("log: a directory of the file system does as one in memory", async () => {
  const path = await Deno.makeTempDir({ prefix: "sluice-log-" });
  try {
    const storage = new DenoStorage(path);
    logOf(storage, 12, 6, SMALL_SEGMENT, 200_000);
    const { end, numbers } = read(storage);
    assert.deepEqual(numbers, upTo(12));
    const resumed = LogWriter.resume(options(storage, 1e6, 100_000), end.segment!, end.position);
    resumed.append(...piece([bodyOf(12)]));
    resumed.sync();
    assert.deepEqual(read(storage).numbers, upTo(13));
    resumed.stop();
    LogWriter.resume(options(storage), end.segment!, resumed.position - MARK_FRAME_BYTES).close();
    const file = storage.open(end.segment!, "update");
    const whole = file.size();
    file.truncate(whole - 1);
    file.close();
    assert.equal(read(storage).end.torn?.byteCount, 39);
    assert.deepEqual(read(storage).numbers, upTo(12));
  } finally {
    await Deno.remove(path, { recursive: true });
  }
});
