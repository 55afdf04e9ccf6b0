/**
 * How long an event takes through the channel and a worker to the store, when nothing else goes on.
 *
 * - From inside: this program is the I/O thread. It takes a credit, writes the job and publishes it
 *   as the event intake does, to the server's own worker pool, and looks at the worker's counter of
 *   processed events until it has moved, which is right behind the change in the store. That is
 *   exactly the way that is asked for.
 * - From outside: what `EVENT … WAIT` takes longer than `INCRBY`, which changes the same kind of
 *   entry without leaving the I/O thread. The way of the news back to the I/O thread is in it, too,
 *   so it is an upper bound that needs no look inside.
 *
 * The server's histogram of settlements is no help: what it counts from is a clock that the I/O
 * thread reads once per batch, in whole milliseconds.
 *
 * Events come one at a time and with pauses, so that the worker sleeps when one arrives, as on an
 * idle system.
 *
 * @module
 */

import { encodeJob, EventFields, MAX_JOB_BYTES } from "../../../src/base/job.ts";
import { BoundedChannel } from "../../../src/channel/bounded_channel.ts";
import { CounterIndex } from "../../../src/metrics/names.ts";
import { MetricsRegion } from "../../../src/metrics/region.ts";
import { Store } from "../../../src/store/store.ts";
import { WorkerPool } from "../../../src/worker/worker_pool.ts";
import type { Children } from "./children.ts";
import { encodeCommand } from "./resp_filler.ts";
import { type SluiceOptions, startSluice } from "./servers.ts";

/** Times of many events, each in ascending order. Unit: µs. */
export interface EventLatency {
  /** From before the job is written until its effect is in the store. */
  readonly insideUs: readonly number[];
  /** Round trips of `INCRBY`. */
  readonly plainUs: readonly number[];
  /** Round trips of `EVENT … WAIT`. */
  readonly eventUs: readonly number[];
}

/** Between two events. Unit: ms. */
const PAUSE_MS = 2;
/** Events that do not count. */
const WARM_UP_COUNT = 500;
/** As the server has it. */
const SHARDS = 64;
const CAPACITY = 1000;

/** Measures both ways, one after the other. */
export async function measureEventLatency(
  children: Children,
  count: number,
  options: SluiceOptions,
): Promise<EventLatency> {
  const insideUs = await measureInside(count);
  return { insideUs, ...await measureOutside(children, count, options) };
}

/** The value that the share `q` of ascending values does not exceed; NaN of nothing. */
export function quantileOf(ascending: readonly number[], q: number): number {
  return ascending[Math.max(0, Math.ceil(ascending.length * q) - 1)] ?? NaN;
}

async function measureInside(count: number): Promise<number[]> {
  const store = Store.create({
    shardCount: SHARDS,
    lockKind: "mutex",
    maxMemoryBytes: 64 * 2 ** 20,
    maxValueBytes: 2 ** 20,
    threadCount: 2,
  });
  const channel = BoundedChannel.create({ capacity: CAPACITY });
  const metrics = MetricsRegion.create(2);
  await using _pool = await WorkerPool.start({
    store,
    channel,
    metrics,
    counters: metrics.counters(0),
    firstThreadId: 1,
    workersMin: 1,
    workersMax: 1,
    log: { info: () => {}, warn: () => {} },
    onInternalFault: ({ shard }) => {
      throw new Error(`Cannot measure: shard ${shard} is torn`);
    },
  });
  const event = new EventFields();
  const name = new TextEncoder().encode("alicebuy");
  event.user.set(name, 0, 5);
  event.action.set(name, 5, 8);
  event.amount.setNumber(1);
  const job = new Uint8Array(MAX_JOB_BYTES);
  const times: number[] = [];
  for (let i = -Math.min(WARM_UP_COUNT, count); i < count; i++) {
    await pause();
    const before = metrics.total(CounterIndex.PROCESSED);
    const startedAtMs = performance.now();
    if (!store.credits.tryAcquire()) throw new Error("Cannot measure: no room for a balance");
    event.acceptedAtMs = startedAtMs;
    if (!channel.trySend(job, 0, encodeJob(event, job, 0))) {
      throw new Error("Cannot measure: the channel is full");
    }
    while (metrics.total(CounterIndex.PROCESSED) === before);
    if (i >= 0) times.push((performance.now() - startedAtMs) * 1000);
  }
  channel.close();
  return times.toSorted((a, b) => a - b);
}

async function measureOutside(
  children: Children,
  count: number,
  options: SluiceOptions,
): Promise<Omit<EventLatency, "insideUs">> {
  const server = await startSluice(children, options);
  const socket = await Deno.connect({ hostname: "127.0.0.1", port: server.respPort });
  socket.setNoDelay(true);
  const plain = encodeCommand(["INCRBY", "number", "1"]);
  const waiting = encodeCommand(["EVENT", "alice", "buy", "1", "WAIT", "1000"]);
  const plainUs: number[] = [];
  const eventUs: number[] = [];
  try {
    for (let i = -Math.min(WARM_UP_COUNT, count); i < count; i++) {
      const ofPlain = await roundTripUs(socket, plain);
      const ofEvent = await roundTripUs(socket, waiting);
      if (i < 0) continue;
      plainUs.push(ofPlain);
      eventUs.push(ofEvent);
    }
  } finally {
    socket.close();
    await server.stop();
  }
  return {
    plainUs: plainUs.toSorted((a, b) => a - b),
    eventUs: eventUs.toSorted((a, b) => a - b),
  };
}

const encoder = new TextEncoder();
const room = new Uint8Array(1024);

async function roundTripUs(socket: Deno.TcpConn, command: string): Promise<number> {
  await pause();
  const startedAtMs = performance.now();
  await socket.write(encoder.encode(command));
  const byteCount = await socket.read(room);
  const us = (performance.now() - startedAtMs) * 1000;
  if (byteCount === null || room[0] === 0x2d) throw new Error(`Cannot measure: ${command} failed`);
  return us;
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
}
