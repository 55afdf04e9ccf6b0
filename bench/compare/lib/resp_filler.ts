/**
 * Puts a server into the state that a run begins with.
 *
 * @module
 */

/** Commands that are sent before their replies are read. */
const BATCH = 1000;

/** One connection that sends many commands whose replies are one line each. Thread: the bench's. */
export class RespFiller implements Disposable {
  readonly #socket: Deno.TcpConn;
  readonly #room = new Uint8Array(1 << 16);

  private constructor(socket: Deno.TcpConn) {
    this.#socket = socket;
  }

  /** Connects to the loopback address. */
  static async connect(port: number): Promise<RespFiller> {
    const socket = await Deno.connect({ hostname: "127.0.0.1", port });
    socket.setNoDelay(true);
    return new RespFiller(socket);
  }

  /**
   * Sends `commandCount` commands and reads their replies.
   *
   * @throws Error when one of the replies is an error
   */
  async send(commandCount: number, words: (index: number) => readonly string[]): Promise<void> {
    for (let start = 0; start < commandCount; start += BATCH) {
      const count = Math.min(BATCH, commandCount - start);
      let text = "";
      for (let i = start; i < start + count; i++) text += encodeCommand(words(i));
      await Promise.all([this.#write(new TextEncoder().encode(text)), this.#readLines(count)]);
    }
  }

  /** Closes. */
  [Symbol.dispose](): void {
    this.#socket.close();
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let sent = 0; sent < bytes.length;) {
      sent += await this.#socket.write(bytes.subarray(sent));
    }
  }

  async #readLines(lineCount: number): Promise<void> {
    let isLineStart = true;
    for (let seen = 0; seen < lineCount;) {
      const byteCount = await this.#socket.read(this.#room);
      if (byteCount === null) throw new Error("Cannot fill the server: it closed the connection");
      const bytes = this.#room.subarray(0, byteCount);
      for (let i = 0; i < byteCount; i++) {
        if (isLineStart && bytes[i] === 0x2d) {
          throw new Error(`Cannot fill the server: ${new TextDecoder().decode(bytes.subarray(i))}`);
        }
        isLineStart = bytes[i] === 0x0a;
        if (isLineStart) seen++;
      }
    }
  }
}

/** A command as a client sends it; the words are ASCII. */
export function encodeCommand(words: readonly string[]): string {
  let text = `*${words.length}\r\n`;
  for (const word of words) text += `$${word.length}\r\n${word}\r\n`;
  return text;
}

/** Asks for one bulk string, e.g. `INFO memory`. */
export async function askBulk(port: number, words: readonly string[]): Promise<string> {
  using socket = await Deno.connect({ hostname: "127.0.0.1", port });
  await socket.write(new TextEncoder().encode(encodeCommand(words)));
  const room = new Uint8Array(1 << 16);
  const decoder = new TextDecoder("latin1");
  let text = "";
  for (;;) {
    const byteCount = await socket.read(room);
    if (byteCount === null) throw new Error(`Cannot ask ${words.join(" ")}: it closed`);
    text += decoder.decode(room.subarray(0, byteCount));
    const head = /^\$(\d+)\r\n/.exec(text);
    if (head === null && !/^\$?\d*\r?$/.test(text)) {
      throw new Error(`Cannot ask ${words.join(" ")}: ${text}`);
    }
    if (head !== null && text.length >= head[0].length + Number(head[1]) + 2) {
      return text.slice(head[0].length, -2);
    }
  }
}
