/**
 * An I/O thread that answers questions of tests; see io_crew_test.ts.
 *
 * @module
 */

import { liveAsIoThread } from "../../../src/server/io_worker_life.ts";

liveAsIoThread((questions) => {
  const own = crypto.randomUUID();
  questions.answer("who", () => own);
  questions.answer("double", (number) => Promise.resolve((number as number) * 2));
  questions.answer("ask the others", (topic) => questions.ask(topic as string, null));
  questions.answer("loose errors", () => {
    void Promise.reject(new Error("a rejection that nobody handles"));
    setTimeout(() => {
      throw new Error("an error that nobody catches");
    }, 0);
    return "done";
  });
  questions.answer("hang", () => new Promise(() => {}));
  questions.answer("hang at", (name) => name === own ? new Promise(() => {}) : own);
  questions.answer("end", (name) => {
    if (name !== own) return own;
    Deno.exit(1);
  });
});
