/**
 * What a fork of a collection keeps account of while it is changed; see collection_fork.ts.
 *
 * @module
 */

/** Thread: the one that changes the fork. */
export class ForkBook {
  /** Nodes that the fork has for itself. */
  readonly nodes: Set<number> = new Set();
  /** Those of them that are not leaves. */
  readonly interiors: Set<number> = new Set();
  /** Leaves of them that have long elements. */
  readonly longLeaves: Set<number> = new Set();
  /** Long elements that it made. */
  readonly longs: Set<number> = new Set();
  /** Nodes of the original that the fork has copies of, or has no use for. */
  readonly leftNodes: number[] = [];
  /** Nodes of the original that it has no use for, with all that is below them. */
  readonly leftTrees: number[] = [];
  /** Long elements of the original that it has no use for. */
  readonly leftLongs: number[] = [];
  /** What all of that takes. Unit: bytes of the arena. */
  leftBytes = 0;

  /** Notes a node that the fork made; `level` 0 = leaf. */
  made(node: number, level: number): void {
    this.nodes.add(node);
    if (level > 0) this.interiors.add(node);
  }

  /** Forgets a node that the fork made, and has freed. */
  freed(node: number): void {
    this.nodes.delete(node);
    this.interiors.delete(node);
    this.longLeaves.delete(node);
  }
}
