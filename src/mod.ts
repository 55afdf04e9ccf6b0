/**
 * What other programs may embed: the server as a value, and the parts that are useful alone.
 *
 * @module
 */

export { BoundedChannel } from "./channel/bounded_channel.ts";
export type { MetricsJson } from "./metrics/json.ts";
export { type Config, defaultConfig, findConfigProblem } from "./server/config.ts";
export type { RunningServer, StopReport } from "./server/running_server.ts";
export type { ServerPorts } from "./server/server_view.ts";
export { StartError } from "./server/start_error.ts";
export { startServer } from "./server/start.ts";
export { Store } from "./store/store.ts";
export type { Processor, ProcessorContext, ProcessorEvent } from "./worker/processor.ts";
