/**
 * A command layer with everything around it that it needs, for tests.
 *
 * @module
 */

import { Inbox } from "../../../src/channel/inbox.ts";
import { PubSubHub } from "../../../src/command/pubsub/hub.ts";
import type { PushTarget } from "../../../src/command/pubsub/subscriber.ts";
import { KeyNotes } from "../../../src/pubsub/key_notes.ts";
import { Notifier } from "../../../src/pubsub/notifier.ts";
import { PubSubRegion } from "../../../src/pubsub/region.ts";
import { ByteWriter, InputBuffer } from "../../../src/base/bytes.ts";
import type { ClientMemory } from "../../../src/base/client_memory.ts";
import type { Rate } from "../../../src/base/units.ts";
import { ArgumentsPool } from "../../../src/command/arguments.ts";
import { RespWorks } from "../../../src/protocol/resp/resp_work.ts";
import { Authenticator } from "../../../src/command/authenticator.ts";
import { LocalClients } from "../../../src/command/client_directory.ts";
import { EventWaits } from "../../../src/command/event_waits.ts";
import {
  BlockedClients,
  type BlockedParts,
} from "../../../src/command/blocking/blocked_clients.ts";
import { Dispatcher } from "../../../src/command/dispatch.ts";
import {
  type EventChannel,
  EventIntake,
  type EventLog,
} from "../../../src/command/event_intake.ts";
import type { CommandTable } from "../../../src/command/lookup.ts";
import { Operations } from "../../../src/command/operations.ts";
import { OperationsRegion } from "../../../src/command/operations_memory.ts";
import type {
  CommandServices,
  ServerSnapshot,
  StorageControl,
} from "../../../src/command/services.ts";
import type { ThreadCircle } from "../../../src/command/thread_circle.ts";
import { makeCommandTable } from "../../../src/command/table.ts";
import { ERROR_TEXTS } from "../../../src/protocol/resp/error_texts.ts";
import { type CommandObserver, RespSession } from "../../../src/protocol/resp/resp_session.ts";
import { UpcomingKeys } from "../../../src/command/upcoming_keys.ts";
import { KeyScan } from "../../../src/protocol/resp/key_scan.ts";
import { settlementOf } from "../../../src/server/io_inbox.ts";
import { ThreadQuestions } from "../../../src/server/thread_questions.ts";
import { SessionStep } from "../../../src/protocol/session.ts";
import type { EventIds } from "../../../src/store/event_ids.ts";
import { WaitRegion } from "../../../src/store/wait_region.ts";
import { Store } from "../../../src/store/store.ts";
import { keepAwake } from "../../helpers/keep_awake.ts";
import { latin1, toLatin1 } from "../../helpers/latin1.ts";

export { latin1, toLatin1 };

/** Counter ids of the harness. */
export const Count = {
  RECEIVED: 0,
  DROPPED_BUSY: 1,
  DROPPED_OUT_OF_MEMORY: 2,
  DROPPED_SHUTTING_DOWN: 3,
  INVALID: 4,
  PARKED: 5,
  COMMANDS: 6,
  AUTH_FAILURES: 7,
  THROTTLED: 8,
  DROPPED_STORAGE: 9,
  DUPLICATES: 10,
  FORGOTTEN_IDS: 11,
} as const;

/** A data directory whose snapshots are complete at once, unless they are slow or fail. */
export class FakeStorage implements StorageControl {
  takesWrites = true;
  readonly phase = "serving";
  snapshotRuns = false;
  readonly snapshotBeganAtMs = 0;
  snapshotCount = 0;
  snapshotFailureCount = 0;
  snapshotAtMs = 0;
  readonly snapshotTookMs = 3;
  readonly logPosition = 100;
  readonly durablePosition = 90;
  readonly syncedAtMs = 0;
  isSlow = false;
  fails = false;
  confirmsDurable = false;
  /** Shards that replies told of; -1 = all. */
  readonly touched: number[] = [];
  /** Shards whose last change is lost. */
  readonly lost = new Set<number>();

  touch(shard: number): void {
    this.touched.push(shard);
  }

  touchAll(): void {
    this.touched.push(-1);
  }

  tellsLater(): void {}

  isLost(shard: number): boolean {
    return this.lost.has(shard);
  }

  get isAnyLost(): boolean {
    return this.lost.size > 0;
  }

  wantSnapshot(): void {
    if (this.fails) this.snapshotFailureCount++;
    else if (!this.isSlow) this.snapshotCount++;
  }
}

/** Counters in an array. */
export class FakeCounters {
  readonly values: number[] = new Array<number>(16).fill(0);

  add(counter: number, amount = 1): void {
    this.values[counter]! += amount;
  }
}

/** A channel that keeps its jobs in an array. */
export class FakeChannel implements EventChannel {
  readonly jobs: Uint8Array[] = [];
  reserved = 0;
  closed = false;
  /** Whether a worker sleeps, so that events are to call one. */
  hasSleeper = false;
  /** Jobs that were there when a worker was called, one number for each call. */
  readonly calls: number[] = [];

  constructor(readonly capacity = 1000) {}

  get depth(): number {
    return this.jobs.length;
  }

  tryReserve(): boolean {
    if (this.closed || this.jobs.length + this.reserved >= this.capacity) return false;
    this.reserved++;
    return true;
  }

  put(bytes: Uint8Array, start: number, end: number): boolean {
    this.reserved--;
    this.jobs.push(bytes.slice(start, end));
    return this.hasSleeper;
  }

  callConsumer(): void {
    this.calls.push(this.jobs.length);
  }

  cancelReservation(): void {
    this.reserved--;
  }
}

/** What a {@link Harness} may be made with. */
export interface HarnessOptions {
  /** The data directory; left out: there is none. */
  storage?: StorageControl;
  /** Used instead of a store of its own; the sizes below do not matter then. */
  store?: Store;
  maxRequestBytes?: number;
  maxMemoryBytes?: number;
  maxValueBytes?: number;
  shardCount?: number;
  lockKind?: "mutex" | "rwlock";
  channel?: FakeChannel;
  table?: CommandTable;
  /** What this thread shares with others that have a harness of their own. */
  region?: OperationsRegion;
  blockIndex?: number;
  circle?: ThreadCircle;
  password?: string;
  /** What a wrong password waits for before it is answered. */
  passwordPause?: () => Promise<void>;
  rateLimit?: Rate;
  onCommand?: CommandObserver;
  settledTotal?: () => number;
  hasCredits?: () => boolean;
  /** What may be pending for one subscriber. */
  pushLimitBytes?: number;
  /** Where clients that wait are seen by several harnesses, each of which is a thread of it. */
  waitRegion?: WaitRegion;
  /** Number of this thread among them. */
  thread?: number;
  /** Tells another of them of news about one of its waiters. */
  sendNews?: BlockedParts["send"];
  /** A twin of what keeps them. */
  blockedClients?: typeof BlockedClients;
  /** Lends what is kept for clients. */
  clientMemory?: ClientMemory;
  /** Ids of events that were accepted lately. */
  eventIds?: EventIds;
  /** Where accepted events are written down. */
  eventLog?: EventLog;
}

/** Rows that nobody changes; to make them takes longer than most tests. */
const TABLE = makeCommandTable();

/** One thread's command layer over a real store. */
export class Harness {
  readonly store: Store;
  readonly counters = new FakeCounters();
  readonly channel: FakeChannel;
  readonly phase = { stopping: false };
  readonly waitRegion: WaitRegion;
  readonly blocking: BlockedClients;
  /** Elements that could not be put back. */
  lostCount = 0;
  readonly intake: EventIntake;
  readonly waits: EventWaits;
  readonly authenticator: Authenticator;
  readonly operations: Operations;
  stopWishCount = 0;
  readonly clients = new LocalClients(() => this.nowMs);
  readonly services: CommandServices;
  readonly pubsub: PubSubHub;
  /** Number of the client and why it was cut off. */
  readonly cutOffs: string[] = [];
  overruns = 0;
  notificationsDropped = 0;
  readonly dispatcher: Dispatcher;
  readonly pool = new ArgumentsPool();
  keyScan: KeyScan;
  readonly works: RespWorks;
  readonly crossProtocolLines: string[] = [];
  readonly maxRequestBytes: number;
  credits = 0;
  nowMs = 1_700_000_000_000;
  readonly #options: HarnessOptions;
  #nextId = 1;

  constructor(options: HarnessOptions = {}) {
    this.#options = options;
    this.store = options.store ?? Store.create({
      shardCount: options.shardCount ?? 4,
      lockKind: options.lockKind ?? "mutex",
      maxMemoryBytes: options.maxMemoryBytes ?? 8 * 2 ** 20,
      maxValueBytes: options.maxValueBytes ?? 2 ** 20,
      threadCount: 4,
    });
    // As in large databases: all tests go that way.
    this.store.lookaheadKeys = 0;
    this.store.collections.membersAhead.leastBytes = 0;
    this.keyScan = new KeyScan(new UpcomingKeys(this.store));
    this.waitRegion = options.waitRegion ?? WaitRegion.create({
      threadCount: 1,
      waitersPerThread: 1000,
      nodesPerThread: 2000,
    });
    this.waits = new EventWaits(0, (change) => this.waitRegion.countEventWait(change));
    this.authenticator = new Authenticator({
      password: new TextEncoder().encode(options.password ?? ""),
      counters: this.counters,
      failures: Count.AUTH_FAILURES,
      pause: options.passwordPause ?? (() => Promise.resolve()),
    });
    this.maxRequestBytes = options.maxRequestBytes ?? 2 ** 20;
    this.works = new RespWorks(this.maxRequestBytes);
    this.channel = options.channel ?? new FakeChannel();
    this.intake = new EventIntake({
      channel: this.channel,
      credits: {
        tryAcquire: () => {
          if (options.hasCredits?.() === false) return false;
          this.credits++;
          return true;
        },
        release: () => {
          this.credits--;
        },
      },
      phase: this.phase,
      counters: this.counters,
      counterIds: {
        received: Count.RECEIVED,
        droppedBusy: Count.DROPPED_BUSY,
        droppedOutOfMemory: Count.DROPPED_OUT_OF_MEMORY,
        droppedShuttingDown: Count.DROPPED_SHUTTING_DOWN,
        droppedStorage: Count.DROPPED_STORAGE,
        invalid: Count.INVALID,
        duplicates: Count.DUPLICATES,
        forgottenIds: Count.FORGOTTEN_IDS,
      },
      eventIds: options.eventIds,
      settlementOf,
      log: options.eventLog,
      waits: this.waits,
      settledTotal: options.settledTotal ?? (() => 0),
      clock: () => this.nowMs,
    });
    const table = options.table ?? TABLE;
    const region = options.region ?? OperationsRegion.create(1);
    this.operations = new Operations({
      region,
      blockIndex: options.blockIndex ?? 0,
      table,
      circle: options.circle ?? new ThreadQuestions(),
      phase: this.phase,
      errorWords: ERROR_TEXTS.map(({ prefix }) => prefix),
      clock: () => this.nowMs,
      requestStop: () => void this.stopWishCount++,
    });
    if (options.region === undefined) this.operations.settings.begin();
    const pubsubRegion = PubSubRegion.create(this.store.shardCount, 1);
    const inbox = Inbox.create({ producerCount: 1 });
    this.pubsub = new PubSubHub({
      store: this.store,
      region: pubsubRegion,
      thread: 0,
      inboxes: [{ sender: inbox.sender(0), ring: () => inbox.ring(0) }],
      hardLimitBytes: options.pushLimitBytes ?? 2 ** 20,
      softLimitBytes: options.pushLimitBytes ?? 2 ** 20,
      onCutOff: (client, reason) => this.cutOffs.push(`${client.id} ${reason}`),
      onOverrun: () => this.overruns++,
    });
    const notifier = new Notifier({
      store: this.store,
      region: pubsubRegion,
      publisher: this.pubsub.publisher,
      onDropped: () => this.notificationsDropped++,
    });
    this.store.keyWatcher = new KeyNotes(notifier);
    this.blocking = new (options.blockedClients ?? BlockedClients)({
      store: this.store,
      region: this.waitRegion,
      thread: options.thread ?? 0,
      notifier,
      send: options.sendNews ?? (() => false),
      onLost: () => void this.lostCount++,
    });
    this.services = {
      pubsub: this.pubsub,
      channels: { names: (space, pattern) => this.pubsub.channelNames(space, pattern) },
      notifier,
      storage: options.storage,
      store: this.store,
      intake: this.intake,
      authenticator: this.authenticator,
      clients: this.clients,
      table,
      operations: this.operations,
      settings: new Map([
        ["appendonly", "no"],
        ["maxmemory", "8388608"],
        ["save", ""],
      ]),
      snapshot: () => SNAPSHOT,
      blocking: this.blocking,
      clock: () => this.nowMs,
      counters: this.counters,
      counterIds: { parkedCommands: Count.PARKED },
    };
    this.dispatcher = new Dispatcher(this.services);
  }

  /** Opens a connection whose read buffer starts at `inputBytes`. */
  connect(inputBytes = 64): TestClient {
    const pushed = new ByteWriter();
    const pushTarget: PushTarget = {
      writer: pushed,
      get pendingBytes() {
        return pushed.length;
      },
      isSubscriber: false,
      wake: () => void (client.wakeCount++),
      cutOff: () => void (client.closed = true),
    };
    const session = new RespSession({
      dispatcher: this.dispatcher,
      argumentsPool: this.pool,
      keyScan: this.keyScan,
      works: this.works,
      authenticator: this.authenticator,
      clients: this.clients,
      phase: this.phase,
      rateLimit: this.#options.rateLimit ?? null,
      pubsub: this.pubsub,
      counters: this.counters,
      commandsProcessed: Count.COMMANDS,
      throttledCommands: Count.THROTTLED,
      onCommand: this.#options.onCommand,
      onCrossProtocol: (_client, line) => this.crossProtocolLines.push(line),
    }, {
      id: this.#nextId,
      address: `127.0.0.1:${49_999 + this.#nextId++}`,
      localAddress: "127.0.0.1:6379",
      connectedAtMs: this.nowMs,
      memory: this.#options.clientMemory,
      end: () => void (client.endCount++),
      pushTarget,
      waiting: (leave) => void (client.leave = leave),
    });
    const client: TestClient = new TestClient(session, inputBytes, pushed);
    return client;
  }

  /** Replies to `request` on a connection of its own, as text. */
  async ask(request: string): Promise<string> {
    return await this.connect().send(request);
  }
}

/** A client's end: bytes in, replies out. */
export class TestClient {
  readonly input: InputBuffer;
  readonly output = new ByteWriter();
  closed = false;
  flushCount = 0;
  /** What happens elsewhere between two writes of a reply. */
  onFlush: (() => Promise<void>) | undefined;
  /** What a connection calls when its client has gone, while a command waits. */
  leave: (() => void) | undefined;
  /** How often the connection was told to end. */
  endCount = 0;

  /** How often it was told that something was pushed. */
  wakeCount = 0;

  constructor(
    readonly session: RespSession,
    inputBytes: number,
    readonly pushed: ByteWriter = new ByteWriter(),
  ) {
    this.input = new InputBuffer(inputBytes);
  }

  /** What it was sent between replies, as Latin-1. */
  get pushedText(): string {
    return toLatin1(this.pushed.view());
  }

  /** Delivers bytes in one read, runs the session and returns what it wrote, as Latin-1. */
  async send(bytes: string | Uint8Array): Promise<string> {
    const chunk = typeof bytes === "string" ? latin1(bytes) : bytes;
    let sent = 0;
    let text = "";
    // A large chunk arrives in as many reads as the buffer makes of it.
    do {
      const space = this.input.space();
      const part = chunk.subarray(sent, sent + space.length);
      space.set(part);
      this.input.commit(part.length);
      sent += part.length;
      text += await this.#run();
    } while (sent < chunk.length && !this.closed);
    return text;
  }

  /** Like {@link TestClient.send}, one byte per read. */
  async sendByteByByte(bytes: Uint8Array): Promise<string> {
    let text = "";
    for (let i = 0; i < bytes.length && !this.closed; i++) {
      text += await this.send(bytes.subarray(i, i + 1));
    }
    return text;
  }

  async #run(): Promise<string> {
    let text = "";
    for (;;) {
      const step = await this.session.process(this.input, this.output);
      text += toLatin1(this.output.view());
      this.output.clear();
      if (step === SessionStep.FLUSH) {
        this.flushCount++;
        await this.onFlush?.();
        continue;
      }
      if (step === SessionStep.CLOSE) this.closed = true;
      return text;
    }
  }
}

/**
 * Awaits a promise that depends on `Atomics.waitAsync`, which by itself does not keep the event
 * loop alive.
 */
export async function settled<T>(promise: Promise<T>): Promise<T> {
  using _awake = keepAwake();
  const keepAlive = setInterval(() => {}, 1000);
  try {
    return await promise;
  } finally {
    clearInterval(keepAlive);
  }
}

/** Lets everything run that is ready to run, timers included. */
export function pause(durationMs = 20): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}

/** Waits for what `FLUSHALL ASYNC` leaves to do behind its reply. */
export async function backgroundDone({ store }: Harness): Promise<void> {
  // A turn even when nothing is left: a write may have freed the rest before the task came to it.
  do await pause(2); while (store.keyspace.tables.hasDetached);
}

/** A request as clients send it: an array of bulk strings. */
export function request(...words: string[]): string {
  return `*${words.length}\r\n` + words.map((word) => `$${word.length}\r\n${word}\r\n`).join("");
}

const SNAPSHOT: ServerSnapshot = {
  version: "0.1.0",
  operatingSystem: "Linux x86_64",
  processId: 1,
  startedAtMs: 1_700_000_000_000,
  respPort: 6379,
  httpPort: 8080,
  protoPort: 9090,
  activeConnections: 1,
  maxConnections: 1000,
  acceptedConnections: 1,
  refusedConnections: 0,
  processedCommands: 0,
  readBytes: 0,
  writtenBytes: 0,
  keyspaceHits: 0,
  keyspaceMisses: 0,
  authFailures: 0,
  evictedClients: 0,
  slowSubscribers: 0,
  clientMemoryBytes: 0,
  commandsPerSecond: 0,
  readBytesPerSecond: 0,
  writtenBytesPerSecond: 0,
  residentBytes: 0,
  cpuUserMicros: 1_500_000,
  cpuSystemMicros: 250_000,
  ioThreads: 1,
  workers: 1,
  events: {
    received: 0,
    processed: 0,
    dropped: 0,
    failed: 0,
    invalid: 0,
    duplicates: 0,
    pending: 0,
  },
  channel: { depth: 0, capacity: 1000, highWaterMark: 0 },
};

/** One RESP value at `at`; returns the offset behind it. */
export function skipValue(text: string, at: number): number {
  const lineEnd = text.indexOf("\r\n", at);
  const count = Number(text.slice(at + 1, lineEnd));
  let next = lineEnd + 2;
  switch (text[at]) {
    case "$":
    case "=":
      return count < 0 ? next : next + count + 2;
    case "*":
    case "~":
      for (let i = 0; i < count; i++) next = skipValue(text, next);
      return next;
    case "%":
      for (let i = 0; i < 2 * count; i++) next = skipValue(text, next);
      return next;
    case "+":
    case "-":
    case ":":
    case "_":
      return next;
    default:
      throw new Error(`no RESP type at ${at}: ${text.slice(at, at + 20)}`);
  }
}
