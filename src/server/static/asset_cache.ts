/**
 * Files in memory, the least recently used of which go first.
 *
 * @module
 */

import type { CounterSink } from "../../command/counters.ts";
import { CounterIndex } from "../../metrics/names.ts";
import { equalBytes } from "../../protocol/http/characters.ts";
import type { Asset } from "./asset.ts";

/** Spellings of paths that are found without decoding them. A power of two. */
const SPELLING_SLOTS = 1024;

/**
 * Keeps assets within a number of bytes.
 *
 * What was dropped while replies still need it counts until they are done, so that slow clients
 * cannot make it hold more than the bound.
 *
 * Thread: one per I/O thread.
 */
export class AssetCache {
  readonly #maxBytes: number;
  readonly #counters: CounterSink;
  readonly #assets = new Map<string, Asset>();
  /** Assets by a hash of how requests spell their path; whatever was put there last. */
  readonly #spellings: (Asset | undefined)[] = new Array(SPELLING_SLOTS).fill(undefined);
  #newest: Asset | undefined;
  #oldest: Asset | undefined;
  #usedBytes = 0;

  /**
   * Makes an empty cache.
   *
   * @param maxBytes bound on all it keeps; 0 = it keeps nothing
   */
  constructor(maxBytes: number, counters: CounterSink) {
    this.#maxBytes = maxBytes;
    this.#counters = counters;
  }

  /** Bytes that it counts. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Assets that it has. */
  get size(): number {
    return this.#assets.size;
  }

  /** The asset at `path`. */
  find(path: string): Asset | undefined {
    return this.#assets.get(path);
  }

  /** The asset that was noted for this spelling; nothing allocates. */
  findSpelled(bytes: Uint8Array, start: number, end: number): Asset | undefined {
    const asset = this.#spellings[slotOf(bytes, start, end)];
    return asset !== undefined && equalBytes(bytes, start, end, asset.spelling) ? asset : undefined;
  }

  /** Notes that requests spell the asset's path like this. */
  noteSpelling(asset: Asset, bytes: Uint8Array, start: number, end: number): void {
    if (!asset.isCached) return;
    const slot = slotOf(bytes, start, end);
    this.#forgetSpelling(asset);
    const other = this.#spellings[slot];
    if (other !== undefined) this.#forgetSpelling(other);
    asset.spelling = bytes.slice(start, end);
    asset.spellingSlot = slot;
    this.#spellings[slot] = asset;
  }

  /** Puts an asset in, instead of any other at its path; whether there was room for it. */
  insert(asset: Asset): boolean {
    const other = this.#assets.get(asset.path);
    if (other !== undefined) this.drop(other);
    if (!this.#tryMakeRoom(asset.keptBytes, asset)) return false;
    this.#count(asset.keptBytes);
    asset.isCached = true;
    this.#assets.set(asset.path, asset);
    this.#link(asset);
    return true;
  }

  /** Takes note that the asset was asked for. */
  touch(asset: Asset): void {
    if (asset === this.#newest || !asset.isCached) return;
    this.#unlink(asset);
    this.#link(asset);
  }

  /** Takes an asset out. */
  drop(asset: Asset): void {
    if (!asset.isCached) return;
    asset.isCached = false;
    this.#assets.delete(asset.path);
    this.#forgetSpelling(asset);
    this.#unlink(asset);
    if (asset.pinCount === 0) this.#count(-asset.keptBytes);
  }

  /** Makes room for more bytes of an asset; false when it is not to have them. */
  tryReserve(asset: Asset, byteCount: number): boolean {
    if (!asset.isCached || !this.#tryMakeRoom(byteCount, asset)) return false;
    asset.keptBytes += byteCount;
    this.#count(byteCount);
    return true;
  }

  /** Gives back what {@link AssetCache.tryReserve} made room for. */
  giveBack(asset: Asset, byteCount: number): void {
    asset.keptBytes -= byteCount;
    if (asset.isCached || asset.pinCount > 0) this.#count(-byteCount);
  }

  /** A reply needs the asset's bytes from now on. */
  pin(asset: Asset): void {
    if (asset.pinCount++ === 0 && !asset.isCached) this.#count(asset.keptBytes);
  }

  /** A reply that needed the asset's bytes is done. */
  unpin(asset: Asset): void {
    if (--asset.pinCount === 0 && !asset.isCached) this.#count(-asset.keptBytes);
  }

  /** Drops the least recently used until there is room; those that are needed stay. */
  #tryMakeRoom(byteCount: number, forWhom: Asset): boolean {
    if (byteCount > this.#maxBytes) return false;
    let candidate = this.#oldest;
    while (this.#usedBytes + byteCount > this.#maxBytes) {
      while (candidate !== undefined && (candidate.pinCount > 0 || candidate === forWhom)) {
        candidate = candidate.newer;
      }
      if (candidate === undefined) return false;
      const next = candidate.newer;
      this.drop(candidate);
      this.#counters.add(CounterIndex.STATIC_CACHE_EVICTIONS);
      candidate = next;
    }
    return true;
  }

  #count(byteCount: number): void {
    this.#usedBytes += byteCount;
    this.#counters.add(CounterIndex.STATIC_CACHE_BYTES, byteCount);
  }

  #forgetSpelling(asset: Asset): void {
    if (asset.spellingSlot < 0) return;
    this.#spellings[asset.spellingSlot] = undefined;
    asset.spellingSlot = -1;
  }

  #link(asset: Asset): void {
    asset.older = this.#newest;
    asset.newer = undefined;
    if (this.#newest !== undefined) this.#newest.newer = asset;
    this.#newest = asset;
    this.#oldest ??= asset;
  }

  #unlink(asset: Asset): void {
    const { newer, older } = asset;
    if (newer === undefined) this.#newest = older;
    else newer.older = older;
    if (older === undefined) this.#oldest = newer;
    else older.newer = newer;
    asset.newer = asset.older = undefined;
  }
}

/** FNV-1a; who makes paths collide only has them decoded. */
function slotOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, 0x01000193);
  return (hash ^ (hash >>> 15)) & (SPELLING_SLOTS - 1);
}
