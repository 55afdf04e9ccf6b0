/**
 * A closed loop over many connections: each sends its next request when the last one is answered.
 *
 * One thread, one `epoll`: every ready connection is served once per round, so that differences
 * between connections are the server's. Linux only.
 *
 * @module
 */

import type { GroupReport, LoadGroup, LoadPlan } from "./plan.ts";
import { close, connect, NOT_NOW, Poller, receive, type Socket, trySend } from "./sockets.ts";

/** What a protocol's connections send, and how its answers begin. */
interface Speech {
  readonly request: string;
  readonly replyStart: string;
  /** Whether `text` is a whole answer. */
  isWhole(text: string): boolean;
}

const SPEECHES: Readonly<Record<LoadGroup["protocol"], Speech>> = {
  http: {
    request: "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n",
    replyStart: "HTTP/1.1 200 ",
    isWhole: (text) => text.endsWith(`\r\n\r\n{"status":"ok"}`),
  },
  resp: {
    request: "*1\r\n$4\r\nPING\r\n",
    replyStart: "+PONG\r\n",
    isWhole: (text) => text.endsWith("+PONG\r\n"),
  },
};

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Every latency, exactly. Unit: ms. */
class LatencyLog {
  #values = new Float32Array(1 << 16);
  #count = 0;

  add(valueMs: number, times: number): void {
    while (this.#count + times > this.#values.length) {
      const larger = new Float32Array(this.#values.length * 2);
      larger.set(this.#values);
      this.#values = larger;
    }
    for (let i = 0; i < times; i++) this.#values[this.#count++] = valueMs;
  }

  clear(): void {
    this.#count = 0;
  }

  sorted(): Float32Array {
    return this.#values.subarray(0, this.#count).sort();
  }
}

/** A group under way. */
class Group {
  readonly batch: Uint8Array<ArrayBuffer>;
  readonly replyStart: Uint8Array;
  readonly latencies = new LatencyLog();
  readonly members: Member[] = [];
  /** Who rests, in the order in which they go on. */
  resting: Member[] = [];
  /** Bytes of one answer; all are of the same length. */
  replyBytes = 0;
  strangeCount = 0;

  constructor(readonly setting: LoadGroup) {
    const speech = SPEECHES[setting.protocol];
    this.batch = encoder.encode(speech.request.repeat(setting.depth));
    this.replyStart = encoder.encode(speech.replyStart);
  }
}

/** A connection. */
interface Member {
  readonly group: Group;
  readonly socket: Socket;
  /** When the batch that is not answered yet was sent; NaN = none is. */
  sentAtMs: number;
  /** When it goes on. */
  dueAtMs: number;
  /** Bytes received of the answers to the batch. */
  receivedBytes: number;
  /** Answers since counting began. */
  answerCount: number;
  lost: boolean;
}

/**
 * Runs a load to its end; blocks the thread.
 *
 * @param onProgress told about once a second what was answered
 */
export function runEngine(
  plan: LoadPlan,
  onProgress?: (elapsedMs: number, answerCount: number) => void,
): GroupReport[] {
  return new Engine(plan, onProgress).run();
}

class Engine {
  readonly #plan: LoadPlan;
  readonly #groups: readonly Group[];
  readonly #members: Member[] = [];
  readonly #onProgress: ((elapsedMs: number, answerCount: number) => void) | undefined;
  readonly #room = new Uint8Array(1 << 18);
  #counting = false;
  #answerCount = 0;

  constructor(plan: LoadPlan, onProgress?: (elapsedMs: number, answerCount: number) => void) {
    this.#plan = plan;
    this.#onProgress = onProgress;
    this.#groups = plan.groups.map((group) => new Group(group));
  }

  run(): GroupReport[] {
    using poller = new Poller();
    this.#connect(poller);
    const beganAtMs = performance.now();
    this.#loop(poller, beganAtMs + this.#plan.warmUpMs);
    this.#beginCounting();
    const countingSinceMs = performance.now();
    this.#loop(poller, countingSinceMs + this.#plan.durationMs);
    const endMs = performance.now();
    for (const { socket, lost } of this.#members) if (!lost) close(socket);
    return this.#groups.map((group) => report(group, endMs, endMs - countingSinceMs));
  }

  /** Connects everybody; the first of each group finds out how long an answer is. */
  #connect(poller: Poller): void {
    for (const group of this.#groups) {
      const { setting } = group;
      group.replyBytes = measureReply(setting);
      for (let i = 0; i < setting.connectionCount; i++) {
        const member: Member = {
          group,
          socket: connect(setting.port),
          sentAtMs: NaN,
          dueAtMs: 0,
          receivedBytes: 0,
          answerCount: 0,
          lost: false,
        };
        poller.add(member.socket, this.#members.length);
        this.#members.push(member);
        group.members.push(member);
      }
    }
    for (const group of this.#groups) {
      // Those that rest begin spread over their rest and not all together.
      const stepMs = group.setting.pauseMs / group.members.length;
      const nowMs = performance.now();
      group.members.forEach((member, i) => {
        member.dueAtMs = nowMs + i * stepMs;
        group.resting.push(member);
      });
    }
  }

  #loop(poller: Poller, endMs: number): void {
    let progressAtMs = performance.now() + 1000;
    const beganAtMs = progressAtMs - 1000;
    for (;;) {
      const nowMs = performance.now();
      if (nowMs >= endMs) return;
      if (nowMs >= progressAtMs) {
        progressAtMs += 1000;
        if (this.#counting) this.#onProgress?.(nowMs - beganAtMs, this.#answerCount);
      }
      const dueAtMs = this.#sendDue(nowMs);
      const waitMs = Math.min(dueAtMs, endMs, progressAtMs) - nowMs;
      const readyCount = poller.wait(Math.max(0, Math.min(1000, Math.ceil(waitMs))));
      for (let i = 0; i < readyCount; i++) this.#takeReply(this.#members[poller.indexAt(i)]!);
    }
  }

  /** Sends for those whose rest is over. Returns when the next one's is. */
  #sendDue(nowMs: number): number {
    let nextMs = Infinity;
    for (const group of this.#groups) {
      const { resting } = group;
      let count = 0;
      while (count < resting.length && resting[count]!.dueAtMs <= nowMs) {
        this.#send(resting[count++]!);
      }
      if (count > 0) group.resting = resting.slice(count);
      if (group.resting.length > 0) nextMs = Math.min(nextMs, group.resting[0]!.dueAtMs);
    }
    return nextMs;
  }

  #send(member: Member): void {
    if (member.lost) return;
    member.receivedBytes = 0;
    member.sentAtMs = performance.now();
    const { batch } = member.group;
    // A batch is far smaller than the kernel's buffer, which is empty: it goes whole or not at all.
    if (trySend(member.socket, batch) !== batch.length) this.#lose(member);
  }

  #takeReply(member: Member): void {
    const { group, socket } = member;
    const byteCount = receive(socket, this.#room);
    if (byteCount === NOT_NOW) return;
    if (byteCount <= 0) return this.#lose(member);
    const nowMs = performance.now();
    const answeredBefore = Math.floor(member.receivedBytes / group.replyBytes);
    this.#check(member, byteCount);
    member.receivedBytes += byteCount;
    const answered = Math.floor(member.receivedBytes / group.replyBytes);
    const newAnswers = answered - answeredBefore;
    member.answerCount += newAnswers;
    this.#answerCount += newAnswers;
    if (this.#counting) group.latencies.add(nowMs - member.sentAtMs, newAnswers);
    if (answered < group.setting.depth) return;
    member.sentAtMs = NaN;
    if (group.setting.pauseMs === 0) return this.#send(member);
    member.dueAtMs = nowMs + group.setting.pauseMs;
    group.resting.push(member);
  }

  /** Looks at the beginning of every answer that starts in what was just received. */
  #check({ group, receivedBytes }: Member, byteCount: number): void {
    const { replyBytes, replyStart } = group;
    const room = this.#room;
    const rest = receivedBytes % replyBytes;
    for (let at = rest === 0 ? 0 : replyBytes - rest; at < byteCount; at += replyBytes) {
      const end = Math.min(replyStart.length, byteCount - at);
      for (let i = 0; i < end; i++) {
        if (room[at + i] === replyStart[i]) continue;
        group.strangeCount++;
        break;
      }
    }
  }

  #lose(member: Member): void {
    if (member.lost) return;
    member.lost = true;
    close(member.socket);
  }

  #beginCounting(): void {
    this.#counting = true;
    this.#answerCount = 0;
    for (const member of this.#members) member.answerCount = 0;
    for (const group of this.#groups) group.latencies.clear();
  }
}

/** Asks once and returns the length of the answer. */
function measureReply({ protocol, port }: LoadGroup): number {
  const { request, isWhole } = SPEECHES[protocol];
  const socket = connect(port);
  using poller = new Poller(1);
  poller.add(socket, 0);
  trySend(socket, encoder.encode(request));
  const room = new Uint8Array(4096);
  let text = "";
  for (let i = 0; i < 100 && !isWhole(text); i++) {
    if (poller.wait(100) === 0) continue;
    const byteCount = receive(socket, room);
    if (byteCount <= 0) break;
    text += decoder.decode(room.subarray(0, byteCount));
  }
  close(socket);
  if (!isWhole(text)) throw new Error(`Cannot measure the ${protocol} reply: ${text}`);
  return text.length;
}

function report(group: Group, endMs: number, elapsedMs: number): GroupReport {
  const counts = Float64Array.from(group.members, ({ answerCount }) => answerCount).sort();
  const latencies = group.latencies.sorted();
  const quantile = (part: number): number =>
    latencies.length === 0
      ? NaN
      : latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * part))]!;
  let longestMs = latencies.at(-1) ?? 0;
  for (const { sentAtMs, lost } of group.members) {
    if (!lost && endMs - sentAtMs > longestMs) longestMs = endMs - sentAtMs;
  }
  const requestCount = counts.reduce((sum, count) => sum + count, 0);
  return {
    name: group.setting.name,
    requestCount,
    requestsPerSecond: requestCount / elapsedMs * 1000,
    p50Ms: quantile(0.5),
    p99Ms: quantile(0.99),
    maxMs: longestMs,
    fewest: counts[0] ?? 0,
    median: counts[counts.length >> 1] ?? 0,
    most: counts.at(-1) ?? 0,
    lostCount: group.members.filter(({ lost }) => lost).length,
    strangeCount: group.strangeCount,
  };
}
