import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteWriter } from "../../../src/base/bytes.ts";
import type { ByteSource } from "../../../src/command/byte_source.ts";
import type { ReplySink } from "../../../src/command/reply_sink.ts";
import type { ReplySource } from "../../../src/command/reply_source.ts";
import { ReplyStream } from "../../../src/protocol/reply_stream.ts";

/** Bytes in an array, with a count of how often they were released. */
class ArraySource implements ByteSource {
  readonly byteCount: number;
  released = 0;
  #position = 0;

  constructor(readonly bytes: Uint8Array) {
    this.byteCount = bytes.length;
  }

  get remaining(): number {
    return this.bytes.length - this.#position;
  }

  copyNext(target: Uint8Array, offset: number, byteCount: number): void {
    assert.equal(this.released, 0, "nothing is read after its release");
    assert.ok(byteCount > 0 && byteCount <= this.remaining);
    target.set(this.bytes.subarray(this.#position, this.#position + byteCount), offset);
    this.#position += byteCount;
  }

  release(): void {
    this.released++;
  }
}

/** A part of a reply: bytes, or a source of as many. */
const part = fc.record({ isSource: fc.boolean(), bytes: fc.uint8Array({ maxLength: 40 }) });

Deno.test("ReplyStream: puts any reply together in its order, never beyond the bound, and releases each source once", () => {
  fc.assert(fc.property(
    fc.array(fc.array(part, { maxLength: 6 }), { maxLength: 4 }),
    fc.integer({ min: 1, max: 50 }),
    (replies, mostBytes) => {
      const output = new ByteWriter(4);
      const stream = new ReplyStream();
      const sources: ArraySource[] = [];
      const expected: number[] = [];
      const sent: number[] = [];
      for (const parts of replies) {
        for (const { isSource, bytes } of parts) {
          expected.push(...bytes);
          if (!isSource) {
            output.copy(bytes);
            continue;
          }
          const source = new ArraySource(bytes);
          sources.push(source);
          stream.insert(source, output);
        }
        // What was written before the first source is the session's business.
        let bound = Math.max(mostBytes, output.length);
        while (!stream.fill(output, mostBytes)) {
          assert.ok(output.length <= bound, `${output.length} bytes of ${bound}`);
          bound = mostBytes;
          sent.push(...output.view());
          output.clear();
        }
        assert.equal(stream.isPending, false);
      }
      sent.push(...output.view());
      assert.deepEqual(sent, expected);
      assert.ok(sources.every(({ released }) => released > 0));
    },
  ));
});

Deno.test("ReplyStream: a source is released with its last byte, not with the reply's", () => {
  const output = new ByteWriter();
  const stream = new ReplyStream();
  const first = new ArraySource(new Uint8Array(10));
  const second = new ArraySource(new Uint8Array(10));
  stream.insert(first, output);
  stream.insert(second, output);
  assert.equal(stream.fill(output, 9), false);
  assert.deepEqual([first.released, second.released], [0, 0]);
  output.clear();
  assert.equal(stream.fill(output, 9), false);
  assert.deepEqual([first.released, second.released], [1, 0]);
});

Deno.test("ReplyStream: going back releases what was inserted since, and nothing else", () => {
  const output = new ByteWriter();
  const stream = new ReplyStream();
  const kept = new ArraySource(new Uint8Array([1, 2]));
  const dropped = new ArraySource(new Uint8Array([3, 4]));
  stream.insert(kept, output);
  output.byte(9);
  const mark = output.length;
  output.byte(8);
  stream.insert(dropped, output);
  output.byte(7);
  output.length = mark;
  stream.rewind(mark);
  assert.deepEqual([kept.released, dropped.released], [0, 1]);
  assert.equal(stream.fill(output, 100), true);
  assert.deepEqual([...output.view()], [1, 2, 9]);
});

Deno.test("ReplyStream: clear releases everything, however far the reply has come", () => {
  for (const fillBytes of [0, 5, 10, 15, 25]) {
    const output = new ByteWriter();
    const stream = new ReplyStream();
    const sources = [1, 2, 3].map(() => new ArraySource(new Uint8Array(10)));
    for (const source of sources) stream.insert(source, output);
    if (fillBytes > 0) stream.fill(output, fillBytes);
    stream.clear();
    assert.ok(sources.every(({ released }) => released > 0), `${fillBytes} bytes filled`);
    assert.equal(stream.isPending, false);
    output.clear();
    assert.equal(stream.fill(output, 100), true, "and the next reply begins afresh");
    stream.insert(new ArraySource(new Uint8Array([5])), output);
    assert.equal(stream.fill(output, 100), true);
    assert.deepEqual([...output.view()], [5]);
  }
});

/** Steps of bytes, some of them with a source in it, written to `output` and `stream`. */
class StepSource implements ReplySource {
  released = 0;
  #next = 0;

  constructor(
    readonly steps: readonly { bytes: Uint8Array; nested?: ArraySource; behind: Uint8Array }[],
    readonly output: ByteWriter,
    readonly stream: ReplyStream,
  ) {}

  writeNext(): boolean {
    assert.equal(this.released, 0, "nothing is asked for after its release");
    const step = this.steps[this.#next++];
    if (step === undefined) return true;
    this.output.copy(step.bytes);
    if (step.nested !== undefined) this.stream.insert(step.nested, this.output);
    this.output.copy(step.behind);
    return this.#next >= this.steps.length;
  }

  release(): void {
    this.released++;
  }
}

const step = fc.record({
  bytes: fc.uint8Array({ maxLength: 10 }),
  nested: fc.option(fc.uint8Array({ maxLength: 60 }), { nil: undefined }),
  behind: fc.uint8Array({ maxLength: 3 }),
});

/** What sinks are asked for goes to the output; the steps above know it. */
const NO_SINK = {} as ReplySink;

Deno.test("ReplyStream: replies of a source come whole and in order, with byte sources in them, and little at once", () => {
  fc.assert(fc.property(
    fc.array(fc.array(step, { maxLength: 6 }), { maxLength: 3 }),
    fc.uint8Array({ maxLength: 5 }),
    fc.integer({ min: 1, max: 50 }),
    (sources, between, mostBytes) => {
      const output = new ByteWriter(4);
      const stream = new ReplyStream();
      const expected: number[] = [];
      const all: { released: number }[] = [];
      for (const steps of sources) {
        const source = new StepSource(
          steps.map(({ bytes, nested, behind }) => {
            expected.push(...bytes, ...nested ?? [], ...behind);
            const array = nested === undefined ? undefined : new ArraySource(nested);
            if (array !== undefined) all.push(array);
            return { bytes, behind, ...(array === undefined ? {} : { nested: array }) };
          }),
          output,
          stream,
        );
        all.push(source);
        stream.insertReplies(source, NO_SINK, output);
        output.copy(between);
        expected.push(...between);
      }
      const sent: number[] = [];
      let bound = Math.max(mostBytes, output.length);
      while (!stream.fill(output, mostBytes)) {
        // A step is written whole: up to 10 bytes, or what is behind a byte source.
        assert.ok(output.length <= bound + 13, `${output.length} bytes of ${bound}`);
        bound = mostBytes;
        sent.push(...output.view());
        output.clear();
      }
      sent.push(...output.view());
      assert.deepEqual(sent, expected);
      assert.ok(all.every(({ released }) => released > 0));
      assert.equal(stream.isPending, false);
    },
  ));
});

Deno.test("ReplyStream: clear releases a source of replies and the byte source that it is at", () => {
  for (const fillBytes of [0, 5, 15, 25]) {
    const output = new ByteWriter();
    const stream = new ReplyStream();
    const nested = new ArraySource(new Uint8Array(20));
    const steps = [{ bytes: new Uint8Array(1), nested, behind: new Uint8Array(2) }];
    const source = new StepSource(steps, output, stream);
    stream.insertReplies(source, NO_SINK, output);
    if (fillBytes > 0) stream.fill(output, fillBytes);
    stream.clear();
    assert.ok(source.released > 0, `${fillBytes} bytes filled`);
    if (fillBytes > 0) assert.ok(nested.released > 0, `${fillBytes} bytes filled`);
    output.clear();
    stream.insert(new ArraySource(new Uint8Array([5])), output);
    assert.equal(stream.fill(output, 100), true);
    assert.deepEqual([...output.view()], [5]);
  }
});
