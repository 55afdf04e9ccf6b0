/** Connections whose requests are there at the same moment: executed in a row, written in a row. */

import assert from "node:assert/strict";
import type { ByteWriter, InputBuffer } from "../../../src/base/bytes.ts";
import type { ClientOrigin } from "../../../src/command/client_state.ts";
import { type Session, SessionStep } from "../../../src/protocol/session.ts";
import type { ClientSocket } from "../../../src/server/client_socket.ts";
import { COSTLY_BYTES } from "../../../src/server/connection_limits.ts";
import { WRITE_TURN_MAX_MS } from "../../../src/server/write_turns.ts";
import { EchoServer, eventually } from "./echo.ts";

const ADDRESS: Deno.NetAddr = { transport: "tcp", hostname: "127.0.0.1", port: 1 };

/** A client whose bytes arrive when the test says so. */
class HandSocket implements ClientSocket {
  readonly remoteAddr = ADDRESS;
  readonly localAddr = ADDRESS;
  readonly #name: string;
  readonly #log: string[];
  /** What a write waits for, which begins while it is set. */
  writing: Promise<number> | undefined;
  #reading: { target: Uint8Array; arrived: PromiseWithResolvers<number | null> } | undefined;
  #isClosed = false;

  constructor(name: string, log: string[]) {
    this.#name = name;
    this.#log = log;
  }

  get isRead(): boolean {
    return this.#reading !== undefined;
  }

  /** What is written is there at once; everybody who is told in a row is ready in the same moment. */
  arrive(text: string | null): void {
    const { target, arrived } = this.#reading!;
    this.#reading = undefined;
    if (text === null) return arrived.resolve(null);
    arrived.resolve(new TextEncoder().encodeInto(text, target).written);
  }

  read(target: Uint8Array<ArrayBuffer>): Promise<number | null> {
    const arrived = Promise.withResolvers<number | null>();
    this.#reading = { target, arrived };
    return arrived.promise;
  }

  write(bytes: Uint8Array<ArrayBuffer>): Promise<number> {
    if (this.#isClosed) return Promise.reject(new Deno.errors.BadResource("closed"));
    this.#log.push(`write ${this.#name} ${new TextDecoder().decode(bytes)}`);
    return this.writing ?? Promise.resolve(bytes.length);
  }

  closeWrite(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {
    this.#log.push(`close ${this.#name}`);
    this.#isClosed = true;
    this.#reading?.arrived.resolve(null);
  }
}

/** A session that does what its line says. */
class HandSession implements Session {
  readonly midRequest = false;
  readonly midBody = false;
  readonly #name: string;
  readonly #world: HandWorld;
  #parts = 0;

  constructor(name: string, world: HandWorld) {
    this.#name = name;
    this.#world = world;
  }

  lookAhead(): boolean {
    this.#world.log.push(`look ${this.#name}`);
    return true;
  }

  process(input: InputBuffer, output: ByteWriter): SessionStep | Promise<SessionStep> {
    const text = this.#parts > 0
      ? "parts"
      : new TextDecoder().decode(input.bytes.subarray(input.start, input.end));
    input.start = input.end;
    this.#world.log.push(`execute ${this.#name} ${text}`);
    if (text === "throw") throw new Error("Cannot go on: told to throw");
    if (text === "silent") return SessionStep.NEED_INPUT;
    if (text === "park") {
      return this.#world.parked.promise.then(() => {
        output.ascii("late");
        return SessionStep.NEED_INPUT;
      });
    }
    if (text.startsWith("cut ")) this.#world.origins.get(text.slice(4))!.pushTarget!.cutOff();
    if (text === "long") {
      busy();
      output.ascii("-".repeat(COSTLY_BYTES));
    }
    if (text === "parts") return this.#part(output);
    if (text.startsWith("end ")) this.#world.origins.get(text.slice(4))!.end!();
    output.ascii(text);
    return text === "quit" ? SessionStep.CLOSE : SessionStep.NEED_INPUT;
  }

  /** One part of a reply, then some that take long and have no output. */
  #part(output: ByteWriter): SessionStep {
    if (this.#parts++ === 0) output.ascii("part");
    else busy();
    return this.#parts < 4 ? SessionStep.FLUSH : SessionStep.NEED_INPUT;
  }

  close(): void {}
}

/** Takes longer than replies wait. */
function busy(): void {
  const untilMs = performance.now() + 2 * WRITE_TURN_MAX_MS;
  while (performance.now() < untilMs);
}

/** A server with clients by name. */
class HandWorld implements AsyncDisposable {
  readonly log: string[] = [];
  readonly origins = new Map<string, ClientOrigin>();
  readonly parked = Promise.withResolvers<void>();
  readonly server: EchoServer;
  readonly #sockets = new Map<string, HandSocket>();
  #nextName = "";

  constructor(names: string) {
    this.server = new EchoServer({
      createSession: (origin) => {
        this.origins.set(this.#nextName, origin);
        return new HandSession(this.#nextName, this);
      },
    });
    this.server.connections.writeTurns.ahead = {
      touch: () => void this.log.push("touch"),
      end: () => {},
    };
    for (const name of names) {
      const socket = new HandSocket(name, this.log);
      this.#nextName = name;
      this.#sockets.set(name, socket);
      this.server.connections.admit(socket, this.server.front);
    }
  }

  /** Lets lines arrive at the same moment, and waits until all is done that comes of them. */
  async arrive(lines: Record<string, string>): Promise<string[]> {
    this.log.length = 0;
    for (const [name, line] of Object.entries(lines)) this.#sockets.get(name)!.arrive(line);
    await new Promise((resolve) => setTimeout(resolve, 0));
    return this.log.filter((line) => !line.startsWith("look"));
  }

  /** The client's end of a connection. */
  socket(name: string): HandSocket {
    return this.#sockets.get(name)!;
  }

  /** Waits until a client's next request would be read. */
  async untilReads(name: string): Promise<void> {
    await eventually(() => this.#sockets.get(name)!.isRead, `the next read of ${name}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.parked.resolve();
    for (const socket of this.#sockets.values()) if (socket.isRead) socket.arrive(null);
    await this.server[Symbol.asyncDispose]();
  }
}

Deno.test("Connection: those who are ready execute in a row, then their replies are written", async () => {
  await using world = new HandWorld("ABC");
  for (const round of ["first", "second"]) {
    assert.deepEqual(await world.arrive({ A: round, B: round, C: round }), [
      "touch",
      ...[`execute A ${round}`, `execute B ${round}`, `execute C ${round}`],
      ...[`write A ${round}`, `write B ${round}`, `write C ${round}`],
    ]);
    assert.deepEqual(world.log.slice(0, 4), ["look A", "look B", "look C", "touch"]);
  }
  assert.deepEqual(await world.arrive({ B: "alone" }), ["execute B alone", "write B alone"]);
});

Deno.test("Connection: who parks, fails or has no reply delays nobody else's reply", async () => {
  await using world = new HandWorld("ABCDE");
  const lines = await world.arrive({ A: "park", B: "throw", C: "silent", D: "hello", E: "quit" });
  assert.deepEqual(lines.slice(0, 8), [
    "touch",
    ...["execute A park", "execute B throw", "execute C silent", "execute D hello"],
    ...["execute E quit", "write D hello", "write E quit"],
  ]);
  assert.equal(world.server.control.failures.length, 1);
  world.parked.resolve();
  await world.untilReads("A");
  assert.ok(world.log.includes("write A late"));
  assert.deepEqual(await world.arrive({ A: "x", C: "y", D: "z" }), [
    ...["touch", "execute A x", "execute C y", "execute D z"],
    ...["write A x", "write C y", "write D z"],
  ]);
  await eventually(() => world.server.connections.size === 3, "the end of B and E");
});

Deno.test("Connection: what was ended in the same moment is not executed any more", async () => {
  await using world = new HandWorld("ABC");
  const lines = await world.arrive({ A: "end B", B: "never", C: "hello" });
  assert.deepEqual(lines.slice(0, 5), [
    ...["touch", "execute A end B", "execute C hello", "write A end B", "write C hello"],
  ]);
  await eventually(() => world.log.includes("close B"), "the end of B");
  assert.ok(!world.log.some((line) => line.startsWith("execute B") || line.startsWith("write B")));
});

Deno.test("Connection: who ends itself has its reply", async () => {
  await using world = new HandWorld("AB");
  const lines = await world.arrive({ A: "end A", B: "hello" });
  assert.deepEqual(lines.slice(0, 5), [
    ...["touch", "execute A end A", "execute B hello", "write A end A", "write B hello"],
  ]);
  await eventually(() => world.log.includes("close A"), "the end of A");
});

Deno.test("Connection: who is busy for long has those executed who have come, and nobody twice", async () => {
  await using world = new HandWorld("AB");
  const written = Promise.withResolvers<number>();
  const b = world.socket("B");
  b.writing = written.promise;
  assert.deepEqual(await world.arrive({ B: "parts" }), ["execute B parts", "write B part"]);
  b.writing = undefined;
  const arriving = world.arrive({ A: "hello" });
  written.resolve(4);
  // How much of B comes first depends on the clock.
  const lines = await arriving;
  assert.deepEqual(lines.slice(lines.indexOf("execute A hello")).slice(0, 3), [
    ...["execute A hello", "write A hello", "execute B parts"],
  ]);
  assert.deepEqual(lines.toSorted(), [
    ...["execute A hello", "execute B parts", "execute B parts", "execute B parts"],
    "write A hello",
  ]);
  assert.deepEqual(await world.arrive({ A: "again" }), ["execute A again", "write A again"]);
});

Deno.test("Connection: who is ended by those who were executed first goes on no more", async () => {
  await using world = new HandWorld("AB");
  const written = Promise.withResolvers<number>();
  world.socket("B").writing = written.promise;
  assert.deepEqual(await world.arrive({ B: "parts" }), ["execute B parts", "write B part"]);
  const arriving = world.arrive({ A: "end B" });
  written.resolve(4);
  // One part of B at most comes first, if the clock says that there is time.
  const lines = await arriving;
  const ending = lines.indexOf("execute A end B");
  assert.ok(ending === 0 || ending === 1, lines.join());
  await eventually(() => world.log.includes("close B"), "the end of B");
  assert.ok(!world.log.slice(ending).some((line) => line.startsWith("execute B")));
});

Deno.test("Connection: who is cut off with a reply in the turn leaves without a fault", async () => {
  await using world = new HandWorld("AB");
  const lines = await world.arrive({ A: "hello", B: "cut A" });
  assert.deepEqual(lines.slice(0, 5), [
    ...["touch", "execute A hello", "execute B cut A", "close A", "write B cut A"],
  ]);
  await eventually(() => world.server.connections.size === 1, "the end of A");
});

Deno.test("Connection: who is cut off while a reply is written keeps its buffers until it is", async () => {
  await using world = new HandWorld("ABC");
  const { connections } = world.server;
  const written = Promise.withResolvers<number>();
  world.socket("A").writing = written.promise;
  const lines = await world.arrive({ A: "hello", B: "long", C: "cut A" });
  const writing = lines.indexOf("write A hello");
  assert.ok(lines.indexOf("execute A hello") < writing, lines.join());
  assert.ok(writing < lines.indexOf("execute C cut A"), lines.join());
  assert.ok(lines.includes("close A"));
  assert.equal(connections.size, 3, "the system still reads from its output");
  written.reject(new Deno.errors.BadResource("closed"));
  await eventually(() => connections.size === 2, "the end of A");
});
