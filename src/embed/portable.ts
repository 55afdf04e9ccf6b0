/**
 * The parts of Sluice that run in any JavaScript runtime with threads and shared memory: Deno, and
 * Node.js from 22 on.
 *
 * @module
 */

export {
  BoundedChannel,
  type ChannelMemory,
  type ChannelOptions,
  type WaitOptions,
} from "./channel.ts";
export type { StoreValueType } from "./key_operations.ts";
export { Store, type StoreUsage, type ThreadRecovery } from "./store.ts";
export { StoreError, type StoreErrorCode } from "./store_error.ts";
export type { StoreMemory, StoreOptions } from "./store_options.ts";
export type { Transaction, TransactionRunOptions } from "./transactions.ts";
export type {
  KeyLike,
  ScoredMember,
  SetOptions,
  TransactionReads,
  TransactionWrites,
  ValueLike,
} from "../store/transaction.ts";
export { Int64 } from "../base/int64.ts";
