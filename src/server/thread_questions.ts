/**
 * Asking all I/O threads something that each knows only about itself, such as its clients.
 *
 * For rare administrative commands: a question takes a few messages between threads and may take as
 * long as {@link ANSWER_TIMEOUT_MS} when one of them is busy or gone.
 *
 * @module
 */

/** How long a thread has to answer. Unit: ms. */
export const ANSWER_TIMEOUT_MS = 1000;

/** Answers a question that may come from another thread; gives and takes structured-cloneables. */
export type Answerer = (question: unknown) => unknown;

/** What all threads said. */
export interface Answers {
  /** One per thread that answered, in no particular order. */
  readonly answers: readonly unknown[];
  /** Threads that did not answer in time, or could not. */
  readonly missing: number;
}

/** Passes a question on to all other threads. */
export type QuestionRelay = (topic: string, question: unknown) => Promise<Answers>;

/**
 * One thread's part in questions to all threads.
 *
 * Thread: one per I/O thread.
 *
 * @example
 * ```ts
 * import { ThreadQuestions } from "./thread_questions.ts";
 * const questions = new ThreadQuestions();
 * questions.answer("sum", (numbers) => (numbers as number[]).reduce((a, b) => a + b));
 * const { answers, missing } = await questions.ask("sum", [1, 2]);
 * console.assert(answers[0] === 3 && missing === 0);
 * ```
 */
export class ThreadQuestions {
  readonly #relay: QuestionRelay | undefined;
  readonly #answerers = new Map<string, Answerer>();

  /**
   * Makes a part that answers nothing yet.
   *
   * @param relay reaches the other threads; absent when there are none
   */
  constructor(relay?: QuestionRelay) {
    this.#relay = relay;
  }

  /** Has questions on `topic` answered by `answerer`, which may return a promise. */
  answer(topic: string, answerer: Answerer): void {
    this.#answerers.set(topic, answerer);
  }

  /**
   * Asks every I/O thread, this one included. Never rejects and ends within
   * {@link ANSWER_TIMEOUT_MS} or so, whatever has become of the others.
   */
  async ask(topic: string, question: unknown): Promise<Answers> {
    const others = this.#relay?.(topic, question);
    const own = await within(ANSWER_TIMEOUT_MS, [this.reply(topic, question)]);
    const rest = others === undefined ? NOBODY : await others;
    return { answers: [...own.answers, ...rest.answers], missing: own.missing + rest.missing };
  }

  /** This thread's own answer. Rejects when there is none. */
  async reply(topic: string, question: unknown): Promise<unknown> {
    const answerer = this.#answerers.get(topic);
    if (answerer === undefined) throw new Error(`Cannot answer: nobody knows of "${topic}"`);
    return await answerer(question);
  }
}

const NOBODY: Answers = { answers: [], missing: 0 };

/** Collects what comes in time. Never rejects. */
export async function within(
  timeoutMs: number,
  promises: readonly Promise<unknown>[],
): Promise<Answers> {
  const late = Symbol("late");
  const timeUp = Promise.withResolvers<typeof late>();
  const timer = setTimeout(() => timeUp.resolve(late), timeoutMs);
  const results = await Promise.all(
    promises.map((promise) => Promise.race([promise.catch(() => late), timeUp.promise])),
  );
  clearTimeout(timer);
  const answers = results.filter((result) => result !== late);
  return { answers, missing: results.length - answers.length };
}
