import assert from "node:assert/strict";
import { ByteWriter, InputBuffer } from "../../../src/base/bytes.ts";
import type { ClientOrigin } from "../../../src/command/client_state.ts";
import { type Session, SessionStep } from "../../../src/protocol/session.ts";
import { LateSessions, type SessionMaker } from "../../../src/server/late_session.ts";

const ORIGIN = { address: "127.0.0.1" } as unknown as ClientOrigin;

/** Answers every call with one byte. */
class Answering implements Session {
  readonly midRequest = true;
  readonly midBody = true;
  closeCount = 0;

  process(_input: InputBuffer, output: ByteWriter): SessionStep {
    output.byte(33);
    return SessionStep.CLOSE;
  }

  close(): void {
    this.closeCount++;
  }
}

/** A maker that comes when it is told to. */
function world(): {
  sessions: LateSessions;
  made: Answering[];
  loads: PromiseWithResolvers<SessionMaker>[];
  arrive: () => void;
} {
  const made: Answering[] = [];
  const loads: PromiseWithResolvers<SessionMaker>[] = [];
  const sessions = new LateSessions(() => {
    const load = Promise.withResolvers<SessionMaker>();
    loads.push(load);
    return load.promise;
  });
  const arrive = (): void =>
    loads.at(-1)!.resolve(() => {
      made.push(new Answering());
      return made.at(-1)!;
    });
  return { sessions, made, loads, arrive };
}

Deno.test("LateSessions: clients that come before it is loaded wait, with one loading for all", async () => {
  const { sessions, made, loads, arrive } = world();
  assert.equal(loads.length, 0, "nothing is loaded before the first client");
  const [first, second] = [sessions.create(ORIGIN), sessions.create(ORIGIN)];
  assert.equal(first.midRequest, false);
  const output = new ByteWriter();
  const steps = [first, second].map((session) => session.process(new InputBuffer(), output));
  assert.equal(output.length, 0);
  arrive();
  assert.deepEqual(await Promise.all(steps), [SessionStep.CLOSE, SessionStep.CLOSE]);
  assert.equal(output.length, 2);
  assert.equal(first.midRequest, true, "from now on it is the real one");
  assert.equal(first.process(new InputBuffer(), output), SessionStep.CLOSE);
  assert.equal(sessions.create(ORIGIN), made[2], "later clients have the real one at once");
  assert.equal(loads.length, 1);
});

Deno.test("LateSessions: a client that leaves while it is loaded is closed all the same, once", async () => {
  const { sessions, made, arrive } = world();
  const [early, late] = [sessions.create(ORIGIN), sessions.create(ORIGIN)];
  early.close();
  arrive();
  await late.process(new InputBuffer(), new ByteWriter());
  late.close();
  assert.deepEqual(made.map(({ closeCount }) => closeCount), [1, 1]);
});

Deno.test("LateSessions: a failure is told to those who wait, and the next client tries again", async () => {
  const { sessions, loads, arrive } = world();
  const waiting = sessions.create(ORIGIN);
  // Closed or not, one that sent nothing is no unhandled rejection.
  sessions.create(ORIGIN).close();
  const step = waiting.process(new InputBuffer(), new ByteWriter());
  loads[0]!.reject(new Error("too many open files"));
  await assert.rejects(async () => await step, /too many open files/);
  const next = sessions.create(ORIGIN);
  assert.equal(loads.length, 2);
  arrive();
  assert.equal(await next.process(new InputBuffer(), new ByteWriter()), SessionStep.CLOSE);
});
