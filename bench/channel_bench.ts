/**
 * What a job costs on its way to another thread: through the bounded channel, and in messages.
 *
 * - `one thread`: send and receive without anybody else. The layer beneath is a copy in shared memory
 *   and a handful of atomics.
 * - `one way`: this thread sends a batch to one other, from the first send until the other has taken
 *   the last. Compared are the channel, `worker.postMessage` and the port of a `MessageChannel`; the
 *   latter two with a copy of the bytes (structured clone) and with an `ArrayBuffer` handed over
 *   (transfer; a buffer handed over is gone, so making one belongs to the cost). The channel is
 *   bounded and refuses when it is full, here it never is; messages pile up without a bound.
 * - `round trip`: one job there and one back, the next when the former is home, so it is mostly the
 *   time that two threads take to wake each other. The channel in both ways to wait: `await` on this
 *   side, as the server's I/O threads do, which must not sleep, and asleep on both sides.
 * - `by number of workers`: a batch through one channel to several consumers, who share its lock.
 *
 * The other thread is channel_bench_worker.ts. It has been started and has done a few batches before
 * anything is measured, and there is only one pair or crew at a time. After a batch all wait for its
 * end in the same way: asleep on a counter in shared memory. Sent messages do not need this thread.
 *
 *     deno bench --allow-env --allow-read bench/channel_bench.ts
 *
 * @module
 */

import { BoundedChannel, RecvStatus } from "../src/channel/bounded_channel.ts";
import { ConsumerSlots } from "../src/channel/consumer_slots.ts";
import type { Role } from "./channel_bench_worker.ts";
import { sized } from "./sizes.ts";
import { Tally } from "./tally.ts";

/** Jobs in a batch that goes one way. */
const BATCH_JOBS = 1000;
/** Round trips in one iteration. */
const TRIPS = 100;
/** Jobs in a batch for several workers: enough for all of them to be awake. */
const CREW_JOBS = 10_000;
/** More than any batch, so that nothing is ever refused. */
const CAPACITY = 16_384;
/** Batches before the first that counts, for the compiler of either side. */
const WARM_UP_BATCHES = sized(20, 1);
/** A batch takes milliseconds; after so long the other side is dead. */
const PATIENCE_MS = 10_000;

/** Whether `Atomics.waitAsync` wakes an event loop that sleeps; see src/server/wake_tick.ts. */
const WAKES_EVENT_LOOP = "locks" in navigator;

/** What happens in one iteration. */
type Batch = () => Promise<void> | void;

/** A batch, ready to run again and again, and what ends it. */
interface Exchange {
  batch: Batch;
  close: () => void;
}

/** Ends what is at the other side now. */
let closeCurrent = (): void => {};
addEventListener("unload", () => closeCurrent());

/** Measures an exchange, which is opened when its turn comes; the one before is closed then. */
function benchExchange(
  options: { name: string; group: string; baseline?: boolean; ignore?: boolean },
  open: () => Promise<Exchange>,
): void {
  let opened: Promise<Batch> | undefined;
  Deno.bench(options, async (b) => {
    const batch = await (opened ??= warmUp(open));
    b.start();
    await batch();
    b.end();
  });
}

async function warmUp(open: () => Promise<Exchange>): Promise<Batch> {
  closeCurrent();
  const { batch, close } = await open();
  closeCurrent = close;
  for (let i = 0; i < WARM_UP_BATCHES; i++) await batch();
  return batch;
}

/** Starts a worker and waits until it is ready for jobs. */
async function startWorker(role: Role, transfer: Transferable[] = []): Promise<Worker> {
  const url = new URL("./channel_bench_worker.ts", import.meta.url);
  const worker = new Worker(url, { type: "module" });
  const ready = Promise.withResolvers<void>();
  worker.onmessage = () => ready.resolve();
  worker.onerror = () => ready.reject(new Error("the worker failed"));
  worker.postMessage(role, transfer);
  await ready.promise;
  worker.onmessage = null;
  return worker;
}

function makeJob(byteCount: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(byteCount).fill(7);
}

function mustSend(channel: BoundedChannel, job: Uint8Array): void {
  if (!channel.trySend(job, 0, job.length)) throw new Error("the channel is full");
}

/** A batch through the channel to `consumers` workers. */
async function openChannel(job: Uint8Array, jobs: number, consumers: number): Promise<Exchange> {
  const channel = BoundedChannel.create({ capacity: CAPACITY });
  const slots = ConsumerSlots.create({ slotCount: consumers });
  const tally = Tally.create();
  const roles = Array.from({ length: consumers }, (_, index): Role => ({
    kind: "take",
    channel: channel.memory,
    slots: slots.memory,
    index,
    tally: tally.memory,
  }));
  await Promise.all(roles.map((role) => startWorker(role)));
  return {
    batch: () => {
      tally.expect(jobs);
      for (let i = 0; i < jobs; i++) mustSend(channel, job);
      tally.wait(PATIENCE_MS);
    },
    // Workers that wait for a job end when there will be none.
    close: () => channel.close(),
  };
}

/** Where messages go. */
type Mailbox = Pick<MessagePort, "postMessage">;

/** The two ways to send bytes in a message. */
const SEND = {
  cloned: (to: Mailbox, job: Uint8Array<ArrayBuffer>): void => to.postMessage(job),
  transferred: (to: Mailbox, job: Uint8Array<ArrayBuffer>): void => {
    const copy = job.slice();
    to.postMessage(copy, [copy.buffer]);
  },
} as const;
type Way = keyof typeof SEND;

/** A worker that answers in messages, or counts them, and the port or the worker to send to. */
async function openMailbox(
  through: "worker" | "port",
  echo: Way | undefined,
  tally: Tally,
): Promise<{ mailbox: Worker | MessagePort; close: () => void }> {
  if (through === "worker") {
    const worker = await startWorker({ kind: "messages", echo, tally: tally.memory });
    return { mailbox: worker, close: () => worker.terminate() };
  }
  const { port1, port2 } = new MessageChannel();
  const worker = await startWorker({ kind: "port", port: port2, echo, tally: tally.memory }, [
    port2,
  ]);
  const close = (): void => {
    port1.close();
    worker.terminate();
  };
  return { mailbox: port1, close };
}

async function openMessages(
  through: "worker" | "port",
  way: Way,
  job: Uint8Array<ArrayBuffer>,
): Promise<Exchange> {
  const tally = Tally.create();
  const { mailbox, close } = await openMailbox(through, undefined, tally);
  const send = SEND[way];
  return {
    batch: () => {
      tally.expect(BATCH_JOBS);
      for (let i = 0; i < BATCH_JOBS; i++) send(mailbox, job);
      tally.wait(PATIENCE_MS);
    },
    close,
  };
}

/** Jobs there through one channel and back through another. */
async function openChannelTrips(job: Uint8Array, mayBlock: boolean): Promise<Exchange> {
  const there = BoundedChannel.create({ capacity: CAPACITY });
  const back = BoundedChannel.create({ capacity: CAPACITY });
  const slots = ConsumerSlots.create({ slotCount: 2 });
  await startWorker({
    kind: "answer",
    channel: there.memory,
    answers: back.memory,
    slots: slots.memory,
    index: 1,
  });
  const slot = slots.own(0, 0);
  const mustHave = (status: RecvStatus): void => {
    if (status !== RecvStatus.JOB) throw new Error(`no answer: ${status}`);
    slot.clear();
  };
  const blocking = (): void => {
    for (let i = 0; i < TRIPS; i++) {
      mustSend(there, job);
      mustHave(back.recv(slot, PATIENCE_MS));
    }
  };
  const awaiting = async (): Promise<void> => {
    for (let i = 0; i < TRIPS; i++) {
      mustSend(there, job);
      mustHave(await back.recvAsync(slot, PATIENCE_MS));
    }
  };
  return { batch: mayBlock ? blocking : awaiting, close: () => there.close() };
}

/** Jobs there and back in messages; what was handed over is handed back, without a new copy. */
async function openMessageTrips(
  through: "worker" | "port",
  way: Way,
  job: Uint8Array<ArrayBuffer>,
): Promise<Exchange> {
  const { mailbox, close } = await openMailbox(through, way, Tally.create());
  let left = 0;
  let home = Promise.withResolvers<void>();
  const send = way === "cloned"
    ? SEND.cloned
    : (to: Mailbox, bytes: Uint8Array<ArrayBuffer>): void => to.postMessage(bytes, [bytes.buffer]);
  mailbox.onmessage = ({ data }: MessageEvent<Uint8Array<ArrayBuffer>>): void => {
    if (--left > 0) send(mailbox, data);
    else home.resolve();
  };
  return {
    batch: () => {
      left = TRIPS;
      home = Promise.withResolvers();
      SEND[way](mailbox, job);
      return home.promise;
    },
    close,
  };
}

for (const jobBytes of [48, 512]) {
  const job = makeJob(jobBytes);
  const channel = BoundedChannel.create({ capacity: 1000 });
  const slot = ConsumerSlots.create({ slotCount: 1 }).own(0, 0);
  Deno.bench({
    name: `trySend and recv, ${jobBytes} bytes`,
    group: "one thread, 1 job",
    baseline: jobBytes === 48,
  }, () => {
    channel.trySend(job, 0, jobBytes);
    channel.recv(slot, 0);
    slot.clear();
  });
}

{
  const job = makeJob(512);
  const shared = new Uint8Array(new SharedArrayBuffer(2048));
  Deno.bench("the two copies alone, 512 bytes", { group: "one thread, 1 job" }, () => {
    shared.set(job, 0);
    shared.set(shared.subarray(0, 512), 1024);
  });
}

{
  const job = makeJob(48);
  const channel = BoundedChannel.create({ capacity: 1 });
  channel.trySend(job, 0, 48);
  Deno.bench("trySend on a full channel", { group: "one thread, 1 job" }, () => {
    channel.trySend(job, 0, 48);
  });
}

const MAILBOXES = [["worker", "worker.postMessage"], ["port", "MessageChannel"]] as const;
const WAYS = ["cloned", "transferred"] as const;

for (const jobBytes of [48, 512]) {
  const job = makeJob(jobBytes);
  const group = `one way, ${BATCH_JOBS.toLocaleString("en")} jobs of ${jobBytes} bytes`;
  benchExchange(
    { name: "BoundedChannel", group, baseline: true },
    () => openChannel(job, BATCH_JOBS, 1),
  );
  for (const [through, name] of MAILBOXES) {
    for (const way of WAYS) {
      benchExchange({ name: `${name}, ${way}`, group }, () => openMessages(through, way, job));
    }
  }
}

{
  const job = makeJob(48);
  const group = `round trip, ${TRIPS} times 1 job of 48 bytes`;
  benchExchange(
    { name: "BoundedChannel, both sides sleep", group, baseline: true },
    () => openChannelTrips(job, true),
  );
  benchExchange(
    { name: "BoundedChannel, this side awaits", group, ignore: !WAKES_EVENT_LOOP },
    () => openChannelTrips(job, false),
  );
  for (const [through, name] of MAILBOXES) {
    for (const way of WAYS) {
      benchExchange({ name: `${name}, ${way}`, group }, () => openMessageTrips(through, way, job));
    }
  }
}

for (const consumers of [1, 2, 4]) {
  benchExchange({
    name: `${consumers} ${consumers === 1 ? "worker" : "workers"}`,
    group: `by number of workers, ${CREW_JOBS.toLocaleString("en")} jobs of 48 bytes`,
    baseline: consumers === 1,
  }, () => openChannel(makeJob(48), CREW_JOBS, consumers));
}
