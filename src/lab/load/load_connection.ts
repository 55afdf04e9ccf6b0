/**
 * One connection of a load.
 *
 * @module
 */

import { HttpReplyReader } from "./http_reply_reader.ts";
import type { LoadPlan, LoadTls } from "./plan.ts";
import { ProtoReplyReader } from "./proto_reply_reader.ts";
import type { ReadTurns } from "./read_turns.ts";
import type { Outcome, ReplyReader } from "./reply_reader.ts";
import { authRequest, EventRequests } from "./requests.ts";
import { RespReplyReader } from "./resp_reply_reader.ts";

/** Read at once at most; replies are far smaller. Unit: bytes. */
const READ_BYTES = 4096;

/** Whom a connection tells how its requests end. */
export interface ConnectionOwner {
  /** The request was answered. */
  onAnswer(connection: LoadConnection, outcome: Outcome): void;
  /** It will not be answered; `text` says why. */
  onFailure(connection: LoadConnection, text: string): void;
}

/**
 * Sends events one at a time, and opens itself again when the server has closed.
 *
 * It always reads, so that it notices a close although no request is under way; such a close is
 * nobody's error, the next request opens it again.
 *
 * Thread: belongs to one load.
 */
export class LoadConnection {
  /** When the request under way was due. By `performance.now()`. */
  dueAtMs = 0;
  /** When it was sent. */
  sentAtMs = 0;
  /** Since when there is none. */
  freeSinceMs = 0;
  /** Whether anything was answered since it was opened last, or could not be. */
  hasAnswered = false;

  readonly #plan: LoadPlan;
  readonly #owner: ConnectionOwner;
  readonly #turns: ReadTurns | null;
  readonly #reader: ReplyReader;
  readonly #requests: EventRequests;
  readonly #room = new Uint8Array(READ_BYTES);
  #socket: Deno.Conn | null = null;
  /** One that was not told the password yet. */
  #greeting: Deno.Conn | null = null;
  /** Counts attempts to open; who finds another number than its own has been given up. */
  #attempt = 0;
  #isBusy = false;
  #isClosed = false;
  /** Reads until the socket is closed. */
  #reading: Promise<void> = Promise.resolve();

  /** Not open yet. */
  constructor(plan: LoadPlan, owner: ConnectionOwner, turns: ReadTurns | null) {
    this.#plan = plan;
    this.#turns = turns;
    this.#owner = owner;
    this.#requests = new EventRequests(plan);
    this.#reader = readerFor(plan.protocol);
  }

  /** Whether the server can be asked at once. */
  get isOpen(): boolean {
    return this.#socket !== null;
  }

  /** Whether a request is under way. */
  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** The last answer in a few words. */
  get answerText(): string {
    return this.#reader.text();
  }

  /**
   * Connects, and says the password where that comes first. When it is given up meanwhile it ends
   * without a connection.
   *
   * @throws an error whose message says in a few words why that cannot be done
   */
  async open(): Promise<void> {
    const attempt = ++this.#attempt;
    const socket = await connect(this.#plan);
    if (this.#isClosed || this.#attempt !== attempt) return closeQuietly(socket);
    this.#greeting = socket;
    try {
      await this.#authenticate(socket);
    } catch (error) {
      closeQuietly(socket);
      if (this.#attempt !== attempt) return;
      throw new Error(`cannot log in: ${causeText(error)}`, { cause: error });
    } finally {
      if (this.#greeting === socket) this.#greeting = null;
    }
    if (this.#attempt !== attempt) return closeQuietly(socket);
    this.#socket = socket;
    this.hasAnswered = false;
    this.#reading = this.#read(socket);
  }

  /** Sends the event of a user; the owner is told how that ends. */
  send(user: number): void {
    if (this.#isClosed) return;
    this.#isBusy = true;
    if (this.#socket === null) void this.#openAndSend(user);
    else this.#start(this.#socket, user);
  }

  /** Does not wait for an answer any more: that request has failed, and the next one connects anew. */
  giveUp(text: string): void {
    this.#letGo();
    if (this.#isBusy) this.#fail(text);
  }

  /** Closes for good; the owner hears nothing any more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#letGo();
    await this.#reading;
  }

  /** Closes what is open, or about to be: an answer that comes late must not pass for the next one. */
  #letGo(): void {
    this.#attempt++;
    for (const socket of [this.#socket, this.#greeting]) if (socket !== null) closeQuietly(socket);
    this.#socket = this.#greeting = null;
  }

  async #openAndSend(user: number): Promise<void> {
    const attempt = this.#attempt + 1;
    try {
      await this.open();
    } catch (error) {
      if (this.#attempt !== attempt) return;
      this.hasAnswered = false;
      this.#fail((error as Error).message);
      return;
    }
    if (this.#attempt === attempt && this.#socket !== null) this.#start(this.#socket, user);
  }

  #start(socket: Deno.Conn, user: number): void {
    this.#reader.begin();
    void this.#write(socket, this.#requests.forUser(user));
  }

  async #write(socket: Deno.Conn, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    try {
      let written = await socket.write(bytes);
      while (written < bytes.length) written += await socket.write(bytes.subarray(written));
    } catch (error) {
      this.#lose(socket, closeText(error));
    }
  }

  async #read(socket: Deno.Conn): Promise<void> {
    let reason = "connection closed by the server before its answer";
    try {
      for (;;) {
        const byteCount = await socket.read(this.#room);
        if (this.#socket !== socket) return;
        if (byteCount === null) break;
        if (!this.#take(socket, byteCount)) return;
        if (this.#turns !== null) await this.#turns.next();
      }
    } catch (error) {
      reason = closeText(error);
    }
    const isWhole = this.#socket === socket && this.#isBusy && this.#reader.close();
    if (!isWhole) return this.#lose(socket, reason);
    this.#drop(socket);
    this.#answer();
  }

  /** Returns whether there is more to read from this socket. */
  #take(socket: Deno.Conn, byteCount: number): boolean {
    // Nothing was asked: the server says why it is about to close, to nobody.
    if (!this.#isBusy) {
      this.#lose(socket, "");
      return false;
    }
    const end = this.#reader.feed(this.#room, 0, byteCount);
    if (end < 0) return true;
    const goesOn = end === byteCount && !this.#reader.isLast;
    // The answer may bring the next request at once, which needs another connection then.
    if (!goesOn) this.#drop(socket);
    this.#answer();
    return goesOn;
  }

  #answer(): void {
    this.#isBusy = false;
    this.hasAnswered = true;
    if (!this.#isClosed) this.#owner.onAnswer(this, this.#reader.outcome);
  }

  #fail(text: string): void {
    this.#isBusy = false;
    if (!this.#isClosed) this.#owner.onFailure(this, text);
  }

  #lose(socket: Deno.Conn, reason: string): void {
    // It may have been opened again meanwhile.
    if (this.#socket !== socket) return;
    this.#drop(socket);
    if (this.#isBusy) this.#fail(reason);
  }

  #drop(socket: Deno.Conn): void {
    this.#socket = null;
    closeQuietly(socket);
  }

  async #authenticate(socket: Deno.Conn): Promise<void> {
    const request = authRequest(this.#plan);
    if (request === null) return;
    const reader = this.#plan.protocol === "proto" ? new ProtoReplyReader() : new RespReplyReader();
    let written = 0;
    while (written < request.length) written += await socket.write(request.subarray(written));
    for (let end = -1; end < 0;) {
      const byteCount = await socket.read(this.#room);
      if (byteCount === null) throw new Error("the server closed instead of taking the password");
      end = reader.feed(this.#room, 0, byteCount);
    }
    if (!reader.isLoggedIn()) throw new Error(reader.text());
  }
}

function readerFor(protocol: LoadPlan["protocol"]): ReplyReader {
  switch (protocol) {
    case "http":
      return new HttpReplyReader();
    case "resp":
      return new RespReplyReader();
    case "proto":
      return new ProtoReplyReader();
  }
}

async function connect(plan: LoadPlan): Promise<Deno.Conn> {
  try {
    return await (plan.tls === undefined ? connectPlainly(plan) : connectSecurely(plan, plan.tls));
  } catch (error) {
    throw new Error(`cannot connect: ${causeText(error)}`, { cause: error });
  }
}

async function connectPlainly({ hostname, port }: LoadPlan): Promise<Deno.Conn> {
  const socket = await Deno.connect({ hostname, port });
  socket.setNoDelay(true);
  return socket;
}

async function connectSecurely(
  { hostname, port }: LoadPlan,
  { caCerts }: LoadTls,
): Promise<Deno.Conn> {
  const socket = await Deno.connectTls({ hostname, port, caCerts: [...caCerts] });
  try {
    await socket.handshake();
    return socket;
  } catch (error) {
    closeQuietly(socket);
    throw error;
  }
}

function closeText(error: unknown): string {
  return `connection closed: ${causeText(error)}`;
}

function causeText(error: unknown): string {
  switch ((error as { code?: string }).code) {
    case "ECONNREFUSED":
      return "nothing listens there";
    case "ECONNRESET":
      return "reset by the server";
    case "EPIPE":
      return "the server has closed";
    case "EMFILE":
      return "too many open files; raise the limit (ulimit -n) or use fewer connections";
    case "EADDRNOTAVAIL":
      return "no local port is free";
  }
  const text = (error instanceof Error ? error.message : String(error)).replace(/\s+/g, " ");
  // What came is no record of TLS: an answer in plain text, as a rule.
  return text.includes("InvalidContentType") ? "what answers there does not speak TLS" : text;
}

function closeQuietly(socket: Deno.Conn): void {
  try {
    socket.close();
  } catch {
    // It was closed already.
  }
}
