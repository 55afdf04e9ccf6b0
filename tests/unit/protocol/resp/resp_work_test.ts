import assert from "node:assert/strict";
import fc from "fast-check";
import { Harness, request } from "../../command/harness.ts";

const SEED = 20261122;

Deno.test("RespWorks: a session holds one only while a part of a request or of a reply is there", async () => {
  const harness = new Harness();
  const [first, second] = [harness.connect(), harness.connect()];
  await first.send(request("PING"));
  const lent = harness.works.take(second.session.client);
  harness.works.give(lent);
  assert.equal(await second.send(request("PING")), "+PONG\r\n");
  assert.equal(harness.works.take(first.session.client), lent, "everybody uses the same one");
  harness.works.give(lent);

  const whole = request("ECHO", "hello");
  assert.equal(await first.send(whole.slice(0, 9)), "");
  assert.equal(first.session.midRequest, true);
  assert.notEqual(harness.works.take(second.session.client), lent, "it has a part of a request");
});

Deno.test("RespWorks: requests in parts, versions and errors of clients do not mix", async () => {
  const commands = [
    { bytes: request("ECHO", "hello"), two: "$5\r\nhello\r\n", three: "$5\r\nhello\r\n" },
    { bytes: request("GET", "none"), two: "$-1\r\n", three: "_\r\n" },
    { bytes: "PING\r\n", two: "+PONG\r\n", three: "+PONG\r\n" },
  ];
  const step = fc.record({
    client: fc.nat(3),
    command: fc.nat(commands.length - 1),
    cut: fc.nat(40),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 24 }), async (steps) => {
      const harness = new Harness();
      const clients = [harness.connect(), harness.connect(), harness.connect(), harness.connect()];
      for (const client of clients.slice(2)) await client.send(request("HELLO", "3"));
      // Each client's request under way: how far it has been sent, and what is replied to it.
      const begun = new Map<number, { rest: string; reply: string }>();
      for (const { client, command, cut } of steps) {
        const { bytes, two, three } = commands[command]!;
        const { rest, reply } = begun.get(client) ??
          { rest: bytes as string, reply: client < 2 ? two : three };
        const part = rest.slice(0, cut);
        const text = part === "" ? "" : await clients[client]!.send(part);
        if (part.length < rest.length) {
          begun.set(client, { rest: rest.slice(part.length), reply });
          assert.equal(text, "");
        } else {
          begun.delete(client);
          assert.equal(text, reply);
        }
      }
    }),
    { numRuns: 60, seed: SEED },
  );
});

Deno.test("RespWorks: what a client that leaves has begun is nobody else's", async () => {
  const harness = new Harness();
  const gone = harness.connect();
  await gone.send("*2\r\n$4\r\nECHO\r\n$5\r\nhe");
  gone.session.close();
  assert.equal(await harness.connect().send("PING\r\n"), "+PONG\r\n");

  const broken = harness.connect();
  assert.match(await broken.send("*1\r\n$x\r\n"), /^-ERR Protocol error/);
  broken.session.close();
  assert.equal(await harness.connect().send(request("ECHO", "a")), "$1\r\na\r\n");
});
