/**
 * Fills a channel of an embedding program from threads that wait for room, and looks whether any is
 * forgotten.
 *
 * A sender of the library's looks again by itself after a while, so a lost call would only be slow. Here
 * senders sleep until they are called, in every twin, also in the one that has no other change: a lost
 * call shows as a receiver that waits for messages while their sender sleeps.
 *
 * @module
 */

import type { BoundedChannel } from "../../src/embed/channel.ts";
import { enlist, sumOf } from "./crew.ts";
import type { RoomOrders, RoomReport } from "./room_worker.ts";
import { type Mutation, writeTwinOf } from "./twin.ts";

const FILES = {
  embed: new URL("../../src/embed/channel.ts", import.meta.url),
  queue: new URL("../../src/embed/send_queue.ts", import.meta.url),
  ring: new URL("../../src/channel/bounded_channel.ts", import.meta.url),
  senders: new URL("../../src/channel/waiting_senders.ts", import.meta.url),
} as const;

/** Sleepers do not look again by themselves; they ask for any room at once, or for a batch only. */
function withoutSlices(takesAnyRoom: boolean): readonly Mutation[] {
  return [
    {
      name: "asks for a batch of room until it is called",
      find: "export const BATCH_WAIT_MS = 1;",
      replace: `export const BATCH_WAIT_MS = ${takesAnyRoom ? 0 : 2 ** 30};`,
    },
    {
      name: "asks for any room until it is called",
      find: "export const ROOM_WAIT_MS = 100;",
      replace: "export const ROOM_WAIT_MS = 2 ** 30;",
    },
  ];
}

/** Makes the few nanoseconds between two steps as long as a preemption would. */
const PREEMPTION = "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 0.2);";

/** A change of the channel, or of those who wait for room. */
export interface RoomMutation extends Mutation {
  where: keyof typeof FILES;
  /** Who shows it. Default: those who block. */
  shownBy?: "async";
}

/** Twins that forget a sender; the stress must catch each. */
export const ROOM_MUTATIONS: readonly RoomMutation[] = [
  {
    name: "does not try again once it asked for room",
    where: "embed",
    find: `      senders.want(takesAnyRoom);
      if (this.trySend(message)) return true;`,
    replace: `      ${PREEMPTION}
      senders.want(takesAnyRoom);`,
  },
  {
    name: "does not try again once it asked for room, without blocking",
    where: "queue",
    shownBy: "async",
    find: `      this.#senders.want(takesAnyRoom);
      const isSent = this.#sendThose();`,
    replace: `      ${PREEMPTION}
      this.#senders.want(takesAnyRoom);
      const isSent = false;`,
  },
  {
    name: "calls without moving the signal",
    where: "senders",
    find: `    Atomics.add(this.#words, this.#roomAt, 1);
`,
    replace: "",
  },
  {
    name: "takes a message and calls no sender",
    where: "ring",
    find: `    if (this.#isPublished()) this.#idle.callOne();
    this.#callSenders();`,
    replace: "    if (this.#isPublished()) this.#idle.callOne();",
  },
  {
    name: "looks who waits before it makes room",
    where: "ring",
    find: `    Atomics.store(this.#words, Header.HEAD, (head + 1) | 0);
    this.onStep?.(RecvStep.HEAD_MOVED);`,
    replace: `    this.#callSenders();
    ${PREEMPTION}
    Atomics.store(this.#words, Header.HEAD, (head + 1) | 0);
    this.#senders.callFor = () => {};`,
  },
];

/** What to run. */
export interface RoomStress {
  senders: number;
  messages: number;
  capacity: number;
  /** Whether senders wait without blocking, several messages at a time. */
  isAsync: boolean;
  /** A receiver that gets nothing for so long was forgotten by a sender. */
  forgottenAfterMs?: number;
  seed: number;
  /** From {@link writeRoomTwin}. */
  channelModule: string;
}

/** What came out. */
export interface RoomResult {
  received: number;
  /** Messages that came in another order than their sender sent them in. */
  disordered: number;
  /** Sends that found the channel full. */
  waits: number;
  isForgotten: boolean;
  seed: number;
}

/** Whether every message came, in order. */
export function isAllThere(result: RoomResult, { senders, messages }: RoomStress): boolean {
  return !result.isForgotten && result.disordered === 0 && result.received === senders * messages;
}

/** Writes a channel whose senders sleep until they are called, with a defect if one is given. */
export async function writeRoomTwin(
  folder: string,
  { mutation, takesAnyRoom = false }: { mutation?: RoomMutation; takesAnyRoom?: boolean },
): Promise<string> {
  const of = (where: RoomMutation["where"]): Mutation[] =>
    mutation?.where === where ? [mutation] : [];
  const use = async (path: string, twin: Promise<string>): Promise<Mutation> => ({
    name: `has a twin of ${path}`,
    find: `from "${path}"`,
    replace: `from "${await twin}"`,
  });
  const ownSenders = await use(
    "./waiting_senders.ts",
    writeTwinOf(FILES.senders, of("senders"), folder),
  );
  const ownRing = await use(
    "../channel/bounded_channel.ts",
    writeTwinOf(FILES.ring, [...of("ring"), ownSenders], folder),
  );
  const ownQueue = await use(
    "./send_queue.ts",
    writeTwinOf(FILES.queue, [...of("queue"), ...withoutSlices(takesAnyRoom)], folder),
  );
  return await writeTwinOf(FILES.embed, [...of("embed"), ownRing, ownQueue], folder);
}

/** Runs one stress to its end, or until a sender was forgotten. */
export async function runRoomStress(stress: RoomStress): Promise<RoomResult> {
  const { senders, messages, capacity, isAsync, seed, channelModule } = stress;
  const { forgottenAfterMs = 60_000 } = stress;
  const module = await import(channelModule) as { BoundedChannel: typeof BoundedChannel };
  using channel = module.BoundedChannel.create({ capacity, maxMessageBytes: 8 });
  const start = (index: number) =>
    enlist<RoomReport>(
      new URL("./room_worker.ts", import.meta.url),
      `room ${index}`,
      {
        index,
        messages,
        isAsync,
        forgottenAfterMs,
        seed: seed + index * 7919,
        channelModule,
        memory: channel.memory,
      } satisfies RoomOrders,
    );
  // The one with index -1 receives.
  const receiver = start(-1);
  const others = Array.from({ length: senders }, (_, index) => start(index));
  await Promise.all([receiver, ...others].map((worker) => worker.ready));
  const sent = await Promise.all(others.map((worker) => worker.report));
  channel.close();
  const { received, disordered, isForgotten } = await receiver.report;
  return { received, disordered, isForgotten, waits: sumOf(sent, ({ waits }) => waits), seed };
}
