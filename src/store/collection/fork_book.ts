/**
 * What a fork of a collection keeps account of while it is changed; see collection_fork.ts.
 *
 * @module
 */

/** Thread: the one that changes the fork. */
export class ForkBook {
  /** Nodes that the fork has for itself. */
  readonly nodes: Set<number> = new Set();
  /** Long elements that it made. */
  readonly longs: Set<number> = new Set();
  /** Nodes of the original that the fork has copies of, or has no use for. */
  readonly leftNodes: number[] = [];
  /** Nodes of the original that it has no use for, with all that is below them. */
  readonly leftTrees: number[] = [];
  /** Long elements of the original that it has no use for. */
  readonly leftLongs: number[] = [];
}
