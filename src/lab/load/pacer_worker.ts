/// <reference lib="deno.worker" />
/**
 * Entry of the pacer's worker.
 *
 * @module
 */

import { type PacerOrder, ring } from "./pacer.ts";

self.onmessage = ({ data }: MessageEvent<PacerOrder>): void => {
  ring(data);
  self.close();
};
self.postMessage("ready");
