/**
 * The longest pause of a single insertion while one shard grows to millions of keys.
 *
 * The index grows by one bucket per insertion, so no insertion may pay for a rehash. Every
 * insertion is timed: the clock is read after each one and the difference to the reading before is
 * its time, so nothing can hide between two of them.
 *
 * A computer stops a thread for other reasons, too: the scheduler (slices of 4 ms on Linux),
 * the garbage collector, interrupts. So there is a control, which runs as long: the same loop writes
 * as many bytes to fresh memory, without a store. And the same keys with the same hash secret are
 * inserted several times over: what the store does at the n-th insertion is then the same in every
 * run, so what it costs is in all of them, while the machine's pauses fall on another insertion each
 * time. Both are printed: the longest of each run as it was measured, and the longest that the
 * store is to blame for, which is the largest of the insertions' fastest times.
 *
 *     deno run --allow-read bench/insert_pause.ts [keys] [arena MiB]
 *
 * Exit code 1 when the latter is 2 ms or more.
 *
 * @module
 */

import { Key } from "../src/store/key.ts";
import { Store, WriteStatus } from "../src/store/store.ts";

const LIMIT_MS = 2;
const KEY_BYTES = 11;
const VALUE_BYTES = 8;
/** Runs of the same insertions. */
const ROUNDS = 3;
/** The same in every run, so that every run does the same work. */
const HASH_SEED = [0x5eed, 0xfeed];
/** Pauses that are looked at one by one. */
const WORST = 10;

interface Pause {
  index: number;
  microseconds: number;
  note: string;
}

/** Times of one loop: a histogram in steps of 10 ns up to 1 ms, and the longest. */
class Pauses {
  readonly #histogram = new Uint32Array(100_001);
  readonly #worstIndex = new Float64Array(WORST);
  readonly #worst = new Float64Array(WORST);
  #count = 0;
  totalMs = 0;

  add(index: number, elapsedMs: number): void {
    this.#count++;
    this.#histogram[Math.min(100_000, Math.floor(elapsedMs * 100_000))]!++;
    if (elapsedMs <= this.#worst[WORST - 1]!) return;
    let at = WORST - 1;
    for (; at > 0 && this.#worst[at - 1]! < elapsedMs; at--) {
      this.#worst[at] = this.#worst[at - 1]!;
      this.#worstIndex[at] = this.#worstIndex[at - 1]!;
    }
    this.#worst[at] = elapsedMs;
    this.#worstIndex[at] = index;
  }

  get longestMs(): number {
    return this.#worst[0]!;
  }

  /** Nanoseconds that the share `q` of all times does not exceed. */
  quantile(q: number): number {
    let left = Math.ceil(this.#count * q);
    for (let step = 0; step < this.#histogram.length; step++) {
      left -= this.#histogram[step]!;
      if (left <= 0) return (step + 1) * 10;
    }
    return this.longestMs * 1e6;
  }

  worst(note: (index: number) => string): Pause[] {
    return Array.from(this.#worst, (ms, i) => ({
      index: this.#worstIndex[i]!,
      microseconds: Math.round(ms * 1000),
      note: note(this.#worstIndex[i]!),
    }));
  }

  print(title: string, note: (index: number) => string): void {
    const perCall = this.totalMs * 1e6 / this.#count;
    say(`${title}`);
    say(`  count   ${this.#count}`);
    say(`  total   ${(this.totalMs / 1000).toFixed(2)} s, ${perCall.toFixed(0)} ns each`);
    for (const [name, q] of [["p50", 0.5], ["p99", 0.99], ["p99.9", 0.999]] as const) {
      say(`  ${name.padEnd(7)} ${(this.quantile(q) / 1000).toFixed(2)} µs`);
    }
    say(`  longest ${(this.longestMs * 1000).toFixed(0)} µs`);
    for (const { index, microseconds, note: text } of this.worst(note)) {
      say(`    ${String(microseconds).padStart(6)} µs at ${index}${text}`);
    }
  }
}

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(line + "\n"));
}

/** Writes `key:0000042` into `bytes`, without allocating. */
function writeName(bytes: Uint8Array, index: number): void {
  for (let at = KEY_BYTES - 1, rest = index; at >= 4; at--) {
    const quotient = Math.floor(rest / 10);
    bytes[at] = 0x30 + rest - quotient * 10;
    rest = quotient;
  }
}

/** What the index does at the insertion that makes `entries` of them; see table.ts. */
function growthAt(entries: number): string {
  const buckets = Math.ceil(entries / 9);
  if ((entries - 1) % 9 !== 0) return "";
  if (buckets > 1024 && (buckets - 1) % 1024 === 0) return "  (a new leaf page)";
  return "  (a split)";
}

function insertAll(
  count: number,
  arenaMib: number,
  fastestMs: Float32Array,
): { pauses: Pauses; store: Store } {
  const store = Store.create({
    shardCount: 1,
    lockKind: "mutex",
    maxMemoryBytes: arenaMib * 2 ** 20,
    maxValueBytes: 2 ** 20,
    threadCount: 1,
    hashSeed: Uint32Array.from(HASH_SEED),
  });
  store.nowMs = Date.now();
  const pauses = new Pauses();
  const bytes = new TextEncoder().encode("key:0000000" + "v".repeat(VALUE_BYTES));
  const key = new Key();
  const startMs = performance.now();
  let beforeMs = startMs;
  for (let i = 0; i < count; i++) {
    writeName(bytes, i);
    store.locate(key.set(bytes, 0, KEY_BYTES));
    store.locks.lock(key.shard, true);
    const status = store.setString(0, key, bytes, KEY_BYTES, KEY_BYTES + VALUE_BYTES, 0);
    store.locks.unlock(key.shard, true);
    if (status !== WriteStatus.OK) throw new Error(`Cannot insert key ${i}: status ${status}`);
    const nowMs = performance.now();
    const elapsedMs = nowMs - beforeMs;
    pauses.add(i, elapsedMs);
    if (elapsedMs < fastestMs[i]!) fastestMs[i] = elapsedMs;
    beforeMs = performance.now();
  }
  pauses.totalMs = performance.now() - startMs;
  return { pauses, store };
}

/** The same loop without a store: as many bytes, in fresh memory for the first `count` times. */
function control(count: number, bytesPerKey: number, durationMs: number): Pauses {
  const wordsPerKey = Math.ceil(bytesPerKey / 4);
  const memory = new Int32Array(new SharedArrayBuffer(count * wordsPerKey * 4));
  const pauses = new Pauses();
  const bytes = new TextEncoder().encode("key:0000000");
  const startMs = performance.now();
  let beforeMs = startMs;
  for (let i = 0; beforeMs - startMs < durationMs; i++) {
    writeName(bytes, i);
    const at = (i % count) * wordsPerKey;
    for (let word = 0; word < wordsPerKey; word++) memory[at + word] = bytes[10]!;
    const nowMs = performance.now();
    pauses.add(i, nowMs - beforeMs);
    beforeMs = nowMs;
  }
  pauses.totalMs = performance.now() - startMs;
  return pauses;
}

/** One run and its control. @returns their longest pauses in milliseconds */
function measure(count: number, arenaMib: number, fastestMs: Float32Array): [number, number] {
  const { pauses, store } = insertAll(count, arenaMib, fastestMs);
  pauses.print(`insertions into one shard, arena of ${arenaMib} MiB`, (i) => growthAt(i + 1));
  const { blockBytes, usedBytes, keyCount } = store.stats();
  say(
    `  ${keyCount} keys, ${(blockBytes / keyCount).toFixed(1)} bytes per key in blocks, ${
      (usedBytes / keyCount).toFixed(1)
    } in pages (${KEY_BYTES} + ${VALUE_BYTES} of them are the client's)`,
  );
  const controlPauses = control(count, usedBytes / keyCount, pauses.totalMs);
  controlPauses.print("control: the same loop without a store", () => "");
  return [pauses.longestMs, controlPauses.longestMs];
}

const count = Number(Deno.args[0] ?? 5_000_000);
const arenaMib = Number(Deno.args[1] ?? 1024);
// Once in small, so that the compiler is done with its work before anything is measured.
insertAll(Math.min(count, 200_000), arenaMib, new Float32Array(count));
control(Math.min(count, 200_000), 60, 100);
const fastestMs = new Float32Array(count).fill(Infinity);
const longest: string[] = [];
const longestControls: string[] = [];
for (let round = 0; round < ROUNDS; round++) {
  const [longestMs, controlMs] = measure(count, arenaMib, fastestMs);
  longest.push(longestMs.toFixed(2));
  longestControls.push(controlMs.toFixed(2));
}
const own = new Pauses();
for (let i = 0; i < count; i++) own.add(i, fastestMs[i]!);
own.totalMs = fastestMs.reduce((sum, ms) => sum + ms, 0);
own.print(`each insertion at its fastest of ${ROUNDS} runs`, (i) => growthAt(i + 1));
say(
  `Longest of each run: ${longest.join(", ")} ms; without a store ${
    longestControls.join(", ")
  } ms.`,
);
say(`Longest insertion that no run made faster: ${own.longestMs.toFixed(2)} ms.`);
if (own.longestMs >= LIMIT_MS) Deno.exit(1);
