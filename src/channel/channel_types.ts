/**
 * What a channel is made of and made with.
 *
 * @module
 */

/** Shared memory of a channel; structured-cloneable. */
export interface ChannelMemory {
  /** The region. */
  readonly buffer: SharedArrayBuffer;
}

/** What a channel is created with. */
export interface ChannelOptions {
  /** Jobs that may wait, 1 to `CHANNEL_CAPACITY_MAX`. */
  capacity: number;
  /** Longest job in bytes, 1 to `CHANNEL_MESSAGE_MAX_BYTES`; default 512. */
  jobBytes?: number;
  /** Ticket of the first job, uint32; tests start just below the wrap. Default 0. */
  firstTicket?: number;
}

/** What is found of a dead consumer. */
export type ConsumerRecovery =
  /** The dead consumer did not hold the consumer lock. */
  | { kind: "none" }
  /** It held the lock and had taken nothing, or had taken its job completely. */
  | { kind: "released" }
  /** It died between claiming its job and moving head; its steps were finished. */
  | { kind: "completed"; ticket: number };
