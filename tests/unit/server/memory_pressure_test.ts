import assert from "node:assert/strict";
import { ClientMemory } from "../../../src/base/client_memory.ts";
import { type MemoryHolder, MemoryPressure } from "../../../src/server/memory_pressure.ts";

const KIB = 1024;

/** A world of 1 MiB. */
class World {
  readonly memory = new ClientMemory(1024 * KIB);
  readonly holders = new Set<Holder>();
  readonly closed: string[] = [];
  readonly pressure = new MemoryPressure(
    this.memory,
    this.holders,
    ({ name }) => void this.closed.push(name),
  );

  /** Adds a connection that holds this much. */
  holder(name: string, kibibytes: number): Holder {
    const holder = new Holder(this, name, this.memory.tryTake(kibibytes * KIB)!);
    this.holders.add(holder);
    return holder;
  }
}

class Holder implements MemoryHolder {
  isExecuting = false;
  lastActivityMs = 1000;
  isClosed = false;

  constructor(
    readonly world: World,
    readonly name: string,
    public block: Uint8Array<ArrayBuffer>,
  ) {}

  get heldBytes(): number {
    return this.block.length;
  }

  close(): void {
    this.isClosed = true;
    this.world.pressure.forget(this);
  }

  /** Its read or write has ended. */
  depart(): void {
    const block = this.block;
    this.block = new Uint8Array(0);
    this.world.memory.give(block);
    this.world.holders.delete(this);
    this.world.pressure.departed(this);
  }
}

/** Whether a promise is done by now. */
async function isDone(promise: Promise<void>): Promise<boolean> {
  let done = false;
  void promise.then(() => done = true);
  for (let i = 0; i < 5; i++) await Promise.resolve();
  return done;
}

Deno.test("MemoryPressure: closes who holds most, and waits until that is back", async () => {
  const world = new World();
  const little = world.holder("little", 128);
  const most = world.holder("most", 512);
  world.holder("some", 256);
  const waiting = world.pressure.waitForRoom(little, 256 * KIB);
  assert.deepEqual(world.closed, ["most"]);
  assert.ok(!await isDone(waiting), "its memory is not back yet");
  most.depart();
  assert.ok(await isDone(waiting));
  assert.ok(world.memory.tryTake(256 * KIB) !== undefined);
  assert.deepEqual(world.closed, ["most"], "nobody else has to go");
});

Deno.test("MemoryPressure: closes one after the other until there is enough", async () => {
  const world = new World();
  const grower = world.holder("grower", 64);
  const others = [1, 2, 3, 4, 5, 6].map((n) => world.holder(`other ${n}`, 128));
  world.holder("last", 64);
  others.forEach((other, i) => other.lastActivityMs = i);
  const waiting = world.pressure.waitForRoom(grower, 256 * KIB);
  assert.deepEqual(world.closed, ["other 1"], "of equals, who was silent longest");
  others[0]!.depart();
  assert.equal(await isDone(waiting), true);
  const more = world.pressure.waitForRoom(grower, 512 * KIB);
  assert.deepEqual(world.closed, ["other 1", "other 2", "other 3"]);
  others[1]!.depart();
  others[2]!.depart();
  assert.equal(await isDone(more), true);
});

Deno.test("MemoryPressure: who grows is closed, too, when it holds most", async () => {
  const world = new World();
  world.holder("little", 256);
  const greedy = world.holder("greedy", 512);
  const waiting = world.pressure.waitForRoom(greedy, 1024 * KIB);
  assert.equal(world.closed[0], "greedy");
  assert.ok(greedy.isClosed);
  assert.ok(await isDone(waiting), "it need not wait for anything any more");
});

Deno.test("MemoryPressure: spares who executes while others hold anything", () => {
  const world = new World();
  const busy = world.holder("busy", 512);
  busy.isExecuting = true;
  world.holder("idle", 256);
  const grower = world.holder("grower", 4);
  void world.pressure.waitForRoom(grower, 1024 * KIB);
  assert.deepEqual(world.closed, ["idle", "grower"]);
});

Deno.test("MemoryPressure: what is overdrawn is made good by the greediest", () => {
  const world = new World();
  const most = world.holder("most", 512);
  const next = world.holder("next", 256);
  world.pressure.relieve();
  assert.deepEqual(world.closed, [], "nothing is short");
  const extra = world.memory.overdraw(600 * KIB);
  world.pressure.relieve();
  assert.deepEqual(world.closed, ["most"]);
  world.pressure.relieve();
  assert.deepEqual(world.closed, ["most"], "what it holds is coming");
  most.depart();
  world.memory.give(extra);
  assert.ok(!next.isClosed);
});

Deno.test("MemoryPressure: with enough in pieces somebody goes all the same", async () => {
  const world = new World();
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  for (let i = 0; i < 224; i++) pieces.push(world.memory.tryTake(1)!);
  const pin = world.holder("pin", 4);
  // What is left of the pool are single blocks, one in each 64 KiB.
  for (const piece of pieces) if (piece.byteOffset % (64 * KIB) !== 0) world.memory.give(piece);
  world.memory.tryTake(64 * KIB);
  world.memory.tryTake(64 * KIB);
  const waiting = world.pressure.waitForRoom(world.holder("grower", 4), 512 * KIB);
  assert.equal(world.closed.length, 1);
  assert.ok(!await isDone(waiting));
  pin.depart();
  assert.ok(await isDone(waiting), "it is told to try again");
});

Deno.test("MemoryPressure: a small wish is not held up behind a large one", async () => {
  const world = new World();
  const most = world.holder("most", 512);
  const some = world.holder("some", 256);
  void world.pressure.waitForRoom(some, 768 * KIB);
  assert.deepEqual(world.closed, ["most"]);
  const small = world.pressure.waitForRoom(world.holder("small", 128), 128 * KIB);
  most.depart();
  assert.ok(await isDone(small));
});
