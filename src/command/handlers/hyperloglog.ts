/**
 * Counting different elements, approximately: `PFADD`, `PFCOUNT`, `PFMERGE`.
 *
 * @module
 */

import { NotifyClass } from "../../pubsub/keyspace_events.ts";
import { WriteStatus } from "../../store/store.ts";
import type { CommandCall } from "../call.ts";
import {
  denseByteOf,
  denseGet,
  denseSet,
  encodeHll,
  estimateOf,
  forgetEstimate,
  HLL_DENSE_BYTES,
  HLL_HEADER_BYTES,
  HllKind,
  hllKind,
  hllPlace,
  keptEstimate,
  placeIndex,
  placeValue,
  raiseRegisters,
  REGISTERS,
} from "../hyperloglog.ts";
import { withLocksAgain } from "../relock.ts";
import { ReplyCode } from "../reply_code.ts";
import { CommandRow, HandlerStatus } from "../row.ts";
import type { Slices } from "../slices.ts";
import { SourceStrings } from "./source_strings.ts";
import { findString, NOT_A_STRING } from "./string_entry.ts";
import { refuseWrite } from "./write_failure.ts";

const INVALID = "Key is not a valid HyperLogLog string value.";

/** So many elements are added at once. Reason: some 0.2 µs each. */
const AT_ONCE_ELEMENTS = 2048;
/** Weight of one, see `Slices.isOver`. */
const ELEMENT_WEIGHT = 4;

/** So many are merged at once. Reason: some 0.5 ms. */
const AT_ONCE_SOURCES = 16;

/** See the same of BITOP. */
const MAX_FREE_ATTEMPTS = 4;

/** Room to work in, one per thread. */
class Scratch {
  /** A HyperLogLog. */
  readonly bytes = new Uint8Array(HLL_DENSE_BYTES);
  /** Its registers, one per byte. */
  readonly registers = new Uint8Array(REGISTERS);
}

function refuseInvalid(call: CommandCall): HandlerStatus {
  call.sink.error(ReplyCode.WRONG_TYPE, INVALID);
  return HandlerStatus.DONE;
}

function refuseDamaged(call: CommandCall): HandlerStatus {
  call.sink.error(ReplyCode.DAMAGED_OBJECT);
  return HandlerStatus.DONE;
}

/** What the string at `entry` is; its first bytes are in `target` afterwards. */
function kindOf(call: CommandCall, entry: number, target: Uint8Array): HllKind {
  const byteCount = call.store.stringLength(entry);
  // Longer than a dense one is none at all.
  if (byteCount < HLL_HEADER_BYTES || byteCount > HLL_DENSE_BYTES) return HllKind.NONE;
  call.store.copyStringRange(entry, 0, HLL_HEADER_BYTES, target, 0);
  return hllKind(target, byteCount);
}

function handlePfAdd(call: CommandCall, scratch: Scratch): HandlerStatus {
  const { args } = call;
  if (args.count - 2 > AT_ONCE_ELEMENTS && !call.inTransaction) {
    call.later = addLater(call.detach(), scratch);
    return HandlerStatus.LATER;
  }
  return addPlaces(call, scratch, args.count - 2, (i) => {
    return hllPlace(args.bytes, args.starts[i + 2]!, args.ends[i + 2]!);
  });
}

/** Finds the places of very many elements in slices, and raises each register once. */
async function addLater(call: CommandCall, scratch: Scratch): Promise<HandlerStatus> {
  const { args } = call;
  const slices = call.slices();
  const highest = new Map<number, number>();
  await slices.next();
  for (let i = 2; i < args.count; i++) {
    const place = hllPlace(args.bytes, args.starts[i]!, args.ends[i]!);
    const before = highest.get(placeIndex(place));
    if (before === undefined || placeValue(before) < placeValue(place)) {
      highest.set(placeIndex(place), place);
    }
    if (slices.isOver(ELEMENT_WEIGHT)) await slices.next();
  }
  const places = [...highest.values()];
  return await withLocksAgain(call, () => {
    call.keyAt(1);
    return addPlaces(call, scratch, places.length, (i) => places[i]!);
  });
}

/** Raises registers; the places of elements are asked for by number, each once. */
function addPlaces(
  call: CommandCall,
  scratch: Scratch,
  count: number,
  placeAt: (i: number) => number,
): HandlerStatus {
  const entry = findString(call, 1);
  if (entry === NOT_A_STRING) return HandlerStatus.DONE;
  const kind = entry === 0 ? HllKind.SPARSE : kindOf(call, entry, scratch.bytes);
  if (kind === HllKind.NONE) return refuseInvalid(call);
  if (kind === HllKind.DENSE) return addToDense(call, entry, scratch.bytes, count, placeAt);
  const { sink, store } = call;
  const { bytes, registers } = scratch;
  registers.fill(0);
  if (entry !== 0) {
    const byteCount = store.copyString(entry, bytes, 0);
    if (!raiseRegisters(registers, bytes, byteCount)) return refuseDamaged(call);
  }
  let raised = entry === 0;
  for (let i = 0; i < count; i++) {
    const place = placeAt(i);
    if (registers[placeIndex(place)]! >= placeValue(place)) continue;
    registers[placeIndex(place)] = placeValue(place);
    raised = true;
  }
  if (raised) {
    const byteCount = encodeHll(registers, bytes, true);
    const expireAtMs = entry === 0 ? 0 : store.expireAtMs(entry);
    const status = store.setString(call.database, call.key, bytes, 0, byteCount, expireAtMs);
    if (status !== WriteStatus.OK) return refuseWrite(call, status);
  }
  if (raised) call.notify(NotifyClass.STRING, "pfadd");
  sink.integer(raised ? 1 : 0);
  return HandlerStatus.DONE;
}

/** Raises registers where they are. */
function addToDense(
  call: CommandCall,
  entry: number,
  bytes: Uint8Array,
  count: number,
  placeAt: (i: number) => number,
): HandlerStatus {
  const { sink, store } = call;
  const { strings } = store;
  let raised = false;
  for (let i = 0; i < count; i++) {
    const place = placeAt(i);
    const index = placeIndex(place);
    const at = denseByteOf(index);
    const end = Math.min(at + 2, HLL_DENSE_BYTES);
    if (raised) strings.read(at, end, bytes, 0);
    else store.copyStringRange(entry, at, end, bytes, 0);
    if (denseGet(bytes, 0, index) >= placeValue(place)) continue;
    if (!raised) {
      const status = strings.begin(call.database, call.key, entry, HLL_DENSE_BYTES, 0);
      if (status !== WriteStatus.OK) return refuseWrite(call, status);
      raised = true;
    }
    denseSet(bytes, 0, index, placeValue(place));
    strings.write(at, bytes, 0, end - at);
  }
  if (raised) {
    strings.read(0, HLL_HEADER_BYTES, bytes, 0);
    forgetEstimate(bytes);
    strings.write(0, bytes, 0, HLL_HEADER_BYTES);
    strings.end();
  }
  if (raised) call.notify(NotifyClass.STRING, "pfadd");
  sink.integer(raised ? 1 : 0);
  return HandlerStatus.DONE;
}

function handlePfCount(call: CommandCall, scratch: Scratch): HandlerStatus {
  const { sink, store } = call;
  if (call.args.count > 2) return countUnion(call);
  const entry = findString(call, 1);
  if (entry === NOT_A_STRING) return HandlerStatus.DONE;
  if (entry === 0) {
    sink.integer(0);
    return HandlerStatus.DONE;
  }
  const { bytes, registers } = scratch;
  if (kindOf(call, entry, bytes) === HllKind.NONE) return refuseInvalid(call);
  let estimate = keptEstimate(bytes);
  if (estimate < 0) {
    registers.fill(0);
    const byteCount = store.copyString(entry, bytes, 0);
    if (!raiseRegisters(registers, bytes, byteCount)) return refuseDamaged(call);
    estimate = estimateOf(registers);
  }
  sink.integer(estimate);
  return HandlerStatus.DONE;
}

/** Why a union could not be made. */
type Trouble = "wrong type" | "invalid" | "damaged";

/** The union of HyperLogLogs, made one by one. */
class Union {
  readonly registers = new Uint8Array(REGISTERS);
  /** Whether all of them are sparse. */
  isSparse = true;
  readonly #bytes = new Uint8Array(HLL_DENSE_BYTES);
  #next = 0;

  constructor(readonly sources: SourceStrings) {}

  /** Takes at most `count` more in; whether there are none left, or what is wrong with one. */
  advance(count: number): boolean | Trouble {
    const { sources } = this;
    const end = Math.min(sources.count, this.#next + count);
    for (; this.#next < end; this.#next++) {
      const byteCount = sources.byteCount(this.#next);
      const read = sources.read(this.#next, 0, this.#bytes, HLL_DENSE_BYTES);
      if (sources.isMissing(this.#next)) continue;
      const kind = read < byteCount ? HllKind.NONE : hllKind(this.#bytes, byteCount);
      if (kind === HllKind.NONE) return "invalid";
      if (kind === HllKind.DENSE) this.isSparse = false;
      if (!raiseRegisters(this.registers, this.#bytes, byteCount)) return "damaged";
    }
    return this.#next === sources.count;
  }
}

function refuseUnion(call: CommandCall, trouble: Trouble): HandlerStatus {
  if (trouble === "invalid") return refuseInvalid(call);
  if (trouble === "damaged") return refuseDamaged(call);
  call.sink.error(ReplyCode.WRONG_TYPE);
  return HandlerStatus.DONE;
}

/** Makes a union in slices; for code that holds no lock. */
async function advanceLater(union: Union, slices: Slices): Promise<true | Trouble> {
  for (;;) {
    const outcome = union.advance(AT_ONCE_SOURCES);
    if (outcome !== false) return outcome;
    if (slices.isOver(1024)) await slices.next();
  }
}

function countUnion(call: CommandCall): HandlerStatus {
  const sources = new SourceStrings(call.store);
  if (!sources.capture(call, 1)) return refuseUnion(call, "wrong type");
  const union = new Union(sources);
  const finish = (own: CommandCall, outcome: true | Trouble): HandlerStatus => {
    sources.release();
    if (outcome !== true) return refuseUnion(own, outcome);
    own.sink.integer(estimateOf(union.registers));
    return HandlerStatus.DONE;
  };
  const outcome = union.advance(call.inTransaction ? sources.count : AT_ONCE_SOURCES);
  if (outcome !== false) return finish(call, outcome);
  const own = call.detach();
  const slices = call.slices();
  call.later = (async () => {
    await slices.next();
    return finish(own, await advanceLater(union, slices));
  })().finally(() => sources.release());
  return HandlerStatus.LATER;
}

function handlePfMerge(call: CommandCall): HandlerStatus {
  // The destination is the first of its own sources.
  const sources = new SourceStrings(call.store);
  if (!sources.capture(call, 1)) return refuseUnion(call, "wrong type");
  if (sources.count > AT_ONCE_SOURCES && !call.inTransaction) {
    call.later = mergeLater(call.detach(), sources);
    return HandlerStatus.LATER;
  }
  return mergeNow(call, sources);
}

/** With the locks held; gives up the sources. */
function mergeNow(call: CommandCall, sources: SourceStrings): HandlerStatus {
  const union = new Union(sources);
  const outcome = union.advance(sources.count);
  sources.release();
  return storeUnion(call, union, outcome === false || outcome);
}

/** As for BITOP: worked out without the locks, stored if nothing has changed meanwhile. */
async function mergeLater(call: CommandCall, sources: SourceStrings): Promise<HandlerStatus> {
  const slices = call.slices();
  await slices.next();
  try {
    for (let attempt = 1;; attempt++) {
      const union = new Union(sources);
      const outcome = await advanceLater(union, slices);
      const status = await withLocksAgain(call, () => {
        if (sources.areUnchanged(call, 1)) return storeUnion(call, union, outcome);
        sources.release();
        if (!sources.capture(call, 1)) return refuseUnion(call, "wrong type");
        return attempt < MAX_FREE_ATTEMPTS ? HandlerStatus.LATER : mergeNow(call, sources);
      });
      if (status !== HandlerStatus.LATER) return status;
    }
  } finally {
    sources.release();
  }
}

function storeUnion(call: CommandCall, union: Union, outcome: true | Trouble): HandlerStatus {
  if (outcome !== true) return refuseUnion(call, outcome);
  const { store } = call;
  const bytes = new Uint8Array(HLL_DENSE_BYTES);
  const byteCount = encodeHll(union.registers, bytes, union.isSparse);
  const key = call.keyAt(1);
  const entry = store.lookup(call.database, key);
  const expireAtMs = entry === 0 ? 0 : store.expireAtMs(entry);
  const status = store.setString(call.database, key, bytes, 0, byteCount, expireAtMs);
  if (status !== WriteStatus.OK) return refuseWrite(call, status);
  call.notify(NotifyClass.STRING, "pfadd", key);
  call.sink.ok();
  return HandlerStatus.DONE;
}

/** Checks that what is counted is about what was added, and that both layouts say the same. */
function handlePfSelfTest(call: CommandCall, scratch: Scratch): HandlerStatus {
  const elementCount = 20_000;
  const { bytes, registers } = scratch;
  registers.fill(0);
  const element = new Uint8Array(4);
  for (let i = 0; i < elementCount; i++) {
    for (let b = 0; b < 4; b++) element[b] = i >>> (8 * b);
    const place = hllPlace(element, 0, 4);
    const index = placeIndex(place);
    registers[index] = Math.max(registers[index]!, placeValue(place));
  }
  const copy = new Uint8Array(REGISTERS);
  const byteCount = encodeHll(registers, bytes, false);
  const isSame = raiseRegisters(copy, bytes, byteCount) &&
    copy.every((value, i) => value === registers[i]);
  const error = Math.abs(estimateOf(copy) - elementCount) / elementCount;
  if (isSame && error < 0.05) call.sink.ok();
  else call.sink.error(ReplyCode.UNSUPPORTED, "TESTFAILED the registers are not what was added");
  return HandlerStatus.DONE;
}

/** The rows of PFADD PFCOUNT PFMERGE PFSELFTEST. Thread: any; a thread makes its own at start. */
export function hyperLogLogRows(): CommandRow[] {
  const scratch = new Scratch();
  const common = { group: "hyperloglog", since: "2.8.9" } as const;
  return [
    new CommandRow({
      ...common,
      name: "pfadd",
      arity: -2,
      syntax: "key [element [element ...]]",
      summary: "Adds elements to a HyperLogLog; returns whether the estimate may have changed.",
      flags: ["write", "denyoom", "fast"],
      access: "write",
      firstKey: 1,
      reply: "integer",
      handler: (call) => handlePfAdd(call, scratch),
    }),
    new CommandRow({
      ...common,
      name: "pfcount",
      arity: -2,
      syntax: "key [key ...]",
      summary: "Estimates how many different elements HyperLogLogs have seen, all together.",
      flags: ["readonly"],
      access: "read",
      firstKey: 1,
      lastKey: -1,
      cost: "per-key",
      complexity: "O(N) with N keys",
      reply: "integer",
      handler: (call) => handlePfCount(call, scratch),
    }),
    new CommandRow({
      ...common,
      name: "pfmerge",
      arity: -2,
      syntax: "destination [source [source ...]]",
      summary: "Makes a HyperLogLog that has seen what all of them have, and itself before.",
      flags: ["write", "denyoom"],
      access: "write",
      firstKey: 1,
      lastKey: -1,
      cost: "per-key",
      complexity: "O(N) with N keys",
      reply: "ok",
      handler: handlePfMerge,
    }),
    new CommandRow({
      ...common,
      name: "pfselftest",
      arity: 1,
      summary: "Checks that counting works.",
      flags: ["admin"],
      reply: "ok",
      handler: (call) => handlePfSelfTest(call, scratch),
    }),
  ];
}
