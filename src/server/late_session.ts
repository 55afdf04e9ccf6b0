/**
 * Sessions of a protocol whose code is loaded when its first client comes.
 *
 * @module
 */

import type { ByteWriter, InputBuffer } from "../base/bytes.ts";
import type { ClientOrigin } from "../command/client_state.ts";
import type { Session, SessionStep } from "../protocol/session.ts";

/** Makes the conversation of a new connection. */
export type SessionMaker = (origin: ClientOrigin) => Session;

/**
 * Makes sessions, and loads what that takes when it is first asked for one.
 *
 * Connections that come before it is loaded wait with their first bytes unread. If loading fails,
 * they are closed, and the next connection tries again.
 *
 * Thread: one I/O thread.
 */
export class LateSessions {
  readonly #load: () => Promise<SessionMaker>;
  #make: SessionMaker | undefined;
  #loading: Promise<SessionMaker> | undefined;

  /** Takes what loads; it is called again only after it failed. */
  constructor(load: () => Promise<SessionMaker>) {
    this.#load = load;
  }

  /** Makes a session: the protocol's own once it is loaded. */
  create(origin: ClientOrigin): Session {
    return this.#make?.(origin) ?? new LateSession(this.#begin().then((make) => make(origin)));
  }

  #begin(): Promise<SessionMaker> {
    return this.#loading ??= this.#load().then(
      (make) => this.#make = make,
      (error) => {
        this.#loading = undefined;
        throw error;
      },
    );
  }
}

/** Waits for the real session, and is it from then on. Thread: belongs to one connection. */
class LateSession implements Session {
  readonly #coming: Promise<Session>;
  #session: Session | undefined;
  #isClosed = false;

  constructor(coming: Promise<Session>) {
    this.#coming = coming;
    coming.then((session) => {
      this.#session = session;
      if (this.#isClosed) session.close();
      // Told to who processes; a connection that never sent anything has nothing to be told.
    }, () => {});
  }

  get midRequest(): boolean {
    return this.#session?.midRequest ?? false;
  }

  get midBody(): boolean {
    return this.#session?.midBody ?? false;
  }

  get heldBytes(): number {
    return this.#session?.heldBytes ?? 0;
  }

  get midReply(): boolean {
    return this.#session?.midReply ?? false;
  }

  get farewell(): Uint8Array<ArrayBuffer> | undefined {
    return this.#session?.farewell;
  }

  get timeoutReply(): Uint8Array<ArrayBuffer> | undefined {
    return this.#session?.timeoutReply;
  }

  process(
    input: InputBuffer,
    output: ByteWriter,
    untilMs?: number,
  ): SessionStep | Promise<SessionStep> {
    const session = this.#session;
    if (session !== undefined) return session.process(input, output, untilMs);
    // A fresh slice: loading may have taken all of this one.
    return this.#coming.then((late) => late.process(input, output));
  }

  close(): void {
    this.#isClosed = true;
    this.#session?.close();
  }
}
