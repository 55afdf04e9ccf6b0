import assert from "node:assert/strict";
import fc from "fast-check";
import {
  encodeJob,
  EventFields,
  jobByteLength,
  JobFlag,
  JobView,
  MAX_ACTION_BYTES,
  MAX_FIELDS_JOB_BYTES,
  MAX_ID_BYTES,
  MAX_JOB_BYTES,
  MAX_USER_BYTES,
  placeId,
} from "../../../src/base/job.ts";
import { FIELDS_MAX_BYTES } from "../../../src/base/limits.ts";

const uint32 = fc.integer({ min: 0, max: 0xffffffff });

function bytesOf(min: number, max: number) {
  return fc.uint8Array({ minLength: min, maxLength: max });
}

Deno.test("JobView: reads what encodeJob wrote, at any offset, in shared memory, too", () => {
  const target = new Uint8Array(new SharedArrayBuffer(MAX_FIELDS_JOB_BYTES + 16));
  const view = new JobView();
  fc.assert(fc.property(
    bytesOf(1, MAX_USER_BYTES),
    bytesOf(1, MAX_ACTION_BYTES),
    bytesOf(0, MAX_ID_BYTES),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.tuple(fc.integer({ min: 0, max: 0xffff }), uint32, uint32, fc.integer({ min: 0, max: 255 })),
    // Below 2^51, year 2041, milliseconds times 1,000 round to the microsecond they came from.
    fc.integer({ min: 0, max: 2 ** 51 }),
    fc.integer({ min: 0, max: 16 }),
    fc.oneof(bytesOf(0, 40), bytesOf(0, FIELDS_MAX_BYTES)),
    (user, action, id, amount, [thread, slot, generation, flags], acceptedAtUs, offset, fields) => {
      const event = new EventFields();
      // The user in the middle of a larger buffer, as in a read buffer.
      event.user.set(Uint8Array.of(1, ...user, 2), 1, 1 + user.length);
      event.action.set(action, 0, action.length);
      event.id.set(id, 0, id.length);
      event.fieldsJson.set(fields, 0, fields.length);
      event.amount.hi = Number(BigInt.asIntN(32, amount >> 32n));
      event.amount.lo = Number(BigInt.asUintN(32, amount));
      event.flags = flags;
      event.replyThread = thread;
      event.replySlot = slot;
      event.replyGeneration = generation;
      event.acceptedAtMs = acceptedAtUs / 1000;
      event.idSlot = slot;
      event.idTicket = generation;
      const length = encodeJob(event, target, offset);
      assert.equal(length, jobByteLength(event));
      view.attach(target, offset, length);
      const slice = (start: number, end: number) => [...target.slice(start, end)];
      assert.deepEqual(slice(view.userStart, view.userEnd), [...user]);
      assert.deepEqual(slice(view.actionStart, view.actionEnd), [...action]);
      assert.deepEqual(slice(view.idStart, view.idEnd), [...id]);
      assert.deepEqual(slice(view.fieldsStart, view.fieldsEnd), [...fields]);
      assert.equal(view.amount.toBigInt(), amount);
      assert.deepEqual(
        [view.flags, view.replyThread, view.replySlot, view.replyGeneration],
        [
          fields.length === 0 ? flags & ~JobFlag.HAS_FIELDS : flags | JobFlag.HAS_FIELDS,
          ...[thread, slot, generation],
        ],
      );
      assert.equal(view.acceptedAtMs, acceptedAtUs / 1000);
      const place = id.length === 0 ? [0, 0] : [slot, generation];
      assert.deepEqual([view.idSlot, view.idTicket], place);
      if (id.length === 0) return;
      const copy = target.slice(offset, offset + length);
      placeId(copy, generation, slot);
      view.attach(copy, 0, length);
      assert.deepEqual([view.idSlot, view.idTicket], [generation, slot]);
      assert.deepEqual([...copy.slice(view.idStart, view.idEnd)], [...id]);
      assert.deepEqual([...copy.slice(view.fieldsStart, view.fieldsEnd)], [...fields]);
    },
  ));
});

Deno.test("encodeJob: the largest event fits, one byte more in any field is our bug", () => {
  const largest = () => {
    const event = new EventFields();
    event.user.set(new Uint8Array(MAX_USER_BYTES), 0, MAX_USER_BYTES);
    event.action.set(new Uint8Array(MAX_ACTION_BYTES), 0, MAX_ACTION_BYTES);
    event.id.set(new Uint8Array(MAX_ID_BYTES), 0, MAX_ID_BYTES);
    return event;
  };
  assert.ok(encodeJob(largest(), new Uint8Array(MAX_JOB_BYTES), 0) <= MAX_JOB_BYTES);
  const withFields = largest();
  withFields.fieldsJson.set(new Uint8Array(FIELDS_MAX_BYTES), 0, FIELDS_MAX_BYTES);
  const room = new Uint8Array(MAX_FIELDS_JOB_BYTES);
  assert.ok(encodeJob(withFields, room, 0) <= MAX_FIELDS_JOB_BYTES);
  withFields.fieldsJson.set(new Uint8Array(FIELDS_MAX_BYTES + 1), 0, FIELDS_MAX_BYTES + 1);
  assert.throws(() => encodeJob(withFields, new Uint8Array(2 * room.length), 0), /4097 bytes/);
  for (const field of ["user", "action", "id"] as const) {
    const event = largest();
    const length = event[field].length + 1;
    event[field].set(new Uint8Array(length), 0, length);
    assert.throws(() => encodeJob(event, new Uint8Array(2 * MAX_JOB_BYTES), 0), /bytes/);
  }
  const nobody = largest();
  nobody.user.clear();
  assert.throws(() => encodeJob(nobody, new Uint8Array(MAX_JOB_BYTES), 0), /user has 0 bytes/);
});

Deno.test("JobView: refuses bytes that are no job", () => {
  const event = new EventFields();
  event.user.set(Uint8Array.of(65), 0, 1);
  event.action.set(Uint8Array.of(66), 0, 1);
  const job = new Uint8Array(MAX_JOB_BYTES);
  const length = encodeJob(event, job, 0);
  const view = new JobView();
  assert.throws(() => view.attach(job, 0, length + 1), /fields end/);
  assert.throws(() => view.attach(job, 0, 10), /can be read/);
  job[1] = JobFlag.HAS_FIELDS;
  assert.throws(() => view.attach(job, 0, length), /fields end/);
  job[1] = 0;
  job[0] = 9;
  assert.throws(() => view.attach(job, 0, length), /job version 9/);
});
