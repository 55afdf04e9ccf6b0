/**
 * A server with a password, and somebody who wants in without it.
 *
 * Everything that any client ever received is kept, so that a test can look for the password in it.
 *
 * @module
 */

import assert from "node:assert/strict";
import { RawClient, respCommand } from "./raw_client.ts";
import { ServerProcess } from "./server_process.ts";

/** The password; odd enough to be found nowhere else. */
export const PASSWORD = "Correct-Horse~42";

/** What somebody tries instead. */
export const GUESS = "Wrong-Horse~43";

/** What can be seen of the store and the counters. */
export interface ServerState {
  /** Number of keys. */
  readonly keys: string;
  /** A key that was set at the start. */
  readonly guarded: string;
  /** A balance that was made at the start. */
  readonly balance: string;
  /** Events received. */
  readonly received: number;
}

/** The server and what its clients were told. Disposing kills it. */
export class LockedServer implements AsyncDisposable {
  /** All replies so far. */
  readonly transcript: string[] = [];
  /** The process. */
  readonly process: ServerProcess;

  private constructor(process: ServerProcess) {
    this.process = process;
  }

  /** Starts one that logs everything, and puts a key and a balance into it. */
  static async start(flags: readonly string[], env: Record<string, string>): Promise<LockedServer> {
    const process = await ServerProcess.start([...flags, "--log-level", "trace"], { env });
    const server = new LockedServer(process);
    const replies = await server.resp(
      respCommand("AUTH", PASSWORD) + respCommand("SET", "guarded", "treasure") +
        respCommand("EVENT", "alice", "buy", "100"),
    );
    assert.equal(replies, "+OK\r\n+OK\r\n+ACCEPTED\r\n");
    // Settled a moment later.
    for (let i = 0; i < 500 && (await server.state()).balance !== ":100"; i++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return server;
  }

  /** What `bytes` on a RESP connection of their own are answered, up to its end. */
  resp(bytes: string): Promise<string> {
    return this.#talk("resp", bytes);
  }

  /** What `bytes` on an HTTP connection of their own are answered, up to its end. */
  http(bytes: string): Promise<string> {
    return this.#talk("http", bytes);
  }

  /** The state, as somebody who has the password sees it. */
  async state(): Promise<ServerState> {
    const replies = await this.resp(
      respCommand("AUTH", PASSWORD) + respCommand("DBSIZE") + respCommand("GET", "guarded") +
        respCommand("BALANCE", "alice"),
    );
    const [, keys, , guarded, balance] = replies.split("\r\n");
    const metrics = await this.http(
      `GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n` +
        `Authorization: Bearer ${PASSWORD}\r\n\r\n`,
    );
    const { received } = JSON.parse(metrics.slice(metrics.indexOf("\r\n\r\n")));
    return { keys: keys!, guarded: guarded!, balance: balance!, received };
  }

  /** Stops it, and fails if a password is in anything that it said. */
  async assertDiscreet(): Promise<void> {
    this.process.signal("SIGTERM");
    const { code, lines } = await this.process.waitForEnd();
    assert.equal(code, 0);
    assert.ok(lines.some(({ event }) => event === "command"), "commands were logged");
    const log = lines.map((line) => JSON.stringify(line)).concat(this.process.otherLines);
    for (const secret of [PASSWORD, GUESS]) {
      for (const text of [...log, ...this.transcript]) {
        assert.ok(!text.includes(secret), `a password in ${text.slice(0, 500)}`);
      }
    }
  }

  /** Kills it, if it is still there. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.process[Symbol.asyncDispose]();
  }

  async #talk(protocol: "http" | "resp", bytes: string): Promise<string> {
    using client = await RawClient.connect(this.process.port(protocol));
    await client.send(bytes);
    await client.closeWrite();
    const text = await client.readToEnd();
    this.transcript.push(text);
    return text;
  }
}
