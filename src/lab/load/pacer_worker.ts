/// <reference lib="deno.worker" />
/**
 * Entry of the pacer's worker.
 *
 * @module
 */

import { type PacerOrder, ring, showClock } from "./pacer.ts";

const post = (timeMs: number): void => self.postMessage(timeMs);

self.onmessage = ({ data }: MessageEvent<PacerOrder>): void => {
  ring(data, post);
  self.close();
};
showClock(post);
