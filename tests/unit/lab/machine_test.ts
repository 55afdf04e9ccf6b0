import assert from "node:assert/strict";
import { processorName, readMachineFacts } from "../../../src/lab/machine.ts";

const line = (name: string, value: string): string => `${name}\t: ${value}\n`;

Deno.test("lab machine: the processor has its name, or what is known of it, and is never unknown", () => {
  const cases: [text: string, name: string][] = [
    [line("processor", "0") + line("model", "2") + line("model name", "AMD EPYC"), "AMD EPYC"],
    [
      line("vendor_id", "AuthenticAMD") + line("cpu family", "26") + line("model", "2") +
      line("model name", "unknown"),
      "AuthenticAMD family 26 model 2 (x86_64)",
    ],
    [line("vendor_id", "GenuineIntel") + line("model name", ""), "GenuineIntel (x86_64)"],
    [
      line("CPU implementer", "0x41") + line("CPU part", "0xd0c"),
      "0x41 part 0xd0c (x86_64)",
    ],
    [line("Hardware", "BCM2711"), "BCM2711"],
    [line("vendor_id", "unknown") + line("model name", "unknown"), "x86_64"],
    ["", "x86_64"],
  ];
  for (const [text, name] of cases) assert.equal(processorName(text, "x86_64"), name);
});

Deno.test("lab machine: this one has a processor", async () => {
  const { processor, processorCount } = await readMachineFacts("0.0.0");
  assert.notEqual(processor, "unknown");
  assert.ok(processor.length > 2 && processorCount > 0, processor);
});
