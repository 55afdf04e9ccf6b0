import assert from "node:assert/strict";
import { LogQueue } from "../../../src/base/log_queue.ts";

/** A place to write to that takes bytes only when it is opened. */
class Gate {
  readonly #decoder = new TextDecoder();
  #open: boolean;
  #waiting: (() => void)[] = [];
  #text = "";
  /** At most so many bytes are taken at a time. */
  chunkBytes = Infinity;

  constructor(open: boolean) {
    this.#open = open;
  }

  /** What was written. */
  text(): string {
    return this.#text;
  }

  open(): void {
    this.#open = true;
    for (const go of this.#waiting.splice(0)) go();
  }

  readonly write = async (bytes: Uint8Array): Promise<number> => {
    if (!this.#open) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    const taken = bytes.subarray(0, this.chunkBytes);
    this.#text += this.#decoder.decode(taken, { stream: true });
    return taken.length;
  };
}

function queueOf(gate: Gate, maxLines: number, maxBytes?: number): LogQueue {
  return new LogQueue({
    write: gate.write,
    describeDrop: (count) => `dropped ${count}`,
    maxLines,
    ...(maxBytes === undefined ? {} : { maxBytes }),
  });
}

Deno.test("LogQueue: writes lines in order, through a writer that takes a few bytes at a time", async () => {
  const gate = new Gate(true);
  gate.chunkBytes = 3;
  const queue = queueOf(gate, 100);
  for (let i = 0; i < 10; i++) queue.push(`line ${i} é`);
  assert.equal(await queue.flush(5000), true);
  assert.equal(gate.text(), Array.from({ length: 10 }, (_, i) => `line ${i} é\n`).join(""));
});

Deno.test("LogQueue: drops above its bound on lines, counts, and says so once there is room", async () => {
  const gate = new Gate(false);
  const queue = queueOf(gate, 4);
  queue.push("first");
  await Promise.resolve();
  await Promise.resolve();
  // The first line is on its way; four more may wait.
  for (let i = 0; i < 10; i++) queue.push(`line ${i}`);
  assert.equal(queue.droppedLines, 6);
  assert.equal(gate.text(), "");
  gate.open();
  assert.equal(await queue.flush(5000), true);
  assert.equal(gate.text(), "first\nline 0\nline 1\nline 2\nline 3\ndropped 6\n");
  queue.push("later");
  await queue.flush(5000);
  assert.ok(gate.text().endsWith("dropped 6\nlater\n"), "reported once");
});

Deno.test("LogQueue: drops above its bound on bytes", async () => {
  const gate = new Gate(false);
  const queue = queueOf(gate, 1000, 100);
  queue.push("x".repeat(40));
  queue.push("y".repeat(20));
  queue.push("z");
  assert.equal(queue.droppedLines, 1);
  gate.open();
  await queue.flush(5000);
  assert.equal(gate.text(), `${"x".repeat(40)}\ndropped 1\nz\n`);
});

Deno.test("LogQueue: flush gives up at its deadline when nobody reads", async () => {
  const gate = new Gate(false);
  const queue = queueOf(gate, 10);
  queue.push("stuck");
  assert.equal(await queue.flush(5), false);
  gate.open();
  assert.equal(await queue.flush(5000), true);
  assert.equal(gate.text(), "stuck\n");
});

Deno.test("LogQueue: a writer that fails costs its lines, not the program", async () => {
  let failures = 0;
  let text = "";
  const queue = new LogQueue({
    write: (bytes) => {
      if (failures++ < 1) return Promise.reject(new Deno.errors.BrokenPipe("gone"));
      text += new TextDecoder().decode(bytes);
      return Promise.resolve(bytes.length);
    },
    describeDrop: (count) => `dropped ${count}`,
  });
  queue.push("lost");
  assert.equal(await queue.flush(5000), true);
  assert.equal(queue.droppedLines, 1);
  queue.push("kept");
  await queue.flush(5000);
  assert.equal(text, "dropped 1\nkept\n");
});
