/**
 * All clients of the server, on whichever I/O thread they are.
 *
 * @module
 */

import type { ClientDirectory, ClientFilter, LocalClients } from "../command/client_directory.ts";
import type { ThreadQuestions } from "./thread_questions.ts";

/** Topics of questions to all threads. */
const Topic = {
  LIST: "list clients",
  KILL: "kill clients",
  UNBLOCK: "unblock a client",
} as const;

/**
 * Lists and ends clients of all I/O threads; a thread that is busy for long or gone is left out.
 *
 * Thread: one per I/O thread, where there is more than one; answers for its own clients.
 */
export class ServerClients implements ClientDirectory {
  readonly #questions: ThreadQuestions;

  /** Has questions about `local` answered. */
  constructor(local: LocalClients, questions: ThreadQuestions) {
    this.#questions = questions;
    questions.answer(Topic.LIST, (filter) => local.list(filter as ClientFilter));
    questions.answer(Topic.KILL, (filter) => local.kill(filter as ClientFilter));
    questions.answer(Topic.UNBLOCK, (wish) => local.unblock(...wish as [number, boolean]));
  }

  /** See {@link ClientDirectory.list}. */
  async list(filter: ClientFilter): Promise<string> {
    const { answers } = await this.#questions.ask(Topic.LIST, filter);
    const lines = (answers as string[]).flatMap((text) => text.split("\n"))
      .filter((line) => line !== "");
    return lines.toSorted((a, b) => idOf(a) - idOf(b)).map((line) => `${line}\n`).join("");
  }

  /** See {@link ClientDirectory.kill}. */
  async kill(filter: ClientFilter): Promise<number> {
    const { answers } = await this.#questions.ask(Topic.KILL, filter);
    return (answers as number[]).reduce((total, count) => total + count, 0);
  }

  /** See {@link ClientDirectory.unblock}. */
  async unblock(id: number, withError: boolean): Promise<boolean> {
    const { answers } = await this.#questions.ask(Topic.UNBLOCK, [id, withError]);
    return answers.includes(true);
  }
}

/** Lines begin with `id=17 `. */
function idOf(line: string): number {
  return Number.parseInt(line.slice("id=".length));
}
