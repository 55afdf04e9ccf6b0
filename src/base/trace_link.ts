/**
 * Which span something belongs to, as it travels with a job.
 *
 * Shape, as bytes: 16 bytes trace id, 8 bytes span id, in the order in which they are written out.
 * Whether the trace is sampled is not said: what is not sampled has no link.
 *
 * @module
 */

/** Bytes of a link. */
export const TRACE_LINK_BYTES = 24;
const TRACE_ID_BYTES = 16;

/** Names a sampled span. */
export interface TraceLink {
  /** 32 hexadecimal digits, lower case. */
  readonly traceId: string;
  /** 16 hexadecimal digits, lower case. */
  readonly spanId: string;
}

/** Writes `link` at `target[at…]`. Thread: any. */
export function writeTraceLink(link: TraceLink, target: Uint8Array, at: number): void {
  writeHex(link.traceId, target, at, TRACE_ID_BYTES);
  writeHex(link.spanId, target, at + TRACE_ID_BYTES, TRACE_LINK_BYTES - TRACE_ID_BYTES);
}

/** Reads what {@link writeTraceLink} wrote. Thread: any. */
export function readTraceLink(bytes: Uint8Array, at: number): TraceLink {
  return {
    traceId: readHex(bytes, at, TRACE_ID_BYTES),
    spanId: readHex(bytes, at + TRACE_ID_BYTES, TRACE_LINK_BYTES - TRACE_ID_BYTES),
  };
}

function writeHex(text: string, target: Uint8Array, at: number, byteCount: number): void {
  for (let i = 0; i < byteCount; i++) {
    target[at + i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  }
}

function readHex(bytes: Uint8Array, at: number, byteCount: number): string {
  let text = "";
  for (let i = at; i < at + byteCount; i++) text += bytes[i]!.toString(16).padStart(2, "0");
  return text;
}

/**
 * Reads a `traceparent` field: `00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01`.
 *
 * @returns the link and whether it is sampled; undefined when it is malformed, which means that there
 *   is no parent
 * @see https://www.w3.org/TR/trace-context/#traceparent-header
 */
export function parseTraceparent(
  text: string,
): (TraceLink & { readonly isSampled: boolean }) | undefined {
  const match = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/.exec(text);
  if (match === null) return undefined;
  const [, version, traceId, spanId, flags, more] = match as unknown as string[];
  // Later versions may have more behind these fields; the first one has not.
  if (version === "ff" || (version === "00" && more !== undefined)) return undefined;
  if (/^0+$/.test(traceId!) || /^0+$/.test(spanId!)) return undefined;
  const isSampled = (Number.parseInt(flags!, 16) & 1) === 1;
  return { traceId: traceId!, spanId: spanId!, isSampled };
}
