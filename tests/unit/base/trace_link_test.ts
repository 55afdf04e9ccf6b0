import assert from "node:assert/strict";
import fc from "fast-check";
import { encodeJob, EventFields, JobView, MAX_JOB_BYTES } from "../../../src/base/job.ts";
import { parseTraceparent, readTraceLink, TRACE_LINK_BYTES } from "../../../src/base/trace_link.ts";

const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";
const SPAN_ID = "b7ad6b7169203331";

function hex(digits: number) {
  const digit = fc.constantFrom(..."0123456789abcdef");
  return fc.string({ unit: digit, minLength: digits, maxLength: digits });
}

function fields(user: string, id: string): EventFields {
  const event = new EventFields();
  const encoder = new TextEncoder();
  for (
    const [slice, text] of [[event.user, user], [event.action, "buy"], [event.id, id]] as const
  ) {
    const bytes = encoder.encode(text);
    slice.set(bytes, 0, bytes.length);
  }
  return event;
}

Deno.test("JobView: finds the trace of a job, and everything else behind it", () => {
  const target = new Uint8Array(MAX_JOB_BYTES + 16);
  const view = new JobView();
  const decoder = new TextDecoder();
  fc.assert(fc.property(
    hex(32),
    hex(16),
    fc.constantFrom("", "id-1"),
    fc.integer({ min: 0, max: 16 }),
    (traceId, spanId, id, offset) => {
      const event = fields("alice", id);
      const plainBytes = encodeJob(event, target, offset);
      view.attach(target, offset, plainBytes);
      assert.equal(view.traceStart, view.traceEnd, "not traced");
      event.trace = { traceId, spanId };
      event.idSlot = 7;
      event.idTicket = 9;
      const tracedBytes = encodeJob(event, target, offset);
      assert.equal(tracedBytes, plainBytes + TRACE_LINK_BYTES);
      view.attach(target, offset, tracedBytes);
      assert.equal(view.traceEnd - view.traceStart, TRACE_LINK_BYTES);
      assert.deepEqual(readTraceLink(view.bytes, view.traceStart), { traceId, spanId });
      const text = (start: number, end: number) => decoder.decode(target.slice(start, end));
      assert.equal(text(view.userStart, view.userEnd), "alice");
      assert.equal(text(view.actionStart, view.actionEnd), "buy");
      assert.equal(text(view.idStart, view.idEnd), id);
      assert.deepEqual([view.idSlot, view.idTicket], id === "" ? [0, 0] : [7, 9]);
    },
  ));
});

Deno.test("parseTraceparent: takes what W3C defines, and what later versions add behind it", () => {
  const link = { traceId: TRACE_ID, spanId: SPAN_ID };
  const cases: [string, boolean][] = [
    [`00-${TRACE_ID}-${SPAN_ID}-01`, true],
    [`00-${TRACE_ID}-${SPAN_ID}-00`, false],
    [`00-${TRACE_ID}-${SPAN_ID}-03`, true],
    [`00-${TRACE_ID}-${SPAN_ID}-02`, false],
    [`cc-${TRACE_ID}-${SPAN_ID}-01`, true],
    [`cc-${TRACE_ID}-${SPAN_ID}-01-what-comes`, true],
  ];
  for (const [text, isSampled] of cases) {
    assert.deepEqual(parseTraceparent(text), { ...link, isSampled }, text);
  }
});

Deno.test("parseTraceparent: what is malformed is no parent", () => {
  const texts = [
    "",
    "00",
    `ff-${TRACE_ID}-${SPAN_ID}-01`,
    `00-${TRACE_ID}-${SPAN_ID}-01-more`,
    `00-${TRACE_ID}-${SPAN_ID}-01.`,
    `00-${TRACE_ID}-${SPAN_ID}-1`,
    `00-${TRACE_ID}-${SPAN_ID}`,
    `00-${TRACE_ID.toUpperCase()}-${SPAN_ID}-01`,
    `00-${"0".repeat(32)}-${SPAN_ID}-01`,
    `00-${TRACE_ID}-${"0".repeat(16)}-01`,
    `00-${TRACE_ID.slice(1)}-${SPAN_ID}-01`,
    `00-${TRACE_ID.slice(1)}g-${SPAN_ID}-01`,
    `00_${TRACE_ID}_${SPAN_ID}_01`,
    ` 00-${TRACE_ID}-${SPAN_ID}-01`,
  ];
  for (const text of texts) assert.equal(parseTraceparent(text), undefined, text);
});
