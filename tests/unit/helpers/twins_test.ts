/**
 * Broken twins that only the long runs start: the sources still have the text that each of them
 * changes, which otherwise nobody would notice until the next long run.
 */

import {
  CLIENT_MUTATIONS,
  CLIENTS_URL,
  SERVER_MUTATIONS,
  SERVER_URL,
} from "../../stress/waiter_harness.ts";
import { MUTATIONS, writeTwin } from "../../stress/channel_harness.ts";
import { CHANGES_LEASED, writeCollectionTwin } from "../../stress/collection_harness.ts";
import { FREES_LEASED, writeStoreTwin } from "../../stress/lease_harness.ts";
import { LOCK_MUTATIONS, LOCKS_URL, LOST_WAKE_UPS, PATIENT } from "../../stress/lock_harness.ts";
import { writeTwinOf } from "../../stress/twin.ts";

Deno.test("writeTwinOf: every twin of the long runs can be made from the sources as they are", async () => {
  const folder = await Deno.makeTempDir({ prefix: "sluice-twins-" });
  try {
    for (const mutation of LOCK_MUTATIONS) await writeTwinOf(LOCKS_URL, [mutation], folder);
    for (const mutation of LOST_WAKE_UPS) {
      await writeTwinOf(LOCKS_URL, [...PATIENT, mutation], folder);
    }
    for (const mutation of CLIENT_MUTATIONS) await writeTwinOf(CLIENTS_URL, [mutation], folder);
    for (const mutation of SERVER_MUTATIONS) await writeTwinOf(SERVER_URL, [mutation], folder);
    for (const mutation of MUTATIONS) await writeTwin(mutation, folder);
    await writeCollectionTwin(CHANGES_LEASED, folder);
    await writeStoreTwin(FREES_LEASED, folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
