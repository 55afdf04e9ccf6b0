/**
 * A client that subscribes, for tests of what is published.
 *
 * @module
 */

import { RawClient, respCommand } from "./raw_client.ts";

/** One message or confirmation: its elements as texts. */
export type Push = readonly string[];

/** A connection that reads whole pushes. Thread: the test's. */
export class TestSubscriber implements Disposable {
  /** The connection. */
  readonly client: RawClient;

  private constructor(client: RawClient) {
    this.client = client;
  }

  /** Connects, sends a command such as `SUBSCRIBE a b` and reads its confirmations. */
  static async open(port: number, ...command: string[]): Promise<TestSubscriber> {
    const subscriber = new TestSubscriber(await RawClient.connect(port));
    await subscriber.send(...command);
    for (let i = 1; i < command.length; i++) await subscriber.next();
    return subscriber;
  }

  /** Sends a command. */
  send(...command: string[]): Promise<void> {
    return this.client.send(respCommand(...command));
  }

  /** The next push. */
  async next(): Promise<Push> {
    const head = await this.#line();
    const elements: string[] = [];
    for (let left = Number(head.slice(1)); left > 0; left--) {
      const line = await this.#line();
      if (line[0] !== "$") elements.push(line);
      else if (line === "$-1") elements.push("(nil)");
      else {
        const text = await this.client.read(Number(line.slice(1)) + 2);
        elements.push(text.slice(0, -2));
      }
    }
    return elements;
  }

  /** So many pushes. */
  async take(count: number): Promise<Push[]> {
    const pushes: Push[] = [];
    while (pushes.length < count) pushes.push(await this.next());
    return pushes;
  }

  /** Closes. */
  [Symbol.dispose](): void {
    this.client.close();
  }

  async #line(): Promise<string> {
    return (await this.client.readUntil("\r\n")).slice(0, -2);
  }
}
