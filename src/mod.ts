/**
 * Sluice as a library: the server as a value, and the parts that are useful alone.
 *
 * - {@link startServer} runs the server in this process.
 * - {@link Store} is keys and values that all threads share; {@link BoundedChannel} a queue between
 *   threads that says when it is full. Both run in Node.js as well.
 * - {@link WorkerPool} runs a {@link Processor} of yours on worker threads, over a `Store`, each event
 *   settled exactly once.
 *
 * `docs/embedding.md` has the whole story: threads, lifetime, memory, limits, errors.
 *
 * @module
 */

export * from "./embed/portable.ts";
export { ConfigError, type Server, type ServerOptions, startServer } from "./embed/server.ts";
export {
  type PoolEvent,
  type PoolLogLevel,
  type PoolOptions,
  type PoolOutcome,
  type PoolRefusal,
  type PoolStopReport,
  WorkerPool,
} from "./embed/pool.ts";
export { LOG_FORMATS, LOG_LEVELS, type LogFormat, type LogLevel } from "./base/log_record.ts";
export type { Rate } from "./base/units.ts";
export { SYNC_POLICIES, type SyncPolicy } from "./durability/sync_policy.ts";
export type { DurationsJson, LatencyJson, MetricsJson, ProtocolJson } from "./metrics/json.ts";
export type { LogGauges } from "./metrics/gauges.ts";
export type { LogJson } from "./metrics/log_exposition.ts";
export { type ProtocolLabel, PROTOCOLS } from "./metrics/names.ts";
export type { EventCounters } from "./metrics/region.ts";
export {
  type Config,
  type ConfigProblem,
  defaultConfig,
  findConfigProblem,
  type Port,
} from "./server/config.ts";
export type { StopReport } from "./server/running_server.ts";
export type { ServerPorts } from "./server/server_view.ts";
export { StartError } from "./server/start_error.ts";
export { EVICTION_POLICIES, type EvictionPolicy } from "./store/evictor.ts";
export type {
  Processor,
  ProcessorContext,
  ProcessorEvent,
  ProcessorLogger,
} from "./worker/processor.ts";
export { ProcessorLoadError } from "./worker/processor_module.ts";
export type { EventSchema, FieldSchema, FieldType } from "./base/event_schema.ts";
