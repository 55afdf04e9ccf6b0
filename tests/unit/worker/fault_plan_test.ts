import assert from "node:assert/strict";
import {
  BACKGROUND_FAULT_STEPS,
  FAULT_STEPS,
  parseFaultPlan,
  RECV_FAULT_STEPS,
} from "../../../src/worker/fault_plan.ts";

Deno.test("parseFaultPlan: reads step, pass and mode", () => {
  assert.deepEqual(parseFaultPlan("afterSwap:3:exit"), {
    step: "afterSwap",
    pass: 3,
    mode: "exit",
  });
  for (const step of [...FAULT_STEPS, ...RECV_FAULT_STEPS]) {
    assert.deepEqual(parseFaultPlan(step), { step, pass: 1, mode: "throw" });
  }
  for (const step of BACKGROUND_FAULT_STEPS) {
    assert.deepEqual(parseFaultPlan(`${step}:2:exit`), { step, pass: 2, mode: "exit" });
  }
});

Deno.test("parseFaultPlan: refuses what is no plan", () => {
  for (
    const text of [
      "",
      "nowhere",
      "afterSwap:0",
      "afterSwap:x",
      "afterSwap:1:die",
      "recvLocked:1:stall",
      "sweepLocked:1:throw",
      "garbageChanged:1:stall",
    ]
  ) {
    assert.throws(() => parseFaultPlan(text), TypeError);
  }
});
