/**
 * What the stress of the lock-free stacks (free pages, reserve blocks) writes down.
 *
 * @module
 */

/** Word offsets in the evidence region; from OWNERS on, one word per page or block: who has it. */
export const StackEvidence = { START: 0, STOP: 16, INSIDE: 32, OWNERS: 48 } as const;

/** What a thread of the stack stress is told. */
export interface StackOrders {
  threadId: number;
  /** `pages` leases and releases pages, `reserve` takes credits and draws blocks. */
  what: "pages" | "reserve";
  rounds: number;
  pagesModule: string;
  reserveModule: string;
  control: SharedArrayBuffer;
  descriptors: SharedArrayBuffer;
  segments: SharedArrayBuffer[];
  segmentShift: number;
  evidence: SharedArrayBuffer;
}

/** What it reports. */
export interface StackReport {
  taken: number;
  /** Calls that began while another thread was inside one. */
  overlaps: number;
  /** How often there was nothing to take. */
  refusals: number;
  /** The first thing that must not be, or "". */
  violation: string;
}
