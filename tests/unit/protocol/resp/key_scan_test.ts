/** Keys of requests to come: the right hash for the right argument, or none. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { InputBuffer } from "../../../../src/base/bytes.ts";
import { CommandArguments } from "../../../../src/command/arguments.ts";
import { UpcomingKeys } from "../../../../src/command/upcoming_keys.ts";
import { KeyScan } from "../../../../src/protocol/resp/key_scan.ts";
import { ParseResult, RequestParser } from "../../../../src/protocol/resp/request_parser.ts";
import { Key } from "../../../../src/store/key.ts";
import type { Store } from "../../../../src/store/store.ts";
import { effort } from "../../../helpers/effort.ts";
import { Harness } from "../../command/harness.ts";
import { smallStore } from "../../store/helpers.ts";

const encoder = new TextEncoder();

/** A store in whose databases, though empty, keys are looked ahead. */
function eagerStore(): Store {
  const store = smallStore();
  store.lookaheadKeys = 0;
  return store;
}

/** A scan of the input of one thread's connections. */
function scanOf(store: Store): KeyScan {
  return new KeyScan(new UpcomingKeys(store));
}

function request(...parts: string[]): string {
  return `*${parts.length}\r\n` + parts.map((part) => `$${part.length}\r\n${part}\r\n`).join("");
}

/**
 * Parses a batch as a session does.
 *
 * @returns for each request whether its first argument's hash was known
 */
function parseBatch(store: Store, scan: KeyScan, bytes: Uint8Array): boolean[] {
  // Full to the last byte, so that whoever reads on finds nothing.
  const input = new InputBuffer(Math.max(1, bytes.length));
  input.space().set(bytes);
  input.commit(bytes.length);
  return parseInput(store, scan, input);
}

/** See {@link parseBatch}. */
function parseInput(store: Store, scan: KeyScan, input: InputBuffer): boolean[] {
  const parser = new RequestParser(2 ** 20);
  const args = new CommandArguments();
  const known: boolean[] = [];
  scan.begin(input, 0);
  for (;;) {
    scan.find(input, 0);
    if (parser.parse(input, args) !== ParseResult.COMPLETE) {
      scan.clear();
      return known;
    }
    if (args.count === 0) continue;
    scan.give(args, input);
    known.push(args.hashedIndex === 1);
    if (args.hashedIndex === 0) continue;
    const key = new Key().set(args.bytes, args.starts[1]!, args.ends[1]!);
    store.locate(key);
    assert.deepEqual([args.hash >>> 0, args.hashHigh >>> 0], [key.hash, key.hashHigh]);
  }
}

Deno.test("key scan: of every request of a pipeline, however long it is", () => {
  const store = eagerStore();
  const scan = scanOf(store);
  const window = UpcomingKeys.CAPACITY;
  for (const count of [2, window - 1, window, window + 1, 3 * window + 7]) {
    const text = Array.from({ length: count }, (_, i) => request("SET", `key:${i}`, "value"));
    const known = parseBatch(store, scan, encoder.encode(text.join("")));
    // One alone behind a window is not worth it.
    const isLastAlone = count % window === 1;
    assert.deepEqual(known, Array.from({ length: count }, (_, i) => !isLastAlone || i < count - 1));
  }
});

Deno.test("key scan: requests without a key, long ones and inline ones are left out", () => {
  const store = eagerStore();
  const text = [
    request("PING"),
    request("GET", "a"),
    "GET inline\r\n",
    request("GET", "b"),
    request("MSET", ..."0123456789"),
    request("GET", "c"),
    "*0\r\n",
    request("GET", "d"),
    request("GET", ""),
  ].join("");
  const known = parseBatch(store, scanOf(store), encoder.encode(text));
  assert.deepEqual(known, [false, true, false, true, false, true, true, true]);
});

Deno.test("key scan: of a batch for one key the first three, and no more are looked for", () => {
  const store = eagerStore();
  const text = request("LPUSH", "list", "v").repeat(40) + request("GET", "other");
  const known = parseBatch(store, scanOf(store), encoder.encode(text));
  assert.deepEqual(known, Array.from({ length: 41 }, (_, i) => i < 3));
});

Deno.test("key scan: nothing of the batch before, of the same bytes at the same place", () => {
  const store = eagerStore();
  const scan = scanOf(store);
  const input = new InputBuffer(1024);
  const parser = new RequestParser(2 ** 20);
  const args = new CommandArguments();
  for (const name of ["first", "other"]) {
    const bytes = encoder.encode(request("GET", name).repeat(4));
    input.space().set(bytes);
    input.commit(bytes.length);
    scan.begin(input, 0);
    // All four are found, one is parsed, and the rest is thrown away.
    scan.find(input, 0);
    assert.equal(parser.parse(input, args), ParseResult.COMPLETE);
    scan.give(args, input);
    const key = new Key().set(encoder.encode(name), 0, name.length);
    store.locate(key);
    assert.equal(args.hash >>> 0, key.hash);
    input.start = input.end = 0;
  }
});

Deno.test("key scan: a key of more than 256 bytes is left out, and those behind it are not mixed up", () => {
  const store = eagerStore();
  const text = ["a", "x".repeat(300), "b", "y".repeat(256)].map((key) => request("GET", key));
  const known = parseBatch(store, scanOf(store), encoder.encode(text.join("")));
  assert.deepEqual(known, [true, false, true, true]);
});

Deno.test("key scan: looks at so many requests at a time, although they have no keys", () => {
  const store = eagerStore();
  const scan = scanOf(store);
  const text = request("PING").repeat(100) + request("GET", "a").repeat(2);
  const input = new InputBuffer(text.length);
  input.space().set(encoder.encode(text));
  input.commit(text.length);
  let seen = 0;
  const { bytes } = input;
  const watched = new Proxy(bytes, {
    get(_, name) {
      if (typeof name === "string" && name < "a") seen = Math.max(seen, Number(name));
      return Reflect.get(bytes, name);
    },
  });
  scan.begin(input, 0);
  scan.find({ bytes: watched, start: 0, end: input.end } as unknown as InputBuffer, 0);
  assert.ok(
    seen > 0 && seen <= (UpcomingKeys.CAPACITY + 1) * request("PING").length,
    `looked at ${seen} bytes`,
  );
});

Deno.test("key scan: what a batch left behind is not given to one that is not scanned", () => {
  const store = eagerStore();
  const scan = scanOf(store);
  const first = new InputBuffer(256);
  const three = encoder.encode(["aaa", "bbb", "ccc"].map((key) => request("GET", key)).join(""));
  first.space().set(three);
  first.commit(three.length);
  scan.begin(first, 0);
  scan.find(first, 0);
  const args = new CommandArguments();
  const parser = new RequestParser(2 ** 20);
  assert.equal(parser.parse(first, args), ParseResult.COMPLETE);
  scan.give(args, first);
  assert.equal(args.hashedIndex, 1);
  // Of another connection, at the place where `bbb` was.
  const second = new InputBuffer(256);
  const one = encoder.encode(request("GET", "ddd"));
  second.space();
  second.bytes.set(one, first.start);
  second.start = first.start;
  second.end = first.start + one.length;
  scan.begin(second, 0);
  scan.find(second, 0);
  assert.equal(parser.parse(second, args), ParseResult.COMPLETE);
  scan.give(args, second);
  assert.equal(args.hashedIndex, 0);
});

Deno.test("key scan: one request is no pipeline, and a small database is in the caches", () => {
  const eager = eagerStore();
  for (const alone of [request("GET", "key"), request("SET", "key".repeat(20), "v".repeat(99))]) {
    assert.deepEqual(parseBatch(eager, scanOf(eager), encoder.encode(alone)), [false]);
  }
  const store = smallStore();
  const many = encoder.encode(request("GET", "key").repeat(3));
  assert.deepEqual(parseBatch(store, scanOf(store), many), [false, false, false]);
});

Deno.test("key scan: arguments that are given none keep none of another request", () => {
  const args = new CommandArguments();
  args.hashedIndex = 1;
  args.reset(new Uint8Array(0));
  assert.equal(args.hashedIndex, 0);
});

Deno.test("key scan: whatever the bytes are, what is parsed gets its own hash or none", () => {
  const store = eagerStore();
  const scan = scanOf(store);
  const word = fc.oneof(
    { weight: 9, arbitrary: fc.string({ unit: "binary-ascii", maxLength: 30 }) },
    { weight: 1, arbitrary: fc.string({ unit: "binary-ascii", minLength: 240, maxLength: 600 }) },
  );
  const piece = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.array(word, { minLength: 1, maxLength: 12 }).map((w) => request(...w)),
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        "*",
        "$",
        "\r\n",
        "*2\r\n",
        "$-1\r\n",
        "$99999999999\r\n",
        "*3\r\n$3\r\n",
      ),
    },
    { weight: 1, arbitrary: word },
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), fc.nat(), (pieces, cut) => {
      const bytes = encoder.encode(pieces.join(""));
      parseBatch(store, scan, bytes);
      // Cut anywhere, and one byte wrong.
      const part = bytes.slice(0, bytes.length === 0 ? 0 : cut % bytes.length);
      if (part.length > 0) part[(cut * 7) % part.length]! ^= 1 << (cut % 8);
      parseBatch(store, scan, part);
    }),
    { numRuns: effort(300, 5000) },
  );
});

Deno.test("key scan: a session hands what is found to the commands of a pipeline", async () => {
  const known: boolean[] = [];
  const harness = new Harness({
    onCommand: (_client, _row, args) => void known.push(args.hashedIndex === 1),
  });
  const client = harness.connect(4096);
  const names = ["a", "b", "c"];
  const text = names.map((name) => request("SET", name, `value of ${name}`)).join("") +
    names.map((name) => request("GET", name)).join("");
  const replies = names.map((name) => `$10\r\nvalue of ${name}\r\n`).join("");
  assert.equal(await client.send(text), "+OK\r\n".repeat(3) + replies);
  assert.deepEqual(known, new Array(6).fill(true));
});

Deno.test("key scan: nothing is looked for on behalf of clients that must log in first", async () => {
  const known: boolean[] = [];
  const harness = new Harness({
    password: "secret",
    onCommand: (_client, _row, args) => void known.push(args.hashedIndex === 1),
  });
  const client = harness.connect(4096);
  await client.send(request("GET", "a") + request("GET", "b"));
  await client.send(request("AUTH", "secret"));
  await client.send(request("GET", "a") + request("GET", "b"));
  assert.deepEqual(known, [false, false, false, true, true]);
});

/** Says which keys were noted, and for which database they were touched. */
class RecordingKeys extends UpcomingKeys {
  readonly events: string[] = [];

  override note(bytes: Uint8Array, start: number, end: number): void {
    this.events.push(new TextDecoder().decode(bytes.subarray(start, end)));
    super.note(bytes, start, end);
  }

  override touch(database: number): void {
    this.events.push(`touch ${database}`);
    super.touch(database);
  }
}

function inputOf(text: string): InputBuffer {
  const input = new InputBuffer(Math.max(1, text.length));
  input.space().set(encoder.encode(text));
  input.commit(text.length);
  return input;
}

Deno.test("key scan: requests of several connections are looked for together", () => {
  const keys = new RecordingKeys(eagerStore());
  const scan = new KeyScan(keys);
  const join = (text: string, database = 0): boolean => scan.join(inputOf(text), database);
  assert.equal(join(request("GET", "a")), true);
  assert.equal(join(request("SET", "b", "value") + request("PING") + request("GET", "c")), true);
  assert.equal(join(request("PING")), true);
  assert.equal(join(request("GET", "d"), 1), false, "of another database");
  assert.equal(join(""), true);
  assert.equal(join(request("LPUSH", "list", "x").repeat(20)), true);
  // What is behind it is looked at when it is executed, and nobody can come behind that.
  assert.equal(join(request("GET", "e") + "GET f\r\n" + request("GET", "g")), true);
  assert.equal(join(request("GET", "h")), false);
  scan.touch();
  assert.deepEqual(keys.events, ["a", "b", "c", "list", "list", "list", "e", "touch 0"]);
  scan.end();
  // Another turn, in another database; and one in which nothing was noted.
  assert.equal(join(request("GET", "i"), 1), true);
  scan.touch();
  assert.equal(join(request("GET", "j"), 1), false, "too late");
  scan.end();
  scan.touch();
  scan.end();
  assert.deepEqual(keys.events.slice(8), ["i", "touch 1"]);
  assert.equal(keys.count, 0);
});

Deno.test("key scan: as many of several connections as are looked for at once", () => {
  const keys = new RecordingKeys(eagerStore());
  const scan = new KeyScan(keys);
  const pipeline = inputOf(request("GET", "a") + request("GET", "b") + request("GET", "c"));
  let joined = 0;
  while (scan.join(pipeline, 0)) joined++;
  assert.equal(joined, Math.ceil(UpcomingKeys.CAPACITY / 3));
  assert.equal(keys.count, UpcomingKeys.CAPACITY);
  scan.end();
  // Nor more connections, though they have no keys.
  for (joined = 0; scan.join(inputOf(request("PING")), 0);) joined++;
  assert.equal(joined, UpcomingKeys.CAPACITY);
});

Deno.test("key scan: members of a large collection are not looked for together with others' keys", () => {
  const store = eagerStore();
  const keys = new RecordingKeys(store);
  const scan = new KeyScan(keys);
  store.collections.membersAhead.isWanted = true;
  assert.equal(scan.join(inputOf(request("SADD", "set", "a").repeat(2)), 0), true);
  assert.equal(scan.join(inputOf(request("SADD", "other", "a")), 0), true);
  scan.touch();
  assert.deepEqual(keys.events, ["other", "touch 0"]);
});

Deno.test("key scan: what has joined is not looked for in a small database", () => {
  const keys = new RecordingKeys(smallStore());
  const scan = new KeyScan(keys);
  assert.equal(scan.join(inputOf(request("GET", "a")), 0), true);
  scan.touch();
  assert.deepEqual(keys.events, []);
});

Deno.test("key scan: what was looked for together is executed as ever, each with its own hash", async () => {
  const known: boolean[] = [];
  const harness = new Harness({
    onCommand: (_client, _row, args) => void known.push(args.hashedIndex === 1),
  });
  const clients = ["a", "b", "c", "d"].map((name) => ({ name, client: harness.connect(4096) }));
  for (const { name, client } of clients) {
    const bytes = encoder.encode(request("SET", name, name) + request("GET", name));
    client.input.space().set(bytes);
    client.input.commit(bytes.length);
    assert.equal(client.session.lookAhead(client.input), true);
  }
  harness.keyScan.touch();
  // The second one is not executed in this turn.
  const [second] = clients.splice(1, 1);
  for (const { name, client } of clients) {
    assert.equal(await client.send(""), `+OK\r\n$1\r\n${name}\r\n`);
  }
  assert.deepEqual(known.splice(0), new Array(6).fill(true));
  harness.keyScan.end();
  assert.equal(await second!.client.send(""), "+OK\r\n$1\r\nb\r\n");
  // The next batch of the same client is looked at as a whole again.
  const [{ client }] = clients as [(typeof clients)[number]];
  assert.equal(
    await client.send(request("GET", "b") + request("GET", "c")),
    "$1\r\nb\r\n$1\r\nc\r\n",
  );
  assert.deepEqual(known, [true, true, true, true]);
});

Deno.test("key scan: what was not looked for gets no hash of another one at the same place", () => {
  const store = eagerStore();
  const scan = scanOf(store);
  const gets = (...names: string[]): InputBuffer =>
    inputOf(names.map((name) => request("GET", name)).join(""));
  // Behind three of the same, nothing is looked for.
  const first = gets("a", "a", "a", "b", "c");
  const second = gets("d", "e", "f", "g", "h");
  assert.equal(scan.join(first, 0), true);
  assert.equal(scan.join(second, 0), true);
  scan.touch();
  assert.deepEqual(parseInput(store, scan, first), [true, true, true, false, false]);
  assert.deepEqual(parseInput(store, scan, second), [true, true, true, true, true]);
  scan.end();
});

Deno.test("key scan: nobody joins behind what has not been looked at, however short it is", () => {
  const scan = scanOf(eagerStore());
  for (const text of ["\n", "*", "*2\r\n$3\r\n"]) {
    assert.equal(scan.join(inputOf(text), 0), true);
    assert.equal(scan.join(inputOf(request("GET", "a")), 0), false);
    scan.end();
  }
});

Deno.test("key scan: who joins and who does not, in any order: its own hash or none", () => {
  const store = eagerStore();
  const scan = scanOf(store);
  const name = fc.constantFrom("a", "b", "key:000000000001", "key:000000000002", "x".repeat(300));
  const piece = fc.oneof(
    { weight: 8, arbitrary: fc.tuple(fc.constantFrom("GET", "SET"), name) },
    { weight: 1, arbitrary: fc.constantFrom(["PING"], ["MSET", ..."0123456789"]) },
  ).map((words) => request(...words));
  const broken = fc.constantFrom("GET a\r\n", "*2\r\n$3\r\nGET\r\n$1\r", "*0\r\n");
  const text = fc.array(
    fc.oneof({ weight: 12, arbitrary: piece }, { weight: 1, arbitrary: broken }),
    {
      maxLength: 40,
    },
  ).map((pieces) => pieces.join(""));
  const member = fc.record({ text, joins: fc.boolean(), executes: fc.boolean() });
  // The same buffers again and again, as connections have them.
  const inputs = Array.from({ length: 12 }, () => new InputBuffer(16_384));
  fc.assert(
    fc.property(
      fc.array(fc.array(member, { minLength: 1, maxLength: 12 }), { maxLength: 4 }),
      (turns) => {
        for (const turn of turns) {
          turn.forEach(({ text }, i) => {
            const input = inputs[i]!;
            input.start = input.end = 0;
            input.space().set(encoder.encode(text));
            input.commit(text.length);
          });
          for (let start = 0; start < turn.length;) {
            let end = start;
            while (end < turn.length && (!turn[end]!.joins || scan.join(inputs[end]!, 0))) end++;
            scan.touch();
            for (let i = start; i < end; i++) {
              if (turn[i]!.executes) parseInput(store, scan, inputs[i]!);
            }
            scan.end();
            assert.ok(end > start, "the first one can always join");
            start = end;
          }
          turn.forEach(({ executes }, i) => !executes && parseInput(store, scan, inputs[i]!));
        }
      },
    ),
    { numRuns: effort(300, 5000) },
  );
});

Deno.test("key scan: nobody looks ahead for clients that must log in first", () => {
  const harness = new Harness({ password: "secret" });
  const keys = new RecordingKeys(harness.store);
  harness.keyScan = new KeyScan(keys);
  const { session } = harness.connect(4096);
  assert.equal(session.lookAhead(inputOf(request("GET", "a"))), true);
  harness.keyScan.touch();
  assert.deepEqual(keys.events, []);
});

/** The members that are noted when the first request of a batch has been parsed. */
function membersNoted(text: string, isWanted = true): string[] {
  const store = eagerStore();
  const members = store.collections.membersAhead;
  members.isWanted = isWanted;
  const noted: string[] = [];
  const bytes = encoder.encode(text);
  members.note = (start, end) => noted.push(text.slice(start, end)) < 16;
  const input = new InputBuffer(bytes.length);
  input.space().set(bytes);
  input.commit(bytes.length);
  const scan = scanOf(store);
  const args = new CommandArguments();
  scan.begin(input, 0);
  assert.equal(new RequestParser(2 ** 20).parse(input, args), ParseResult.COMPLETE);
  scan.give(args, input);
  return noted;
}

Deno.test("key scan: members of the requests for one key that are alike", () => {
  const sets = ["a", "bb", "ccc", ""].map((name) => request("SADD", "set", name));
  assert.deepEqual(membersNoted(sets.join("")), ["a", "bb", "ccc", ""]);
  const hashes = ["a", "bb", "c"].map((name) => request("HSET", "hash", name, name.repeat(7)));
  assert.deepEqual(membersNoted(hashes.join("")), ["a", "bb", "c"]);
  assert.deepEqual(membersNoted(hashes.join(""), false), []);
});

Deno.test("key scan: members up to the first request that is another one, or not whole", () => {
  const three = ["a", "b", "c"].map((name) => request("SADD", "set", name)).join("");
  const last = request("SADD", "set", "last");
  const others = [
    request("SADD", "tes", "d"),
    request("SADD", "longer", "d"),
    request("SADD", "set", "d", "e"),
    request("PING"),
    "PING\r\n",
    "*3\r\n$4\r\nSADD\r\n$3\r\nset\r\n",
    "*3\r\n$4\r\nSADD\r\n$3\r\nset\r\n$99999999\r\n",
  ];
  for (const other of others) {
    assert.deepEqual(membersNoted(three + other + last).slice(0, 3), ["a", "b", "c"]);
    assert.ok(membersNoted(three + other + last).length <= 4, other);
  }
  for (let cut = 1; cut < last.length; cut++) {
    assert.deepEqual(membersNoted(three + last.slice(0, cut)), ["a", "b", "c"]);
  }
});

Deno.test("key scan: two members at the end of a batch, whatever lies behind it", () => {
  const store = eagerStore();
  const members = store.collections.membersAhead;
  const two = encoder.encode(request("SADD", "set", "a") + request("SADD", "set", "b"));
  const older = encoder.encode(request("SADD", "set", "z").repeat(6));
  const input = new InputBuffer(older.length);
  input.space().set(older);
  input.space().set(two);
  input.commit(two.length);
  const scan = scanOf(store);
  const args = new CommandArguments();
  members.isWanted = true;
  scan.begin(input, 0);
  assert.equal(new RequestParser(2 ** 20).parse(input, args), ParseResult.COMPLETE);
  scan.give(args, input);
  assert.equal(members.count, 2);
});
