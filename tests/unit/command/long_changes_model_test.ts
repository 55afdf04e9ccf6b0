/** Long changes of many clients on the same keys, where memory is short: each is made whole or not at all. */

import assert from "node:assert/strict";
import { Dice } from "../store/collection_helpers.ts";
import { Harness, pause, request, settled, type TestClient } from "./harness.ts";
import { effort } from "../../helpers/effort.ts";

const SEED = Number(Deno.env.get("SLUICE_SEED") ?? Math.floor(Math.random() * 2 ** 31));
const INPUT_BYTES = 2 ** 20;
const ROUNDS = effort(3, 6);
const CLIENTS = 5;
const COMMANDS_PER_ROUND = 12;

/** Elements that one command brought, and that go together, too. */
interface Block {
  readonly name: string;
  readonly size: number;
  /** Undefined: nobody has heard what became of the last command. */
  isThere: boolean | undefined;
}

/** A key and how its elements are added, removed and read. */
interface Family {
  readonly key: string;
  add(elements: readonly string[]): string[];
  remove(block: Block, elements: readonly string[]): string[];
  readonly read: string;
  /** Commands that make a copy of the key, at `copy`. */
  readonly copies: readonly string[];
  /** Lines of a reply per element, and which of them names it. */
  readonly step: number;
}

const FAMILIES: readonly Family[] = [
  {
    key: "s",
    add: (elements) => ["SADD", "s", ...elements],
    remove: (_, elements) => ["SREM", "s", ...elements],
    read: "SMEMBERS s",
    copies: ["COPY s copy", "SUNIONSTORE copy s none", "SDIFFSTORE copy s none"],
    step: 1,
  },
  {
    key: "h",
    add: (elements) => ["HSET", "h", ...elements.flatMap((each) => [each, "value"])],
    remove: (_, elements) => ["HDEL", "h", ...elements],
    read: "HGETALL h",
    copies: ["COPY h copy"],
    step: 2,
  },
  {
    key: "z",
    add: (elements) => ["ZADD", "z", ...elements.flatMap((each, i) => [`${i % 50}`, each])],
    remove: (_, elements) => ["ZREM", "z", ...elements],
    read: "ZRANGE z 0 -1",
    copies: ["COPY z copy", "ZRANGESTORE copy z 0 -1", "ZUNIONSTORE copy 2 z none"],
    step: 1,
  },
  {
    key: "l",
    add: (elements) => ["RPUSH", "l", ...elements.flatMap((each, i) => [each, `=${i}`])],
    remove: ({ name }) => ["LREM", "l", "0", name],
    read: "LRANGE l 0 -1",
    copies: ["COPY l copy", "SORT l BY none STORE copy"],
    step: 1,
  },
];

/** The elements of a block; of a list all are the same, with others in between. */
function elementsOf(family: Family, { name, size }: Block): string[] {
  const padding = ".".repeat(name.charCodeAt(name.length - 1) % 7 * 20);
  return Array.from(
    { length: size },
    (_, i) => family.key === "l" ? name : `${name}:${i}${padding}`,
  );
}

class World {
  readonly harness: Harness;
  readonly dice: Dice;
  readonly blocks = new Map<Family, Block[]>(FAMILIES.map((family) => [family, []]));
  readonly tally = { made: 0, refused: 0, gone: 0, reads: 0 };
  #names = 0;
  #fillers = 0;

  /** Whether keys go, come back and are others' all the time: then the counts are not known. */
  readonly #isWild: boolean;

  constructor(seed: number, isWild: boolean) {
    this.#isWild = isWild;
    this.dice = new Dice(seed);
    this.harness = new Harness({
      maxMemoryBytes: (4 + this.dice.roll(4)) * 2 ** 20,
      maxRequestBytes: INPUT_BYTES,
      shardCount: [1, 2, 4][this.dice.roll(3)]!,
    });
    const { store } = this.harness;
    store.seedEviction(seed);
    if (isWild && this.dice.roll(2) === 0) store.evictionPolicy = "allkeys-lru";
  }

  /** Each block is there as a whole, or not at all. */
  check(family: Family, reply: string, isQuiet: boolean): void {
    const counts = new Map<string, number>();
    const lines = reply.split("\r\n");
    for (let i = 2; i < lines.length; i += 2 * family.step) {
      const name = lines[i]!.split(":")[0]!;
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    for (const block of this.blocks.get(family)!) {
      const count = counts.get(block.name) ?? 0;
      assert.ok(count === 0 || count === block.size, `${block.name}: ${count} of ${block.size}`);
      if (!isQuiet || this.#isWild) continue;
      block.isThere ??= count > 0;
      assert.equal(count > 0, block.isThere, `${family.key}: ${block.name}`);
    }
  }

  async #send(client: TestClient, words: string[]): Promise<string> {
    const isQueued = this.dice.roll(6) === 0;
    if (!isQueued) return await settled(client.send(request(...words)));
    await settled(client.send("MULTI\r\n" + request(...words)));
    return (await settled(client.send("EXEC\r\n"))).replace("*1\r\n", "");
  }

  /** Something happens to all of a key, or to all keys. */
  async #disturb(client: TestClient, { key }: Family): Promise<void> {
    const lines = [
      `DEL ${key}`,
      `UNLINK ${key}`,
      `PEXPIRE ${key} 5`,
      `PERSIST ${key}`,
      `RENAME ${key} other-${key}`,
      `RENAMENX other-${key} ${key}`,
      `COPY other-${key} ${key} REPLACE`,
      "FLUSHALL ASYNC",
      "SWAPDB 0 1",
      "MULTI\r\nSWAPDB 0 1\r\nPING\r\nSWAPDB 1 0\r\nEXEC",
      `MOVE ${key} 1`,
      `SWAPDB 1 0`,
    ];
    await settled(client.send(`${lines[this.dice.roll(lines.length)]!}\r\n`));
    this.harness.nowMs += this.dice.roll(4);
  }

  /** Adds a block, or removes it. */
  async #change(client: TestClient, family: Family, block: Block, adds: boolean): Promise<boolean> {
    const elements = elementsOf(family, block);
    const words = adds ? family.add(elements) : family.remove(block, elements);
    block.isThere = undefined;
    if (this.dice.roll(8) === 0) {
      // Nobody hears what became of it; its connection goes when it is over.
      const over = settled(client.send(request(...words)));
      await pause(this.dice.roll(4));
      client.leave?.();
      await over;
      client.session.close();
      this.tally.gone++;
      return false;
    }
    const reply = await this.#send(client, words);
    if (reply.startsWith("-OOM")) {
      block.isThere = !adds;
      this.tally.refused++;
    } else {
      const isKnown = !this.#isWild && (family.key !== "l" || !adds);
      if (isKnown) assert.equal(reply, `:${block.size}\r\n`, block.name);
      else assert.match(reply, /^:\d+\r\n$/);
      block.isThere = adds;
      this.tally.made++;
    }
    return true;
  }

  /** Copies a key, and looks at the copy. */
  async #copy(client: TestClient, family: Family): Promise<void> {
    const name = `copy-${this.#names++}`;
    const line = family.copies[this.dice.roll(family.copies.length)]!.replace("copy", name);
    let reply: string;
    if (this.dice.roll(3) === 0) {
      const dump = await settled(client.send(`DUMP ${family.key}\r\n`));
      // Nothing, or more than may be sent.
      if (dump === "$-1\r\n" || dump.length > INPUT_BYTES - 1000) return;
      const payload = dump.slice(dump.indexOf("\r\n") + 2, -2);
      reply = await settled(client.send(request("RESTORE", name, "0", payload)));
    } else {
      reply = await settled(client.send(`${line}\r\n`));
    }
    if (reply.startsWith("-OOM")) this.tally.refused++;
    else assert.match(reply, /^(:\d+|\+OK)\r\n$/, `${line}: ${reply.slice(0, 99)}`);
    const read = family.read.replace(` ${family.key}`, ` ${name}`);
    this.check(family, await settled(client.send(`${read}\r\n`)), false);
    await settled(client.send(`DEL ${name}\r\n`));
  }

  async client(): Promise<void> {
    const { dice, harness } = this;
    let client = harness.connect(INPUT_BYTES);
    const own: [Family, Block][] = [];
    for (let i = 0; i < COMMANDS_PER_ROUND; i++) {
      const family = FAMILIES[dice.roll(FAMILIES.length)]!;
      const kind = dice.roll(10);
      let stays = true;
      if (kind < 4 || own.length === 0) {
        const size = dice.roll(3) === 0 ? 1 + dice.roll(200) : 257 + dice.roll(2500);
        const block: Block = { name: `b${this.#names++}`, size, isThere: undefined };
        this.blocks.get(family)!.push(block);
        stays = await this.#change(client, family, block, true);
        if (stays && block.isThere === true) own.push([family, block]);
      } else if (kind < 6) {
        const [from, block] = own.splice(dice.roll(own.length), 1)[0]!;
        stays = await this.#change(client, from, block, false);
        if (stays && block.isThere === true) own.push([from, block]);
      } else if (kind < 8) {
        this.check(family, await settled(client.send(`${family.read}\r\n`)), false);
        this.tally.reads++;
      } else if (kind === 8) {
        await this.#copy(client, family);
      } else if (this.#isWild && dice.roll(2) === 0) {
        await this.#disturb(client, family);
      } else if (dice.roll(2) === 0) {
        const name = `filler ${this.#fillers++}`;
        await settled(client.send(request("SET", name, "f".repeat(40_000 + dice.roll(30_000)))));
      } else if (this.#fillers > 0) {
        await settled(client.send(request("DEL", `filler ${dice.roll(this.#fillers)}`)));
      }
      if (!stays) client = harness.connect(INPUT_BYTES);
      if (dice.roll(3) === 0) await pause(0);
    }
    client.session.close();
  }

  async round(): Promise<void> {
    await Promise.all(Array.from({ length: CLIENTS }, () => this.client()));
    const { store } = this.harness;
    // What was begun by those who left comes to its end.
    for (let i = 0; store.stats().leases > 0; i++) {
      assert.ok(i < 500, "all leases end");
      await pause(10);
    }
    await pause(20);
    store.assertInvariants();
    const reader = this.harness.connect(INPUT_BYTES);
    for (const family of FAMILIES) {
      this.check(family, await settled(reader.send(`${family.read}\r\n`)), true);
    }
    // Some memory for the next round.
    const family = FAMILIES[this.dice.roll(FAMILIES.length)]!;
    await settled(reader.send(`DEL ${family.key}\r\n`));
    for (const block of this.blocks.get(family)!) block.isThere = false;
    reader.session.close();
  }
}

for (const isWild of [false, true]) {
  const what = isWild ? "keys go and come back" : "memory is short";
  Deno.test(`long changes: of many clients, where ${what}, each is made whole or not at all`, async () => {
    const world = new World(SEED, isWild);
    try {
      for (let round = 0; round < ROUNDS; round++) await world.round();
    } catch (error) {
      throw new Error(`seed ${SEED}`, { cause: error });
    }
    const { tally } = world;
    assert.ok(tally.made > 30 && tally.reads > 10, `seed ${SEED}: ${JSON.stringify(tally)}`);
  });
}
