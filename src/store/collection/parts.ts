/**
 * What the collections of one thread are made from.
 *
 * @module
 */

import type { Arena } from "../arena.ts";
import type { BlockAllocator } from "../block_allocator.ts";
import type { ControlRegion } from "../control.ts";
import type { EntryWriter } from "../entry_writer.ts";
import type { ExpiryWheel } from "../expiry_wheel.ts";
import type { Extents } from "../extents.ts";
import type { Table } from "../table.ts";
import type { CollectionMemory } from "./collection_memory.ts";

/** What `CollectionCore` works with. */
export interface CollectionsParts {
  /** Client data. */
  arena: Arena;
  /** Blocks and pages. */
  blocks: BlockAllocator;
  /** Locks, lists, roots. */
  control: ControlRegion;
  /** Long elements. */
  extents: Extents;
  /** Nodes, leases, garbage. */
  memory: CollectionMemory;
  /** The index. */
  table: Table;
  /** The expiry index. */
  wheel: ExpiryWheel;
  /** Deletes keys, draws numbers. */
  writer: EntryWriter;
}
