/**
 * A Protobuf client over TCP, made of the library alone.
 *
 * @module
 */

import { create, fromBinary, type MessageInitShape, toBinary, toJson } from "@bufbuild/protobuf";
import { sizeDelimitedDecodeStream, sizeDelimitedEncode } from "@bufbuild/protobuf/wire";
import {
  ClientMessageSchema,
  type ServerMessage,
  ServerMessageSchema,
} from "../../src/protocol/protobuf/gen/sluice/v1/messages_pb.ts";

/** What a client asks for. */
export type Ask = NonNullable<MessageInitShape<typeof ClientMessageSchema>["message"]>;

/** One connection with `--proto-framing delimited`. Thread: the test's. */
export class ProtoTcpClient implements AsyncDisposable {
  readonly #socket: Deno.Conn;
  readonly #replies: AsyncIterator<ServerMessage>;

  private constructor(socket: Deno.Conn) {
    this.#socket = socket;
    this.#replies = sizeDelimitedDecodeStream(ServerMessageSchema, socket.readable)
      [Symbol.asyncIterator]();
  }

  /** Connects to the loopback address. */
  static async connect(port: number): Promise<ProtoTcpClient> {
    return new ProtoTcpClient(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  /** Takes over a connection, such as one with TLS. */
  static over(socket: Deno.Conn): ProtoTcpClient {
    return new ProtoTcpClient(socket);
  }

  /** Sends messages in one write. */
  async send(...messages: Ask[]): Promise<void> {
    const frames = messages.map((message) =>
      sizeDelimitedEncode(ClientMessageSchema, create(ClientMessageSchema, { message }))
    );
    await this.sendBytes(Uint8Array.from(frames.flatMap((frame) => [...frame])));
  }

  /** Sends bytes as they are. */
  async sendBytes(bytes: Uint8Array): Promise<void> {
    let written = 0;
    while (written < bytes.length) written += await this.#socket.write(bytes.subarray(written));
  }

  /** The next reply as JSON; undefined when the server has closed. */
  async reply(): Promise<unknown> {
    const { value, done } = await this.#replies.next();
    return done ? undefined : toJson(ServerMessageSchema, value);
  }

  /** Asks for one thing. */
  async ask(message: Ask): Promise<unknown> {
    await this.send(message);
    return await this.reply();
  }

  /** Closes. */
  async [Symbol.asyncDispose](): Promise<void> {
    // Ends the reading of the socket, which closes it.
    await this.#replies.return?.();
    try {
      this.#socket.close();
    } catch {
      // Closed already.
    }
  }
}

/** Asks for one thing with `--proto-framing none`: one write, one read. */
export async function askUnframed(socket: Deno.TcpConn, message: Ask): Promise<unknown> {
  const bytes = toBinary(ClientMessageSchema, create(ClientMessageSchema, { message }));
  return await askBytes(socket, bytes);
}

/** The same with bytes as they are; undefined when the server has closed. */
export async function askBytes(socket: Deno.TcpConn, bytes: Uint8Array): Promise<unknown> {
  await socket.write(bytes);
  const buffer = new Uint8Array(4096);
  const byteCount = await socket.read(buffer);
  if (byteCount === null) return undefined;
  return toJson(
    ServerMessageSchema,
    fromBinary(ServerMessageSchema, buffer.subarray(0, byteCount)),
  );
}
