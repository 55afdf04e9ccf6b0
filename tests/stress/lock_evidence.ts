/**
 * What the lock stress writes down: a window, and words that a race would leave uneven.
 *
 * @module
 */

/** Word offsets in the evidence region; a block of {@link BLOCK_WORDS} per hot shard follows. */
export const LockEvidence = { START: 0, STOP: 16, BLOCKS: 32 } as const;
/** Words per hot shard. */
export const BLOCK_WORDS = 128;
/** Word offsets in a block. */
export const Block = { INSIDE_ALONE: 0, INSIDE_SHARED: 16, DATA: 32 } as const;
/** Data words in a block, 16 apart so that they lie in different cache lines. */
export const DATA_WORDS = 6;

/** What a thread of the lock stress is told. */
export interface LockOrders {
  /** `blocking` uses lock, tryLock and lockAsync in turn; `tasks` runs several async tasks. */
  role: "blocking" | "tasks";
  threadId: number;
  sections: number;
  /** Share of exclusive sections, 0 to 1. */
  exclusiveShare: number;
  sharing: boolean;
  hotShards: number[];
  locksModule: string;
  /** A defect of the user instead of the lock: the lock is given back before the section ends. */
  releasesEarly: boolean;
  control: SharedArrayBuffer;
  evidence: SharedArrayBuffer;
}

/** What it reports. */
export interface LockReport {
  exclusiveSections: number[];
  sharedSections: number;
  /** Sections that found somebody inside who must not be, or uneven data. */
  violations: number;
  /** Shared sections that began while another thread shared. */
  sharedOverlaps: number;
  /** Error that ended it, or "". */
  error: string;
}
