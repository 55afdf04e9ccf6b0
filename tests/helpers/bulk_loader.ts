/**
 * Sends many commands at once and counts their one-line replies: for filling servers.
 *
 * @module
 */

/** Replies of a batch. */
export interface BulkReplies {
  /** Replies that are no errors. */
  readonly okCount: number;
  /** Errors. */
  readonly errorCount: number;
  /** The first error, or "". */
  readonly firstError: string;
}

/** One connection. Thread: the program's. */
export class BulkLoader implements Disposable {
  readonly #socket: Deno.TcpConn;
  readonly #room = new Uint8Array(1 << 18);

  private constructor(socket: Deno.TcpConn) {
    this.#socket = socket;
  }

  /** Connects to the loopback address. */
  static async connect(port: number): Promise<BulkLoader> {
    const socket = await Deno.connect({ hostname: "127.0.0.1", port });
    socket.setNoDelay(true);
    return new BulkLoader(socket);
  }

  /** Sends `commands`, each of which has a reply of one line, and reads the replies. */
  async send(commands: readonly (readonly string[])[]): Promise<BulkReplies> {
    let text = "";
    for (const words of commands) {
      text += `*${words.length}\r\n`;
      for (const word of words) text += `$${word.length}\r\n${word}\r\n`;
    }
    const [replies] = await Promise.all([
      this.#read(commands.length),
      this.#write(new TextEncoder().encode(text)),
    ]);
    return replies;
  }

  /** Closes. */
  [Symbol.dispose](): void {
    this.#socket.close();
  }

  async #write(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    for (let sent = 0; sent < bytes.length;) {
      sent += await this.#socket.write(bytes.subarray(sent));
    }
  }

  async #read(replyCount: number): Promise<BulkReplies> {
    const room = this.#room;
    let lineCount = 0;
    let errorCount = 0;
    let firstError = "";
    let isLineStart = true;
    while (lineCount < replyCount) {
      const byteCount = await this.#socket.read(room);
      if (byteCount === null) throw new Error(`Cannot read reply ${lineCount}: the server closed`);
      for (let i = 0; i < byteCount; i++) {
        if (isLineStart && room[i] === 0x2d) {
          errorCount++;
          firstError ||= new TextDecoder().decode(room.subarray(i, Math.min(byteCount, i + 100)))
            .split("\r")[0]!;
        }
        isLineStart = room[i] === 0x0a;
        if (isLineStart) lineCount++;
      }
    }
    return { okCount: lineCount - errorCount, errorCount, firstError };
  }
}
