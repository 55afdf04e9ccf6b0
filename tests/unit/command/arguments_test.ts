import assert from "node:assert/strict";
import { Int64 } from "../../../src/base/int64.ts";
import { ArgumentsPool, CommandArguments } from "../../../src/command/arguments.ts";
import { latin1 } from "./harness.ts";

function argumentsOf(...words: string[]): CommandArguments {
  const args = new CommandArguments();
  args.reset(latin1(words.join(" ")));
  let at = 0;
  for (const word of words) {
    args.push(at, at + word.length);
    at += word.length + 1;
  }
  return args;
}

Deno.test("CommandArguments: grows with what is pushed and keeps it", () => {
  const words = Array.from({ length: 1000 }, (_, i) => `w${i}`);
  const args = argumentsOf(...words);
  assert.equal(args.count, 1000);
  for (let i = 0; i < 1000; i++) assert.equal(args.text(i), words[i]);
});

Deno.test("CommandArguments: is compares without regard to case", () => {
  const args = argumentsOf("KeepTTL", "keepttl", "KEEPTT", "KEEPTTLX", "KEEPTT[", "");
  assert.deepEqual([0, 1, 2, 3, 4, 5].map((i) => args.is(i, "KEEPTTL")), [
    true,
    true,
    false,
    false,
    false,
    false,
  ]);
});

Deno.test("CommandArguments: int64 reads canonical integers only", () => {
  const args = argumentsOf("-9223372036854775808", "01", "1.0", "");
  const value = new Int64();
  assert.equal(args.int64(0, value), true);
  assert.equal(value.toString(), "-9223372036854775808");
  for (const i of [1, 2, 3]) assert.equal(args.int64(i, value), false);
});

Deno.test("ArgumentsPool: lends what came back, emptied", () => {
  const pool = new ArgumentsPool();
  const small = pool.take();
  small.reset(latin1("a"));
  small.push(0, 1);
  pool.give(small);
  const again = pool.take();
  assert.equal(again, small);
  assert.equal(again.count, 0);
  assert.equal(again.bytes.length, 0);
});

Deno.test("ArgumentsPool: keeps one large instance and no huge one", () => {
  const pool = new ArgumentsPool();
  const [one, other, huge] = [pool.take(), pool.take(), pool.take()];
  one.reserve(2000);
  other.reserve(2000);
  huge.reserve(300_000);
  for (const args of [one, other, huge]) pool.give(args);
  const kept = [pool.take(), pool.take(), pool.take()].filter((args) => args.starts.length > 16);
  assert.equal(kept.length, 1);
  assert.equal(kept[0]!.starts.length, 2000);
});
