/**
 * Runs producers of one inbox in Workers and its consumer here, as an I/O thread would be, and looks
 * at what arrives.
 *
 * @module
 */

import { keepAwake } from "../helpers/keep_awake.ts";
import { Inbox, type InboxMemory } from "../../src/channel/inbox.ts";
import { sequenceOf } from "./channel_evidence.ts";
import { enlist, sumOf } from "./crew.ts";
import type { Mutation } from "./twin.ts";

/** The module whose twins are tested. */
export const INBOX_URL = new URL("../../src/channel/inbox.ts", import.meta.url);

/** Word offsets in the evidence region; from ACKS on, one line per producer. */
export const InboxEvidence = { START: 0, STOP: 16, INSIDE: 32, ACKS: 48 } as const;

/** What a producer is told. */
export interface InboxOrders {
  producer: number;
  messages: number;
  messageBytes: number;
  /** Waits for every message to arrive before it sends the next. */
  waitForAck: boolean;
  inboxModule: string;
  inbox: InboxMemory;
  evidence: SharedArrayBuffer;
}

/** What it reports. */
export interface InboxReport {
  /** Sends that began while another producer was inside one. */
  overlaps: number;
  refusals: number;
}

/** What to run. */
export interface InboxStress {
  producers: number;
  messagesEach: number;
  ringBytes: number;
  waitForAck: boolean;
  firstPosition?: number;
  /** Module to take the inbox from; default: the real one. */
  inboxModule?: string;
  deadlineMs: number;
}

/** What came out. */
export interface InboxResult {
  /** Messages that did not arrive before the deadline. */
  missing: number;
  /** Messages that were torn or out of order. */
  wrong: number;
  /** Sends that overlapped with another producer's. */
  overlaps: number;
  /** Messages that were read while a producer was inside a send. */
  readOverlaps: number;
  refusals: number;
  violation: string;
}

/** Whether the inbox did what it promises. */
export function isClean({ missing, wrong, violation }: InboxResult): boolean {
  return missing === 0 && wrong === 0 && violation === "";
}

/** Twins that look right and are not. */
export const FLOOD_MUTATIONS: readonly Mutation[] = [
  {
    name: "publishes before the message is copied",
    find: `    words[at >> 2] = length;
    copyBytes(bytes, start, end, target, at + RECORD_HEADER_BYTES);
    this.onStep?.(SendStep.COPIED);
    // Pairs with the consumer's load of tail: who sees it sees the message.
    Atomics.store(words, this.#tailAt, (tail + skipped + needed) | 0);
`,
    replace: `    words[at >> 2] = length;
    Atomics.store(words, this.#tailAt, (tail + skipped + needed) | 0);
    copyBytes(bytes, start, end, target, at + RECORD_HEADER_BYTES);
`,
  },
  {
    name: "frees the room before the messages are read",
    find: `    let count = 0;
    try {
`,
    replace: `    let count = 0;
    Atomics.store(words, headAt, tail);
    try {
`,
  },
];

/** Twins that lose wake-ups. */
export const WAKE_MUTATIONS: readonly Mutation[] = [
  {
    name: "drains before it arms",
    find: `      const bell = Atomics.load(words, Header.BELL);
      Atomics.store(words, Header.ARMED, 1);
      const wait = Atomics.waitAsync(words, Header.BELL, bell);
      this.drain(handle);
`,
    replace: `      this.drain(handle);
      const bell = Atomics.load(words, Header.BELL);
      Atomics.store(words, Header.ARMED, 1);
      const wait = Atomics.waitAsync(words, Header.BELL, bell);
`,
  },
  {
    name: "looks at armed before it publishes",
    find: `    this.onStep?.(SendStep.COPIED);
`,
    replace: `    const wasArmed = Atomics.load(words, Header.ARMED) !== 0;
    if (wasArmed) this.#layout.ring();
    this.ring = () => {};
    if (wasArmed !== undefined) {
      Atomics.store(words, this.#tailAt, (tail + skipped + needed) | 0);
      Atomics.or(words, this.#dirtyAt, this.#dirtyBit);
      return true;
    }
`,
  },
];

/** Runs one stress to its end or deadline. */
export async function runInboxStress(stress: InboxStress): Promise<InboxResult> {
  const { producers, messagesEach, ringBytes, firstPosition = 0 } = stress;
  const inboxModule = stress.inboxModule ?? INBOX_URL.href;
  const module = await import(inboxModule) as { Inbox: typeof Inbox };
  const inbox = module.Inbox.create({ producerCount: producers, ringBytes, firstPosition });
  const evidence = new Int32Array(
    new SharedArrayBuffer((InboxEvidence.ACKS + producers * 16) * 4),
  );
  const crew = Array.from(
    { length: producers },
    (_, producer) =>
      enlist<InboxReport>(new URL("./inbox_worker.ts", import.meta.url), `producer ${producer}`, {
        producer,
        messages: messagesEach,
        messageBytes: Math.min(inbox.maxMessageBytes, 60),
        waitForAck: stress.waitForAck,
        inboxModule,
        inbox: inbox.memory,
        evidence: evidence.buffer,
      }),
  );
  await Promise.all(crew.map(({ ready }) => ready));

  using _awake = keepAwake();
  const next = new Int32Array(producers);
  const all = Promise.withResolvers<void>();
  let [wrong, readOverlaps, arrived] = [0, 0, 0];
  using receiver = inbox.receiver();
  const serving = receiver.serve((bytes, start, end, producer) => {
    if (Atomics.load(evidence, InboxEvidence.INSIDE) > 0) readOverlaps++;
    const sequence = sequenceOf(bytes, start, end - start);
    if (bytes[start] !== producer || sequence !== next[producer]) {
      wrong++;
      all.resolve();
    }
    next[producer] = sequence + 1;
    const ackAt = InboxEvidence.ACKS + producer * 16;
    Atomics.store(evidence, ackAt, next[producer]!);
    Atomics.notify(evidence, ackAt);
    if (++arrived === producers * messagesEach) all.resolve();
  }).catch(() => {
    // A broken twin may trip over itself; that counts as caught.
    wrong++;
    all.resolve();
  });
  const timer = setTimeout(all.resolve, stress.deadlineMs);
  all.promise.finally(() => clearTimeout(timer));
  Atomics.store(evidence, InboxEvidence.START, 1);
  Atomics.notify(evidence, InboxEvidence.START);
  await all.promise;
  const missing = producers * messagesEach - arrived;
  Atomics.store(evidence, InboxEvidence.STOP, 1);
  for (let at: number = InboxEvidence.ACKS; at < evidence.length; at++) {
    Atomics.notify(evidence, at);
  }
  const reports = await Promise.all(crew.map(({ report }) => report));
  receiver[Symbol.dispose]();
  // A pending wait for a bell keeps nothing alive; the timer does.
  const alive = setInterval(() => {}, 1000);
  await serving;
  clearInterval(alive);
  return {
    missing,
    wrong,
    overlaps: sumOf(reports, ({ overlaps }) => overlaps),
    readOverlaps,
    refusals: sumOf(reports, ({ refusals }) => refusals),
    violation: violationOf(inbox),
  };
}

function violationOf(inbox: Inbox): string {
  try {
    inbox.assertInvariants();
    return "";
  } catch (error) {
    return String(error);
  }
}
