/**
 * What a RESP session needs while it has requests, and not between them.
 *
 * @module
 */

import { ClientState } from "../../command/client_state.ts";
import { BatchSlice } from "../batch_slice.ts";
import { RequestParser } from "./request_parser.ts";
import { RespSink } from "./resp_sink.ts";

/** Idle instances that {@link RespWorks} keeps. Reason: as many as go on in one turn. */
const KEEP_INSTANCE_COUNT = 64;

/** Reads the requests of one session and writes its replies. Thread: belongs to one at a time. */
export class RespWork {
  /** Finds its requests. */
  readonly parser: RequestParser;
  /** Writes its replies. */
  readonly sink: RespSink;
  /** Tells when its batch should pause. */
  readonly slice: BatchSlice = new BatchSlice();

  /** Gets ready for a first session. */
  constructor(maxRequestBytes: number, client: ClientState) {
    this.parser = new RequestParser(maxRequestBytes, client);
    this.sink = new RespSink(client, client.memory);
  }

  /** Whether it has nothing in it that belongs to its session. */
  get isIdle(): boolean {
    return !this.parser.midRequest && !this.sink.stream.isPending;
  }

  /** Gets ready for another session. */
  begin(client: ClientState): void {
    this.parser.sender = client;
    this.sink.client = client;
    this.sink.stream.memory = client.memory;
  }
}

/**
 * Lends {@link RespWork} to sessions: thousands of idle connections hold none.
 *
 * Thread: one object per I/O thread.
 */
export class RespWorks {
  readonly #maxRequestBytes: number;
  readonly #idle: RespWork[] = [];

  /** Holds none at first; `maxRequestBytes` is `--max-request-bytes`. */
  constructor(maxRequestBytes: number) {
    this.#maxRequestBytes = maxRequestBytes;
  }

  /** Takes one that waits for the first byte of a request of `client`. */
  take(client: ClientState): RespWork {
    const work = this.#idle.pop();
    if (work === undefined) return new RespWork(this.#maxRequestBytes, client);
    work.begin(client);
    return work;
  }

  /** Gives one back that {@link RespWork.isIdle}; the caller must not touch it again. */
  give(work: RespWork): void {
    if (this.#idle.length === KEEP_INSTANCE_COUNT) return;
    work.sink.rest();
    work.begin(NOBODY);
    this.#idle.push(work);
  }
}

/** So that who left is not remembered. */
const NOBODY = new ClientState({ id: 0, connectedAtMs: 0 }, false);
