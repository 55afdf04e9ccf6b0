import assert from "node:assert/strict";
import fc from "fast-check";
import { SortedSetModel } from "../../helpers/sorted_set_model.ts";
import { Harness, request, settled } from "./harness.ts";

const key = fc.constantFrom("a", "b", "c");
/** The same ones several times: a merge of many. */
const keys = fc.array(key, { minLength: 1, maxLength: 8 });
/** Few, so that they meet; some as long as long elements are. */
const member = fc.oneof(
  { weight: 20, arbitrary: fc.nat(300).map((n) => `m${n}`) },
  { weight: 1, arbitrary: fc.nat(3).map((n) => `${n}${"long".repeat(400)}`) },
  { weight: 1, arbitrary: fc.constant("") },
);
const score = fc.oneof(
  { weight: 4, arbitrary: fc.nat(8).map((n) => String(n / 2 - 2)) },
  { weight: 1, arbitrary: fc.constantFrom("inf", "-inf") },
);
const bound = fc.tuple(fc.constantFrom("", "("), score).map((parts) => parts.join(""));
const lexBound = fc.oneof(
  fc.constantFrom("-", "+"),
  fc.tuple(fc.constantFrom("[", "("), member).map((parts) => parts.join("")),
);
const index = fc.integer({ min: -200, max: 200 }).map(String);
const limit = fc.option(
  fc.tuple(fc.integer({ min: -1, max: 50 }), fc.integer({ min: -1, max: 50 })),
  { nil: undefined },
).map((pair) => pair === undefined ? [] : ["LIMIT", ...pair.map(String)]);
const rev = fc.constantFrom([], ["REV"]);
const withScores = fc.constantFrom([], ["WITHSCORES"]);
const condition = fc.constantFrom([], ["NX"], ["XX"], ["GT"], ["LT"], ["XX", "GT"], ["XX", "LT"]);
const change = fc.constantFrom([], ["CH"]);
/** Enough at once for a tree now and then. */
const pairs = fc.array(fc.tuple(score, member), { minLength: 1, maxLength: 90, size: "max" })
  .map((each) => each.flat());
const range = fc.oneof(
  fc.tuple(index, index, rev).map((parts) => parts.flat()),
  fc.tuple(bound, bound, rev, limit)
    .map(([min, max, reversed, most]) => [min, max, "BYSCORE", ...reversed, ...most]),
);
const weighted = keys.chain((sources) =>
  fc.tuple(
    fc.option(
      fc.array(fc.constantFrom("1", "-2", "0", "0.5"), {
        minLength: sources.length,
        maxLength: sources.length,
      }),
      { nil: undefined },
    ),
    fc.constantFrom([], ["AGGREGATE", "SUM"], ["AGGREGATE", "MIN"], ["AGGREGATE", "MAX"]),
  ).map(([weights, aggregate]) => [
    String(sources.length),
    ...sources,
    ...(weights === undefined ? [] : ["WEIGHTS", ...weights]),
    ...aggregate,
  ])
);
const counted = keys.map((sources) => [String(sources.length), ...sources]);

/** A command of the words that the parts have in them. */
function words(...parts: fc.Arbitrary<string | readonly string[]>[]): fc.Arbitrary<string[]> {
  return fc.tuple(...parts).map((each) => each.flat());
}

const is = (name: string): fc.Arbitrary<string> => fc.constant(name);
const command = fc.oneof(
  { weight: 6, arbitrary: words(is("ZADD"), key, condition, change, pairs) },
  words(is("ZADD"), key, condition, is("INCR"), score, member),
  words(is("ZINCRBY"), key, score, member),
  words(is("ZREM"), key, fc.array(member, { minLength: 1, maxLength: 20 })),
  words(is("ZSCORE"), key, member),
  words(is("ZMSCORE"), key, member, member),
  words(is("ZCARD"), key),
  words(is("ZCOUNT"), key, bound, bound),
  words(fc.constantFrom("ZRANK", "ZREVRANK"), key, member),
  words(is("ZRANGE"), key, range, withScores),
  words(is("ZRANGESTORE"), key, key, range),
  words(is("ZREMRANGEBYRANK"), key, index, index),
  words(is("ZREMRANGEBYSCORE"), key, bound, bound),
  words(fc.constantFrom("ZPOPMIN", "ZPOPMAX"), key, fc.nat(60).map(String)),
  words(is("ZMPOP"), counted, fc.constantFrom("MIN", "MAX"), is("COUNT"), is("3")),
  words(fc.constantFrom("ZUNION", "ZINTER"), weighted, withScores),
  words(is("ZDIFF"), counted, withScores),
  words(is("ZINTERCARD"), counted, fc.constantFrom([], ["LIMIT", "5"])),
  words(fc.constantFrom("ZUNIONSTORE", "ZINTERSTORE"), key, weighted),
  words(is("ZDIFFSTORE"), key, counted),
);
const zeros = fc.array(member, { minLength: 1, maxLength: 90, size: "max" })
  .map((each) => each.flatMap((one) => ["0", one]));
const lexCommand = fc.oneof(
  { weight: 2, arbitrary: words(is("ZADD"), is("x"), zeros) },
  words(is("ZLEXCOUNT"), is("x"), lexBound, lexBound),
  words(is("ZRANGE"), is("x"), lexBound, lexBound, is("BYLEX"), rev, limit),
  words(is("ZREMRANGEBYLEX"), is("x"), lexBound, lexBound),
  words(is("ZRANGESTORE"), is("y"), is("x"), lexBound, lexBound, is("BYLEX"), rev, limit),
);

for (const [name, arbitrary] of [["any scores", command], ["one score", lexCommand]] as const) {
  for (const shardCount of [1, 16]) {
    Deno.test(`sorted sets: of ${name}, agree with plain maps over ${shardCount} shards`, async () => {
      const encodings = new Map<string, number>();
      const many = fc.array(arbitrary, { minLength: 1, maxLength: 40, size: "max" });
      await fc.assert(
        fc.asyncProperty(many, async (commands) => {
          const harness = new Harness({ shardCount, maxMemoryBytes: 16 * 2 ** 20 });
          const client = harness.connect(2 ** 17);
          const model = new SortedSetModel();
          await client.send("HELLO 3\r\n");
          for (const each of commands) {
            const reply = await settled(client.send(request(...each)));
            assert.equal(reply, model.execute(each), each.join(" ").slice(0, 200));
          }
          harness.store.assertInvariants();
          for (const each of ["a", "b", "c", "x", "y"]) {
            const wanted = ["ZRANGE", each, "0", "-1", "WITHSCORES"];
            assert.equal(await settled(client.send(request(...wanted))), model.execute(wanted));
            const encoding = await settled(client.send(`OBJECT ENCODING ${each}\r\n`));
            encodings.set(encoding, (encodings.get(encoding) ?? 0) + 1);
          }
        }),
        { numRuns: 40 },
      );
      // The test is worth something only if both kinds of sets were met.
      assert.ok((encodings.get("$8\r\nlistpack\r\n") ?? 0) > 0, "small ones");
      assert.ok((encodings.get("$8\r\nskiplist\r\n") ?? 0) > 0, "large ones");
    });
  }
}
