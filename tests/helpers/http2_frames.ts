/**
 * An HTTP/2 client made of frames, for requests that no library would send.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9113
 *
 * @module
 */

import { connectTls, type TestCertificate } from "./tls.ts";

/** Types of frames. */
export const Frame = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;

/** Flags of frames. */
export const Flag = { END_STREAM: 1, ACK: 1, END_HEADERS: 4 } as const;

/** Codes of GOAWAY and RST_STREAM. */
export const Code = { NO_ERROR: 0, PROTOCOL_ERROR: 1, ENHANCE_YOUR_CALM: 11 } as const;

/** A frame that was received. */
export interface ReceivedFrame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Uint8Array;
}

const encoder = new TextEncoder();
const PREFACE = encoder.encode("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** How long a test waits for a frame. Unit: ms. */
const PATIENCE_MS = 15_000;

/** Bytes of one frame. */
export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Uint8Array = new Uint8Array(0),
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(9 + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, payload.length << 8 | type);
  bytes[4] = flags;
  view.setUint32(5, stream);
  bytes.set(payload, 9);
  return bytes;
}

/** Four bytes. */
export function word(value: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

/** Joins bytes. */
export function join(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** A header block: every field a literal, nothing compressed. */
export function headerBlock(
  fields: readonly (readonly [name: string, value: string])[],
): Uint8Array<ArrayBuffer> {
  return join(...fields.flatMap(([name, value]) => [
    Uint8Array.of(0),
    hpackString(name),
    hpackString(value),
  ]));
}

function hpackString(text: string): Uint8Array {
  const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
  const prefix = [Math.min(bytes.length, 127)];
  if (bytes.length >= 127) {
    let rest = bytes.length - 127;
    for (; rest >= 128; rest >>= 7) prefix.push(rest & 127 | 128);
    prefix.push(rest);
  }
  return join(Uint8Array.from(prefix), bytes);
}

/** What most requests begin with. */
export function requestFields(
  method: string,
  path: string,
  ...more: (readonly [name: string, value: string])[]
): (readonly [name: string, value: string])[] {
  return [
    [":method", method],
    [":scheme", "https"],
    [":path", path],
    [":authority", "localhost"],
    ...more,
  ];
}

/** One connection. Thread: the test's. */
export class FrameClient implements Disposable {
  readonly #socket: Deno.Conn;
  #received = new Uint8Array(0);

  private constructor(socket: Deno.Conn) {
    this.#socket = socket;
  }

  /** Connects, and says the first words. */
  static async connect(port: number, certificate: TestCertificate): Promise<FrameClient> {
    const socket = await connectTls(port, [certificate], ["h2"]);
    await socket.handshake();
    return await FrameClient.over(socket);
  }

  /** Takes over a connection, and says the first words. */
  static async over(socket: Deno.Conn): Promise<FrameClient> {
    const client = new FrameClient(socket);
    await client.send(PREFACE, frame(Frame.SETTINGS, 0, 0));
    // They are acknowledged, which could come between two frames that belong together later on.
    await client.waitFor(Frame.SETTINGS);
    return client;
  }

  /** Sends bytes as they are. */
  async send(...parts: readonly Uint8Array[]): Promise<void> {
    const bytes = join(...parts);
    for (let at = 0; at < bytes.length;) at += await this.#socket.write(bytes.subarray(at));
  }

  /** Sends until the server closes, or all is sent; returns whether it was. */
  async trySend(...parts: readonly Uint8Array[]): Promise<boolean> {
    try {
      await this.send(...parts);
      return true;
    } catch {
      return false;
    }
  }

  /** A request without a body. */
  async request(
    stream: number,
    fields: readonly (readonly [name: string, value: string])[],
    hasBody = false,
  ): Promise<void> {
    const flags = Flag.END_HEADERS | (hasBody ? 0 : Flag.END_STREAM);
    await this.send(frame(Frame.HEADERS, flags, stream, headerBlock(fields)));
  }

  /** The next frame, null when the server has closed; acknowledges settings. */
  async next(): Promise<ReceivedFrame | null> {
    for (;;) {
      const taken = this.#take();
      if (taken !== undefined) {
        const isSettings = taken.type === Frame.SETTINGS && (taken.flags & Flag.ACK) === 0;
        if (isSettings) await this.trySend(frame(Frame.SETTINGS, Flag.ACK, 0));
        return taken;
      }
      const bytes = new Uint8Array(65536);
      const timer = setTimeout(() => this.close(), PATIENCE_MS);
      let byteCount: number | null;
      try {
        byteCount = await this.#socket.read(bytes);
      } catch {
        byteCount = null;
      } finally {
        clearTimeout(timer);
      }
      if (byteCount === null) return null;
      this.#received = join(this.#received, bytes.subarray(0, byteCount));
    }
  }

  /** Waits for a frame of this type (of this stream). */
  async waitFor(type: number, stream?: number): Promise<ReceivedFrame> {
    for (;;) {
      const received = await this.next();
      if (received === null) throw new Error(`Cannot wait for a frame of type ${type}: end`);
      const isIt = received.type === type && (stream === undefined || received.stream === stream);
      if (isIt) return received;
    }
  }

  /** The code of the last GOAWAY until the server closes. */
  async waitForEnd(): Promise<number | undefined> {
    let code: number | undefined;
    for (let received = await this.next(); received !== null; received = await this.next()) {
      if (received.type === Frame.GOAWAY) code = codeOf(received, 4);
    }
    return code;
  }

  /** Closes. */
  close(): void {
    try {
      this.#socket.close();
    } catch {
      // Closed already.
    }
  }

  /** Closes. */
  [Symbol.dispose](): void {
    this.close();
  }

  #take(): ReceivedFrame | undefined {
    const bytes = this.#received;
    if (bytes.length < 9) return undefined;
    const length = bytes[0]! << 16 | bytes[1]! << 8 | bytes[2]!;
    if (bytes.length < 9 + length) return undefined;
    this.#received = bytes.slice(9 + length);
    return {
      type: bytes[3]!,
      flags: bytes[4]!,
      stream: new DataView(bytes.buffer).getUint32(5) & 0x7fffffff,
      payload: bytes.slice(9, 9 + length),
    };
  }
}

/** The code in a RST_STREAM (at 0) or GOAWAY (at 4). */
export function codeOf({ payload }: ReceivedFrame, at = 0): number {
  return new DataView(payload.buffer).getUint32(at);
}
