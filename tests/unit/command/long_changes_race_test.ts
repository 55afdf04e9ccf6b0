/** Long changes of one key by several threads, while another one looks. */

import assert from "node:assert/strict";
import { testedWorker } from "../../helpers/tested_worker.ts";
import { Store } from "../../../src/store/store.ts";
import { Harness, pause, settled } from "./harness.ts";
import type { LongOrder } from "./long_changes_worker.ts";

const ROUNDS = 8;
const GROUP = 1500;
const ROLES: readonly LongOrder["role"][] = ["long", "long", "small"];

for (const lockKind of ["mutex", "rwlock"] as const) {
  Deno.test(`long changes: of several threads none is seen half done, and none is lost (${lockKind})`, async () => {
    const store = Store.create({
      shardCount: 1,
      lockKind,
      maxMemoryBytes: 64 * 2 ** 20,
      maxValueBytes: 2 ** 20,
      threadCount: ROLES.length + 1,
    });
    const harness = new Harness({ store });
    let isOver = false;
    const workers = ROLES.map((role, i) => {
      const worker = new Worker(
        testedWorker(new URL("./long_changes_worker.ts", import.meta.url)),
        {
          type: "module",
        },
      );
      const report = new Promise<string>((resolve, reject) => {
        worker.onmessage = ({ data }) => resolve(data);
        worker.onerror = ({ message }) => reject(new Error(message));
      });
      const order: LongOrder = {
        memory: store.memory,
        threadId: i + 1,
        role,
        rounds: role === "long" ? ROUNDS : 200,
        groupSize: GROUP,
      };
      worker.postMessage(order);
      return { worker, report };
    });
    const all = settled(Promise.all(workers.map(({ report }) => report)))
      .finally(() => isOver = true);
    const seen = new Set<number>();
    while (!isOver) {
      const reply = await settled(harness.ask("SCARD k\r\nLLEN l\r\n"));
      for (const number of reply.matchAll(/:(\d+)/g)) {
        assert.equal(Number(number[1]) % GROUP, 0, `${number[1]} are no whole groups`);
      }
      seen.add(Number(/:(\d+)/.exec(reply)![1]));
      await pause(0);
    }
    assert.deepEqual(await all, ROLES.map(() => "done"));
    for (const { worker } of workers) worker.terminate();
    assert.ok(seen.size > 1, "something happened while it was looked at");
    assert.equal(await harness.ask("SCARD k\r\n"), `:${2 * GROUP}\r\n`);
    assert.equal(await harness.ask("LLEN l\r\n"), `:${2 * ROUNDS * 2 * GROUP}\r\n`);
    assert.equal(await harness.ask("SCARD few\r\n"), ":200\r\n");
    const elements = (await settled(harness.ask("LRANGE l 0 -1\r\n"))).match(/long\d-\d+/g)!;
    for (let at = 0; at < elements.length; at += GROUP) {
      const [thread] = elements[at]!.split("-");
      for (let i = 0; i < GROUP; i++) assert.equal(elements[at + i], `${thread}-${i}`);
    }
    store.assertInvariants();
  });
}
