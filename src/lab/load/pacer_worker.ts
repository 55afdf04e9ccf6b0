/// <reference lib="deno.worker" />
/**
 * Entry of the pacer's worker.
 *
 * @module
 */

import { type PacerOrder, ring } from "./pacer.ts";

self.onmessage = ({ data }: MessageEvent<PacerOrder>): void => {
  ring(data, (rangAtMs) => self.postMessage(rangAtMs));
  self.close();
};
self.postMessage("ready");
