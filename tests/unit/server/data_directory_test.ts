import assert from "node:assert/strict";
import { lockDirectory } from "../../../src/durability/directory_lock.ts";
import { defaultConfig } from "../../../src/server/config.ts";
import { startServer } from "../../../src/server/start.ts";

/** A log's thread that says that it is open, and soon that it has died of something. */
const MORTAL = `data:text/javascript,${
  encodeURIComponent(`
    self.onmessage = () => {
      self.postMessage({ kind: "open" });
      self.postMessage({ kind: "died", error: "no more ink" });
      self.close();
    };`)
}`;

Deno.test("DataDirectory: whose log's thread has died lets go of it when the server stops", async () => {
  const dataDir = await Deno.makeTempDir();
  try {
    const ports = { httpPort: 0, respPort: "off", protoPort: "off" } as const;
    const config = { ...defaultConfig(), ...ports, workersMin: 1, workersMax: 1, dataDir };
    const server = await startServer(config, {
      startLogWorker: (options) => new Worker(MORTAL, options),
    });
    assert.match(await server.fault, /the log's thread ended: no more ink/);
    const { isLogIncomplete } = await server.stop();
    assert.equal(isLogIncomplete, true);
    (await lockDirectory(dataDir)).close();
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});
