import assert from "node:assert/strict";
import { RawClient } from "../../helpers/raw_client.ts";
import { AcceptLoop, type ConnectionSource } from "../../../src/server/accept_loop.ts";
import { EchoServer, eventually } from "./echo.ts";

function systemError(code: string): Error {
  return Object.assign(new Error(`accept failed: ${code}`), { code });
}

/** Lets the first accepts fail, then passes on to the real listener. */
function failingSource(listener: Deno.TcpListener, errors: Error[]): ConnectionSource {
  return {
    accept: () => errors.length > 0 ? Promise.reject(errors.shift()!) : listener.accept(),
    close: () => listener.close(),
  };
}

Deno.test("AcceptLoop: survives every error of accept but a closed listener", async () => {
  const errors = [
    systemError("EMFILE"),
    systemError("ENFILE"),
    systemError("ENOBUFS"),
    new Deno.errors.NotConnected("reset before accept"),
    new Deno.errors.ConnectionAborted("reset before accept"),
    new Deno.errors.PermissionDenied("a firewall said no"),
    new TypeError("a bug of the runtime"),
  ];
  const errorCount = errors.length;
  await using server = new EchoServer({ source: (listener) => failingSource(listener, errors) });
  using client = await RawClient.connect(server.port);
  await client.send("still here\n");
  assert.equal(await client.readUntil("\n"), "still here\n");
  assert.equal(server.acceptErrors.length, errorCount);
});

Deno.test("AcceptLoop: does not spin while there is no file descriptor", async () => {
  let acceptCount = 0;
  const { promise: closed, reject: close } = Promise.withResolvers<Deno.TcpConn>();
  const loop = new AcceptLoop({
    accept: () => ++acceptCount < 5 ? Promise.reject(systemError("EMFILE")) : closed,
    close: () => close(new Deno.errors.BadResource("Listener has been closed")),
  }, { onConnection: () => {}, onAcceptError: () => {} });
  const startedAtMs = performance.now();
  await eventually(() => acceptCount === 5, "the fifth accept");
  // Four pauses of 50 ms; a machine that is busy can only make it longer.
  assert(performance.now() - startedAtMs >= 190, "it waited between the attempts");
  await loop[Symbol.asyncDispose]();
});

Deno.test("AcceptLoop: ends when its listener is closed from outside", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const errors: unknown[] = [];
  const loop = new AcceptLoop(listener, {
    onConnection: () => {},
    onAcceptError: (error) => void errors.push(error),
  });
  listener.close();
  await loop.done;
  assert.deepEqual(errors, []);
  await loop[Symbol.asyncDispose]();
});

Deno.test("AcceptLoop: disposing during a pause does not wait for its end, and refuses", async () => {
  await using server = new EchoServer({
    source: (listener) => ({
      accept: () => Promise.reject(systemError("EMFILE")),
      close: () => listener.close(),
    }),
  });
  await server.acceptLoop[Symbol.asyncDispose]();
  await assert.rejects(RawClient.connect(server.port), Deno.errors.ConnectionRefused);
});

Deno.test("AcceptLoop: an owner that throws loses that connection only", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const errors: unknown[] = [];
  await using _loop = new AcceptLoop(listener, {
    onConnection: () => {
      throw new Error("Cannot take it");
    },
    onAcceptError: (error) => void errors.push(error),
  });
  for (let i = 1; i <= 3; i++) {
    using client = await RawClient.connect(listener.addr.port);
    assert.equal(await client.readToEnd(), "");
    assert.equal(errors.length, i);
  }
});

Deno.test("AcceptLoop: clients that reset before they are accepted do no harm", async () => {
  await using server = new EchoServer();
  for (let i = 0; i < 50; i++) (await RawClient.connect(server.port)).close();
  using client = await RawClient.connect(server.port);
  await client.send("here\n");
  assert.equal(await client.readUntil("\n"), "here\n");
});

Deno.test("AcceptLoop: of very many that wait it takes some, then lets others have their turn", async () => {
  const { promise: closed, reject: close } = Promise.withResolvers<Deno.TcpConn>();
  const socket = { setNoDelay: () => {}, close: () => {} } as unknown as Deno.TcpConn;
  let acceptCount = 0;
  let turnCount = 0;
  let turn = Promise.withResolvers<void>();
  const loop = new AcceptLoop({
    accept: () => acceptCount++ < 1000 ? Promise.resolve(socket) : closed,
    close: () => close(new Deno.errors.BadResource("Listener has been closed")),
  }, {
    onConnection: () => {},
    onAcceptError: () => {},
    turn: () => {
      turnCount++;
      return turn.promise;
    },
  });
  await eventually(() => turnCount === 1, "the first turn");
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.ok(acceptCount < 100, `${acceptCount} accepts before the first turn`);
  const first = turn;
  turn = Promise.withResolvers<void>();
  turn.resolve();
  first.resolve();
  await eventually(() => acceptCount === 1001, "all accepts");
  assert.ok(turnCount > 10, `${turnCount} turns`);
  await loop[Symbol.asyncDispose]();
});
